package node_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"conclave/actor"
	"conclave/internal/keeper"
)

// admin is somebody who looks into ZooKeeper and changes things there by hand.
type admin struct {
	*keeper.Session
	c     *cluster
	paths keeper.Paths
}

func (c *cluster) admin(change ...func(*keeper.Config)) admin {
	c.Helper()
	id := actor.NodeID{Name: "admin", Incarnation: rand.Uint64() | 1}
	cfg := keeper.Config{
		Servers: c.servers, Root: c.root, SessionTimeout: testSession,
		Incarnation: id.Incarnation, NodeData: []byte(id.String()),
	}
	if c.virtual {
		cfg.Dial = c.dev.DialContext
		cfg.Clock = virtualClock()
	}
	for _, f := range change {
		f(&cfg)
	}
	k, err := keeper.Open(cfg)
	c.ok(err)
	c.Cleanup(func() { _ = k.Close(c.within(0)) })
	s, err := k.Session(c.brief())
	c.ok(err)
	return admin{s, c, k.Paths()}
}

func (a admin) delete(path string) {
	a.c.Helper()
	a.c.ok(a.Delete(a.c.brief(), path, keeper.AnyVersion))
}

func (a admin) create(path, data string, mode keeper.Mode) {
	a.c.Helper()
	_, err := a.Create(a.c.brief(), path, []byte(data), mode)
	a.c.ok(err)
}

// candidates are the znodes of a global and what they hold.
func (a admin) candidates(name string) map[string]string {
	a.c.Helper()
	children, _, err := a.Children(a.c.brief(), a.paths.Global(name), nil)
	a.c.ok(err)
	held := make(map[string]string)
	for _, child := range children {
		path := a.paths.Candidate(name, child)
		if data, _, err := a.Get(a.c.brief(), path, nil); err == nil {
			held[path] = string(data)
		}
	}
	return held
}

// endSession ends a node's ZooKeeper session, on any server.
func (c *cluster) endSession(m *member) {
	c.Helper()
	a := c.admin()
	a.delete(a.paths.Node(m.ID().Incarnation))
}

// deleteCandidate deletes the znode under which pid holds the name.
func (c *cluster) deleteCandidate(name string, pid actor.PID) {
	c.Helper()
	a := c.admin()
	c.await("the znode of "+pid.String(), func() bool {
		for path, data := range a.candidates(name) {
			if data == pid.String() {
				a.delete(path)
				return true
			}
		}
		return false
	})
}

// expire ends a node's session as the server does when its time has passed; on
// ZooKeeper itself, which cannot be told to, it comes as near as it can.
func (c *cluster) expire(m *member) {
	c.Helper()
	if c.dev == nil {
		c.endSession(m)
		return
	}
	own := fmt.Sprintf("/nodes/%016x", m.ID().Incarnation)
	for _, s := range c.dev.Sessions() {
		for _, path := range s.Ephemerals {
			if strings.HasSuffix(path, own) {
				c.dev.ExpireSession(s.ID)
				return
			}
		}
	}
	c.Fatalf("%s has no session", m.name)
}

func (c *cluster) paths() keeper.Paths {
	c.Helper()
	paths, err := keeper.NewPaths(c.root)
	c.ok(err)
	return paths
}

// stranger is a ZooKeeper client of the same servers that has no credential.
func (c *cluster) stranger() admin {
	c.Helper()
	return c.admin(func(cfg *keeper.Config) { cfg.Root = "/somewhere/else" })
}

// mayNotTouch checks that a client can neither read, change, nor delete a znode,
// nor put anything under it.
func (a admin) mayNotTouch(path string) {
	a.c.Helper()
	ctx := a.c.brief()
	_, _, get := a.Get(ctx, path, nil)
	_, _, children := a.Children(ctx, path, nil)
	_, set := a.Set(ctx, path, []byte("mine"), keeper.AnyVersion)
	_, create := a.Create(ctx, path+"/mine", nil, keeper.Persistent)
	for what, err := range map[string]error{"get": get, "children": children, "set": set, "create": create} {
		if !errors.Is(err, keeper.ErrNoAuth) {
			a.c.Errorf("a stranger's %s of %s: %v", what, path, err)
		}
	}
	// To delete one needs a permission on the parent.
	if err := a.Delete(ctx, path, keeper.AnyVersion); err == nil {
		a.c.Errorf("a stranger has deleted %s", path)
	}
}
