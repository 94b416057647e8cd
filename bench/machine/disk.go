package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Disk says what it costs there that a few bytes are durable: what stores of tasks
// can do hangs on it.
func Disk(dir string) (string, error) {
	f, err := os.Create(filepath.Join(dir, "durable"))
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	const writes, size = 500, 300
	took := make([]time.Duration, writes)
	for i := range took {
		start := time.Now()
		if _, err := f.Write(make([]byte, size)); err != nil {
			return "", err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return "", err
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return fmt.Sprintf("Disk: %d bytes appended and synced in %v (p50), %v (p99)", size,
		took[writes/2].Round(time.Microsecond), took[writes*99/100].Round(time.Microsecond)), nil
}
