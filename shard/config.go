package shard

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"conclave/actor"
)

// Config is how a node takes part in a space.
type Config struct {
	// Parts is into how many parts the space is divided: 1 to MaxParts. Whoever opens a
	// space first fixes it for ever; all others must say the same, or 0, which takes
	// what is there, and DefaultParts where nothing is.
	Parts int
	// Weight is how much this member should own, compared with others: 1 to MaxWeight,
	// 1 if it is zero. One of weight 2 gets twice as many parts as one of weight 1.
	Weight int
	// Watch: this node owns nothing. It only looks on, and sends; a guest can do no more.
	// Who has no hooks for parts and does not Watch is given parts all the same, and mail
	// for them finds nothing that takes it ([ErrNoEntity]). With Parts 0 it waits for
	// somebody else to open the space first.
	Watch bool
	// Labels say what this node is like: {"disk": "fast"}.
	Labels map[string]string
	// Needs are the labels that a node must have to own parts. Like Parts, they are
	// fixed by whoever opens the space first.
	Needs map[string]string

	// OnGain prepares this node for a part that it owns now: it loads what belongs to it,
	// starts what works on it (in processes that p spawns, or with Serve), and returns.
	// Until it has, mail for the part waits, and the part cannot move: nothing tells OnGain
	// that it is to (event Stuck after Patience). It runs in a process of its own, p, under
	// the part's term: everything that p sends and spawns is under that term, and p, a
	// context, ends when the term does. p.Term().Number() is the fence for outside stores.
	// An error (or a panic) gives the part back, as event Failed tells; it is claimed anew
	// after a pause. What it sends to keys of the part itself fails at once ([ErrNoOwner]).
	// What it has loaded [Keep] has at hand for the others. Nil: nothing is to be prepared.
	OnGain func(p *actor.Process, part int) error
	// OnLose gives a part up: it returns when nothing works on it here any more and what
	// has to be kept is kept. Until then nobody else can own the part: if it does not
	// return, the part stays here (event Stuck). why is nil when the part moves in
	// order, or the node stops, while the term lasts, and with it p as a context;
	// otherwise something has failed, or the term is over already, p has ended, and
	// nothing can be saved under it. It is called in the same process as OnGain, once
	// for each time that OnGain was called, also if that has failed. When it has returned,
	// processes that p has spawned and that still run are told to stop, and are waited for;
	// for goroutines that are no processes OnLose has to wait. Nil: nothing but that. Its
	// error, or a panic, is told as event Failed; the part moves all the same: who must not
	// lose what could not be saved tries again until it is, and keeps the part that long.
	OnLose func(p *actor.Process, part int, why error) error

	// Entity gives the code of a key's process, which is started by the first message to
	// the key ([Space.Send], [Call]) at the owner of its part, under the part's term:
	// one process for a key in the whole cluster, and none until the one before it has
	// ended. It is told to end, by an error of Receive ([actor.Normal]), when it has read
	// all of its mail and the part moves, the node stops, or it has been idle; it saves
	// what has to be kept and returns. Until then it can call and send, and as a context
	// it lasts as long as the term. If it returns without being told to, what is in its
	// mailbox is lost, and those who call are told. [Stateful] is the short way. Nil:
	// keys have no processes here. It must be the same on all nodes.
	Entity func(key string) actor.Func
	// Mailbox of a key's process; the default is the node's.
	Mailbox actor.Mailbox
	// Idle is how long a key's process may be without mail before it is told to end; one
	// that owes an answer or has a timer set is not idle. The default is two minutes;
	// below zero: for ever.
	Idle time.Duration
	// Serve gives the code of a part's own process, which is started when OnGain has
	// returned and runs as long as the part is owned; mail reaches it with
	// [Space.SendPart] and [Space.RequestPart]. It is told to end as a key's process is.
	// If it ends by itself, keys' processes are told to end, the part is given back, and
	// claimed anew after a pause. Nil: parts have no processes of their own.
	Serve func(part int) actor.Func
	// Wait is how long a message to a key or a part waits at most for an owner that takes
	// it; the default is 30 s. The caller's context may end it sooner.
	Wait time.Duration

	// Linger: that the node drains is no reason to give parts up yet; whoever has opened
	// the space calls Drain when they have done what they are needed for. It is for parts
	// that other work of the node depends on, which is to be finished first.
	Linger bool
	// Moves is how many parts this node gives up at a time for others to have them, until
	// they serve them, those aside that are Stuck; the default is 8. It begins with two, and
	// with one more for each that takes more than 50 ms. One that is not served within a
	// second counts no more; when this node leaves, the others then do not wait for theirs
	// either.
	Moves int
	// Patience is how long OnGain may take, and giving a part up with all that it takes
	// (mail is read, keys' processes are saved, OnLose), before event Stuck tells of it;
	// the default is 10 s.
	Patience time.Duration
	// Settle is how long it must have been quiet after a member has come, before it is
	// planned for; after four times that long it is in any case. The default is 500 ms.
	// Members that have gone are planned for at once.
	Settle time.Duration

	// OnEvent is told what happens. It must not block (Drain and Close do,
	// also those of the node), and may be called by several goroutines at once.
	OnEvent func(Event)
	// Logger gets what OnEvent is told: as warnings what somebody should look at (Failed,
	// Stuck, EntityFailed, Refused, Skipped, and Lost with an error), of each kind one line
	// a second and the number of others like it; as debug the rest. Default: the node's
	// (node.Config.Logger).
	Logger *slog.Logger
}

const (
	// DefaultParts is into how many parts a space is divided unless Config says else.
	DefaultParts = 256
	// longest is for ever, and some such times can be added up.
	longest = 50 * 365 * 24 * time.Hour
	// maxLabels and maxLabel bound what znodes hold.
	maxLabels = 32
	maxLabel  = 255
)

// ErrConfig is wrapped by every error about a Config.
var ErrConfig = errors.New("shard: configuration")

func (c Config) withDefaults() (Config, error) {
	bad := func(format string, args ...any) (Config, error) {
		return c, fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
	}
	switch {
	case c.Parts < 0 || c.Parts > MaxParts:
		return bad("%d parts; 1 to %d are possible, 0 takes what is there", c.Parts, MaxParts)
	case c.Weight < 0 || c.Weight > MaxWeight:
		return bad("a weight of %d; 1 to %d are possible (a node that is to own nothing has Watch)", c.Weight, MaxWeight)
	case c.Moves < 0 || c.Patience < 0 || c.Settle < 0 || c.Wait < 0:
		return bad("a bound below zero: Moves %d, Patience %v, Settle %v, Wait %v", c.Moves, c.Patience, c.Settle, c.Wait)
	}
	for what, labels := range map[string]map[string]string{"Labels": c.Labels, "Needs": c.Needs} {
		if len(labels) > maxLabels {
			return bad("%s: %d of them, at most %d are possible", what, len(labels), maxLabels)
		}
		for k, v := range labels {
			if k == "" || len(k) > maxLabel || len(v) > maxLabel {
				return bad("%s: %.40q is %.40q: 1 to %d bytes for a name, at most %d for its value", what, k, v, maxLabel, maxLabel)
			}
		}
	}
	c.Labels, c.Needs = maps.Clone(c.Labels), maps.Clone(c.Needs)
	if c.Weight == 0 {
		c.Weight = 1
	}
	if c.Idle == 0 {
		c.Idle = 2 * time.Minute
	}
	if c.Wait == 0 {
		c.Wait = 30 * time.Second
	}
	if c.Moves == 0 {
		c.Moves = 8
	}
	if c.Patience == 0 {
		c.Patience = 10 * time.Second
	}
	if c.Settle == 0 {
		c.Settle = 500 * time.Millisecond
	}
	for _, d := range []*time.Duration{&c.Idle, &c.Wait, &c.Patience, &c.Settle} {
		*d = min(*d, longest)
	}
	return c, nil
}

// Event is something that a person may want to know of.
type Event struct {
	Kind EventKind
	Part int // that it is about; -1: none
	Term actor.Term
	Err  error
}

// EventKind is what has happened.
type EventKind string

// The kinds of events.
const (
	Gained  EventKind = "gained"  // this node owns the part, and OnGain has returned
	Lost    EventKind = "lost"    // all that ran for the part has returned; Err: why, nil if the part moves
	Failed  EventKind = "failed"  // OnGain or OnLose has failed, Serve's process has ended, or theirs was stopped: Err
	Stuck   EventKind = "stuck"   // OnGain, OnLose, what they have spawned, a key's process or Serve's does not return: the part stays until it has, or this node's session ends; Err says which
	Unstuck EventKind = "unstuck" // it has returned after all
	Planned EventKind = "planned" // this node has written who should own what
	Skipped EventKind = "skipped" // something foreign or damaged in ZooKeeper: Err
	Refused EventKind = "refused" // ZooKeeper refuses us: Err

	EntityFailed EventKind = "entity failed" // a key's process has ended with an error, or a panic: Err
)
