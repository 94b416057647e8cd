package keeper

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPathsLayTheTreeOut(t *testing.T) {
	for root, want := range map[string]string{"": "/conclave", "/": "", "/a/b": "/a/b"} {
		p, err := NewPaths(root)
		if err != nil {
			t.Fatal(err)
		}
		for got, rest := range map[string]string{
			p.Cluster():                          "/cluster",
			p.Nodes():                            "/nodes",
			p.Node(0xab):                         "/nodes/00000000000000ab",
			p.Services():                         "/services",
			p.Service("worker"):                  "/services/worker",
			p.Member("a/b", "n@[::1]:80#01.2"):   "/services/a%2Fb/n@[::1]:80#01.2",
			p.Globals():                          "/globals",
			p.Global("the boss"):                 "/globals/the boss",
			p.CandidatePrefix("boss", "0123"):    "/globals/boss/0123-",
			p.Candidate("boss", "0123-00000001"): "/globals/boss/0123-00000001",
			p.Tasks():                            "/tasks",
			p.TaskScope("a/b"):                   "/tasks/a%2Fb",
			p.TaskJournal("."):                   "/tasks/%2E/journal",
			p.TaskWorkers("shop"):                "/tasks/shop/workers",
			p.TaskWorker("shop", "01/23"):        "/tasks/shop/workers/01%2F23",
			p.Shards():                           "/shards",
			p.Space("a/b"):                       "/shards/a%2Fb",
			p.SpaceMembers("lists"):              "/shards/lists/members",
			p.SpaceMember("lists", "01/23"):      "/shards/lists/members/01%2F23",
			p.SpacePlan("lists"):                 "/shards/lists/plan",
			p.SpaceOwners("lists"):               "/shards/lists/owners",
			p.SpaceOwner("lists", 7):             "/shards/lists/owners/0007",
			p.SpaceOwner("lists", 12345):         "/shards/lists/owners/12345",
		} {
			if got != want+rest {
				t.Errorf("root %q: %s, want %s", root, got, want+rest)
			}
		}
	}
	if (Paths{}).Cluster() != "/conclave/cluster" || (Paths{}).Root() != "/conclave" {
		t.Error("the zero Paths is not the default one")
	}
	p, _ := NewPaths("/a/b/c")
	if got := strings.Join(p.Ancestors(), " "); got != "/a /a/b" {
		t.Errorf("ancestors %q", got)
	}
}

func TestCandidateNamesComeApart(t *testing.T) {
	for child, want := range map[string]struct {
		guid   string
		number int64
	}{
		"0123abcd-0000000007":     {"0123abcd", 7},
		"a-b-0000000012":          {"a-b", 12},
		"0123abcd--2147483648":    {"0123abcd", -2147483648},
		"0123abcd-2147483647":     {"0123abcd", 2147483647},
		"0123abcd-00000000070000": {"0123abcd", 70000},
	} {
		guid, number, ok := ParseCandidate(child)
		if !ok || guid != want.guid || number != want.number {
			t.Errorf("%s: %q %d %v", child, guid, number, ok)
		}
	}
	for _, child := range []string{"", "-", "x", "x-", "-0000000001", "x-1", "x-00000000zz", "0000000001"} {
		if guid, n, ok := ParseCandidate(child); ok {
			t.Errorf("%q: %q %d", child, guid, n)
		}
	}
}

func TestPartNamesComeApart(t *testing.T) {
	for _, part := range []int{0, 7, 9999, 10000, 65535} {
		if got, ok := ParsePartName(PartName(part)); !ok || got != part {
			t.Errorf("%s: %d %v", PartName(part), got, ok)
		}
	}
	for _, child := range []string{"", "7", "00007", "-001", "+001", "0x01", "seven", "0001 "} {
		if part, ok := ParsePartName(child); ok {
			t.Errorf("%q is taken for part %d", child, part)
		}
	}
}

func TestNodeNamesComeApart(t *testing.T) {
	for _, n := range []uint64{0, 1, 1 << 63, 1<<64 - 1} {
		if got, ok := ParseNodeName(NodeName(n)); !ok || got != n {
			t.Errorf("%x: %x %v", n, got, ok)
		}
	}
	for _, s := range []string{"", "1", "00000000000000AB", "000000000000000g", "0000000000000001x"} {
		if _, ok := ParseNodeName(s); ok {
			t.Errorf("%q taken", s)
		}
	}
}

func FuzzEscapeIsUndone(f *testing.F) {
	for _, s := range []string{"", ".", "..", "a.b", "/", "%", "%2F", "über", "\x00", "\x7f", "\u0085", "\ue000", "\uf000", "\ufffd", "\xff\xfe", "a/b/c", "日本", "\U0001f372"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		e := Escape(name)
		if back, ok := Unescape(e); !ok || back != name {
			t.Errorf("%q became %q became %q (%v)", name, e, back, ok)
		}
		if e == "" || e == "." || e == ".." || !utf8.ValidString(e) {
			t.Errorf("%q became %q", name, e)
		}
		for _, r := range e {
			if r == '/' || r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0xe000 && r <= 0xf8ff || r >= 0xfff0 {
				t.Errorf("%q became %q with %U", name, e, r)
			}
		}
	})
}

func TestUnescapeRefusesWhatEscapeDoesNotWrite(t *testing.T) {
	for _, child := range []string{"", ".", "..", "%2", "%zz", "%41", "%2f", "a%", "a/b"} {
		if name, ok := Unescape(child); ok {
			t.Errorf("%q became %q", child, name)
		}
	}
}
