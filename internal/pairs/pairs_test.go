package pairs

import (
	"context"
	"flag"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/actor"
	"conclave/conclavetest"
	"conclave/node"
	"conclave/transport"
	"conclave/zkdev"
)

var (
	messages = flag.Int("pairs.messages", 200_000, "how many messages to send")
	seedFlag = flag.Uint64("pairs.seed", 0, "the seed; 0: a new one")
)

func seed(t *testing.T) uint64 {
	s := *seedFlag
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d: -pairs.seed=%d", s, s)
	return s
}

// sizes are mostly small, and now and then large enough for any way there is.
func sizes(r *rand.Rand) int {
	switch r.IntN(1000) {
	case 0:
		return 1 << 16 << r.IntN(3)
	default:
		return r.IntN(64)
	}
}

// judge says what is wrong; all messages must be accounted for.
func judge(t *testing.T, l Load, v Verdict) {
	t.Helper()
	t.Log(v)
	for i, what := range v.Wrong {
		if i == 20 {
			t.Errorf("and %d more", len(v.Wrong)-i)
			break
		}
		t.Error(what)
	}
	pairs := l.Senders * l.Receivers
	if want := max(1, l.Messages/pairs) * pairs; v.Sent+v.NotSent != want || v.Received+v.Lost != v.Sent || v.Ended > 0 {
		t.Errorf("%d messages were to be sent", want)
	}
	if v.Told == 0 {
		t.Error("no link was lost")
	}
}

// TestOrderedPairsKeepTheirOrderAndHearOfEveryLoss cuts four nodes from each
// other, again and again, in virtual time.
func TestOrderedPairsKeepTheirOrderAndHearOfEveryLoss(t *testing.T) {
	s := seed(t)
	limits := conclavetest.Configure(func(_ string, cfg *node.Config) { cfg.Limits.LinkTimeout = 300 * time.Millisecond })
	conclavetest.Run(t, s, 4, func(c *conclavetest.Cluster) {
		for i := range 4 {
			for j := range i {
				c.Delay(i, j, time.Duration(1+i+j)*time.Millisecond)
			}
		}
		var nodes []Spawner
		for _, n := range c.Nodes() {
			nodes = append(nodes, n)
		}
		l := Load{
			Senders: 100, Receivers: 100, Messages: *messages, Size: sizes, Seed: s, Patience: time.Minute,
			Mailbox: actor.Mailbox{Limit: 1000, Policy: actor.Wait},
		}
		ctx, stop := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() {
			r := rand.New(rand.NewPCG(s, 1))
			// Whatever else happens, one link is lost with what was under way: by now
			// there are links, and much is to be sent yet.
			time.Sleep(50 * time.Millisecond)
			c.Partition(0, 1)
			time.Sleep(400 * time.Millisecond)
			c.Heal(0, 1)
			for ctx.Err() == nil {
				i := r.IntN(4)
				j := (i + 1 + r.IntN(3)) % 4
				if r.IntN(2) == 0 {
					c.Partition(i, j)
				} else {
					c.CutOneWay(i, j)
				}
				time.Sleep(time.Duration(r.IntN(600)) * time.Millisecond)
				c.Heal(i, j)
				time.Sleep(time.Duration(r.IntN(40)) * time.Millisecond)
			}
		})
		v := l.Run(nodes)
		stop()
		wg.Wait()
		judge(t, l, v)
	}, limits)
}

// TestOrderedPairsOverTCPKeepTheirOrderAndHearOfEveryLoss closes connections under
// three nodes.
func TestOrderedPairsOverTCPKeepTheirOrderAndHearOfEveryLoss(t *testing.T) {
	s := seed(t)
	zk, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := zkdev.New(zkdev.Config{})
	go func() { _ = server.Serve(zk) }()
	t.Cleanup(func() { server.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cut := NewShaky(transport.NewTCP(), s)
	var nodes []Spawner
	for range 3 {
		n, err := node.Start(ctx, node.Config{
			ZooKeeper: []string{zk.Addr().String()}, Transport: cut, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Stop(context.Background()) }) // links may be down
		if err := n.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	l := Load{
		Senders: 100, Receivers: 100, Messages: *messages, Size: sizes, Seed: s, Patience: time.Minute,
		Mailbox: actor.Mailbox{Limit: 1000, Policy: actor.Wait},
	}
	// A connection is cut each time that so many more bytes have been written.
	cut.CutEach(max(300_000, 3*int64(*messages)))
	v := l.Run(nodes)
	t.Logf("%d connections cut", cut.Cuts())
	judge(t, l, v)
}

// The checks themselves.
func TestLossesReorderingAndDuplicatesAreFound(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(n *note) (copies int)
		want   string
	}{
		{"lost", func(n *note) int {
			if n.Number == 3 {
				return 0
			}
			return 1
		}, "1 of 5 messages of epoch 0 are lost, and nobody has said so"},
		{"twice", func(n *note) int {
			if n.Number == 4 {
				return 2
			}
			return 1
		}, "message 0.4 came when 0.5 was the least due"},
		{"out of order", func(n *note) int { n.Number ^= 1; return 1 }, "message 0.0 came when 0.2 was the least due"},
		{"of an epoch that never was", func(n *note) int { n.Epoch = 2; return 1 }, "messages of epoch 2 came, 0 is the last"},
		{"torn", func(n *note) int { n.Padding = []byte{99}; return 1 }, "has another byte at 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := actor.NewSystem(actor.SystemConfig{Node: actor.NodeID{Name: "a", Address: "127.0.0.1:1", Incarnation: 1}})
			defer func() {
				if err := s.Stop(context.Background(), actor.Shutdown); err != nil {
					t.Error(err)
				}
			}()
			receiver := s.Spawn(Receive)
			between := s.Spawn(func(p *actor.Process) error {
				for {
					m, err := p.Receive()
					if err != nil {
						return err
					}
					if q, ok := actor.As[question](m); ok {
						r, err := actor.Call[report](p, receiver, q)
						if err != nil {
							return err
						}
						if err := p.Reply(m, r); err != nil {
							return err
						}
						continue
					}
					n, _ := actor.As[note](m)
					for range c.change(&n) {
						if err := p.Send(receiver, n); err != nil {
							return err
						}
					}
				}
			})
			verdict := make(chan Verdict, 1)
			s.Spawn(Send(1, Plan{To: []actor.PID{between}, Each: 5, Patience: 10 * time.Millisecond}, func(v Verdict) { verdict <- v }))
			if v := <-verdict; !strings.Contains(strings.Join(v.Wrong, "\n"), c.want) {
				t.Errorf("found %q, want %q", v.Wrong, c.want)
			}
		})
	}
}
