package main

import (
	"math/rand/v2"
	"time"

	"conclave/actor"
	"conclave/internal/pairs"
)

// mail is numbered messages between pairs of processes: at home, to slow consumers,
// and with visitors.
type mail struct {
	*round
	receivers, senders staff
	all, slow, guests  []actor.PID // at home: for homes, as fast as one can, for visitors
}

func newMail(r *round) *mail {
	m := &mail{round: r}
	waits := actor.WithMailbox(actor.Mailbox{Limit: 1000, Policy: actor.Wait})
	narrow := actor.WithMailbox(actor.Mailbox{Limit: 64, Policy: actor.Wait})
	for _, home := range r.homes {
		for range 4 {
			m.all = append(m.all, m.receivers.spawn(home, m.reception(0), waits))
		}
		m.slow = append(m.slow, m.receivers.spawn(home, m.reception(time.Millisecond/2), narrow))
		for range 2 {
			m.guests = append(m.guests, m.receivers.spawn(home, m.reception(0), waits))
		}
	}
	return m
}

func (m *mail) reception(each time.Duration) actor.Func {
	return pairs.Reception{Each: each, Done: m.tally.mailed}.Receive
}

func (m *mail) run() {
	for i := range 12 {
		m.sender(m.homes[i%homes], &m.senders, m.plan(m.all))
	}
	for i := range 6 {
		p := m.plan(m.slow)
		p.Every, p.Size = 0, nil
		p.Until = time.Now().Add(time.Until(m.until) * 3 / 4)
		m.sender(m.homes[i%homes], &m.senders, p)
	}
	m.senders.running.Wait()
	<-m.alone
	m.senders.running.Wait() // of those who sent to visitors
	m.receivers.dismiss()
}

func (m *mail) plan(to []actor.PID) pairs.Plan {
	return pairs.Plan{
		To: to, Each: 1 << 30, Size: sizes, Seed: m.o.seed + uint64(m.number), Every: 2 * time.Millisecond,
		Until: m.until, Patience: patience, Gone: m.isGone,
	}
}

func (m *mail) sender(at *member, s *staff, p pairs.Plan) {
	s.spawn(at, pairs.Send(int(m.ids.Add(1)), p, m.tally.mailed))
}

func (m *mail) visit(v *visitor) {
	p := m.plan(m.guests)
	if v.rnd.IntN(2) == 0 { // it asks what came before it leaves
		p.Until = time.Now().Add(v.stays / 2)
	}
	m.sender(v.member, &v.staff, p)
	if v.guest {
		return // nobody but itself can link with it again
	}
	var to []actor.PID
	for range 2 {
		to = append(to, v.staff.spawn(v.member, m.reception(0), actor.WithMailbox(actor.Mailbox{Limit: 1000, Policy: actor.Wait})))
	}
	m.sender(m.homes[v.rnd.IntN(homes)], &m.senders, m.plan(to))
}

// sizes are mostly small, and now and then large enough for any way there is.
func sizes(r *rand.Rand) int {
	if r.IntN(2000) == 0 {
		return 1<<16 + r.IntN(1<<20-1<<16)
	}
	return r.IntN(64)
}
