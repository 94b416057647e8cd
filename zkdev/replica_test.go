package zkdev

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"
)

// TestFollowersEndUpWithTheLeadersTree has clients of three servers do things at
// random while two of them lag, are cut and healed.
func TestFollowersEndUpWithTheLeadersTree(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	for i := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, i))
		if bubble(t, Config{ExtendedTypes: true, SyncLimit: -1}, func(t *testing.T, s *Server) { mixed(t, s, r) }); t.Failed() {
			t.Fatalf("seed %d, round %d", seed, i)
		}
	}
}

// plain is a node without the difference between no children and none yet.
func plain(n *node) node {
	if n == nil {
		return node{}
	}
	c := *n
	if len(c.children) == 0 {
		c.children = nil
	}
	return c
}

func mixed(t *testing.T, s *Server, r *rand.Rand) {
	followers := []*Follower{s.Follower()}
	other := client(t, s, 40*time.Second)
	other.Create("/n0", nil, 0, open)
	followers = append(followers, s.Follower()) // with what is there
	var clients []*zk.Conn
	for _, at := range []*Server{s, followers[0].replica, followers[1].replica} {
		clients = append(clients, client(t, at, 40*time.Second))
	}
	path := func() string {
		p := fmt.Sprintf("/n%d", r.IntN(4))
		if r.IntN(2) == 0 {
			p += fmt.Sprintf("/m%d", r.IntN(3))
		}
		return p
	}
	done := make(chan struct{}, 1000)
	started := 0
	for range 300 {
		c := clients[r.IntN(len(clients))]
		p, q := path(), path()
		flags := int32(r.IntN(4))
		started++
		go func(what int) {
			defer func() { done <- struct{}{} }()
			switch what {
			case 0, 1, 2:
				c.Create(p, []byte(p), flags, open)
			case 3:
				c.Delete(p, -1)
			case 4:
				c.Set(p, []byte(q), -1)
			case 5:
				c.SetACL(p, zk.DigestACL(zk.PermAll, "u", "p"), -1)
			case 6:
				c.Multi(&zk.CreateRequest{Path: p, Acl: open}, &zk.SetDataRequest{Path: q, Version: -1},
					&zk.DeleteRequest{Path: q, Version: -1})
			case 7:
				c.CreateContainer(p, nil, 4, open)
			case 8:
				c.CreateTTL(p, nil, zk.FlagTTL, open, time.Second)
			case 9:
				c.Children(p)
			}
		}(r.IntN(10))
		switch f := followers[r.IntN(2)]; r.IntN(12) {
		case 0:
			f.Lag(time.Duration(r.IntN(3)) * time.Second)
		case 1:
			f.Cut()
		case 2, 3:
			f.Heal()
		case 4:
			time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
		case 5:
			if r.IntN(10) == 0 {
				s.ExpireSession(clients[r.IntN(3)].SessionID())
			}
		}
	}
	for _, f := range followers {
		f.Heal()
	}
	for range started {
		<-done
	}
	time.Sleep(2 * time.Minute) // longer than any lag; containers are looked at
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.zxid < 100 || len(s.nodes) < 6 {
		t.Errorf("zxid %#x, %d nodes: this shows nothing", s.zxid, len(s.nodes))
	}
	for i, f := range followers {
		r := f.replica
		if r.zxid != s.zxid || len(f.log) != 0 {
			t.Errorf("follower %d is at %#x, the leader at %#x", i, r.zxid, s.zxid)
		}
		for _, path := range slices.Sorted(maps.Keys(s.nodes)) {
			a, b := plain(s.nodes[path]), plain(r.nodes[path])
			if !reflect.DeepEqual(a, b) {
				t.Errorf("follower %d: %s is %+v, at the leader %+v", i, path, b, a)
			}
		}
		if len(r.nodes) != len(s.nodes) || len(r.sessions) != len(s.sessions) {
			t.Errorf("follower %d has %d nodes and %d sessions, the leader %d and %d",
				i, len(r.nodes), len(r.sessions), len(s.nodes), len(s.sessions))
		}
		for id, ss := range s.sessions {
			if got := r.sessions[id]; got == nil || !maps.Equal(got.ephemerals, ss.ephemerals) {
				t.Errorf("follower %d has session %#x as %+v, the leader as %+v", i, id, got, ss)
			}
		}
	}
}
