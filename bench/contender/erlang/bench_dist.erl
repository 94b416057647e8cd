%% How the two nodes find each other: the port is told, so no epmd need run.
-module(bench_dist).
-export([start_link/0, register_node/2, register_node/3, port_please/2, port_please/3, names/1]).
-export([start/2, port/0]).

%% Begins distribution under that name. Port is the other node's, or 0.
start(Name, Port) ->
    persistent_term:put(bench_other_port, Port),
    {ok, _} = net_kernel:start([Name, longnames]),
    true = erlang:set_cookie(conclave_bench).

%% The port this node listens on.
port() -> persistent_term:get(bench_own_port).

start_link() -> ignore.

register_node(Name, Port) -> register_node(Name, Port, inet).
register_node(_Name, Port, _Family) ->
    persistent_term:put(bench_own_port, Port),
    {ok, 1}.

port_please(Name, Host) -> port_please(Name, Host, infinity).
port_please(_Name, _Host, _Timeout) -> {port, persistent_term:get(bench_other_port), 6}.

names(_Host) -> {error, address}.
