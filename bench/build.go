package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"conclave/internal/zktest"
)

// build compiles the contenders into bin, a program each: two of them cannot live
// in one, both naming their protobuf messages alike, and none should carry the
// others' memory. What this machine has no compiler for is in missing, with how to
// get it.
func build(bin string) (missing map[string]string, err error) {
	if err := run("go", "build", "-o", bin+"/", "./contender/..."); err != nil {
		return nil, fmt.Errorf("building the contenders: %w; bench must be run in its own directory", err)
	}
	missing = map[string]string{}
	if _, err := exec.LookPath("redis-server"); err != nil {
		missing[asynq.program] = "Redis is not installed (Debian: apt-get install redis-server)"
	}
	if err := zktest.Installed(); err != nil {
		missing[conclaveTasks.program] = err.Error() + " (apt-get install zookeeper)"
	}
	switch err := buildErlang(bin); {
	case errors.Is(err, exec.ErrNotFound):
		missing[erlang.program] = "Erlang/OTP is not installed (Debian: apt-get install erlang-nox)"
	case err != nil:
		return nil, fmt.Errorf("building the contender Erlang: %w", err)
	}
	return missing, nil
}

func buildErlang(bin string) error {
	for _, program := range []string{"erl", "erlc"} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	const dir = "contender/erlang"
	sources, err := filepath.Glob(dir + "/*.erl")
	if err != nil {
		return err
	}
	if len(sources) == 0 {
		return fmt.Errorf("%s: %w", dir, fs.ErrNotExist)
	}
	if err := run("erlc", append([]string{"-o", bin}, sources...)...); err != nil {
		return err
	}
	script, err := os.ReadFile(dir + "/erlang.sh")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(bin, erlang.program), script, 0o755)
}

func run(program string, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}
