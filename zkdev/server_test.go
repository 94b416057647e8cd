package zkdev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// serve runs a server on a loopback port.
func serve(t testing.TB, cfg Config) (*Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(cfg)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, l.Addr().String()
}

func tcpClient(t testing.TB, addr string) *zk.Conn {
	t.Helper()
	c, events, err := zk.Connect([]string{addr}, 10*time.Second, zk.WithLogInfo(false), zk.WithLogger(quiet{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for e := range events {
		if e.State == zk.StateHasSession {
			break
		}
	}
	return c
}

// TestWatcherNeverReadsAChangeBeforeItsEvent has many writers and one client
// that reads with a watch: when its read shows version n, the event of its
// watch set at a version below n has come before the reply.
func TestWatcherNeverReadsAChangeBeforeItsEvent(t *testing.T) {
	_, addr := serve(t, Config{})
	setup := tcpClient(t, addr)
	if _, err := setup.Create("/n", nil, 0, open); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		c := tcpClient(t, addr)
		wg.Go(func() {
			for range 200 {
				if _, err := c.Set("/n", nil, -1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	reader := tcpClient(t, addr)
	for {
		_, set, event, err := reader.GetW("/n")
		if err != nil {
			t.Fatal(err)
		}
		_, now, err := reader.Get("/n")
		if err != nil {
			t.Fatal(err)
		}
		if now.Version > set.Version {
			select {
			case <-event:
			default:
				t.Fatalf("read version %d with a watch at %d and no event", now.Version, set.Version)
			}
		}
		if now.Version == 800 {
			break
		}
	}
	wg.Wait()
}

func TestSequencesAreUniqueAmongRacers(t *testing.T) {
	_, addr := serve(t, Config{})
	var mu sync.Mutex
	names := make(map[string]bool)
	var wg sync.WaitGroup
	for range 8 {
		c := tcpClient(t, addr)
		wg.Go(func() {
			for range 50 {
				name, err := c.Create("/s-", nil, zk.FlagEphemeral|zk.FlagSequence, open)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				names[name] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(names) != 400 {
		t.Errorf("%d names", len(names))
	}
}

func TestFourLetterWords(t *testing.T) {
	_, addr := serve(t, Config{})
	if ok := zk.FLWRuok([]string{addr}, time.Second); !ok[0] {
		t.Error("not ok")
	}
	stats, ok := zk.FLWSrvr([]string{addr}, time.Second)
	if !ok || stats[0].Mode != zk.ModeStandalone {
		t.Errorf("srvr: %+v %v", stats[0], stats[0].Error)
	}
	for word, want := range map[string]string{"stat": "Clients:", "mntr": "zk_server_state\tstandalone", "isro": "rw", "cons": "[1]"} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, word)
		text, err := io.ReadAll(c)
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %q %v", word, text, err)
		}
		c.Close()
	}
}

func TestEverythingEndsAtClose(t *testing.T) {
	before := runtime.NumGoroutine()
	s := New(Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	var conns []net.Conn
	for range 10 {
		tcp, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		attach(t, tcp, 0, nil, 10*time.Second)
		mem, err := s.Dial()
		if err != nil {
			t.Fatal(err)
		}
		attach(t, mem, 0, nil, 10*time.Second)
		conns = append(conns, tcp, mem)
	}
	s.HoldReplies(0)
	s.Freeze()
	s.Close()
	s.Close()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	for _, c := range conns {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("a connection still talks")
		}
		c.Close()
	}
	if _, err := s.Dial(); !errors.Is(err, ErrClosed) {
		t.Errorf("Dial: %v", err)
	}
	if _, err := s.DialContext(context.Background(), ""); !errors.Is(err, ErrClosed) {
		t.Errorf("DialContext: %v", err)
	}
	late, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(late); !errors.Is(err, ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// FuzzRequest sends a session any request: the server must neither panic nor
// stop answering others.
func FuzzRequest(f *testing.F) {
	f.Add(int32(opCreate), []byte("\x00\x00\x00\x02/a\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x1f\x00\x00\x00\x05world\x00\x00\x00\x06anyone\x00\x00\x00\x01"))
	f.Add(int32(opMulti), []byte("\x00\x00\x00\x0d\x00\xff\xff\xff\xff\x00\x00\x00\x01/\xff\xff\xff\xff\xff\xff\xff\xff\x01\xff\xff\xff\xff"))
	f.Add(int32(opSetWatches), make([]byte, 20))
	f.Add(int32(opSetAuth), []byte("\x00\x00\x00\x00\x00\x00\x00\x06digest\x00\x00\x00\x03a:b"))
	f.Fuzz(func(t *testing.T, op int32, body []byte) {
		s := New(Config{Requests: func(string, string) {}})
		defer s.Close()
		nc, _ := s.Dial()
		attach(t, nc, 0, nil, 10*time.Second)
		w := packet()
		w.int32(1)
		w.int32(op)
		w.b = append(w.b, body...)
		nc.Write(w.seal())
		w = packet()
		w.int32(xidPing)
		w.int32(opPing)
		nc.Write(w.seal())
		for { // until the ping's reply or the end
			p, err := readPacket(nc)
			if err != nil || (&reader{b: p}).int32() == xidPing {
				break
			}
		}
		other, _ := s.Dial()
		attach(t, other, 0, nil, 10*time.Second)
	})
}

func ExampleServer() {
	s := New(Config{})
	defer s.Close()
	c, events, err := zk.Connect([]string{"127.0.0.1"}, 10*time.Second, zk.WithLogInfo(false),
		zk.WithDialer(func(string, string, time.Duration) (net.Conn, error) { return s.Dial() }))
	if err != nil {
		panic(err)
	}
	defer c.Close()
	for e := range events {
		if e.State == zk.StateHasSession {
			break
		}
	}
	c.Create("/greeting", []byte("hello"), 0, zk.WorldACL(zk.PermAll))
	fmt.Print(s)
	// Output:
	// /
	// /greeting "hello"
}
