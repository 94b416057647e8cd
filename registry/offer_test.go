package registry

import (
	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/zkdev"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// Registrations in trouble, in virtual time.

func TestRegisteredWhileAwayIsMadeLater(t *testing.T) {
	for _, away := range []time.Duration{2 * time.Second, time.Minute} {
		inBubble(t, func(s *site) {
			a, b := s.node(), s.node()
			stays, goes := a.offer("worker"), a.offer("worker")
			b.await("worker", exactly(stays, goes))
			s.zk.Down()
			time.Sleep(100 * time.Millisecond)
			late, never := a.pid(), a.pid()
			for _, pid := range []actor.PID{late, never} {
				_, err := a.Register(s.within(time.Second), "worker", pid)
				if !errors.Is(err, ErrPending) || !errors.Is(err, context.DeadlineExceeded) {
					s.Error(err)
				}
			}
			// What was never made is taken back at once; what was, is pending.
			if err := a.Unregister(s.within(time.Second), "worker", never); err != nil {
				s.Error(err)
			}
			if err := a.Unregister(s.within(time.Second), "worker", goes); !errors.Is(err, ErrPending) {
				s.Error(err)
			}
			time.Sleep(away)
			s.zk.Up()
			b.awaitFresh("worker", stays, late)
			a.awaitFresh("worker", stays, late)
		})
	}
}

func TestReplyToARegistrationIsLost(t *testing.T) {
	for _, op := range []string{"multi", "exists"} {
		inBubble(t, func(s *site) {
			a, b := s.node(), s.node()
			a.offer("worker")
			id, hits := a.session(), 0
			remove := s.zk.Inject(func(r zkdev.Request) zkdev.Fault {
				about := len(r.Paths) > 0 && strings.Contains(r.Paths[len(r.Paths)-1], "/worker/")
				if r.Session != id || r.Op != op || !about || hits >= 3 {
					return zkdev.NoFault
				}
				hits++
				return zkdev.LoseReply
			})
			defer remove()
			pid := a.offer("worker")
			if pids := a.capable("worker"); !contains(pids, pid) || len(pids) != 2 {
				s.Error(pids)
			}
			if err := a.Unregister(s.brief(), "worker", pid); err != nil {
				s.Error(err)
			}
			if v, err := b.Fresh(s.brief(), "worker"); err != nil || len(v.PIDs) != 1 || hits == 0 {
				s.Error(v, err, hits)
			}
		})
	}
}

func TestRegistrationDeletedByHandIsMadeAgain(t *testing.T) {
	inBubble(t, func(s *site) {
		a, b := s.node(), s.node()
		pid := a.offer("worker")
		k, err := b.k.Session(s.brief())
		if err != nil {
			s.Fatal(err)
		}
		for range 3 {
			if err := k.Delete(s.brief(), a.paths.Member("worker", pid.String()), -1); err != nil {
				s.Fatal(err)
			}
			b.await("worker", exactly())
			b.await("worker", exactly(pid))
		}
		if n := a.said(EventRegistrationGone); n != 3 {
			s.Error(n, "reports")
		}
	})
}

func TestWhatMayNotBeReadIsAnError(t *testing.T) {
	inBubble(t, func(s *site) {
		locked := s.node()
		k, err := keeper.Open(keeper.Config{
			Servers: s.servers, SessionTimeout: siteT, Incarnation: 77,
			Credentials: []keeper.Credential{keeper.DigestCredential("u", "p")},
			ACL:         keeper.DigestACL(keeper.PermAll, "u", "p"),
			Clock:       locked.k.Now, Dial: dialer(s.zk),
		})
		if err != nil {
			s.Fatal(err)
		}
		defer k.Close(s.within(5 * time.Second))
		session, err := k.Session(s.brief())
		if err != nil {
			s.Fatal(err)
		}
		for _, name := range []string{"secret"} {
			if _, err := session.Create(s.brief(), locked.paths.Service(name), nil, keeper.Persistent); err != nil {
				s.Fatal(err)
			}
		}
		if _, err := locked.GetCapable(s.brief(), "secret"); !errors.Is(err, keeper.ErrNoAuth) {
			s.Errorf("look-up: %v", err)
		}
		if _, err := locked.WaitCapable(s.brief(), "secret", 1); !errors.Is(err, keeper.ErrNoAuth) {
			s.Errorf("wait: %v", err)
		}
		if _, err := locked.Register(s.brief(), "secret", locked.pid()); !errors.Is(err, keeper.ErrNoAuth) {
			s.Errorf("register: %v", err)
		}
		s.settle()
		if n := locked.Stats().Registered; n != 0 {
			s.Error("a refused registration is still wanted")
		}
	})
}

// The answer comes as the time for it is up: a registration that was refused is not told
// as pending, nor one that was made.
func TestAnswerThatIsThereCountsThoughTheTimeIsUp(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	refused := errors.New("no")
	r := &Registry{box: newMailbox()}
	for range 100 {
		for _, want := range []error{nil, refused} {
			c := &call{reply: make(chan reply, 1)}
			c.reply <- reply{err: want}
			if _, err := r.awaitOffer(over, c, offerKey{}); !errors.Is(err, want) {
				t.Fatalf("told %v, want %v", err, want)
			}
		}
	}
	if _, err := r.awaitOffer(over, &call{reply: make(chan reply, 1)}, offerKey{}); !errors.Is(err, ErrPending) || !errors.Is(err, context.Canceled) {
		t.Errorf("without an answer: %v", err)
	}
}
