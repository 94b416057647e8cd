package main

import (
	"debug/buildinfo"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// modules are those of each program whose versions count.
var modules = map[string][]string{
	"asynq":      {"hibiken/asynq", "redis/go-redis/v9"},
	"ergo":       {"ergo-services/ergo"},
	"hollywood":  {"anthdm/hollywood"},
	"protoactor": {"asynkron/protoactor-go"},
	"nats":       {"nats-io/nats-server/v2", "nats-io/nats.go"},
}

// versions are those of the peers, a line each.
func versions(bin string) string {
	var b strings.Builder
	for _, program := range slices.Sorted(maps.Keys(modules)) {
		info, err := buildinfo.ReadFile(filepath.Join(bin, program))
		if err != nil {
			continue
		}
		for _, d := range info.Deps {
			if d.Replace != nil {
				d = d.Replace
			}
			if slices.Contains(modules[program], strings.TrimPrefix(d.Path, "github.com/")) {
				fmt.Fprintf(&b, "- %s %s\n", d.Path, d.Version)
			}
		}
	}
	if out, err := exec.Command("erl", "-noshell", "-eval", `io:format("~s", [erlang:system_info(otp_release)]), halt().`).Output(); err == nil {
		fmt.Fprintf(&b, "- Erlang/OTP %s\n", out)
	}
	if out, err := exec.Command("redis-server", "--version").Output(); err == nil {
		fmt.Fprintf(&b, "- %s", out)
	}
	jars, _ := filepath.Glob("/usr/share/java/zookeeper-[0-9]*.jar") // of Debian's package, the only one that is used
	for _, jar := range jars {
		fmt.Fprintf(&b, "- ZooKeeper %s\n", strings.TrimPrefix(strings.TrimSuffix(filepath.Base(jar), ".jar"), "zookeeper-"))
	}
	return b.String()
}
