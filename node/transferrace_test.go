package node_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"conclave/actor"
	"conclave/global"
)

// Everything that can be asked about a candidacy is asked at once, while holders are
// told to hand over: two Transfers, Withdraw, RegisterCandidate, and the Stop of a
// node. Every call returns, nothing is read twice, and in the end nobody waits for
// anything.
func TestTransfersRaceWithEverythingElse(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("CONCLAVE_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("CONCLAVE_SEED=%d", seed)
	transfers := 0
	for run := range uint64(12) {
		t.Run(fmt.Sprint(run), func(t *testing.T) {
			inBubble(t, func(c *cluster) {
				transfers += c.raceTransfers(rand.New(rand.NewPCG(seed, run)), func(d time.Duration) { time.Sleep(d) })
			})
		})
	}
	if transfers < 20 {
		t.Errorf("only %d transfers came about: too dull to show anything", transfers)
	}
}

func (c *cluster) raceTransfers(random *rand.Rand, pause func(time.Duration)) (transfers int) {
	o := newOffice(c)
	o.quota.Store(5)
	all := c.inLine("office", 4, o.hold)
	sender, guest := c.node("sender"), c.guest("guest")
	for _, m := range c.members {
		for _, other := range []*member{all[0], all[1], sender} {
			c.net.Delay(m.name, other.name, time.Duration(random.IntN(8))*time.Millisecond)
		}
	}
	stop := make(chan struct{})
	var senders, calls sync.WaitGroup
	for i, m := range []*member{sender, guest, all[1]} {
		senders.Go(func() { o.send(m, fmt.Sprint(m.name, i), 7, stop) })
	}
	var mu sync.Mutex
	leaver := all[3]
	for range 60 {
		m, other, what := all[random.IntN(4)], all[random.IntN(4)], random.IntN(12)
		calls.Go(func() {
			ctx := c.brief()
			switch {
			case what == 0:
				_ = m.Withdraw(ctx, "office")
				fallthrough
			case what < 3:
				_, err := m.RegisterCandidate(ctx, "office", o.hold)
				if err != nil && m != leaver && !errors.Is(err, global.ErrWithdrawn) {
					c.Errorf("%s registers: %v", m.name, err)
				}
			case what == 3 && m == leaver:
				m.stop()
			default:
				for _, holder := range all {
					if _, holds := holder.Holding("office"); holds && holder.Transfer(ctx, "office", other.ID()) == nil {
						mu.Lock()
						transfers++
						mu.Unlock()
					}
				}
			}
			if ctx.Err() != nil {
				c.Errorf("call %d did not return", what)
			}
		})
		pause(time.Duration(random.IntN(20)) * time.Millisecond)
	}
	calls.Wait()
	for _, m := range all[:3] {
		m.stand("office", o.hold)
	}
	close(stop)
	o.quota.Store(1 << 40)
	last := c.holder("office")
	c.await("a hand-over, so that all is read", func() bool {
		for _, m := range all[:3] {
			if m != last && last.Transfer(c.brief(), "office", m.ID()) == nil {
				return true
			}
		}
		last = c.holder("office")
		return false
	})
	senders.Wait()
	o.mu.Lock()
	for i, n := range o.read {
		if n > 1 {
			c.Errorf("%v was read %d times", i, n)
		}
	}
	o.mu.Unlock()
	c.neverTwo("office")
	for _, m := range c.members {
		if m.gone {
			continue
		}
		if !c.awaitFor(time.Second, func() bool { n, q := m.Unfinished(); return n == 0 && q == 0 }) {
			names, questions := m.Unfinished()
			c.Errorf("%s: %d names are being handed over, %d questions are open", m.name, names, questions)
		}
	}
	return transfers
}

// A peer that has told of moves and asked questions is gone for ever.
func TestNothingIsLeftOfAPeerThatIsGone(t *testing.T) {
	inBubble(t, func(c *cluster) {
		all := c.inLine("chef", 3, func(p *actor.Process) error {
			<-p.Done()
			if p.Self().Node().Name == "n1" {
				time.Sleep(time.Minute)
			}
			return context.Cause(p)
		})
		guest := c.guest("guest")
		c.ok(guest.SendGlobal(c.brief(), "chef", "unread"))
		sent := make(chan error, 1)
		go func() { _ = all[0].Transfer(c.brief(), "chef", all[1].ID()) }()
		c.settle()
		go func() { sent <- all[2].SendGlobal(c.brief(), "chef", "waits") }()
		c.settle()
		if names, _ := guest.Unfinished(); names != 1 {
			c.Errorf("%d names move, the guest believes: this test shows nothing", names)
		}
		guest.die()
		all[0].die()
		time.Sleep(2 * time.Minute)
		c.ok(next(c, sent))
		for _, m := range []*member{guest, all[1], all[2]} {
			if names, questions := m.Unfinished(); names+questions != 0 {
				c.Errorf("%s: %d names are being handed over, %d questions are open", m.name, names, questions)
			}
		}
	})
}
