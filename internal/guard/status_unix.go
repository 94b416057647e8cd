//go:build linux || darwin

package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
)

// statusOf is the exit status to pass on, as a shell would.
func statusOf(p *os.ProcessState) int {
	if w, ok := p.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return exitSignal + int(w.Signal())
	}
	return p.ExitCode()
}

// cannotStart says why a program could not be started, and the exit status for
// that.
func cannotStart(program string, err error) (status int, line string) {
	var inner *fs.PathError
	at := errors.As(err, &inner)
	switch {
	case errors.Is(err, exec.ErrDot):
		return exitNotExecutable, fmt.Sprintf("the program %q is found only in a folder that PATH names by a relative path: say where it is, as in ./%s", program, program)
	case errors.Is(err, exec.ErrNotFound):
		return exitNotFound, fmt.Sprintf("there is no program %q in PATH", program)
	case errors.Is(err, fs.ErrNotExist) && at && exists(inner.Path):
		return exitNotExecutable, fmt.Sprintf("the program %q cannot be started: the interpreter that it names is not there", program)
	case errors.Is(err, fs.ErrNotExist):
		return exitNotFound, fmt.Sprintf("there is no program %q", program)
	case at:
		err = inner.Err
	}
	return exitNotExecutable, fmt.Sprintf("the program %q cannot be started: %v", program, err)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
