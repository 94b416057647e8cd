#!/bin/sh
# Runs the contender Erlang/OTP from the directory this file was copied to, beside
# the compiled modules. No epmd is started or asked: see bench_dist.erl.
exec erl -noshell -start_epmd false -epmd_module bench_dist \
	-kernel inet_dist_use_interface '{127,0,0,1}' \
	-pa "$(dirname "$0")" -s bench main -extra "$@"
