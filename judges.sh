#!/usr/bin/env bash
# Lets other people's ZooKeeper clients judge the embedded server: go-zookeeper's
# own tests, zkCli.sh, kazoo and Curator (see internal/judges). Installs Debian's
# packages of them where they are missing. Arguments go to "go test", for
# example: ./judges.sh -run Curator
set -euo pipefail
cd "$(dirname "$0")"

root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

missing=()
need() { # PACKAGE FILE
	if [ ! -e "$2" ]; then missing+=("$1"); fi
}
need zookeeper /usr/share/zookeeper/bin/zkCli.sh
need python3-kazoo /usr/lib/python3/dist-packages/kazoo
need libcurator-recipes-java /usr/share/java/curator-recipes.jar
need default-jdk-headless /usr/bin/javac

if [ ${#missing[@]} -gt 0 ]; then
	echo "== installing ${missing[*]}"
	if ! command -v apt-get >/dev/null; then
		echo "These are Debian packages, and there is no apt-get to install them with." >&2
		exit 1
	fi
	root apt-get update -qq
	root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

CONCLAVE_JUDGES=1 CONCLAVE_REAL=1 go test -count=1 -v "$@" ./internal/judges
