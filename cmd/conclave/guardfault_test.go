package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"conclave/internal/zktest"
)

// T of these tests: what takes less than half of it was not the session's end.
const (
	longT  = 10 * time.Second
	shortT = 4 * time.Second
)

// guarded starts a holder under the command, through a wrapper if there is one.
func (p place) guarded(t *testing.T, flags []string, wrapper ...string) *running {
	t.Helper()
	command := p.holder("first")
	if len(wrapper) > 0 {
		command = append(wrapper, quoted(command)+"; exit $?")
	}
	r := start(t, slices.Concat([]string{"guard"}, flags, []string{"--"}, command)...)
	r.says("stands", 1)
	return r
}

// replaced kills the holder of a guard and waits for the next one.
func (p place) replaced(t *testing.T, first, second *running) time.Duration {
	t.Helper()
	old, pid := first.number("holding ", 1), first.number("program ", 1)
	if len(second.said("holding")) > 0 {
		t.Fatal("two holders")
	}
	began := time.Now()
	kill(t, pid, syscall.SIGKILL)
	next := second.number("holding ", 1)
	took := time.Since(began)
	if next <= old {
		t.Errorf("term %d after term %d", next, old)
	}
	return took
}

func TestFault02GuardedKillIsReplacedAtOnce(t *testing.T) {
	everywhere(t, longT, func(t *testing.T, p place) {
		for _, wrapper := range [][]string{nil, {"sh", "-c"}, {"sh", "-c", `sh -c "$0; exit $?"; exit $?`}} {
			first := p.guarded(t, nil, wrapper...)
			second := p.second(t)
			if took := p.replaced(t, first, second); took > longT/2 {
				t.Errorf("%q: replaced after %v, with a session timeout of %v", wrapper, took, longT)
			}
			first.ends(128 + int(syscall.SIGKILL))
			first.says("conclave guard: session", 1)
			second.signal(syscall.SIGTERM)
			second.ends(asProgram)
		}
	})
}

// What the program has started since does not hold the descriptor.
func TestFault02GuardedKillOfAProgramWithChildren(t *testing.T) {
	everywhere(t, longT, func(t *testing.T, p place) {
		first := start(t, append([]string{"guard", "--"}, append(p.holder("first"), "-child")...)...)
		first.says("stands", 1)
		second := p.second(t)
		if took := p.replaced(t, first, second); took > longT/2 {
			t.Errorf("replaced after %v", took)
		}
		first.ends(128 + int(syscall.SIGKILL))
		kill(t, first.number("child ", 1), syscall.SIGKILL) // it lived
	})
}

// What was killed is started again and stands behind the others.
func TestFault02GuardedKillIsStartedAgain(t *testing.T) {
	everywhere(t, longT, func(t *testing.T, p place) {
		first := p.guarded(t, []string{"-restart", "-backoff", "10ms"})
		second := p.second(t)
		if took := p.replaced(t, first, second); took > longT/2 {
			t.Errorf("replaced after %v", took)
		}
		first.says("stands", 2)
		began := time.Now()
		second.signal(syscall.SIGKILL) // it has no guard, but ours has nothing to do with that
		<-second.ended
		third := p.second(t)
		again := first.number("holding ", 2)
		if took := time.Since(began); took < longT/2 {
			t.Errorf("one without a guard was replaced after %v", took)
		}
		if old := second.number("holding ", 1); again <= old {
			t.Errorf("term %d after %d", again, old)
		}
		// Told to end, it is not started again, and has nothing to leave.
		before := len(first.said("conclave guard: session"))
		began = time.Now()
		first.signal(syscall.SIGTERM)
		first.ends(asProgram)
		if third.number("holding ", 1); time.Since(began) > longT/2 {
			t.Errorf("replaced after %v", time.Since(began))
		}
		if n := len(first.said("program")); n != 2 {
			t.Errorf("it was started %d times", n)
		}
		if after := len(first.said("conclave guard: session")); after != before {
			t.Error("a session was left after an orderly stop")
		}
	})
}

func TestFault02GuardedKillWhileZooKeeperIsAway(t *testing.T) {
	t.Parallel()
	p := place{zktest.Dev(t, zktest.Tick(longT/20)), longT}
	asked := make(chan struct{})
	with := p
	with.z.Addr += "," + hangsUp(t, asked)
	first := with.guarded(t, nil)
	second := p.second(t)
	old := first.number("holding ", 1)
	p.z.Dev.Down()
	began := time.Now()
	kill(t, first.number("program ", 1), syscall.SIGKILL)
	// One may be left of the program, and when the guard asks again it has asked
	// every server in vain.
	for range 3 {
		select {
		case <-asked:
		case <-time.After(soon):
			t.Fatal("the guard does not ask again")
		}
	}
	if first.hasEnded() {
		t.Error("the guard has given up")
	}
	p.z.Dev.Up()
	if next := second.number("holding ", 1); next <= old || time.Since(began) > longT/2 {
		t.Errorf("replaced after %v by term %d, after %d", time.Since(began), next, old)
	}
	first.ends(128 + int(syscall.SIGKILL))
}

// hangsUp is the address of a server that hangs up on everybody, and tells asked
// if somebody waits for it.
func hangsUp(t *testing.T, asked chan<- struct{}) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
			select {
			case asked <- struct{}{}:
			default:
			}
		}
	}()
	return l.Addr().String()
}

func TestGuardThatIsAskedToEndDoesNotWaitForZooKeeper(t *testing.T) {
	t.Parallel()
	p := place{zktest.Dev(t, zktest.Tick(longT/20)), longT}
	first := p.guarded(t, nil)
	p.z.Dev.Down()
	began := time.Now()
	first.signal(syscall.SIGTERM)
	first.ends(asProgram)
	if took := time.Since(began); took > longT/2 {
		t.Errorf("it took %v", took)
	}
}

// A dead wrapper proves nothing: the program may be paused, and wake.
func TestPausedProgramUnderADeadWrapperKeepsItsName(t *testing.T) {
	onlyLinux(t, "it looks at /proc")
	everywhere(t, shortT, func(t *testing.T, p place) {
		first := p.guarded(t, []string{"-restart"}, "sh", "-c")
		second := p.second(t)
		program := first.number("program ", 1)
		wrapper := parentOf(t, program)
		if wrapper == first.cmd.Process.Pid {
			t.Fatal("the program has no wrapper")
		}
		began := time.Now()
		kill(t, program, syscall.SIGSTOP)
		kill(t, wrapper, syscall.SIGKILL)
		first.says("conclave guard: sh has ended with status 137, but something", 1)
		second.number("holding ", 1)
		if took := time.Since(began); took < shortT/2 {
			t.Errorf("replaced after %v although it was only paused", took)
		}
		if first.hasEnded() || len(first.said("program")) != 1 {
			t.Error("the guard did not wait for it")
		}
		kill(t, program, syscall.SIGCONT)
		first.says("no longer holding", 1)
		// It stands again, is elected again, and is still guarded.
		second.signal(syscall.SIGTERM)
		second.ends(asProgram)
		first.number("holding ", 2)
		third := p.second(t)
		began = time.Now()
		kill(t, program, syscall.SIGKILL)
		third.number("holding ", 1)
		if took := time.Since(began); took > shortT/2 {
			t.Errorf("replaced after %v once it was dead", took)
		}
		first.says("conclave guard: session", 1)
		first.says("program", 2)
	})
}

func TestProgramThatLosesItsGuardGoesOnAndSaysSo(t *testing.T) {
	everywhere(t, shortT, func(t *testing.T, p place) {
		first := p.guarded(t, nil)
		second := p.second(t)
		program := first.number("program ", 1)
		first.number("holding ", 1)
		first.signal(syscall.SIGKILL)
		<-first.ended
		first.says("unguarded", 1)
		if len(first.said("no longer")) > 0 {
			t.Error("it lost its term as well")
		}
		began := time.Now()
		kill(t, program, syscall.SIGKILL)
		second.number("holding ", 1)
		if took := time.Since(began); took < shortT/2 {
			t.Errorf("replaced after %v without a guard", took)
		}
	})
}

func TestPasswordIsNowhereToBeSeen(t *testing.T) {
	onlyLinux(t, "it looks at /proc")
	everywhere(t, longT, func(t *testing.T, p place) {
		first := p.guarded(t, nil)
		second := p.second(t)
		hidden, err := base64.StdEncoding.DecodeString(strings.TrimSpace(first.says("stands", 1)))
		if err != nil || len(hidden) != 16 {
			t.Fatal(hidden, err)
		}
		disguised := first.said("stands")[0]
		for i := range hidden {
			hidden[i] ^= 0xa5
		}
		shown := []string{
			string(hidden), hex.EncodeToString(hidden), strings.ToUpper(hex.EncodeToString(hidden)), fmt.Sprint(hidden),
			base64.StdEncoding.EncodeToString(hidden), fmt.Sprintf("%q", hidden), fmt.Sprintf("%x", hidden[:8]),
		}
		seek := func(where, text string) {
			t.Helper()
			for _, s := range shown {
				if strings.Contains(text, s) {
					t.Errorf("the password is in %s", where)
				}
			}
		}
		program := first.number("program ", 1)
		for _, pid := range []int{program, first.cmd.Process.Pid} {
			for _, file := range []string{"environ", "cmdline"} {
				text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
				if err != nil || len(text) == 0 {
					t.Fatal(err)
				}
				seek(fmt.Sprintf("%s of %d", file, pid), string(text))
				if file == "environ" && pid == program && !strings.Contains(string(text), "CONCLAVE_GUARD=") {
					t.Error("this is not where it would be")
				}
			}
		}
		if v := first.says("variable ", 1); v != `""` {
			t.Errorf("programs that it starts would inherit %s", v)
		}
		p.replaced(t, first, second)
		first.ends(128 + int(syscall.SIGKILL))
		seek("the log", strings.ReplaceAll(strings.Join(first.said(""), "\n"), disguised, ""))
	})
}

func parentOf(t *testing.T, pid int) (parent int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	if _, err := fmt.Sscanf(rest[2:], "%d", &parent); err != nil {
		t.Fatal(err)
	}
	return parent
}
