package zktest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRandomScriptsAgreeOnAFollower plays random scripts on a zkdev without and
// on one with a follower that does not lag: nobody can tell which server of a
// cluster answers him. Zxids are compared by rank, so they must come in step too.
func TestRandomScriptsAgreeOnAFollower(t *testing.T) {
	opts := []Option{Tick(2 * time.Second), ContainerCheck(time.Hour)}
	lone, cluster := Dev(t, opts...), Dev(t, opts...)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go cluster.Dev.Follower().Serve(l)
	follower := l.Addr().String()
	first := rand.Uint64()
	if *fuzzSeed != 0 {
		first = *fuzzSeed
	}
	for i := range uint64(20) {
		seed := first + i
		script := randomScript(rand.New(rand.NewPCG(seed, 0)), 500)
		addr := follower
		if i%2 == 1 { // one client on the follower, two on the leader
			addr = cluster.Addr + "," + follower
			script = slices.DeleteFunc(script, servers)
		}
		root := fmt.Sprintf("/f%d", i)
		want, got := playOn(lone.Addr, root, playBatches, script), playOn(addr, root, playBatches, script)
		if at := firstDifference(want, got); at >= 0 {
			line := "the rest"
			if at < len(script) {
				line = script[at]
			}
			t.Fatalf("with -fuzz.seed=%d, at %q:\nwant %s\ngot  %s", first, line, want[at], got[at])
		}
	}
}

// TestRandomScriptsAgreeOnFollowersOfBoth plays random scripts on a follower of a
// real ensemble and on one of zkdev's.
//
// Left out are raw requests: an ensemble never answers some that cannot be
// decoded. Now and then a real follower does not answer a request at all, not
// the same one again; such a script says nothing and is passed over.
func TestRandomScriptsAgreeOnFollowersOfBoth(t *testing.T) {
	opts := []Option{Tick(2 * time.Second), ContainerCheck(time.Hour)}
	e := StartEnsemble(t, 3, opts...)
	followers, err := e.Followers()
	if err != nil {
		t.Fatal(err)
	}
	cluster := Dev(t, opts...)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go cluster.Dev.Follower().Serve(l)
	real, dev := e.Addrs()[followers[0]], l.Addr().String()
	first := rand.Uint64()
	if *fuzzSeed != 0 {
		first = *fuzzSeed
	}
	silent := 0
	for i := range uint64(20) {
		script := slices.DeleteFunc(randomScript(rand.New(rand.NewPCG(first+i, 0)), 300), func(line string) bool { return words(line)[1] == "raw" })
		root := fmt.Sprintf("/f%d", i)
		want, got := playOn(real, root, playBatches, script), playOn(dev, root, playBatches, script)
		at := firstDifference(want, got)
		switch {
		case at < 0:
		case strings.HasSuffix(want[at], errSilent.Error()) && silent == 0:
			silent++
			t.Logf("with -fuzz.seed=%d, at %q: the real follower does not answer", first+i, script[at])
		default:
			t.Fatalf("with -fuzz.seed=%d, at command %d:\nwant %s\ngot  %s", first+i, at, want[at], got[at])
		}
	}
}

// servers are the commands whose outcome depends on which server a client is
// attached to: the former server of a session that moved does not know of it,
// and a check for watches sees those of its own server.
func servers(line string) bool {
	return slices.Contains([]string{"as", "drain", "forget", "checkwatches"}, words(line)[1])
}
