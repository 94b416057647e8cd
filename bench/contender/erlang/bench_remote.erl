%% R1 to R5h. A message is its body, a binary; one that asks is {From, Ref, Body}
%% and is answered with {Ref, Answer}.
-module(bench_remote).
-export([recv/2, send/3]).

-define(SMALL, 64).
-define(PAIRS, 100).
-define(CALLERS, 256).
-define(BODY_R5, 65536).
-define(BODY_R5H, 1048576).
-define(STREAMS, 2).
-define(WINDOW, 8).

recv(Name, N) ->
    bench_dist:start('recv@127.0.0.1', 0),
    recv1(Name, N).

recv1("R1", N) -> receiver(N, 1, ?SMALL);
recv1("R2", N) -> receiver(N, ?PAIRS, ?SMALL);
recv1("R5", N) -> receiver(N, 1, ?BODY_R5);
recv1("R1m", N) ->
    receiver(N, 1, ?SMALL, fun(Count) when Count rem 1000 =:= 0 -> timer:sleep(5); (_) -> ok end);
recv1("R5h", N) ->
    Tally = bench:tally(N + ?STREAMS),
    ready([serve(?BODY_R5H, counting(Tally)), serve(?SMALL, fun(true) -> ok end)]),
    less(?STREAMS, bench:wait(Tally));
recv1(_, _) -> % R3, R4
    ready([serve(?SMALL, fun(true) -> ok end)]),
    [].

receiver(N, K, Size) -> receiver(N, K, Size, fun(_) -> ok end).
receiver(N, K, Size, After) ->
    Tally = bench:tally(N + K),
    Count = fun(true) -> After(bench:count(Tally)); (false) -> ok end,
    ready([serve(Size, Count) || _ <- lists:seq(1, K)]),
    less(K, bench:wait(Tally)).

counting(Tally) -> fun(true) -> bench:count(Tally); (false) -> ok end.

less(K, Values) ->
    {_, Got} = lists:keyfind("got", 1, Values),
    lists:keyreplace("got", 1, Values, {"got", Got - K}).

ready(Pids) ->
    bench:ready([integer_to_list(bench_dist:port()) | [base64:encode(term_to_binary(P)) || P <- Pids]]).

serve(Size, Got) ->
    Answer = payload(?SMALL),
    spawn_link(fun() -> loop(Size, Got, Answer) end).

loop(Size, Got, Answer) ->
    receive
        Body when is_binary(Body) -> Got(intact(Body, Size));
        {From, Ref, Body} -> Got(intact(Body, Size)), From ! {Ref, Answer}
    end,
    loop(Size, Got, Answer).

payload(Size) -> << <<(I rem 251)>> || I <- lists:seq(0, Size - 1) >>.

intact(B, Size) -> byte_size(B) =:= Size andalso at(B, Size - 1) andalso sampled(B, 0, Size).

sampled(_, I, Size) when I >= Size -> true;
sampled(B, I, Size) -> at(B, I) andalso sampled(B, I + 4096, Size).

at(B, I) -> binary:at(B, I) =:= I rem 251.

send(Name, N, [Port | Words]) ->
    bench_dist:start('send@127.0.0.1', list_to_integer(Port)),
    send1(Name, N, [binary_to_term(base64:decode(W)) || W <- Words]).

send1("R3", N, [To]) ->
    Body = payload(?SMALL),
    timed(N div 10 + 100, fun() -> call(To, Body) end),
    bench:ready([]),
    Took = timed(N, fun() -> call(To, Body) end),
    quantiles(Took) ++ [{"sent", N}, {"got", length(Took)}];
send1("R4", N, [To]) ->
    Body = payload(?SMALL),
    callers(?CALLERS * 10, To, Body),
    bench:ready([]),
    Start = os:system_time(nanosecond),
    Got = callers(N, To, Body),
    bench:span(Start, N, Got);
send1("R5h", N, [Bulk, To]) ->
    Large = payload(?BODY_R5H),
    Small = payload(?SMALL),
    Streams = [sender(Bulk, Large, fun() -> stream(Bulk, Large, N div ?STREAMS, 1) end) || _ <- lists:seq(1, ?STREAMS)],
    Self = self(),
    Left = atomics:new(1, []),
    atomics:put(Left, 1, 1),
    Pinger = sender(To, Small, fun() ->
        Self ! {took, timed_while(Left, fun() -> call(To, Small) end, [])}
    end),
    warm([Pinger | Streams]),
    Start = go([Pinger | Streams]),
    done(Streams),
    atomics:put(Left, 1, 0),
    receive {took, Took} -> ok end,
    bench:start_result(Start, N) ++ quantiles(Took);
send1(Name, N, To) -> % R1, R1m, R2, R5
    Body = payload(case Name of "R5" -> ?BODY_R5; _ -> ?SMALL end),
    Each = N div length(To),
    Senders = [sender(A, Body, fun() -> repeat(A, Body, Each) end) || A <- To],
    warm(Senders),
    Start = go(Senders),
    done(Senders),
    bench:start_result(Start, N).

%% A sender waits for an answer, and then for all the others.
sender(To, Body, Work) ->
    Self = self(),
    spawn_link(fun() ->
        call(To, Body),
        Self ! {warm, self()},
        receive go -> ok end,
        Work(),
        Self ! {done, self()}
    end).

warm(Pids) -> [receive {warm, P} -> ok end || P <- Pids].

go(Pids) ->
    bench:ready([]),
    Start = os:system_time(nanosecond),
    [P ! go || P <- Pids],
    Start.

done(Pids) -> [receive {done, P} -> ok end || P <- Pids].

repeat(_, _, 0) -> ok;
repeat(To, Body, N) -> To ! Body, repeat(To, Body, N - 1).

stream(_, _, N, I) when I > N -> ok;
stream(To, Body, N, I) when I rem ?WINDOW =:= 0; I =:= N -> call(To, Body), stream(To, Body, N, I + 1);
stream(To, Body, N, I) -> To ! Body, stream(To, Body, N, I + 1).

call(To, Body) ->
    Ref = make_ref(),
    To ! {self(), Ref, Body},
    receive {Ref, Answer} -> ?SMALL = byte_size(Answer) end.

callers(N, To, Body) ->
    Left = atomics:new(1, []),
    atomics:put(Left, 1, N),
    Self = self(),
    [spawn_link(fun() -> Self ! {answered, calls(Left, To, Body, 0)} end) || _ <- lists:seq(1, ?CALLERS)],
    lists:sum([receive {answered, Got} -> Got end || _ <- lists:seq(1, ?CALLERS)]).

calls(Left, To, Body, Got) ->
    case atomics:sub_get(Left, 1, 1) of
        L when L >= 0 -> call(To, Body), calls(Left, To, Body, Got + 1);
        _ -> Got
    end.

timed(N, F) -> [time(F) || _ <- lists:seq(1, N)].

timed_while(Left, F, Took) ->
    case atomics:get(Left, 1) of
        1 -> timed_while(Left, F, [time(F) | Took]);
        0 -> Took
    end.

time(F) ->
    Start = erlang:monotonic_time(),
    F(),
    erlang:monotonic_time() - Start.

quantiles(Took) ->
    Sorted = lists:sort(Took),
    At = fun(Q) ->
        T = lists:nth(trunc(Q * (length(Sorted) - 1)) + 1, Sorted),
        erlang:convert_time_unit(T, native, nanosecond) / 1000
    end,
    [{"p50", At(0.5)}, {"p99", At(0.99)}].
