#!/usr/bin/env bash
# Passes all tests: formatting, vet, staticcheck, and every test under the race
# detector, against the embedded server and against ZooKeeper itself, which the
# tests start on free loopback ports. Installs Debian's package "zookeeper" when
# it is missing. Arguments go to "go test", for example: ./test.sh -count=3
set -euo pipefail
cd "$(dirname "$0")"

root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

if [ ! -e /usr/share/java/zookeeper.jar ] || ! command -v java >/dev/null; then
	echo "== installing zookeeper"
	if ! command -v apt-get >/dev/null; then
		echo "ZooKeeper is not installed, and there is no apt-get to install it with. Install it so that" >&2
		echo "/usr/share/java/zookeeper.jar and java are there (Debian's package zookeeper), and run this again." >&2
		exit 1
	fi
	root apt-get update -qq
	root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq zookeeper >/dev/null
fi

# Some tests cut real networks: network namespaces, which take root and Linux.
if ! command -v ip >/dev/null && command -v apt-get >/dev/null; then
	root apt-get update -qq && root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq iproute2 >/dev/null || true
fi
if ! command -v ip >/dev/null || ! unshare --net true 2>/dev/null; then
	echo "== no network namespaces here (they take Linux, root and the program ip): the tests that cut real networks are skipped"
fi

echo "== gofmt"
unformatted=$(gofmt -l .)
if [ -n "$unformatted" ]; then
	echo "not formatted:" >&2
	echo "$unformatted" >&2
	exit 1
fi

echo "== go vet"
go vet ./...

echo "== staticcheck"
go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

echo "== go test -race"
CONCLAVE_REAL=1 go test -race -timeout 25m "$@" ./...

# The race detector adds instructions and allocations of its own.
echo "== what messages cost"
go test -run '^TestCostOf|Alloc' ./actor ./codec ./transport ./node

# The race detector makes them ten times as slow, so it sees a quarter of each.
echo "== random schedules of the machines, all of them"
go test -run '^TestExplore|^TestNextKeeps|^TestNoPlanMoves' ./actor ./global ./internal/journal ./internal/keeper ./node ./registry ./shard

echo "== the modules of their own: bench, otel"
for module in bench otel; do (cd "$module" && go vet ./... && go test ./...); done
