//go:build linux || darwin

package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// soon is far more than anything here takes.
const soon = 20 * time.Second

// sockets is a pair with both ends in this process.
func sockets(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	ours, file, _, err := pair()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Dup(int(file.Fd()))
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	if theirs, err = asConn(fd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}

// watched is a guard's half at work.
type watched struct {
	t    *testing.T
	told chan error
	end  chan left
}

func watching(t *testing.T, conn net.Conn) *watched {
	w := &watched{t: t, told: make(chan error, 1), end: make(chan left, 1)}
	go func() {
		sessions, err := watch(conn, func(err error) { w.told <- err })
		w.end <- left{sessions, err}
	}()
	return w
}

// left is what the dead program left.
func (w *watched) left() []Session {
	w.t.Helper()
	select {
	case l := <-w.end:
		if l.err != nil {
			w.t.Fatal(l.err)
		}
		return l.sessions
	case <-time.After(soon):
		w.t.Fatal("the end was not noticed")
		return nil
	}
}

func one(id int64) Session {
	return Session{Incarnation: 7, ID: id, Password: []byte("sixteen bytes it"), Timeout: 10 * time.Second, Servers: []string{"a:1", "b:2"}}
}

func brief(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	t.Cleanup(cancel)
	return ctx
}

func same(a, b Session) bool {
	return a.Incarnation == b.Incarnation && a.ID == b.ID && string(a.Password) == string(b.Password) && a.Timeout == b.Timeout &&
		strings.Join(a.Servers, ",") == strings.Join(b.Servers, ",")
}

func TestSessionIsHeldUntilItIsForgottenOrTheProgramDies(t *testing.T) {
	ours, theirs := sockets(t)
	g, ward := watching(t, ours), NewWard(theirs)
	other := one(2)
	other.Incarnation, other.Servers = 8, []string{strings.Repeat("x", 250)} // a second node of the program
	for _, s := range []Session{one(1), other, one(3)} {
		if err := ward.Hold(brief(t), s); err != nil {
			t.Fatal(err)
		}
	}
	ward.Forget(7, 1)
	ward.Forget(7, 2) // that is the other node's
	ward.Forget(9, 9)
	theirs.Close()
	if left := g.left(); len(left) != 2 || !same(left[0], other) || !same(left[1], one(3)) {
		t.Errorf("left: %v", left)
	}
}

func TestHoldReturnsOnlyWhenTheGuardHasIt(t *testing.T) {
	ours, theirs := sockets(t)
	ward := NewWard(theirs)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := ward.Hold(ctx, one(1)); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNoGuard) {
		t.Errorf("nobody has answered: %v", err)
	}
	g := watching(t, ours) // a guard that was paused has it after all
	if err := ward.Hold(brief(t), one(2)); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	if left := g.left(); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
}

func TestWardIsToldThatItsGuardIsGone(t *testing.T) {
	ours, theirs := sockets(t)
	ward := NewWard(theirs)
	told := make(chan error, 3)
	ward.OnLost(func(err error) { told <- err })
	ward.OnLost(func(err error) { t.Error("it was told although it was taken back") })()
	held := make(chan error)
	go func() { held <- ward.Hold(brief(t), one(1)) }()
	buf := make([]byte, maxFrame)
	if _, _, err := readFrame(ours, buf); err != nil {
		t.Fatal(err)
	}
	ours.Close()
	for what, ch := range map[string]chan error{"Hold": held, "OnLost": told} {
		select {
		case err := <-ch:
			if !errors.Is(err, ErrNoGuard) {
				t.Errorf("%s: %v", what, err)
			}
		case <-time.After(soon):
			t.Fatalf("%s was not told", what)
		}
	}
	if err := ward.Hold(brief(t), one(2)); !errors.Is(err, ErrNoGuard) {
		t.Errorf("Hold later: %v", err)
	}
	ward.OnLost(func(err error) { told <- err })
	select {
	case <-told:
	case <-time.After(soon):
		t.Error("OnLost afterwards was not told")
	}
	ward.Forget(7, 1)
}

// A process that dies with answers unread resets the connection; that is its end
// all the same.
func TestEndWithUnreadAnswersIsAnEnd(t *testing.T) {
	ours, theirs := sockets(t)
	g := watching(t, ours)
	frame, _ := appendHold(nil, one(1))
	if _, err := theirs.Write(frame); err != nil {
		t.Fatal(err)
	}
	if _, err := theirs.Read(make([]byte, 1)); err != nil { // so the answer is there, and the rest of it unread
		t.Fatal(err)
	}
	theirs.Close()
	if left := g.left(); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
	select {
	case err := <-g.told:
		t.Errorf("it was taken for %v", err)
	default:
	}
}

func TestGarbageIsNotListenedToButItsEndIsAwaited(t *testing.T) {
	held, _ := appendHold(nil, one(1))
	short := append([]byte{0, 0, 0, 10, kindHold}, make([]byte, 9)...)
	nothing := finish(append([]byte{0, 0, 0, 0, kindHold}, make([]byte, 22)...), 0)
	for name, garbage := range map[string]string{
		"text":            "hello, guard\n",
		"huge length":     "\xff\xff\xff\xffabc",
		"length above":    "\x00\x01\x00\x01abc",
		"length zero":     "\x00\x00\x00\x00",
		"cut body":        string(short),
		"no session":      string(nothing),
		"long password":   string(finish(append(append([]byte{0, 0, 0, 0, kindHold}, held[5:25]...), 200, 1, 2), 0)),
		"cut forget":      "\x00\x00\x00\x03f12",
		"servers cut off": string(finish(append([]byte{0, 0, 0, 0, kindHold}, held[5:len(held)-2]...), 0)),
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := sockets(t)
			g := watching(t, ours)
			// A whole session, garbage, and one that must not count any more.
			late, _ := appendHold(nil, one(2))
			if _, err := theirs.Write([]byte(string(held) + garbage + string(late))); err != nil {
				t.Fatal(err)
			}
			ward := NewWard(theirs)
			lost := make(chan error, 1)
			ward.OnLost(func(err error) { lost <- err })
			select {
			case err := <-g.told:
				if !errors.Is(err, errGarbage) {
					t.Errorf("told %v", err)
				}
			case <-time.After(soon):
				t.Fatal("it was believed")
			}
			select {
			case <-lost:
			case <-time.After(soon):
				t.Error("the program was not told that it has no guard any more")
			}
			select {
			case <-g.end:
				t.Fatal("it was taken for dead")
			default:
			}
			theirs.Close()
			if left := g.left(); len(left) != 1 || !same(left[0], one(1)) {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestEndInTheMiddleOfAMessageLeavesWhatWasWhole(t *testing.T) {
	whole, _ := appendHold(nil, one(1))
	cut, _ := appendHold(nil, one(2))
	for n := range len(cut) {
		ours, theirs := sockets(t)
		g := watching(t, ours)
		if _, err := theirs.Write(append(append([]byte(nil), whole...), cut[:n]...)); err != nil {
			t.Fatal(err)
		}
		theirs.Close()
		if left := g.left(); len(left) != 1 || !same(left[0], one(1)) {
			t.Fatalf("after %d bytes: left %v", n, left)
		}
	}
}

func TestUnknownMessagesAndUnknownFieldsAreSkipped(t *testing.T) {
	ours, theirs := sockets(t)
	g := watching(t, ours)
	longer, _ := appendHold(nil, one(1))
	longer = finish(append(longer, "a field of the future"...), 0)
	longer = append(longer, "\x00\x00\x00\x05?abcd"...)
	if _, err := theirs.Write(longer); err != nil {
		t.Fatal(err)
	}
	if err := NewWard(theirs).Hold(brief(t), one(2)); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	if left := g.left(); len(left) != 2 || !same(left[0], one(1)) {
		t.Errorf("left: %v", left)
	}
}

func TestProgramThatReadsNoAnswersDoesNotHoldTheGuardUp(t *testing.T) {
	ours, theirs := sockets(t)
	ours.(*net.UnixConn).SetWriteBuffer(1)
	g := watching(t, ours)
	frame, _ := appendHold(nil, one(1))
	theirs.SetWriteDeadline(time.Now().Add(soon))
	for range 3000 {
		if _, err := theirs.Write(frame); err != nil {
			t.Fatal(err)
		}
	}
	theirs.Close()
	if left := g.left(); len(left) != 1 {
		t.Errorf("left %d", len(left))
	}
}

func TestInheritedTakesOnlyWhatTheGuardMeant(t *testing.T) {
	ours, file, name, err := pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	defer file.Close()
	_, node, _ := strings.Cut(name, ":")
	fd := int(file.Fd()) // not the number that a child would see
	other, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	strange, socket, _, err := pair() // the program's own, under the number that ours had
	if err != nil {
		t.Fatal(err)
	}
	defer strange.Close()
	defer socket.Close()
	for what, value := range map[string]string{
		"another socket":    strconv.Itoa(int(socket.Fd())) + ":" + node,
		"empty":             "",
		"a word":            "yes",
		"no inode":          strconv.Itoa(fd),
		"a standard stream": "1:" + node,
		"negative":          "-1:" + node,
		"not open":          "987654:" + node,
		"another file":      strconv.Itoa(int(other.Fd())) + ":" + node,
		"huge":              "99999999999999999999:" + node,
	} {
		t.Setenv(Variable, value)
		if c, err := inherit(); c != nil || err == nil || !strings.Contains(err.Error(), Variable) {
			t.Errorf("%s (%q): %v, %v", what, value, c, err)
		}
		if v, there := os.LookupEnv(Variable); there {
			t.Errorf("%s: %q would be inherited", what, v)
		}
	}
	if _, err := other.WriteString("still ours"); err != nil {
		t.Errorf("another file was touched: %v", err)
	}
	if c, err := inherit(); c != nil || err != nil {
		t.Errorf("without a variable: %v, %v", c, err)
	}
	dup, err := syscall.Dup(fd) // which no exec closes
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(Variable, strconv.Itoa(dup)+":"+node)
	c, err := inherit()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, _ := c.(syscall.Conn).SyscallConn()
	raw.Control(func(fd uintptr) {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFD, 0)
		if errno != 0 || flags&syscall.FD_CLOEXEC == 0 {
			t.Errorf("programs that are started would inherit it: flags %#x, %v", flags, errno)
		}
	})
}

func TestDeathIsToldOnceForEachNodeBeforeItsSessionsEnd(t *testing.T) {
	var told []string
	g := &parent{opts: Options{
		Died:  func(incarnation uint64, label string) { told = append(told, fmt.Sprint(incarnation, label)) },
		Close: func(context.Context, Session) (bool, error) { return true, nil },
		Say:   func(string) {},
	}}
	g.closers = newClosers(g.opts)
	l := &life{exited: make(chan int, 1), ended: make(chan left, 1)}
	other := one(3)
	other.Incarnation, other.Label = 8, "bob"
	l.exited <- 0
	l.ended <- left{sessions: []Session{one(1), one(2), other}}
	g.guard(l)
	g.finish()
	if want := []string{"7", "8bob"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	// One that can be watched no more is not known to be dead.
	told = nil
	l = &life{exited: make(chan int, 1), ended: make(chan left, 1)}
	l.exited <- 0
	l.ended <- left{err: errors.New("the program can be watched no more")}
	g.guard(l)
	if len(told) > 0 {
		t.Errorf("told %q", told)
	}
}
