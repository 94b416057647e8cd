package zktest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var (
	seed  = flag.Uint64("seed", 0, "the one seed to play random scripts with; 0: chance")
	plays = flag.Int("plays", 3, "how many random scripts to play")
)

// TestRandomScriptsAgree plays scripts of chance against the real server and
// against zkdev: what comes of them must be the same.
func TestRandomScriptsAgree(t *testing.T) {
	s := Start(t, Tick(time.Second))
	for i := range *plays {
		if i > 0 {
			s.Wipe(t)
		}
		n := *seed
		if n == 0 {
			n = rand.Uint64()
		}
		script := randomScript(rand.New(rand.NewPCG(n, 0)), 400)
		want := play(s.Addr(), script)
		got := play(Dev(t, Tick(time.Second)).Addr, script)
		compare(t, want, got)
		if t.Failed() {
			t.Fatalf("with -seed %d", n)
		}
		if *seed != 0 {
			return
		}
	}
}

// randomScript writes n commands of three clients on a handful of paths.
func randomScript(r *rand.Rand, n int) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	path := func() string {
		p := ""
		for range 1 + r.IntN(3) {
			p += "/" + pick("a", "b", "c")
		}
		if r.IntN(40) == 0 {
			p = pick("/", "", "//", "/a/", "a", "/a/../b", "/zookeeper", "/zookeeper/config")
		}
		return fmt.Sprintf("%q", p)
	}
	version := func() string { return pick("-1", "-1", "0", "1", "2") }
	watch := func() string { return pick("", "w") }
	flags := func() string { return pick("p", "p", "p", "e", "s", "es") }
	acl := func() string {
		return pick("", "", "", "", "", "world:anyone:31", "world:anyone:1", "world:anyone:15 auth::31", "auth::31",
			"digest:u:UK+1+C5Ud4TcT5WDLOzrTB0OwpA=:31", "ip:127.0.0.1:31", "world:anyone:23", "none")
	}
	write := func() string {
		switch r.IntN(8) {
		case 0, 1, 2, 3:
			return fmt.Sprintf("%s %s %q %s %s", pick("create", "create2"), path(), pick("", "x", "null", "long data"), flags(), acl())
		case 4, 5:
			return "delete " + path() + " " + version()
		default:
			return fmt.Sprintf("set %s %q %s", path(), pick("", "y", "null"), version())
		}
	}
	part := func() string {
		if r.IntN(4) == 0 {
			return "check " + path() + " " + version()
		}
		return write()
	}
	command := func() string {
		switch r.IntN(30) {
		case 0, 1, 2, 3, 4, 5, 6, 7, 8:
			return write()
		case 9, 10, 11, 12:
			parts := []string{part()}
			for range r.IntN(4) {
				parts = append(parts, part())
			}
			return "multi " + strings.Join(parts, " ; ")
		case 13, 14, 15:
			return "exists " + path() + " " + watch()
		case 16, 17, 18:
			return "get " + path() + " " + watch()
		case 19, 20, 21:
			return pick("ls", "ls2") + " " + path() + " " + watch()
		case 22:
			return "getacl " + path()
		case 23:
			return "setacl " + path() + " " + version() + " " + pick("world:anyone:31", "auth::31", "world:anyone:1", "none")
		case 24:
			return "multiread get " + path() + " ; ls " + path() + " ; get " + path()
		case 25:
			return "auth digest " + pick("u:p", "v:q")
		case 26:
			return fmt.Sprintf("setwatches%s %s data=%s exist=%s child=%s", pick("", "2"), pick("last", "0"),
				pick("/a", "/b/c"), pick("/a/b", "/c"), pick("/", "/a"))
		case 27:
			return "sync " + path()
		case 28:
			return "reconnect"
		default:
			return "renew"
		}
	}
	var b strings.Builder
	for _, c := range []string{"x", "y", "z"} {
		fmt.Fprintf(&b, "%s connect\n", c)
	}
	for range n {
		client := pick("x", "y", "z")
		switch line := command(); line {
		case "reconnect":
			fmt.Fprintf(&b, "%s drop\n%s connect\n", client, client)
		case "renew": // the first attach finds the session gone
			fmt.Fprintf(&b, "%s close\n%s connect\n%s connect\n", client, client, client)
		default:
			fmt.Fprintf(&b, "%s %s\n", client, line)
		}
	}
	return b.String()
}
