package node_test

import (
	"errors"
	"testing"
	"time"

	"conclave/actor"
	"conclave/node"
)

// held is a message whose sender stands still while it is encoded: the check
// before the send has passed, and nothing of the message has left.
type held struct {
	begun, release chan struct{}
}

func (h held) MarshalMsgpack() ([]byte, error) {
	close(h.begun)
	<-h.release
	return []byte{0xc0}, nil // nil, in msgpack
}

// A holder stands still between the lease check and the send until its successor
// has spoken. Nothing at home can stop the message any more. Who has heard of the
// successor turns it away; who has not gets it with the number it was sent under.
func TestFault05PausedBetweenTheLeaseCheckAndTheSend(t *testing.T) {
	for way, send := range map[string]func(p *actor.Process, to actor.PID, asked actor.Message, body any) error{
		"send": func(p *actor.Process, to actor.PID, _ actor.Message, body any) error { return p.Send(to, body) },
		"send by name": func(p *actor.Process, to actor.PID, _ actor.Message, body any) error {
			return p.SendName(to, "book", body)
		},
		"call": func(p *actor.Process, to actor.PID, _ actor.Message, body any) error {
			_, err := p.Request(to, body)
			if !errors.Is(err, actor.ErrTermOver) {
				return errors.New("the call was answered")
			}
			return nil
		},
		"reply": func(p *actor.Process, _ actor.PID, asked actor.Message, body any) error { return p.Reply(asked, body) },
	} {
		t.Run(way, func(t *testing.T) {
			inBubble(t, func(c *cluster) {
				a, b, d := c.node("a"), c.node("b"), c.node("d")
				to, mail := d.sink()
				c.ok(d.RegisterName("book", to))
				body := held{make(chan struct{}), make(chan struct{})}
				sent := make(chan error, 1)
				old := a.stand("boss", func(p *actor.Process) error {
					m, err := p.Receive()
					if err != nil {
						return err
					}
					sent <- send(p, to, m, body)
					return idle(p)
				})
				answer := make(chan error, 1)
				d.Spawn(func(p *actor.Process) error { // and so d has a link with a
					_, err := p.Request(old, "go on")
					answer <- err
					return nil
				})
				next(c, body.begun)
				b.stand("boss", func(p *actor.Process) error {
					if err := p.Send(to, "I am the boss now"); err != nil {
						return err
					}
					return idle(p)
				})
				a.line.cut()
				spoke := next(c, mail)
				if spoke.Body() != "I am the boss now" || spoke.From.Node() != b.ID() {
					c.Fatalf("%v came from %v", spoke.Body(), spoke.From)
				}
				if _, holds := a.Holding("boss"); holds || len(sent) > 0 {
					c.Fatalf("a holds: %v; its send has returned: %v", holds, len(sent) > 0)
				}
				close(body.release)
				refused := d.awaitTold(node.Refused, 0)
				if before := a.told(node.TermBegan)[0]; refused.Term != before.Term || refused.From != old {
					c.Errorf("refused %v, and not %v of %v", refused.Event, before.Term, old)
				}
				if refused.Term.Number() >= spoke.Term.Number() {
					c.Errorf("%v was refused after %v had been heard", refused.Term, spoke.Term)
				}
				c.ok(next(c, sent))
				if way == "reply" {
					if err := next(c, answer); !errors.Is(err, actor.ErrTermOver) {
						c.Errorf("the caller was told %v", err)
					}
				}
				none(c, mail)
				c.neverTwo("boss")
				a.line.mend()
			})
		})
	}
}

// The limit of the promise, as docs/guarantees.md states it.
func TestFault05WhoHasNotHeardOfTheSuccessorIsToldTheNumber(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a, b, d := c.node("a"), c.node("b"), c.node("d")
		to, mail := d.sink()
		body := held{make(chan struct{}), make(chan struct{})}
		old := a.stand("boss", func(p *actor.Process) error {
			if err := p.Send(to, "I am the boss"); err != nil {
				return err
			}
			if _, err := p.Receive(); err != nil {
				return err
			}
			return p.Send(to, body)
		})
		first := next(c, mail)
		c.ok(d.Send(old, "go on"))
		next(c, body.begun)
		b.stand("boss", idle)
		a.line.cut()
		successor := b.awaitTold(node.TermBegan, 0)
		time.Sleep(time.Second) // d looks nothing up and has no link with b
		close(body.release)
		if late := next(c, mail); late.Term != first.Term || late.Term.Number() >= successor.Term.Number() {
			c.Errorf("%s came under %v, the old term is %v", late.Type(), late.Term, first.Term)
		}
		a.line.mend()
	})
}
