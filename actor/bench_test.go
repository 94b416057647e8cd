package actor

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"
)

type benchBody struct{ A, B, C int }

// sink is a process that closes the channel when it has taken n messages.
func sink(s *System, kind string, n int) (PID, chan struct{}) {
	done := make(chan struct{})
	if kind == "Func" {
		return s.Spawn(func(p *Process) error {
			for range n {
				if _, err := p.Receive(); err != nil {
					return err
				}
			}
			close(done)
			return nil
		}), done
	}
	left := n
	return s.SpawnHandler(handlerFunc(func(*Process, Message) error {
		if left--; left == 0 {
			close(done)
			return Normal
		}
		return nil
	})), done
}

// BenchmarkSend is L1: local messages from one process to one.
func BenchmarkSend(b *testing.B) {
	for _, kind := range []string{"Func", "Handler"} {
		for _, policy := range []string{"Refuse", "Wait"} {
			b.Run(kind+"/"+policy, func(b *testing.B) {
				s := newSystem(b)
				if policy == "Wait" {
					s.cfg.Mailbox = Mailbox{Limit: 1 << 16, Policy: Wait}
				} else {
					s.cfg.Mailbox.Limit = b.N + 1
				}
				body := &benchBody{1, 2, 3}
				b.ReportAllocs()
				to, done := sink(s, kind, b.N)
				b.ResetTimer()
				s.Spawn(func(p *Process) error {
					for range b.N {
						if err := p.Send(to, body); err != nil {
							b.Error(err)
							return err
						}
					}
					return nil
				})
				<-done
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mmsg/s")
			})
		}
	}
}

// BenchmarkSendFanIn is many senders to one receiver.
func BenchmarkSendFanIn(b *testing.B) {
	s := newSystem(b)
	const senders = 16
	each := b.N/senders + 1
	s.cfg.Mailbox = Mailbox{Limit: 1 << 16, Policy: Wait}
	to, done := sink(s, "Func", senders*each)
	body := &benchBody{1, 2, 3}
	b.ReportAllocs()
	b.ResetTimer()
	for range senders {
		s.Spawn(func(p *Process) error {
			for range each {
				_ = p.Send(to, body)
			}
			return nil
		})
	}
	<-done
}

// BenchmarkCall is L2: round trips of one caller.
func BenchmarkCall(b *testing.B) {
	for _, kind := range []string{"Func", "Handler"} {
		for _, bound := range []time.Duration{0, time.Minute} {
			name := kind
			if bound > 0 {
				name += "/Within"
			}
			b.Run(name, func(b *testing.B) {
				s := newSystem(b)
				body, answer := &benchBody{}, &benchBody{}
				var to PID
				if kind == "Func" {
					to = s.Spawn(func(p *Process) error {
						for {
							m, err := p.Receive()
							if err != nil {
								return err
							}
							_ = p.Reply(m, answer)
						}
					})
				} else {
					to = s.SpawnHandler(handlerFunc(func(p *Process, m Message) error { return p.Reply(m, answer) }))
				}
				b.ReportAllocs()
				b.ResetTimer()
				must(b, s, func(p *Process) error {
					var c Caller = p
					if bound > 0 {
						c = p.Within(bound)
					}
					for range b.N {
						if _, err := Call[*benchBody](c, to, body); err != nil {
							return err
						}
					}
					return nil
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mcalls/s")
			})
		}
	}
}

// BenchmarkCallMany is round trips of 64 callers to one process.
func BenchmarkCallMany(b *testing.B) {
	s := newSystem(b)
	to := s.SpawnHandler(handlerFunc(func(p *Process, m Message) error { return p.Reply(m, m.body) }))
	const callers = 64
	each := b.N/callers + 1
	body := &benchBody{}
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			must(b, s, func(p *Process) error {
				for range each {
					if _, err := Call[*benchBody](p, to, body); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	wg.Wait()
	b.ReportMetric(float64(callers*each)/b.Elapsed().Seconds()/1e6, "Mcalls/s")
}

// BenchmarkPingPong is two processes that send to and fro without calls.
func BenchmarkPingPong(b *testing.B) {
	s := newSystem(b)
	pong := s.Spawn(func(p *Process) error {
		for {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			_ = p.Send(m.From, m.body)
		}
	})
	b.ReportAllocs()
	b.ResetTimer()
	must(b, s, func(p *Process) error {
		body := &benchBody{}
		for range b.N {
			_ = p.Send(pong, body)
			if _, err := p.Receive(); err != nil {
				return err
			}
		}
		return nil
	})
}

// BenchmarkSpawn is L3: a process begins and ends.
func BenchmarkSpawn(b *testing.B) {
	ctx := context.Background()
	b.Run("Func", func(b *testing.B) {
		s := newSystem(b)
		b.ReportAllocs()
		for range b.N {
			s.Spawn(func(*Process) error { return nil })
		}
		await(b, "all to end", func() bool { return s.Count() == 0 })
	})
	b.Run("Handler", func(b *testing.B) {
		s := newSystem(b)
		h := handlerFunc(func(*Process, Message) error { return Normal })
		b.ReportAllocs()
		for range b.N {
			_ = s.Send(ctx, s.SpawnHandler(h), 1)
		}
		await(b, "all to end", func() bool { return s.Count() == 0 })
	})
}

// BenchmarkIdle reports the memory of a process that waits for mail.
func BenchmarkIdle(b *testing.B) {
	measure := func(b *testing.B, spawn func(*System)) {
		for range b.N {
			b.StopTimer()
			s := newSystem(b)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			const n = 20_000
			b.StartTimer()
			for range n {
				spawn(s)
			}
			b.StopTimer()
			runtime.GC()
			runtime.ReadMemStats(&after)
			used := after.HeapAlloc + after.StackInuse - before.HeapAlloc - before.StackInuse
			b.ReportMetric(float64(used)/n, "B/process")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/spawn")
			_ = s.Stop(context.Background(), nil)
		}
	}
	h := &Mux{}
	b.Run("Handler", func(b *testing.B) { measure(b, func(s *System) { s.SpawnHandler(h) }) })
	b.Run("Func", func(b *testing.B) { measure(b, func(s *System) { s.Spawn(untilDone) }) })
}

// BenchmarkLookup is finding a process by its PID, and by its name.
func BenchmarkLookup(b *testing.B) {
	s := newSystem(b)
	var pids []PID
	for range 10_000 {
		pids = append(pids, s.SpawnHandler(&Mux{}))
	}
	_ = s.Register("name", pids[77])
	b.Run("PID", func(b *testing.B) {
		i := 0
		for b.Loop() {
			if !s.Alive(pids[i%len(pids)]) {
				b.Fatal("gone")
			}
			i += 7
		}
	})
	b.Run("name", func(b *testing.B) {
		for b.Loop() {
			if s.Whereis("name").IsZero() {
				b.Fatal("gone")
			}
		}
	})
}

// BenchmarkExpect is selective reception past mail that nobody wants yet.
func BenchmarkExpect(b *testing.B) {
	for name, others := range map[string]int{"past 0": 0, "past 100": 100} {
		b.Run(name, func(b *testing.B) {
			s := newSystem(b)
			b.ReportAllocs()
			must(b, s, func(p *Process) error {
				for range others {
					_ = p.Send(p.Self(), "other mail")
				}
				body := &benchBody{}
				for range b.N {
					_ = p.Send(p.Self(), body)
					if _, _, err := Expect[*benchBody](p); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

// BenchmarkTerm is the price of acting under a term.
func BenchmarkTerm(b *testing.B) {
	s := newSystem(b, defaultMailbox(Mailbox{Limit: 1 << 16, Policy: Wait}))
	tenure := NewTenure(context.Background(), bossTerm(1), func() error { return nil })
	defer tenure.End(nil)
	to, done := sink(s, "Func", b.N)
	b.ReportAllocs()
	b.ResetTimer()
	s.Spawn(func(p *Process) error {
		body := &benchBody{}
		for range b.N {
			if err := p.Send(to, body); err != nil {
				b.Error(err)
			}
		}
		return nil
	}, InTenure(tenure))
	<-done
}

// BenchmarkHandlers is L2: two Handlers that send to and fro; a round trip each.
func BenchmarkHandlers(b *testing.B) {
	s := newSystem(b)
	pong := s.SpawnHandler(handlerFunc(func(p *Process, m Message) error { return p.Send(m.From, m.body) }))
	left, done := b.N, make(chan struct{})
	ping := s.SpawnHandler(handlerFunc(func(p *Process, m Message) error {
		if left--; left < 0 {
			close(done)
			return nil
		}
		return p.Send(pong, m.body)
	}))
	b.ReportAllocs()
	_ = s.Send(context.Background(), ping, &benchBody{})
	<-done
}

// BenchmarkSendToItself is what sending and receiving cost the processor, without
// a switch or another core.
func BenchmarkSendToItself(b *testing.B) {
	s := newSystem(b)
	const batch = 30
	b.ReportAllocs()
	must(b, s, func(p *Process) error {
		body := &benchBody{}
		for i := 0; i < b.N; i += batch {
			for range batch {
				_ = p.Send(p.Self(), body)
			}
			for range batch {
				if _, err := p.Receive(); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
