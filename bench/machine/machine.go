// Package machine says where something was measured.
package machine

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Line says where and with what, and how busy that is.
func Line() string {
	load := words("/proc/loadavg", 1)
	line := fmt.Sprintf("%s, %d CPUs, %s, Linux %s, %s; load before: %s",
		field("/proc/cpuinfo", "model name"), runtime.NumCPU(), field("/proc/meminfo", "MemTotal"),
		words("/proc/sys/kernel/osrelease", 1), runtime.Version(), load)
	if busy, _ := strconv.ParseFloat(load, 64); busy > float64(runtime.NumCPU())/2 {
		line += " (busy: trust CPU times most)"
	}
	return line
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

// words are the first of a file.
func words(file string, n int) string {
	text, _ := os.ReadFile(file)
	all := strings.Fields(string(text))
	return strings.Join(all[:min(n, len(all))], " ")
}
