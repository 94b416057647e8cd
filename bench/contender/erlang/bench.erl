%% The contender Erlang/OTP. It says to the driver what package child says, and does
%% what its Roles do.
-module(bench).
-export([main/0, ready/1, start_result/2, span/3, tally/1, count/1, wait/1]).

main() ->
    [Role, Number | Words] = init:get_plain_arguments(),
    ready_at(),
    Self = self(),
    persistent_term:put(bench_done, false),
    spawn(fun() -> until_eof(), ended(Self) end),
    Values = role(string:lexemes(Role, " "), list_to_integer(Number), Words),
    persistent_term:put(bench_done, true),
    io:format("RESULT ~s~n", [json(Values)]),
    receive ended -> ok end,
    {Now, _} = statistics(runtime),
    CPU = (Now - persistent_term:get(bench_cpu)) / 1000,
    io:format("FINAL ~s~n", [json([{"CPU", CPU}, {"PeakKB", peak_kb()}])]),
    halt(0).

role(["L" ++ _ = Name], N, _) -> bench_local:run(Name, N);
role([Name, "recv"], N, _) -> bench_remote:recv(Name, N);
role([Name, "send"], N, Words) -> bench_remote:send(Name, N, Words).

%% What the process does from here on is measured.
ready(Words) ->
    ready_at(),
    io:format("READY ~s~n", [lists:join(" ", Words)]).

ready_at() ->
    {CPU, _} = statistics(runtime),
    persistent_term:put(bench_cpu, CPU).

json(Values) ->
    ["{", lists:join(",", [io_lib:format("\"~s\":~p", [K, V]) || {K, V} <- Values]), "}"].

until_eof() ->
    case io:get_line("") of
        eof -> ok;
        {error, _} -> ok;
        _ -> until_eof()
    end.

%% Without the driver nobody would ever end this.
ended(Main) ->
    case persistent_term:get(bench_done) of
        true -> Main ! ended;
        false -> halt(1)
    end.

peak_kb() ->
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [KB]} = re:run(Status, "VmHWM:\\s*([0-9]+) kB", [{capture, all_but_first, list}]),
    list_to_integer(KB).

start_result(Start, Sent) -> [{"start", Start}, {"sent", Sent}].

%% Start is of os:system_time, in nanoseconds: the other process's clock.
span(Start, Sent, Got) ->
    Took = os:system_time(nanosecond) - Start,
    [{"rate", Got * 1.0e9 / Took}, {"sent", Sent}, {"got", Got}].

%% A tally counts what receivers got, and tells the one that made it of the last.
tally(Want) -> {atomics:new(1, []), Want, self()}.

count({A, Want, Owner}) ->
    case atomics:add_get(A, 1, 1) of
        Want -> Owner ! all_here, Want;
        N -> N
    end.

%% Returns when all has come, or when nothing came for twenty seconds.
wait(Tally) -> wait(Tally, 0, os:system_time(nanosecond)).

wait({A, _, _} = Tally, Last, Since) ->
    receive
        all_here -> [{"end", os:system_time(nanosecond)}, {"got", atomics:get(A, 1)}]
    after 20 ->
        Now = os:system_time(nanosecond),
        case atomics:get(A, 1) of
            Last when Last > 0, Now - Since > 20_000_000_000 -> [{"end", Since}, {"got", Last}];
            Last -> wait(Tally, Last, Since);
            Got -> wait(Tally, Got, Now)
        end
    end.
