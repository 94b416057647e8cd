package zktest

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator writes random scripts of three clients on a handful of paths.
type generator struct {
	*rand.Rand
	script []string
	there  []string // nodes that were probably made, so that not all requests fail
	mood   mood
}

// mood is what a script is mostly about.
type mood int

const (
	plain mood = iota
	secrets
	watching
	transactions
	flapping
	moods
)

var clients = []string{"x", "y", "z"}

// randomScript has about n commands.
func randomScript(r *rand.Rand, n int) []string {
	g := &generator{Rand: r, mood: mood(r.IntN(int(moods)))}
	for _, c := range clients {
		g.add(c, "connect 40000")
	}
	for len(g.script) < n {
		c := g.pick(clients...)
		if g.IntN(12) == 0 || g.mood == flapping && g.IntN(3) == 0 {
			g.life(c)
			continue
		}
		for range 1 + g.IntN(24) {
			g.add(c, g.command())
		}
	}
	return g.script
}

func (g *generator) add(client, command string) { g.script = append(g.script, client+" "+command) }

func (g *generator) pick(list ...string) string { return list[g.IntN(len(list))] }

// often picks the first but for one time in n.
func (g *generator) often(n int, usual string, others ...string) string {
	if g.IntN(n) == 0 {
		return g.pick(others...)
	}
	return usual
}

func (g *generator) path() string {
	if g.IntN(60) == 0 {
		return g.pick(`"/"`, `"//"`, `"/a/"`, `"a"`, `"/a/../b"`, `"/a/./b"`, `"=/zookeeper/none/x"`, `"/a\x00b"`, `"/a\u0001"`, `"/ü"`, `"/a b"`,
			`"/a\u0080"`, `"/a\ue000"`, `"/a\ufff5"`, `"/a\U0001f600"`)
	}
	if n := len(g.there); n > 0 && g.IntN(5) > 0 {
		return g.there[g.IntN(n)]
	}
	p := ""
	for range 1 + g.IntN(3) {
		p += "/" + g.name()
	}
	return p
}

// child is a path that may well be free below a node that may well be there.
func (g *generator) child() string {
	p := ""
	if n := len(g.there); n > 0 && g.IntN(3) > 0 {
		p = g.there[g.IntN(n)]
	}
	if strings.Count(p, "/") > 3 || strings.HasPrefix(p, `"`) {
		p = ""
	}
	p += "/" + g.name()
	if len(g.there) < 12 {
		g.there = append(g.there, p)
	} else {
		g.there[g.IntN(len(g.there))] = p
	}
	return p
}

// name is one of few; some are those that a sequence makes.
func (g *generator) name() string {
	name := g.pick("a", "b", "c", "d")
	if g.IntN(8) == 0 {
		name += fmt.Sprintf("%010d", g.IntN(4))
	}
	return name
}

func (g *generator) version() string { return g.often(4, "-1", "0", "1", "2") }
func (g *generator) watch() string   { return g.pick("", " w") }
func (g *generator) data() string    { return g.pick(`""`, "x", "null", `"long data"`) }

func (g *generator) acl() string {
	if g.mood == secrets && g.IntN(4) == 0 {
		return g.pick("auth::31", "auth::31", "auth::13 world:anyone:1", "world:anyone:17 auth::31", "digest:u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=:31 world:anyone:21",
			"world:anyone:31 auth::31 ip:127.0.0.1:31 ip:127.0.0.1:31", "world:anyone:27", "world:anyone:5", "world:anyone:15")
	}
	return g.often(8, "world:anyone:31", "world:anyone:1", "world:anyone:30", "world:anyone:15 auth::31", "auth::31", "auth::1 world:anyone:14",
		"digest:u:UK+1+C5Ud4TcT5WDLOzrTB0OwpA=:31", "digest:nobody:31", "digest:a:b:c:31", "digest:a:b:::31", "ip:127.0.0.1:31", "ip:127.0.0.0/8:31",
		"ip:10.0.0.0/33:31", "ip:::1:31", "ip:10.1.1.1:31", "world:someone:31", "other:x:31", "world:anyone:23 world:anyone:23", "none")
}

// write is a write that may also be a part of a multi.
func (g *generator) write(part bool) string {
	switch g.IntN(16) {
	case 0, 1, 2, 3, 4, 5, 6:
		return fmt.Sprintf("%s %s %s %s %s", g.pick("create", "create", "create2"), g.often(5, g.child(), g.path()), g.data(), g.pick("p", "p", "p", "e", "s", "es", g.often(4, "c", "7", "-1")), g.acl())
	case 7:
		return fmt.Sprintf("container %s %s c %s", g.child(), g.data(), g.acl())
	case 8:
		return fmt.Sprintf("createttl %s %s %s %s %s", g.child(), g.data(), g.pick("t", "ts"), g.often(4, "3600000", "0", "-1", "1099511627775", "1099511627776"), g.acl())
	case 9, 10, 11:
		return "delete " + g.path() + " " + g.version()
	case 12:
		if part {
			return "check " + g.path() + " " + g.version()
		}
		fallthrough
	default:
		return fmt.Sprintf("set %s %s %s", g.path(), g.data(), g.version())
	}
}

// command is one that any client may give at any time.
func (g *generator) command() string {
	if g.IntN(3) == 0 {
		switch g.mood {
		case secrets:
			return g.pick("getacl "+g.path(), "setacl "+g.path()+" "+g.version()+" "+g.acl(), "auth digest "+g.pick("u:p", "v:q", "w:r", "noone"), g.write(false), "whoami")
		case watching:
			return g.pick(g.addWatch(), g.removeWatches(), g.pick("get ", "exists ", "ls ", "ls2 ")+g.path()+" w", g.write(false), g.write(false), g.setWatches(g.pick("last", "0")))
		case transactions:
			return g.multi()
		}
	}
	switch n := g.IntN(100); {
	case n < 42:
		return g.write(false)
	case n < 54:
		return g.multi()
	case n < 57:
		parts := []string{}
		for range 1 + g.IntN(4) {
			parts = append(parts, g.pick("get ", "ls ")+g.path()+g.watch())
		}
		return "multiread " + strings.Join(parts, " ; ")
	case n < 63:
		return "exists " + g.path() + g.watch()
	case n < 69:
		return "get " + g.path() + g.watch()
	case n < 76:
		return g.pick("ls ", "ls2 ") + g.path() + g.watch()
	case n < 78:
		return "getacl " + g.path()
	case n < 80:
		return "setacl " + g.path() + " " + g.version() + " " + g.often(3, g.acl(), "world:anyone:31")
	case n < 86:
		return g.addWatch()
	case n < 89:
		return g.removeWatches()
	case n < 91:
		return g.setWatches(g.pick("last", "0"))
	case n < 92:
		return "auth digest " + g.pick("u:p", "v:q", "w:r")
	case n < 94:
		return "ephemerals " + g.often(2, `""`, g.path(), "/", "/a", "null", `" / "`)
	case n < 95:
		return "count " + g.path()
	case n < 96:
		return "whoami"
	case n < 97:
		return g.odd()
	default:
		return g.pick("sync "+g.path(), "ping")
	}
}

func (g *generator) addWatch() string {
	return "addwatch " + g.often(8, g.path(), "/", "=/") + " " + g.often(30, g.pick("persistent", "recursive"), "2", "-1")
}

func (g *generator) removeWatches() string {
	return g.pick("checkwatches ", "removewatches ", "removewatches ") + g.path() + " " + g.often(30, g.pick("children", "data", "any"), "0", "7")
}

func (g *generator) multi() string {
	var parts []string
	for range g.often(10, "1", "0", "6")[0] - '0' + byte(g.IntN(4)) {
		parts = append(parts, g.write(true))
	}
	return "multi " + strings.Join(parts, " ; ")
}

func (g *generator) setWatches(since string) string {
	line := g.pick("setwatches", "setwatches2") + " " + since
	for range g.IntN(5) {
		line += g.pick(" data=", " exist=", " child=") + strings.Trim(g.path(), `"`)
	}
	if strings.HasPrefix(line, "setwatches2") {
		for range g.IntN(3) {
			line += g.pick(" persistent=", " recursive=") + g.pick("/", "/a", "/b/c", "/c")
		}
	}
	return line
}

// odd is a request that a client library would not make. Some leave the real
// server with changes that it takes back only when the reply is out, so
// nothing may go along with them.
func (g *generator) odd() string {
	switch g.IntN(6) {
	case 0:
		return fmt.Sprintf("container %s x %s", g.path(), g.pick("p", "s", "e", "t", "7"))
	case 1:
		return fmt.Sprintf("createttl %s x %s 5", g.path(), g.pick("p", "s", "c"))
	case 2:
		return "multi " + alone + " " + g.write(true) + " ; " + g.pick("get /a", "create /q x t", "createttl /q x p 5", "ls /")
	case 3:
		return "multiread " + alone + " get /a ; set /a x"
	case 4: // cut short
		return "raw " + g.pick("1", "2", "3", "4", "5", "6", "7", "8", "9", "12", "14", "17", "18", "19", "21", "22", "101", "103", "104", "105", "106") + " 0000"
	default:
		return "raw " + g.pick("16 00000000000000000000000000000000000000000000", "16 00", "20 000000022f6100000000", "107 00", "102 00000000", "9 000000032f61ff", "8 000000022f6100ff")
	}
}

// life is what happens to a client's connection and session.
func (g *generator) life(c string) {
	switch g.IntN(10) {
	case 0, 1, 2, 3: // a broken connection, made again
		if g.IntN(2) == 0 {
			g.add(c, "ping")
		}
		g.add(c, "drop")
		for range g.IntN(6) {
			g.add(g.other(c), g.command())
		}
		g.add(c, "connect 40000")
		g.add(c, g.setWatches("last"))
	case 4, 5: // an end; who attaches finds the session gone
		g.add(c, "close")
		g.add(c, "connect 40000")
		g.add(c, "connect 40000")
	case 6: // a takeover of another one's session
		o := g.other(c)
		g.add(c, "ping")
		g.add(o, "ping")
		g.add(c, "drop")
		g.add(c, "as "+o)
		g.add(c, "connect 40000")
		g.add(o, "drain")
		g.add(o, "forget")
		g.add(o, "connect 40000")
	case 7: // a wrong password
		g.add(c, "ping")
		g.add(c, g.pick("ping", "drop"))
		g.add(c, "forge")
		g.add(c, "connect 40000")
		g.add(c, "connect 40000")
	case 8: // what ends a connection
		g.add(c, g.pick("auth bogus x", "raw 99 00", "raw 0 00"))
		g.add(c, "drop")
		g.add(c, "connect 40000")
	case 9: // both at once on one session: the newer one stays
		g.add(c, "ping")
		g.add(c, "connect 40000")
	}
}

func (g *generator) other(c string) string {
	for {
		if o := g.pick(clients...); o != c {
			return o
		}
	}
}
