package node_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"conclave/actor"
	"conclave/codec"
	"conclave/node"
)

func TestBasicTypesNeedNoName(t *testing.T) {
	when := time.Date(2031, 2, 3, 4, 5, 6, 789, time.UTC)
	bodies := []any{
		"text", true, 7, int8(-7), uint64(1) << 63, 2.5, float32(0.5), []byte("bytes"), when, time.Minute,
		[]string{"a", "b"}, map[string]int{"a": 1}, []any{"a", true, nil}, map[string]any{"k": "v"}, nil,
	}
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to, mail := b.sink()
		for _, body := range bodies {
			c.ok(a.Send(to, body))
			if got := next(c, mail).Body(); !reflect.DeepEqual(got, body) {
				c.Errorf("%T %v became %T %v", body, body, got, got)
			}
		}
	})
}

func TestPointerAndValueAreOneType(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to, mail := b.sink()
		for _, body := range []any{note{1, "x"}, &note{1, "x"}} {
			c.ok(a.Send(to, body))
			m := next(c, mail)
			if v := as[note](c, m); v != (note{1, "x"}) {
				c.Error(v)
			}
			if v := as[*note](c, m); *v != (note{1, "x"}) {
				c.Error(v)
			}
			if _, ok := actor.As[job](m); ok {
				c.Error("a note is read as a job")
			}
		}
	})
}

func TestPointerToAnInterfaceArrivesAsWhatIsInIt(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to, mail := b.sink()
		var body any = "text"
		c.ok(a.Send(to, &body))
		if got := as[any](c, next(c, mail)); got != body {
			c.Errorf("%T %v", got, got)
		}
	})
}

func TestBodyOnTheSameNodeIsTheValueItself(t *testing.T) {
	inBubble(t, func(c *cluster) {
		a := c.node("a")
		to, mail := a.sink()
		body := &note{N: 1}
		c.ok(a.Send(to, body))
		if got := as[*note](c, next(c, mail)); got != body {
			c.Error("it was copied")
		}
	})
}

func TestFault39UnclaimedTypeIsRawAndCanBePassedOn(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		home, back := a.sink()
		relay := b.Spawn(func(p *actor.Process) error {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			raw, ok := m.Body().(actor.Raw)
			if !ok || raw.Type != "node_test.note" || len(raw.Body) == 0 || m.Type() != raw.Type {
				return p.Send(home, fmt.Sprintf("a %T: %v", m.Body(), m.Body()))
			}
			if same, ok := actor.As[actor.Raw](m); !ok || !bytes.Equal(same.Body, raw.Body) {
				return p.Send(home, "As gives another Raw than Body")
			}
			return p.Send(home, raw)
		})
		c.ok(a.Send(relay, note{5, "five"}))
		if n := as[note](c, next(c, back)); n != (note{5, "five"}) {
			c.Error(n)
		}
	})
}

func TestLargeBytesAreSharedByAllWhoReadAMessage(t *testing.T) {
	type parcel struct {
		Content []byte
		Label   string
	}
	for _, size := range []int{4 << 10, 64 << 10} { // the second takes the bulk lane, once that is open
		everyWay(t, func(c *cluster) {
			a, b := c.node("a"), c.node("b")
			to, mail := b.sink()
			for i := range 20 {
				c.ok(a.Send(to, &parcel{bytes.Repeat([]byte{byte(i)}, size), "fragile"}))
			}
			for i := range 20 {
				m := next(c, mail)
				first := as[*parcel](c, m)
				if !bytes.Equal(first.Content, bytes.Repeat([]byte{byte(i)}, size)) || first.Label != "fragile" {
					c.Fatalf("message %d is damaged", i)
				}
				_ = append(first.Content, bytes.Repeat([]byte{0xff}, 100)...)
				first.Content[0] = 0xff
				second := as[parcel](c, m)
				if second.Content[0] != 0xff {
					c.Error("it was copied")
				}
				if second.Label != "fragile" {
					c.Error("append has written over what follows")
				}
			}
		})
	}
}

func TestPIDsTravelInMessages(t *testing.T) {
	type book struct {
		Owner   actor.PID
		Friends []actor.PID
		By      map[string]actor.PID
		Nobody  actor.PID
	}
	everyWay(t, func(c *cluster) {
		a, b, d := c.node("a"), c.node("b"), c.node("d")
		third := d.Spawn(echo)
		to := b.Spawn(func(p *actor.Process) error {
			got, m, err := actor.Expect[book](p)
			if err != nil {
				return err
			}
			if !got.Nobody.IsZero() || got.Owner != m.From || len(got.Friends) != 2 {
				return fmt.Errorf("%+v from %v", got, m.From)
			}
			// A PID from a message is good for a first send to its node.
			said, err := actor.Call[string](p, got.By["third"], "hello")
			if err != nil {
				return err
			}
			return p.Reply(m, said)
		})
		a.do(func(p *actor.Process) error {
			body := book{p.Self(), []actor.PID{to, third}, map[string]actor.PID{"third": third}, actor.PID{}}
			said, err := actor.Call[string](p, to, body)
			if said != "hello" {
				return fmt.Errorf("%q, %w", said, err)
			}
			return err
		})
	})
}

type broken struct{ C chan int }

func TestFault39BodyThatCannotBeEncodedIsAnErrorToItsSender(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		to, mail := b.sink()
		err := a.Send(to, broken{})
		if !errors.Is(err, codec.ErrEncode) || !strings.Contains(err.Error(), "node_test.broken") || !strings.Contains(err.Error(), to.String()) {
			c.Errorf("send: %v", err)
		}
		if _, err := actor.Call[int](a.With(c.brief()), to, broken{}); !errors.Is(err, codec.ErrEncode) {
			c.Errorf("call: %v", err)
		}
		// A reply that cannot be encoded is an error to who replies, and the
		// call stays open for another.
		replier := b.Spawn(func(p *actor.Process) error {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			if err := p.Reply(m, broken{}); !errors.Is(err, codec.ErrEncode) {
				return fmt.Errorf("reply: %w", err)
			}
			return p.Reply(m, "sorry")
		})
		if s, err := actor.Call[string](a.With(c.brief()), replier, ""); s != "sorry" {
			c.Error(s, err)
		}
		c.ok(a.Send(to, "still linked"))
		if m := next(c, mail); m.Body() != "still linked" {
			c.Error(m.Body())
		}
		if n := len(a.told(node.LinkDown)) + len(b.told(node.LinkDown)); n != 0 {
			c.Errorf("%d links went down", n)
		}
	})
}

func TestFault39MessageOverTheLimitIsAnErrorToItsSender(t *testing.T) {
	small := func(cfg *node.Config) { cfg.Limits.MaxMessage = 64 << 10 }
	apart(t, func(c *cluster) {
		a, b := c.node("a", small), c.node("b")
		generous, strict := c.node("generous"), a
		to, mail := b.sink()
		fits, big := make([]byte, 60<<10), make([]byte, 65<<10)
		c.ok(a.Send(to, fits))
		if got := as[[]byte](c, next(c, mail)); len(got) != len(fits) {
			c.Error(len(got))
		}
		if err := a.Send(to, big); !errors.Is(err, node.ErrTooLarge) || !strings.Contains(err.Error(), "65") {
			c.Errorf("over the sender's limit: %v", err)
		}
		if a.DeadLetters(actor.DeadTooLarge) != 1 {
			c.Error("no dead letter")
		}
		// The limit that counts is also the receiver's, which the link has told.
		there, arrived := strict.sink()
		c.ok(generous.Send(there, "link up"))
		next(c, arrived)
		if err := generous.Send(there, big); !errors.Is(err, node.ErrTooLarge) {
			c.Errorf("over the receiver's limit: %v", err)
		}
		if _, err := actor.Call[int](generous.With(c.brief()), there, big); !errors.Is(err, node.ErrTooLarge) {
			c.Errorf("a call over the receiver's limit: %v", err)
		}
		// Before there was a link nobody knew: the caller is told all the same.
		late := c.node("late")
		if _, err := actor.Call[int](late.With(c.brief()), there, big); err == nil {
			c.Error("a call over the receiver's limit, sent before there was a link, has succeeded")
		}
		c.ok(generous.Send(there, "still linked"))
		if m := next(c, arrived); m.Body() != "still linked" {
			c.Error(m.Body())
		}
		for _, m := range c.members {
			if n := len(m.told(node.LinkDown)); n != 0 {
				c.Errorf("%s: %d links went down", m.name, n)
			}
		}
	})
}

func TestFault39BytesThatDoNotDecodeAreADeadLetterAndAnErrorToTheCaller(t *testing.T) {
	apart(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		got := make(chan note, 1)
		to := b.Spawn(func(p *actor.Process) error {
			n, m, err := actor.Expect[note](p)
			if err != nil {
				return err
			}
			got <- n
			return p.Reply(m, n.N)
		})
		garbage := actor.Raw{Type: "node_test.note", Body: []byte{0xc1, 0xff}}
		c.ok(a.Send(to, garbage))
		if _, err := actor.Call[int](a.With(c.brief()), to, garbage); err == nil || !strings.Contains(err.Error(), "node_test.note") {
			c.Errorf("the caller of garbage was told: %v", err)
		}
		c.await("dead letters", func() bool { return b.DeadLetters(actor.DeadUndecodable) == 2 })
		if n, err := actor.Call[int](a.With(c.brief()), to, note{N: 3}); n != 3 || err != nil {
			c.Error(n, err)
		}
		// A reply that does not decode is an error to who asked.
		liar := b.Spawn(func(p *actor.Process) error {
			m, err := p.Receive()
			if err != nil {
				return err
			}
			return p.Reply(m, garbage)
		})
		if _, err := actor.Call[note](a.With(c.brief()), liar, ""); !errors.Is(err, codec.ErrDecode) {
			c.Errorf("a reply of garbage: %v", err)
		}
	})
}
