package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// guardSh guards a shell's command.
func guardSh(t *testing.T, command string, flags ...string) *running {
	t.Helper()
	return start(t, append(append([]string{"guard"}, flags...), "--", "sh", "-c", command)...)
}

func TestGuardPassesTheExitStatusOn(t *testing.T) {
	t.Parallel()
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("no program\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("\x7fELF, not quite"), 0o700); err != nil {
		t.Fatal(err)
	}
	headless := filepath.Join(t.TempDir(), "headless")
	if err := os.WriteFile(headless, []byte("#!/no/such/interpreter\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		status int
		says   string
		args   []string
	}{
		{0, "", []string{"--", "true"}},
		{0, "", []string{"true"}},
		{1, "", []string{"--", "false"}},
		{77, "", []string{"sh", "-c", "exit 77"}},
		{128 + 15, "", []string{"sh", "-c", "kill -TERM $$"}},
		{128 + 9, "", []string{"sh", "-c", "kill -KILL $$"}},
		{127, `there is no program "conclave-has-no-such-thing" in PATH`, []string{"--", "conclave-has-no-such-thing"}},
		{127, `there is no program "` + plain + `.not"`, []string{"-restart", "--", plain + ".not"}},
		{126, `the program "` + plain + `" cannot be started: permission denied`, []string{"--", plain}},
		{126, `the program "` + broken + `" cannot be started: exec format error`, []string{"--", broken}},
		{126, `the program "` + headless + `" cannot be started: the interpreter that it names is not there`, []string{"--", headless}},
		{126, `cannot be started: permission denied`, []string{"--", filepath.Dir(plain)}},
	} {
		r := start(t, append([]string{"guard"}, test.args...)...)
		r.endsAlone(test.status)
		if said := strings.Join(r.said("conclave guard: "), "\n"); !strings.Contains(said, test.says) || test.says == "" && said != "" || strings.Contains(said, "\n") {
			t.Errorf("%q: it said %q", test.args, said)
		}
	}
}

func TestGuardTellsWhatIsWrongInOneLine(t *testing.T) {
	t.Parallel()
	for says, args := range map[string][]string{
		"no program is named":                 {"--"},
		"no program is named (":               {},
		"name is empty":                       {""},
		"-backoff 0s is no pause":             {"-backoff", "0s", "true"},
		"-nonsense":                           {"-nonsense", "true"},
		`"failure" or "always"`:               {"-restart=often", "true"},
		"-restart=always":                     {"-restart", "always", "--", "true"},
		`invalid value "soon" for flag -back`: {"-backoff", "soon", "true"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append([]string{"guard"}, args...), &stdout, &stderr)
		text := strings.TrimSuffix(stderr.String(), "\n")
		if code != exitUsage || !strings.Contains(text, says) || strings.Contains(text, "\n") || stdout.Len() > 0 {
			t.Errorf("%q: code %d, said %q, printed %q", args, code, text, &stdout)
		}
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"guard", "-h"}, &stdout, &stderr); code != exitOK || !strings.Contains(stdout.String(), "-restart") || stderr.Len() > 0 {
		t.Errorf("guard -h: code %d, printed %q", code, &stdout)
	}
}

func TestGuardPassesSignalsOn(t *testing.T) {
	t.Parallel()
	for name, sig := range map[string]syscall.Signal{
		"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "QUIT": syscall.SIGQUIT, "ALRM": syscall.SIGALRM,
		"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "WINCH": syscall.SIGWINCH, "CONT": syscall.SIGCONT,
	} {
		if signal.Ignored(sig) {
			t.Logf("%v is ignored here, as under nohup, and stays so", sig)
			continue
		}
		r := guardSh(t, fmt.Sprintf(`trap 'echo got; exit 9' %s; echo ready; while :; do sleep 0.02; done`, name), "-restart=always", "-backoff", "1ms")
		r.says("ready", 1)
		r.signal(sig)
		r.says("got", 1)
		switch sig {
		case syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT:
			r.ends(9) // asked to end, it is not started again
		default:
			r.says("ready", 2)
		}
	}
}

func TestSignalThatIsIgnoredStaysIgnored(t *testing.T) {
	t.Parallel()
	c := exec.Command("sh", "-c", `trap "" HUP; exec "$@"`, "sh", os.Args[0], "guard", "--", "sh", "-c",
		`kill -HUP $$; kill -HUP $PPID; echo alive; read line`)
	c.Env = append(os.Environ(), "CONCLAVE_TEST_MAIN=1")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r := launch(t, c)
	r.says("alive", 1)
	in.Close()
	r.ends(1) // read found the end of the input
}

func TestProgramThatDiesAtOnceIsStartedAgainWithPauses(t *testing.T) {
	t.Parallel()
	r := guardSh(t, `echo started; exit 3`, "-restart", "-backoff", "20ms")
	began := time.Now()
	r.says("conclave guard: sh ended with status 3, it is started again in 160ms", 1)
	r.says("conclave guard: sh ended with status 3, it is started again in 320ms", 1)
	if took := time.Since(began); took < 300*time.Millisecond || len(r.said("started")) != 5 {
		t.Errorf("after %v it had been started %d times", took, len(r.said("started")))
	}
	r.signal(syscall.SIGTERM)
	r.ends(3)
}

// Whoever read what the guard has to say, tee or a pager, may have gone.
func TestGuardOutlivesTheReaderOfItsMessages(t *testing.T) {
	t.Parallel()
	const program = `kill -PIPE $$; exit 3` // which it does not ignore
	c := exec.Command("sh", "-c", `{ "$0" guard -restart -backoff 1ms -- sh -c 'echo started; exit 3' 2>&1 >&3 | true; } 3>&1`, os.Args[0])
	c.Env = append(os.Environ(), "CONCLAVE_TEST_MAIN=1")
	r := launch(t, c)
	r.says("started", 4)

	r = guardSh(t, program)
	r.endsAlone(128 + int(syscall.SIGPIPE))
}

func TestExitStatusZeroIsNotStartedAgainUnlessAsked(t *testing.T) {
	t.Parallel()
	r := guardSh(t, `echo started`, "-restart", "-backoff", "1ms")
	r.endsAlone(0)
	if n := len(r.said("started")); n != 1 {
		t.Errorf("started %d times", n)
	}
	r = guardSh(t, `echo started`, "-restart=always", "-backoff", "50ms")
	r.says("conclave guard: sh ended with status 0", 3) // and the pause has begun
	r.signal(syscall.SIGTERM)
	r.ends(0)
}

// A daemon that the program leaves may be what has its sessions.
func TestGuardWaitsForWhatTheProgramLeavesBehind(t *testing.T) {
	t.Parallel()
	const daemon = `sleep 1000 & echo daemon $!; exit 5`
	r := guardSh(t, daemon, "-restart", "-backoff", "1ms")
	pid := r.number("daemon ", 1)
	r.says("conclave guard: sh has ended with status 5, but something", 1)
	r.signal(syscall.SIGUSR1) // for nobody
	if r.hasEnded() || len(r.said("daemon")) != 1 {
		t.Error("it did not wait")
	}
	kill(t, pid, syscall.SIGKILL)
	r.says("daemon ", 2)

	r = guardSh(t, daemon)
	pid = r.number("daemon ", 1)
	r.says("conclave guard: sh has ended with status 5, but something", 1)
	r.signal(syscall.SIGTERM)
	r.ends(5)
	kill(t, pid, syscall.SIGKILL) // it was left alone
}

func TestGuardLendsItsInputAndOutput(t *testing.T) {
	t.Parallel()
	c := exec.Command(os.Args[0], "guard", "--", "cat")
	c.Env = append(os.Environ(), "CONCLAVE_TEST_MAIN=1")
	c.Stdin = strings.NewReader("one\ntwo\n")
	r := launch(t, c)
	r.endsAlone(0)
	r.says("two", 1)
	if said := r.said(""); len(said) != 2 {
		t.Errorf("it said %q", said)
	}
}
