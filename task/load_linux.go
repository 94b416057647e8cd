package task

import (
	"os"
	"runtime"
	"strconv"
	"strings"
)

// systemLoad is the load average of the last minute for each CPU.
func systemLoad() float64 {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(data), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return load / float64(runtime.NumCPU())
}
