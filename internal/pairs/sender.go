package pairs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"conclave/actor"
)

// Plan is what one sender sends.
type Plan struct {
	To   []actor.PID
	Each int                    // how many messages to each
	Size func(r *rand.Rand) int // of a message's padding in bytes; nil: none
	Seed uint64
	// Every is how long a turn takes, in which one message goes to each; 0: no
	// longer than it must.
	Every time.Duration
	// Until is when sending ends, though not all is sent. Zero: only when it is.
	Until time.Time
	// Patience is how long the news of a lost link may take.
	Patience time.Duration
	// Gone says that the node of a receiver has left for good: behind a lost link
	// the receiver has ended then. Nil: none has.
	Gone func(actor.PID) bool
}

// stream is the sender's side of one pair.
type stream struct {
	to     actor.PID
	ref    actor.Ref
	total  int
	epochs []int // how many were sent in each; the last one is the present
	over   bool  // the receiver has ended: it cannot be asked any more

	settled bool // it is in the verdict
}

// sender sends to all its receivers in turn.
type sender struct {
	*actor.Process
	id      int
	plan    Plan
	rnd     *rand.Rand
	streams []*stream
	verdict Verdict
}

// Send is a process that carries out the plan and hands what has become of it to
// done. id tells senders apart. One that is told to stop before it has asked its
// receivers hands over how many messages nothing is known of.
func Send(id int, plan Plan, done func(Verdict)) actor.Func {
	return func(p *actor.Process) error {
		s := &sender{Process: p, id: id, plan: plan, rnd: rand.New(rand.NewPCG(plan.Seed, uint64(id)))}
		err := s.run()
		if err != nil { // it was told to stop
			for _, st := range s.streams {
				if !st.settled {
					s.verdict.Unasked += st.total
				}
			}
		}
		done(s.verdict)
		return err
	}
}

func (s *sender) run() error {
	for _, to := range s.plan.To {
		s.streams = append(s.streams, &stream{to: to, ref: s.Monitor(to), epochs: []int{0}})
	}
	due := time.Now()
	for range s.plan.Each {
		if !s.plan.Until.IsZero() && time.Now().After(s.plan.Until) || s.allOver() {
			break
		}
		for n, st := range s.streams {
			if err := s.send(n, st); err != nil {
				return err
			}
		}
		due = due.Add(s.plan.Every)
		if late := time.Since(due); late > 0 {
			due = due.Add(late) // what was missed is not made up for
		}
		if err := s.hear(time.Until(due)); err != nil {
			return err
		}
	}
	for n, st := range s.streams {
		if err := s.settle(n, st); err != nil {
			return err
		}
	}
	return nil
}

func (s *sender) send(n int, st *stream) error {
	if st.over {
		return nil
	}
	epoch := len(st.epochs) - 1
	m := note{Sender: s.id, Stream: n, Epoch: epoch, Number: st.epochs[epoch]}
	if s.plan.Size != nil {
		m.Padding = make([]byte, s.plan.Size(s.rnd))
		for i := range m.Padding {
			m.Padding[i] = byte(m.Number + i)
		}
	}
	if err := s.Send(st.to, m); err != nil {
		s.verdict.NotSent++
		return s.Err()
	}
	st.epochs[epoch]++
	st.total++
	return nil
}

func (s *sender) allOver() bool {
	for _, st := range s.streams {
		if !st.over {
			return false
		}
	}
	return true
}

// hear takes note of what the sender has been told so far, and is told until that
// has passed.
func (s *sender) hear(wait time.Duration) error {
	for until := time.Now().Add(wait); ; wait = time.Until(until) {
		m, err := s.ReceiveTimeout(max(0, wait))
		switch {
		case errors.Is(err, actor.ErrTimeout):
			return nil
		case err != nil:
			return err
		}
		s.told(m)
	}
}

// told ends the epoch of the stream whose Down came.
func (s *sender) told(m actor.Message) {
	down, ok := actor.As[actor.Down](m)
	if !ok {
		return
	}
	for _, st := range s.streams {
		if st.ref != down.Ref || st.over {
			continue
		}
		s.verdict.Told++
		if !errors.Is(down.Reason, actor.LinkLost) || s.plan.Gone != nil && s.plan.Gone(st.to) {
			st.over = true
			return
		}
		st.epochs = append(st.epochs, 0)
		st.ref = s.Monitor(st.to)
	}
}

// settle compares what was sent with what came.
func (s *sender) settle(n int, st *stream) error {
	for !st.over {
		r, err := actor.Call[report](s.Within(s.plan.Patience), st.to, question{s.id, n})
		if err != nil {
			if stop := context.Cause(s); stop != nil {
				return stop
			}
			if err := s.awaitNews(st); err != nil {
				return err
			}
			continue
		}
		last := len(st.epochs) - 1
		if s.received(r, last) == st.epochs[last] {
			s.compare(n, st, r)
			return nil
		}
		// Something sent in this epoch is lost. The sender has been told, or will be.
		epochs := len(st.epochs)
		if err := s.awaitNews(st); err != nil {
			return err
		}
		if !st.over && len(st.epochs) == epochs {
			s.compare(n, st, r)
			s.wrong(n, st, "%d of %d messages of epoch %d are lost, and nobody has said so",
				st.epochs[last]-s.received(r, last), st.epochs[last], last)
			return nil
		}
	}
	s.verdict.Ended += st.total
	st.settled = true
	return nil
}

func (s *sender) received(r report, epoch int) int {
	if epoch < len(r.Received) {
		return r.Received[epoch]
	}
	return 0
}

// awaitNews waits, not for ever, until the stream has a new epoch or is over.
func (s *sender) awaitNews(st *stream) error {
	epochs := len(st.epochs)
	for until := time.Now().Add(s.plan.Patience); len(st.epochs) == epochs && !st.over; {
		m, err := s.ReceiveTimeout(time.Until(until))
		switch {
		case errors.Is(err, actor.ErrTimeout):
			return nil
		case err != nil:
			return err
		}
		s.told(m)
	}
	return nil
}

func (s *sender) compare(n int, st *stream, r report) {
	s.verdict.Sent += st.total
	st.settled = true
	for epoch, sent := range st.epochs {
		got := s.received(r, epoch)
		if got > sent {
			s.wrong(n, st, "%d messages of epoch %d came, %d were sent", got, epoch, sent)
		}
		s.verdict.Received += got
		s.verdict.Lost += sent - got
	}
	if len(r.Received) > len(st.epochs) {
		s.wrong(n, st, "messages of epoch %d came, %d is the last", len(r.Received)-1, len(st.epochs)-1)
	}
	for _, what := range r.Wrong {
		s.wrong(n, st, "%s", what)
	}
}

func (s *sender) wrong(n int, st *stream, format string, args ...any) {
	s.verdict.Wrong = append(s.verdict.Wrong, fmt.Sprintf("sender %d, stream %d to %s: ", s.id, n, st.to)+fmt.Sprintf(format, args...))
}
