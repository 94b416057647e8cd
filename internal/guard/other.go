//go:build !linux && !darwin

package guard

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
)

// Run is for systems where a descriptor can be inherited.
func Run(context.Context, Options) int {
	// The caller looks at Supported before.
	return exitFailed
}

// Supported says why there cannot be a guard here.
func Supported() error {
	return errors.New("not supported on " + runtime.GOOS + ": it needs descriptors that a child inherits")
}

func inherit() (net.Conn, error) {
	if _, there := os.LookupEnv(Variable); there {
		return nil, Supported()
	}
	return nil, nil
}
