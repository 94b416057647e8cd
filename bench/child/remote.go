package child

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Remote is what a contender can do between two operating-system processes. The
// remote workloads are made of nothing else, so all contenders do the same work.
type Remote interface {
	// Serve starts a receiver of bodies of a size, and returns its address, one
	// word. It says of each message whether it was intact, and then answers, with
	// Small bytes, if it was asked.
	Serve(size int, got func(intact bool)) (address string)
	// Spawn runs f in a sender of bodies of a size, and does not wait for it.
	Spawn(address string, size int, f func(Port))
}

// Port is a sender's way to its receiver.
type Port struct {
	Send  func() error
	Call  func() error // sends, and waits for the answer
	Flush func() error // what was sent is on its way; nil: always
}

// The sizes and numbers of the remote workloads.
const (
	Pairs      = 100      // of R2
	Callers    = 256      // of R4
	BodyR5     = 64 << 10 // bytes
	BodyR5h    = 1 << 20  // bytes
	streams    = 2        // of R5h, side by side, so that one sends while the other waits
	window     = 8        // bodies of such a stream that are under way
	pauseEvery = 1000     // messages of R1m
	pause      = 5 * time.Millisecond
)

// Roles are the remote workloads of a contender whose processes begin with open.
// The variant tells contenders of one program apart.
func Roles(variant string, open func(*Child) Remote) map[string]Role {
	if variant != "" {
		variant = " " + variant
	}
	roles := map[string]Role{}
	add := func(name string, receive, send Role) {
		roles[name+" recv"+variant], roles[name+" send"+variant] = receive, send
	}
	add("R1", receiver(open, 1, Small, nil), sender(open, 1, Small))
	add("R1m", receiver(open, 1, Small, slowly), sender(open, 1, Small))
	add("R2", receiver(open, Pairs, Small, nil), sender(open, Pairs, Small))
	add("R3", answerer(open), latency(open))
	add("R4", answerer(open), manyCallers(open))
	add("R5", receiver(open, 1, BodyR5, nil), sender(open, 1, BodyR5))
	add("R5h", besideReceiver(open), beside(open))
	return roles
}

// addresses are what the process before the last said: a broker may come first.
func (c *Child) addresses(n int) []string { return c.Args[len(c.Args)-n:] }

// receiver counts what comes to k receivers. Each hears one call more, before the
// clock starts.
func receiver(open func(*Child) Remote, k, size int, after func(n int64)) Role {
	return func(c *Child) map[string]float64 {
		r := open(c)
		t := NewTally(c.N + k)
		addresses := make([]string, k)
		for i := range addresses {
			addresses[i] = r.Serve(size, t.Count(after))
		}
		c.Ready(addresses...)
		values := t.Wait()
		values["got"] -= float64(k)
		return values
	}
}

// slowly makes a consumer of 200,000 messages a second, at most: a tenth of what
// a good sender does.
func slowly(n int64) {
	if n%pauseEvery == 0 {
		time.Sleep(pause)
	}
}

// sender shares c.N messages among k senders, each with a receiver of its own.
func sender(open func(*Child) Remote, k, size int) Role {
	return func(c *Child) map[string]float64 {
		r := open(c)
		g := newGroup()
		for _, a := range c.addresses(k) {
			g.spawn(r, a, size, func(p Port) {
				for range c.N / k {
					Check(p.Send())
				}
				if p.Flush != nil {
					Check(p.Flush())
				}
			})
		}
		return Sending(g.run(c), c.N)
	}
}

// group is senders that start at once, when each has had an answer.
type group struct {
	warm, done sync.WaitGroup
	gate       chan struct{}
}

func newGroup() *group { return &group{gate: make(chan struct{})} }

func (g *group) spawn(r Remote, address string, size int, f func(Port)) {
	g.warm.Add(1)
	g.done.Add(1)
	r.Spawn(address, size, func(p Port) {
		defer g.done.Done()
		Check(p.Call())
		g.warm.Done()
		<-g.gate
		f(p)
	})
}

// run returns when all have ended, and says when they began.
func (g *group) run(c *Child) (start time.Time) {
	g.warm.Wait()
	c.Ready()
	start = time.Now()
	close(g.gate)
	g.done.Wait()
	return start
}

// answerer only answers.
func answerer(open func(*Child) Remote) Role {
	return func(c *Child) map[string]float64 {
		c.Ready(open(c).Serve(Small, mustBeIntact))
		return nil
	}
}

func latency(open func(*Child) Remote) Role {
	return func(c *Child) map[string]float64 {
		result := make(chan map[string]float64)
		open(c).Spawn(c.addresses(1)[0], Small, func(p Port) {
			for range c.N/10 + 100 { // the link comes up, the code is warm
				Check(p.Call())
			}
			c.Ready()
			took := timed(make([]time.Duration, 0, c.N), p.Call, func(n int) bool { return n < c.N })
			values := quantiles(took)
			values["sent"], values["got"] = float64(c.N), float64(len(took))
			result <- values
		})
		return <-result
	}
}

func manyCallers(open func(*Child) Remote) Role {
	return func(c *Child) map[string]float64 {
		r := open(c)
		all := callers{Callers, func(run func(call func() error)) {
			r.Spawn(c.addresses(1)[0], Small, func(p Port) { run(p.Call) })
		}}
		all.warmUp()
		return all.run(c)
	}
}

// besideReceiver is R5h: it counts the bodies of the streams, and answers.
func besideReceiver(open func(*Child) Remote) Role {
	return func(c *Child) map[string]float64 {
		r := open(c)
		t := NewTally(c.N + streams)
		bulk := r.Serve(BodyR5h, t.Count(nil))
		c.Ready(bulk, r.Serve(Small, mustBeIntact))
		values := t.Wait()
		values["got"] -= streams
		return values
	}
}

// beside is R5h: one small call after the other, timed, as long as the streams
// last. Each stream asks for an answer at every eighth body, so that no contender
// has more than 16 MiB under way, whether it has a bound of its own or not.
func beside(open func(*Child) Remote) Role {
	return func(c *Child) map[string]float64 {
		r := open(c)
		to := c.addresses(2)
		g := newGroup()
		var left atomic.Int32
		left.Store(streams)
		for range streams {
			g.spawn(r, to[0], BodyR5h, func(p Port) {
				defer left.Add(-1)
				n := c.N / streams
				for i := range n {
					if (i+1)%window == 0 || i+1 == n {
						Check(p.Call())
					} else {
						Check(p.Send())
					}
				}
			})
		}
		var took []time.Duration
		g.spawn(r, to[1], Small, func(p Port) {
			took = timed(took, p.Call, func(int) bool { return left.Load() > 0 })
		})
		values := Sending(g.run(c), c.N)
		maps.Copy(values, quantiles(took))
		return values
	}
}
