package zktest

import (
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

func TestContainersAndIdleNodesGo(t *testing.T) {
	const check = 100 * time.Millisecond
	Each(t, func(t *testing.T, z Target) {
		c := connect(t, z.Addr, 10*time.Second)
		if _, err := c.Create(z.Root, nil, 0, open); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"/used", "/unused"} {
			if _, err := c.CreateContainer(z.Root+name, nil, zk.FlagContainer, open); err != nil {
				t.Fatal(err)
			}
		}
		for name, ttl := range map[string]time.Duration{"/brief": 300 * time.Millisecond, "/long": time.Hour} {
			if _, err := c.CreateTTL(z.Root+name, nil, zk.FlagTTL, open, ttl); err != nil {
				t.Fatal(err)
			}
		}
		gone := make(map[string]<-chan zk.Event)
		for _, name := range []string{"/used", "/brief"} {
			exists, _, events, err := c.ExistsW(z.Root + name)
			if !exists || err != nil {
				t.Fatalf("%s: %v %v", name, exists, err)
			}
			gone[name] = events
		}
		// A container goes only once it has had a child.
		if _, err := c.Create(z.Root+"/used/child", nil, 0, open); err != nil {
			t.Fatal(err)
		}
		if err := c.Delete(z.Root+"/used/child", -1); err != nil {
			t.Fatal(err)
		}
		for name, events := range gone {
			select {
			case e := <-events:
				if e.Type != zk.EventNodeDeleted {
					t.Errorf("%s: %+v", name, e)
				}
			case <-time.After(10 * time.Second):
				t.Errorf("%s is still there", name)
			}
		}
		for _, name := range []string{"/unused", "/long"} {
			if ok, _, err := c.Exists(z.Root + name); !ok || err != nil {
				t.Errorf("%s is gone: %v", name, err)
			}
		}
	}, Tick(500*time.Millisecond), ContainerCheck(check))
}
