// Package figures is how the programs that measure name the machine and print times.
package figures

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Machine names the processor, how many there are, the system and Go's version.
func Machine() string {
	model := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, cores: %d, %s, %s", model, runtime.NumCPU(), runtime.GOOS, runtime.Version())
}

// Short is a time with a tenth of a millisecond, from a second on with a hundredth of
// a second.
func Short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// Quantile is the time that q (0 to 1) of them do not exceed, the nearest one that was
// measured; 0 of none. It sorts them.
func Quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[int(q*float64(len(all)-1)+0.5)]
}
