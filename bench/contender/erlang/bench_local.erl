%% L1 to L3.
-module(bench_local).
-behaviour(gen_server).
-export([run/2]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(BODY, {body, 1, 0, 0}).

run("L1", N) ->
    Self = self(),
    To = spawn_link(fun() -> Self ! {got, drain(N)} end),
    measured(N, fun() -> spawn_link(fun() -> send(To, N) end) end);
run("L2", N) ->
    Self = self(),
    Pong = spawn_link(fun echo/0),
    Ping = spawn_link(fun() -> receive go -> Self ! {got, ping(Pong, N)} end end),
    measured(N, fun() -> Ping ! go end);
run("L2a", N) ->
    {ok, Server} = gen_server:start_link(?MODULE, [], []),
    Self = self(),
    measured(N, fun() -> spawn_link(fun() -> Self ! {got, ask(Server, N)} end) end);
run("L3", N) ->
    Tally = bench:tally(N),
    bench:ready([]),
    Before = memory(),
    Start = os:system_time(nanosecond),
    Pids = spawn_idle(N, Tally, []),
    Took = os:system_time(nanosecond) - Start,
    timer:sleep(200),
    Bytes = memory() - Before,
    [P ! ?BODY || P <- Pids],
    {_, Got} = lists:keyfind("got", 1, bench:wait(Tally)),
    [{"spawn", Took / 1000 / N}, {"bytes", Bytes / N}, {"sent", N}, {"got", Got}].

measured(N, Begin) ->
    bench:ready([]),
    Start = os:system_time(nanosecond),
    Begin(),
    receive {got, Got} -> bench:span(Start, N, Got) end.

send(_, 0) -> ok;
send(To, N) -> To ! ?BODY, send(To, N - 1).

drain(N) -> drain(N, 0).
drain(0, Got) -> Got;
drain(N, Got) -> receive {body, _, _, _} -> drain(N - 1, Got + 1) end.

echo() -> receive {From, Body} -> From ! Body, echo() end.

ping(To, N) -> ping(To, N, 0).
ping(_, 0, Got) -> Got;
ping(To, N, Got) ->
    To ! {self(), ?BODY},
    receive {body, _, _, _} -> ping(To, N - 1, Got + 1) end.

ask(Server, N) -> ask(Server, N, 0).
ask(_, 0, Got) -> Got;
ask(Server, N, Got) ->
    {body, _, _, _} = gen_server:call(Server, ?BODY),
    ask(Server, N - 1, Got + 1).

spawn_idle(0, _, Pids) -> Pids;
spawn_idle(N, Tally, Pids) ->
    spawn_idle(N - 1, Tally, [spawn(fun() -> receive {body, _, _, _} -> bench:count(Tally) end end) | Pids]).

%% What processes take, without the list of their PIDs.
memory() ->
    erlang:garbage_collect(),
    {memory, Own} = process_info(self(), memory),
    erlang:memory(processes) - Own.

init([]) -> {ok, none}.
handle_call(_, _, State) -> {reply, {body, 2, 0, 0}, State}.
handle_cast(_, State) -> {noreply, State}.
