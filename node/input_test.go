package node_test

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/node"
	"conclave/transport"
)

func TestBadConfigIsAnErrorThatNamesTheField(t *testing.T) {
	good := func() node.Config { return node.Config{ZooKeeper: []string{"127.0.0.1:1"}, Logger: testLogger()} }
	for name, bad := range map[string]struct {
		change func(*node.Config)
		names  string
	}{
		"no servers":               {func(c *node.Config) { c.ZooKeeper = nil }, "ZooKeeper"},
		"an empty server":          {func(c *node.Config) { c.ZooKeeper = []string{"127.0.0.1:1", ""} }, "empty"},
		"a name with a slash":      {func(c *node.Config) { c.Name = "a/b" }, "a/b"},
		"a name with an @":         {func(c *node.Config) { c.Name = "a@b" }, "a@b"},
		"a name that is too long":  {func(c *node.Config) { c.Name = strings.Repeat("x", 300) }, "300"},
		"a guest that listens":     {func(c *node.Config) { c.Guest, c.Listen = true, "127.0.0.1:0" }, "Guest"},
		"a guest with an address":  {func(c *node.Config) { c.Guest, c.Advertise = true, "host:1" }, "Guest"},
		"an address without port":  {func(c *node.Config) { c.Listen = "localhost" }, "localhost"},
		"an open listener":         {func(c *node.Config) { c.Listen = "0.0.0.0:0" }, "0.0.0.0:0"},
		"an open listener (empty)": {func(c *node.Config) { c.Listen = ":0" }, "Secret"},
		"a bad advertised address": {func(c *node.Config) { c.Advertise = "a/b:1" }, "Advertise"},
		"a relative root":          {func(c *node.Config) { c.Root = "conclave" }, "conclave"},
		"a root with ..":           {func(c *node.Config) { c.Root = "/a/../b" }, "/a/../b"},
		"ZooKeeper's own root":     {func(c *node.Config) { c.Root = "/zookeeper/x" }, "/zookeeper/x"},
		"a tiny session timeout":   {func(c *node.Config) { c.SessionTimeout = time.Millisecond }, "SessionTimeout"},
		"a negative timeout":       {func(c *node.Config) { c.SessionTimeout = -time.Second }, "SessionTimeout"},
		"a credential of nothing":  {func(c *node.Config) { c.Credentials = []node.Credential{{}} }, "scheme"},
		"a negative limit":         {func(c *node.Config) { c.Limits.Outbox = -1 }, "Limits"},
		"a negative link timeout":  {func(c *node.Config) { c.Limits.LinkTimeout = -1 }, "Limits"},
		"negative handshakes":      {func(c *node.Config) { c.Limits.Handshakes = -1 }, "Limits"},
		"a tiny message limit":     {func(c *node.Config) { c.Limits.MaxMessage = 10 }, "MaxMessage"},
		"a huge message limit":     {func(c *node.Config) { c.Limits.MaxMessage = 1 << 40 }, "MaxMessage"},
	} {
		cfg := good()
		bad.change(&cfg)
		n, err := node.Start(t.Context(), cfg)
		if !errors.Is(err, node.ErrConfig) || !strings.Contains(err.Error(), bad.names) {
			t.Errorf("%s: %v, want an ErrConfig that names %q", name, err, bad.names)
		}
		if n != nil {
			t.Errorf("%s: there is a node", name)
			n.Stop(t.Context())
		}
	}
}

func TestAddressInUseIsAnErrorThatNamesIt(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = node.Start(t.Context(), node.Config{Listen: l.Addr().String(), ZooKeeper: []string{"127.0.0.1:1"}, Logger: testLogger()})
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Error(err)
	}
}

func TestOpenListenerWithASecretIsAllowed(t *testing.T) {
	for name, change := range map[string]func(*node.Config){
		"secret":   func(c *node.Config) { c.Secret = []byte("sesame") },
		"insecure": func(c *node.Config) { c.Insecure = true },
	} {
		cfg := node.Config{Listen: "0.0.0.0:0", Advertise: "here.example:7000", ZooKeeper: []string{"127.0.0.1:1"}, Logger: testLogger()}
		change(&cfg)
		n, err := node.Start(t.Context(), cfg)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n.ID().Address != "here.example:7000" {
			t.Errorf("%s: the address is %s", name, n.ID().Address)
		}
		if err := n.Stop(t.Context()); err != nil {
			t.Errorf("%s: stop: %v", name, err)
		}
	}
}

func TestZooKeeperThatIsNotThereIsNamedAndTheNodeLives(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, server := range []string{"no-such-host.invalid:2181", closed.Addr().String()} {
		c := &cluster{T: t, servers: []string{server}}
		m := c.launch("lonely")
		err := m.Ready(c.within(300 * time.Millisecond))
		host, _, _ := net.SplitHostPort(server)
		if !errors.Is(err, node.ErrNotConnected) || !strings.Contains(err.Error(), host) {
			t.Errorf("%s: Ready says %v", server, err)
		}
		if f := m.awaitTold(node.Trouble, 0); !strings.Contains(f.Err.Error(), host) {
			t.Errorf("%s: %v", server, f.Event)
		}
		if _, err := m.GetCapable(c.within(50*time.Millisecond), "worker"); err == nil {
			t.Errorf("%s: a look-up without ZooKeeper succeeds", server)
		}
		if said, err := actor.Call[string](m.With(c.brief()), m.Spawn(echo), "hello"); said != "hello" {
			t.Errorf("%s: its processes: %q, %v", server, said, err)
		}
		began := time.Now()
		m.stop()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s: Stop took %v", server, took)
		}
	}
}

func TestNodeStartsBeforeItsZooKeeperDoes(t *testing.T) {
	inBubble(t, func(c *cluster) {
		c.dev.Down()
		a, b := c.launch("a"), c.launch("b")
		pid := a.Spawn(echo)
		c.ok(a.RegisterName("worker", pid))
		answered := make(chan error, 1)
		go func() {
			pids, err := b.WaitCapable(c.within(time.Hour), "worker", 1)
			if err == nil {
				_, err = actor.Call[string](b.With(c.within(time.Hour)), pids[0], "hello")
			}
			answered <- err
		}()
		time.Sleep(10 * time.Minute)
		none(c, answered)
		if n := len(a.told(node.Trouble)); n == 0 || n > 30 {
			c.Errorf("%d reports of trouble in ten minutes", n)
		}
		c.dev.Up()
		c.ok(next(c, answered))
	})
}

func TestNamesThatCannotBeUsedAreErrorsThatNameThem(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a := c.node("a")
		pid := a.Spawn(idle)
		for _, name := range []string{"a/b", "", ".", "..", "a\x00b", strings.Repeat("x", 256), "not \xff UTF-8"} {
			for call, err := range map[string]error{
				"Register":          second(a.Register(c.brief(), name, pid)),
				"Unregister":        a.Unregister(c.brief(), name, pid),
				"GetCapable":        second(a.GetCapable(c.brief(), name)),
				"WaitCapable":       second(a.WaitCapable(c.brief(), name, 1)),
				"SendCapable":       second(a.SendCapable(c.brief(), name, "")),
				"RegisterCandidate": second(a.RegisterCandidate(c.brief(), name, idle)),
				"WhereisGlobal":     second(a.WhereisGlobal(c.brief(), name)),
				"SendGlobal":        a.SendGlobal(c.brief(), name, ""),
				"CallGlobal":        second(a.CallGlobal(c.brief(), name, "")),
				"RegisterName":      a.RegisterName(name, pid),
				"SendName":          a.SendName(a.ID(), name, ""),
				"SendNodes":         second(a.SendNodes(c.brief(), name, "")),
			} {
				shown := name
				if len(name) > 255 {
					shown = "256 bytes"
				} else if !utf8.ValidString(name) || strings.Contains(name, "\x00") {
					shown = `\x`
				}
				if !errors.Is(err, actor.ErrBadName) || !strings.Contains(err.Error(), shown) {
					c.Errorf("%s(%.20q): %v", call, name, err)
				}
			}
		}
		a.register("worker", pid) // and all is well
		a.awaitCapable("worker", pid)
	})
}

func TestUnparsableZnodesOfOthersAreSkippedAndTold(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a, b := c.node("a"), c.node("b")
		admin := c.admin()
		paths := admin.paths
		// One that looks like a candidate from before all others.
		admin.create(paths.Global("boss"), "", keeper.Persistent)
		admin.create(paths.Global("boss")+"/guid-0000000000", "what is this?", keeper.Persistent)
		pid := a.Spawn(idle)
		a.register("worker", pid)
		boss := a.stand("boss", tellsWho)
		litter := []string{
			paths.Service("worker") + "/README", paths.Service("worker") + "/nobody@nowhere#zz.1",
			paths.Nodes() + "/lost+found", paths.Services() + "/%zz",
			paths.Global("boss") + "/notes", paths.Global("boss") + "/0-0000000000x",
			paths.Globals() + "/%zz",
		}
		for _, path := range litter {
			admin.create(path, "what is this?", keeper.Persistent)
		}
		// A node whose znode holds something else.
		admin.create(paths.Node(0xabcdef), "what is this?", keeper.Ephemeral)

		late := c.node("late")
		for _, m := range c.members {
			m.awaitCapable("worker", pid)
			if got := m.whereis("boss"); got != boss {
				c.Errorf("%s sees %v, want %v", m.name, got, boss)
			}
			if who := m.askGlobal("boss"); who.PID != boss {
				c.Errorf("%s was answered by %v", m.name, who.PID)
			}
			ids, err := m.Nodes(c.brief())
			c.ok(err)
			for _, id := range ids {
				if !slices.ContainsFunc(c.members, func(m *member) bool { return m.ID() == id }) {
					c.Errorf("%s lists %v", m.name, id)
				}
			}
			m.stand("boss", tellsWho) // goes to the end of the line, or goes on
		}
		// Who has seen it has told of it, by name. (Who knew the holder before does
		// not look at the others in line.)
		seen := []string{"README", "lost+found", "guid-0000000000"}
		if late != a {
			seen = append(seen, "notes")
		}
		for _, what := range seen {
			c.await(what+" to be told of", func() bool {
				return slices.ContainsFunc(late.told(node.Strange), func(f fact) bool { return strings.Contains(f.Name, what) && f.Err != nil })
			})
		}
		// The litter stands in nobody's way when the name passes.
		if b != a {
			a.stop()
			c.await("another boss", func() bool { return late.whereis("boss") != boss })
		}
	})
}

func TestClusterIDThatSomebodyOverwroteIsNamed(t *testing.T) {
	everyWay(t, func(c *cluster) {
		a := c.node("a")
		admin := c.admin()
		if _, err := admin.Set(c.brief(), admin.paths.Cluster(), []byte("what is this?"), keeper.AnyVersion); err != nil {
			c.Fatal(err)
		}
		m := c.launch("late")
		m.gone = true
		if err := m.Ready(c.within(300 * time.Millisecond)); err == nil || !strings.Contains(err.Error(), "what is this?") {
			c.Errorf("Ready says %v", err)
		}
		if f := m.awaitTold(node.Trouble, 0); !strings.Contains(f.Err.Error(), admin.paths.Cluster()) {
			c.Errorf("%v", f.Event)
		}
		a.register("worker", a.Spawn(idle)) // who was there is undisturbed
	})
}

func TestEventsReadWell(t *testing.T) {
	id := actor.NodeID{Name: "a", Address: "h:1", Incarnation: 1}
	pid := actor.MakePID(id, 7)
	for want, e := range map[string]node.Event{
		"term began term=boss term 5 pid=a@h:1#0000000000000001.7":                   {Kind: node.TermBegan, Term: actor.MakeTerm("c", "boss", 5), PID: pid},
		"link refused remote=h:2 error=wrong secret":                                 {Kind: node.LinkRefused, Remote: "h:2", Err: transport.ErrWrongSecret},
		"dead letter pid=a@h:1#0000000000000001.7 reason=mailbox full type=main.Job": {Kind: node.Dead, PID: pid, Letter: actor.DeadLetter{Type: "main.Job", Reason: actor.DeadMailboxFull}},
		"session up cluster=00ff":                                                    {Kind: node.SessionUp, Cluster: "00ff"},
		"link down peer=a@h:1#0000000000000001 error=no heartbeat":                   {Kind: node.LinkDown, Peer: id, Err: errors.New("no heartbeat")},
		"accepted from=a@h:1#0000000000000001.7 name=desk":                           {Kind: node.Accepted, From: pid, Name: "desk"},
	} {
		if got := e.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
