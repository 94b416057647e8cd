package zktest

import (
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

func TestMain(m *testing.M) { Main(m) }

type quiet struct{}

func (quiet) Printf(string, ...any) {}

var open = zk.WorldACL(zk.PermAll)

// connect returns a client with a session.
func connect(t testing.TB, addr string, timeout time.Duration) *zk.Conn {
	t.Helper()
	c, events, err := zk.Connect([]string{addr}, timeout, zk.WithLogInfo(false), zk.WithLogger(quiet{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	awaitState(t, events, zk.StateHasSession)
	return c
}

func awaitState(t testing.TB, events <-chan zk.Event, want zk.State) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case e := <-events:
			if e.State == want {
				return
			}
		case <-late:
			t.Fatalf("no %v", want)
		}
	}
}

func TestServerKeepsDataOverRestartAndLosesItInWipe(t *testing.T) {
	s := Start(t, Tick(500*time.Millisecond))
	c := connect(t, s.Addr(), 5*time.Second)
	if _, err := c.Create("/kept", nil, 0, open); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if _, err := s.Word("ruok"); err == nil {
		t.Fatal("a killed server answers")
	}
	s.Restart(t)
	c = connect(t, s.Addr(), 5*time.Second)
	if ok, _, err := c.Exists("/kept"); !ok || err != nil {
		t.Fatalf("after restart: %v %v", ok, err)
	}
	s.Pause(t)
	s.Continue(t)
	s.Wipe(t)
	c = connect(t, s.Addr(), 5*time.Second)
	if ok, _, err := c.Exists("/kept"); ok || err != nil {
		t.Fatalf("after wipe: %v %v", ok, err)
	}
}
