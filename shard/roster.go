package shard

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"conclave/actor"
	"conclave/internal/keeper"
)

// roster is this node's look at who is there and who should own what. In each
// session it makes this node's member znode, watches the members and the plan, and
// writes the next plan when it is this member's turn.
type roster struct {
	sp *Space

	// Of the session.
	s       *keeper.Session
	guid    string
	leaving bool // our znode says so
	members map[string]*listed
	wake    chan struct{}
	turn    turn
	last    Plan          // that was read, in any session
	pause   time.Duration // before the next look, after one that came to nothing

	atMembers, atPlan, atNoPlan, atOwners lookout
}

// listed is a member as its znode tells of it.
type listed struct {
	memberRecord
	id      actor.NodeID
	door    actor.PID // zero: of an earlier version, which tells of none
	changed bool      // since it was read
	foreign bool
}

// run follows the keeper's sessions until the space is closed.
func (r *roster) run() {
	for r.sp.ctx.Err() == nil {
		s, err := r.sp.k.Session(r.sp.ctx)
		if err != nil {
			return
		}
		if s.Err() == nil {
			r.inSession(s)
		}
		select {
		case <-s.Done():
		case <-r.sp.ctx.Done():
			return
		case <-time.After(time.Millisecond): // it has failed for another reason
		}
	}
}

// inSession takes part until the session, or the space, is over.
func (r *roster) inSession(s *keeper.Session) {
	ctx, cancel := context.WithCancel(r.sp.ctx)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-s.Done():
			cancel()
		case <-stop:
		}
	}()
	last := &r.last
	r = &roster{sp: r.sp, s: s, last: r.last, members: make(map[string]*listed), wake: make(chan struct{}, 1)}
	defer func() { *last = r.last }()
	r.atMembers.poke, r.atPlan.poke, r.atNoPlan.poke, r.atOwners.poke = r.poke, r.poke, r.poke, r.poke
	defer r.quit()
	if !r.insist(ctx, "the space cannot be opened", r.enter) {
		return
	}
	r.sp.host.post(newSession{s, r.guid})
	for ctx.Err() == nil {
		again := r.look(ctx)
		if again <= 0 {
			r.poke()
			again = lookAgain
		}
		wait := time.NewTimer(again)
		leave := r.sp.leave
		if r.leaving {
			leave = nil // that has been said
		}
		select {
		case <-r.wake:
		case <-wait.C:
		case <-leave:
			r.leaving = r.insist(ctx, "the member's znode cannot be changed", r.announceLeaving)
		case <-ctx.Done():
		}
		wait.Stop()
	}
}

// insist does f until it is done. It says false when ctx has ended before.
func (r *roster) insist(ctx context.Context, what string, f func(context.Context) error) bool {
	told := ""
	for pause := retryMin; ; pause = min(2*pause, retryMax) {
		err := f(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if text := err.Error(); text != told && !passing(err) {
			told = text
			r.sp.refused(fmt.Errorf("%s: %w", what, err))
		}
		if !sleep(ctx, pause) {
			return false
		}
	}
}

// passing says whether what has failed will not when there is a connection, or a session,
// again: ZooKeeper has refused nothing.
func passing(err error) bool {
	return errors.Is(err, keeper.ErrNotConnected) || errors.Is(err, keeper.ErrUnknownOutcome) || errors.Is(err, keeper.ErrSessionLost)
}

// enter makes what the space needs, and this member's znode in it.
func (r *roster) enter(ctx context.Context) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	return r.join(ctx)
}

// begun waits until somebody has opened the space: who only looks on and does not say
// how many parts it has must not decide that.
func (r *roster) begun(ctx context.Context) error {
	wake := make(chan struct{}, 1)
	for {
		_, there, err := r.s.Exists(ctx, r.sp.k.Paths().Space(r.sp.name), func() {
			select {
			case wake <- struct{}{}:
			default:
			}
		})
		r.sp.awaited.Store(err == nil && !there)
		if err != nil || there {
			return err
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// prepare makes what the space needs, or compares it with what is there.
func (r *roster) prepare(ctx context.Context) error {
	paths := r.sp.k.Paths()
	if r.sp.cfg.Watch && r.sp.cfg.Parts == 0 {
		if err := r.begun(ctx); err != nil {
			return err
		}
	}
	for _, z := range []struct {
		path string
		data []byte
	}{
		{paths.Shards(), nil}, {paths.Space(r.sp.name), encode(r.sp.settings())},
		{paths.SpaceMembers(r.sp.name), nil}, {paths.SpaceOwners(r.sp.name), nil},
	} {
		_, err := r.s.Create(ctx, z.path, z.data, keeper.Persistent)
		if err != nil && !errors.Is(err, keeper.ErrNodeExists) {
			return err
		}
	}
	data, _, err := r.s.Get(ctx, paths.Space(r.sp.name), nil)
	if err != nil {
		return err
	}
	return r.sp.agree(data)
}

// join makes this member's znode. The name is the session's, so one that is there is
// ours, of a try whose answer was lost.
func (r *roster) join(ctx context.Context) error {
	if r.sp.cfg.Watch {
		return nil
	}
	if r.guid == "" {
		r.guid = rand.Text()
	}
	leaving := r.sp.parting()
	_, err := r.s.Create(ctx, r.sp.k.Paths().SpaceMember(r.sp.name, r.guid), encode(r.sp.record(leaving)), keeper.Ephemeral)
	if err == nil {
		r.leaving = leaving
	}
	if errors.Is(err, keeper.ErrNodeExists) {
		return nil
	}
	return err
}

// quit deletes this member's znode: its session may go on for long. Sync comes before
// that: the create may have been given up, and not be sent yet.
func (r *roster) quit() {
	if r.guid == "" || r.s.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.s.Timeout())
	defer cancel()
	for ctx.Err() == nil {
		path := r.sp.k.Paths().SpaceMember(r.sp.name, r.guid)
		err := r.s.Sync(ctx, path)
		if err == nil {
			err = r.s.Delete(ctx, path, keeper.AnyVersion)
		}
		if err == nil || errors.Is(err, keeper.ErrNoNode) || r.s.Err() != nil || !sleep(ctx, retryMin) {
			return
		}
	}
}

// announceLeaving asks for no parts any more.
func (r *roster) announceLeaving(ctx context.Context) error {
	if r.guid == "" {
		return nil
	}
	_, err := r.s.Set(ctx, r.sp.k.Paths().SpaceMember(r.sp.name, r.guid), encode(r.sp.record(true)), keeper.AnyVersion)
	if errors.Is(err, keeper.ErrNoNode) {
		return nil
	}
	return err
}

func (r *roster) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// lookAgain is how often the members' list and the plan are read although no watch has
// fired.
const lookAgain = 30 * time.Second

// look reads who is there and what is planned, tells the host, and writes the next
// plan if it is our turn. It says when to look again at the latest.
func (r *roster) look(ctx context.Context) time.Duration {
	wait, err := r.lookOnce(ctx)
	if err != nil && ctx.Err() == nil {
		if !passing(err) {
			r.sp.refused(err)
		}
		r.pause = min(max(2*r.pause, retryMin), retryMax)
		return r.pause
	}
	r.pause = 0
	return wait
}

func (r *roster) lookOnce(ctx context.Context) (time.Duration, error) {
	whole, err := r.readMembers(ctx)
	if err != nil {
		return 0, err
	}
	if !whole || r.guid != "" && r.members[r.guid] == nil { // somebody has deleted it
		return 0, r.enter(ctx)
	}
	plan, version, err := r.readPlan(ctx)
	if err != nil {
		return 0, err
	}
	if own := r.members[r.guid]; own != nil && !own.foreign && own.Leaving {
		r.sp.part() // also if it was not we who wrote that: see DrainNode
	}
	there := plan.Parts() > 0
	if there {
		r.last = plan
	} else if plan = r.last; plan.Parts() == 0 {
		if plan, err = NewPlan(r.sp.parts); err != nil {
			return 0, err
		}
	}
	members := r.counted()
	r.sp.host.post(planned{r.guid, plan, r.doors()})
	r.sp.show(r.members, plan)
	if r.sp.cfg.Watch || there && plan.IsFor(members) {
		r.turn = turn{}
		return lookAgain, nil
	}
	wait := r.turn.wait(time.Now(), plan, members, r.guid, r.sp.cfg.Settle)
	if wait > 0 {
		return wait, nil
	}
	next, err := plan.Next(members)
	if err == nil {
		err = r.write(ctx, next, version)
	}
	r.turn = turn{}
	if err == nil {
		r.sp.tell(Event{Kind: Planned, Part: -1})
	}
	if errors.Is(err, keeper.ErrBadVersion) || errors.Is(err, keeper.ErrNodeExists) {
		err = nil // another member was faster
	}
	return 0, err // and read it
}

// readMembers lists the members and reads those that are new or have changed. It says
// false when the space is not as prepare has left it.
func (r *roster) readMembers(ctx context.Context) (whole bool, err error) {
	paths := r.sp.k.Paths()
	stat, whole, err := r.s.Exists(ctx, paths.SpaceOwners(r.sp.name), r.atOwners.watch())
	r.atOwners.read(stat.Mzxid, err)
	if err != nil || !whole {
		return false, err
	}
	names, stat, err := r.s.Children(ctx, paths.SpaceMembers(r.sp.name), r.atMembers.watch())
	r.atMembers.read(stat.Pzxid, err)
	if errors.Is(err, keeper.ErrNoNode) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for name := range r.members {
		if !slices.Contains(names, name) {
			delete(r.members, name)
		}
	}
	for _, name := range names {
		if m := r.members[name]; m != nil && !r.sp.stale(m) {
			continue
		}
		m := &listed{}
		path := paths.SpaceMembers(r.sp.name) + "/" + name // it may be one that we would have escaped
		data, stat, err := r.s.Get(ctx, path, func() { r.sp.changed(m); r.poke() })
		if errors.Is(err, keeper.ErrNoNode) {
			delete(r.members, name) // and the list has changed
			continue
		}
		if err != nil {
			return false, err
		}
		if m.memberRecord, m.id, err = readMember(data); err == nil {
			m.door, _ = actor.ParsePID(m.Door)
			err = Member{ID: name, Weight: m.Weight}.Check()
		}
		if err != nil || stat.EphemeralOwner == 0 {
			m.foreign = true
			r.sp.tell(Event{Kind: Skipped, Part: -1, Err: fmt.Errorf("shard: member znode %q is not of ours: %w", name, errors.Join(err, errNotEphemeral(stat)))})
		}
		r.members[name] = m
	}
	return true, nil
}

func errNotEphemeral(stat keeper.Stat) error {
	if stat.EphemeralOwner == 0 {
		return errors.New("it is not ephemeral")
	}
	return nil
}

// counted is what the plan is made from.
func (r *roster) counted() (all []Member) {
	for name, m := range r.members {
		if !m.foreign {
			all = append(all, Member{ID: name, Weight: m.share(r.sp.needs)})
		}
	}
	slices.SortFunc(all, func(a, b Member) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return all
}

// doors are those of the members.
func (r *roster) doors() map[string]actor.PID {
	doors := make(map[string]actor.PID, len(r.members))
	for name, m := range r.members {
		if !m.foreign {
			doors[name] = m.door
		}
	}
	return doors
}

// readPlan reads the plan. One that is damaged is as none: it has no parts. Then the next
// is made from the last that was seen.
func (r *roster) readPlan(ctx context.Context) (p Plan, version int32, err error) {
	path := r.sp.k.Paths().SpacePlan(r.sp.name)
	data, stat, err := r.s.Get(ctx, path, r.atPlan.watch())
	r.atPlan.read(stat.Mzxid, err)
	if errors.Is(err, keeper.ErrNoNode) {
		// Watched, as it may come.
		stat, there, err := r.s.Exists(ctx, path, r.atNoPlan.watch())
		r.atNoPlan.read(stat.Mzxid, err)
		if there {
			r.poke()
		}
		return p, noPlan, err
	}
	if err != nil {
		return p, 0, err
	}
	if p, err = ParsePlan(data); err != nil {
		if errors.Is(err, ErrOtherPlan) {
			return p, 0, err // a later version's: what it wants is not for us to change
		}
		r.sp.skipped(err)
	} else if p.Parts() != r.sp.parts {
		r.sp.skipped(fmt.Errorf("%w: it is of %d parts, the space has %d", ErrBadPlan, p.Parts(), r.sp.parts))
		p = Plan{}
	}
	return p, stat.Version, nil
}

// noPlan is the version of a plan that is not there.
const noPlan = -2

func (r *roster) write(ctx context.Context, p Plan, version int32) error {
	path, data := r.sp.k.Paths().SpacePlan(r.sp.name), p.Append(nil)
	if version == noPlan {
		_, err := r.s.Create(ctx, path, data, keeper.Persistent)
		return err
	}
	_, err := r.s.Set(ctx, path, data, version)
	return err
}

// sleep says false if ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
