package main

import (
	"debug/buildinfo"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// modules are those of each program whose versions count.
var modules = map[string][]string{
	"ergo":       {"ergo-services/ergo"},
	"hollywood":  {"anthdm/hollywood"},
	"protoactor": {"asynkron/protoactor-go"},
	"nats":       {"nats-io/nats-server/v2", "nats-io/nats.go"},
}

// machine says where and with what all of it was measured, and how busy that was.
func machine(bin string) (where, versions string) {
	where = fmt.Sprintf("%s, %d CPUs, %s, Linux %s, %s; load before: %s",
		field("/proc/cpuinfo", "model name"), runtime.NumCPU(), field("/proc/meminfo", "MemTotal"),
		word("/proc/sys/kernel/osrelease", 1), runtime.Version(), word("/proc/loadavg", 3))
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
	return where, b.String()
}

// field is what follows the first "name:" in a file of /proc.
func field(file, name string) string {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "?"
}

// word is the first words of a file.
func word(file string, n int) string {
	text, _ := os.ReadFile(file)
	words := strings.Fields(string(text))
	return strings.Join(words[:min(n, len(words))], " ")
}
