package child

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"
)

// Await waits until it is so, and says whether it is.
func Await(ctx context.Context, limit time.Duration, so func() bool) bool {
	for deadline := time.Now().Add(limit); ; {
		if so() {
			return true
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return false
		}
		Pause(ctx, 5*time.Millisecond)
	}
}

// Pause waits, or until ctx ends.
func Pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// BuildGuard builds the program conclave, for its guard, in a folder, and returns
// where it is. That works within its module.
func BuildGuard(ctx context.Context, dir string) (program string, err error) {
	program = filepath.Join(dir, "conclave")
	said, err := exec.CommandContext(ctx, "go", "build", "-o", program, "conclave/cmd/conclave").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("the guard's program cannot be built (-conclave names one): %w\n%s", err, said)
	}
	return program, nil
}
