package zkdev

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// left are the paths of all znodes but the root.
func left(s *Server) (paths []string) {
	for _, n := range s.Dump()[1:] {
		paths = append(paths, n.Path)
	}
	return paths
}

func TestContainerGoesAtTheNextCheckAfterItsLastChild(t *testing.T) {
	bubble(t, Config{ContainerCheck: time.Minute}, func(t *testing.T, s *Server) {
		c := client(t, s, 10*time.Second)
		for _, path := range []string{"/used", "/unused", "/outer", "/outer/inner"} {
			if _, err := c.CreateContainer(path, nil, zk.FlagContainer, open); err != nil {
				t.Fatal(err)
			}
		}
		for _, path := range []string{"/used/c", "/outer/inner/c"} {
			if _, err := c.Create(path, nil, 0, open); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10*time.Minute + time.Second) // not at the moment of a check
		if got := left(s); len(got) != 6 {
			t.Fatalf("before: %v", got)
		}
		exists, _, gone, err := c.ExistsW("/used")
		if !exists || err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/used/c", "/outer/inner/c"} {
			if err := c.Delete(path, -1); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		if e := <-gone; e.Type != zk.EventNodeDeleted || time.Since(start) > time.Minute {
			t.Errorf("%+v after %v", e, time.Since(start))
		}
		// A container in a container goes one check earlier.
		if got, want := left(s), []string{"/outer", "/unused"}; !slices.Equal(got, want) {
			t.Errorf("after a check: %v", got)
		}
		time.Sleep(time.Minute + time.Second)
		if got, want := left(s), []string{"/unused"}; !slices.Equal(got, want) {
			t.Errorf("after two: %v", got)
		}
	})
}

func TestNodeGoesWhenItsTimeToLiveHasPassedSinceTheLastWrite(t *testing.T) {
	bubble(t, Config{ContainerCheck: time.Second, ExtendedTypes: true}, func(t *testing.T, s *Server) {
		c := client(t, s, 10*time.Second)
		for _, path := range []string{"/idle", "/written", "/parent"} {
			if _, err := c.CreateTTL(path, nil, zk.FlagTTL, open, 5*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.Create("/parent/child", nil, 0, open); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4500 * time.Millisecond)
		if _, err := c.Set("/written", nil, -1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if got, want := left(s), []string{"/parent", "/parent/child", "/written"}; !slices.Equal(got, want) {
			t.Errorf("left: %v", got)
		}
		if err := c.Delete("/parent/child", -1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if got := left(s); len(got) != 0 {
			t.Errorf("left in the end: %v", got)
		}
	})
}

func TestTimeToLiveMustBeEnabled(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := client(t, s, 10*time.Second)
		if _, err := c.CreateTTL("/t", nil, zk.FlagTTL, open, time.Second); err == nil || errors.Is(err, zk.ErrConnectionClosed) {
			t.Errorf("not refused: %v", err)
		}
		if _, err := c.Create("/alive", nil, 0, open); err != nil {
			t.Error(err)
		}
	})
}
