package actor

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// Little mail and much, read in every way, against a plain list: through slices
// that grow, segments, and what Expect passes over.
func TestMailboxIsAListHoweverLong(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 7))
	var dead letters
	s := newSystem(t, collecting(&dead))
	var model []any // what lies in the mailbox; a Down as its Ref
	pick := func(want reflect.Type) (any, bool) {
		i := slices.IndexFunc(model, func(body any) bool { return want == nil || reflect.TypeOf(body) == want })
		if i < 0 {
			return nil, false
		}
		body := model[i]
		model = slices.Delete(model, i, i+1)
		return body, true
	}
	most, unread := 0, 0
	must(t, s, func(p *Process) error {
		for step := range 4000 {
			op := random.IntN(8)
			burst := random.IntN([]int{2, 6, 20, 200}[random.IntN(4)])
			if step%500 == 0 {
				op, burst = 0, 300
			}
			switch op {
			case 0:
				for i := range burst {
					body := any(step<<10 + i)
					if random.IntN(3) == 0 {
						body = fmt.Sprint(body)
					}
					model = append(model, body)
					_ = p.Send(p.Self(), body)
				}
			case 1:
				model = append(model, p.Monitor(PID{})) // a Down, at once
			case 2:
				if ref, there := pick(reflect.TypeFor[Ref]()); there {
					p.Demonitor(ref.(Ref))
				}
			case 3:
				if want, there := pick(reflect.TypeFor[string]()); there {
					if got, _, err := Expect[string](p); err != nil || got != want {
						return fmt.Errorf("step %d: expected %v, %v; want %v", step, got, err, want)
					}
				}
			default:
				for range random.IntN([]int{2, 100}[random.IntN(2)]) {
					want, there := pick(nil)
					if !there {
						break
					}
					m, err := p.Receive()
					got := m.Body()
					if d, ok := got.(Down); ok {
						got = d.Ref
					}
					if err != nil || got != want {
						return fmt.Errorf("step %d: received %v, %v; want %v", step, got, err, want)
					}
				}
			}
			count := 0
			for _, body := range model {
				if _, down := body.(Ref); !down {
					count++
				}
			}
			if most, unread = max(most, count), count; p.left+p.box.counted != count {
				return fmt.Errorf("step %d: %d count, %d are unread", step, p.left+p.box.counted, count)
			}
		}
		return nil
	})
	if most < 4*len(segment{}.mail) {
		t.Errorf("never more than %d messages lay there", most)
	}
	if n := len(dead.list()); n != unread {
		t.Errorf("%d dead letters of %d left unread", n, unread)
	}
}

// Room that has been read holds on to no body.
func TestEmptyRoomIsEmpty(t *testing.T) {
	s := newSystem(t)
	must(t, s, func(p *Process) error {
		send := func(n int) {
			for range n {
				_ = p.Send(p.Self(), "passed over")
			}
			_ = p.Send(p.Self(), 1)
		}
		send(2 * fewMail)
		_, _, _ = Expect[int](p)
		in := p.queue.in
		if in == nil {
			return fmt.Errorf("%d messages do not lie in a segment", 2*fewMail)
		}
		send(1) // what is left moves to a slice of its own
		_, _, _ = Expect[int](p)
		for range 2 * fewMail {
			_, _ = p.Receive()
		}
		empty := func(places []item) error {
			for i, it := range places {
				if it.body != nil || it.claims != nil {
					return fmt.Errorf("%d: %v", i, it.body)
				}
			}
			return nil
		}
		read := empty(p.queue.mail[:p.head])
		_ = p.Send(p.Self(), 1)
		_, _, _ = Expect[int](p) // and to its front
		q := p.queue.mail
		return errors.Join(read, empty(in.mail[:]), empty(q[:p.head]), empty(q[len(q):cap(q)]))
	})
}
