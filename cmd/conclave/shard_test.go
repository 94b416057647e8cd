package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"conclave/actor"
	"conclave/internal/zktest"
	"conclave/node"
	"conclave/shard"
)

// depot is a space whose members are in this process, and the command line that looks
// at it.
type depot struct {
	t     *testing.T
	z     zktest.Target
	nodes []*node.Node
	free  chan struct{} // closed when parts may be lost
}

const depotParts = 8

// inDepot runs a test on both servers, with members of these names. While slow, no
// part is given up until free is closed.
func inDepot(t *testing.T, slow bool, names []string, f func(d depot)) {
	t.Parallel()
	zktest.Each(t, func(t *testing.T, z zktest.Target) {
		d := depot{t: t, z: z, free: make(chan struct{})}
		if !slow {
			close(d.free)
		}
		for _, name := range names {
			n, err := node.Start(t.Context(), node.Config{
				Name: name, ZooKeeper: []string{z.Addr}, Root: z.Root, Logger: slog.New(slog.DiscardHandler), Secret: []byte(secret), Listen: "127.0.0.1:0",
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { n.Stop(context.Background()) })
			if _, err := shard.Open(t.Context(), n, "depot", shard.Config{
				Parts: depotParts, Settle: time.Millisecond, Labels: map[string]string{"name": name},
				OnLose: func(p *actor.Process, _ int, _ error) error {
					select {
					case <-d.free:
					case <-p.Done():
					}
					return nil
				},
			}); err != nil {
				t.Fatal(err)
			}
			d.nodes = append(d.nodes, n)
			if slow { // what this one owns it does not give up for the next
				d.await("it to own its parts", func(l shardLayout) bool { return l.Members[0].Owned == depotParts })
			}
		}
		if !slow {
			d.settled()
		}
		f(d)
	})
}

// says runs "conclave shard", wants an exit code, and returns what it has said on
// either output.
func (d depot) says(code int, args ...string) (stdout, stderr string) {
	d.t.Helper()
	var out, errs bytes.Buffer
	flags := []string{"-zk", d.z.Addr, "-root", d.z.Root, "-secret", secret, "-timeout", soon.String()}
	got := shards(d.t.Context(), append(append(args[:1:1], flags...), args[1:]...), &out, &errs)
	if got != code {
		d.t.Fatalf("%q: code %d, want %d\n%s%s", args, got, code, &out, &errs)
	}
	return out.String(), errs.String()
}

// layout is the map in JSON.
func (d depot) layout() (l shardLayout) {
	d.t.Helper()
	out, _ := d.says(exitOK, "map", "depot", "-o", "json")
	if err := json.Unmarshal([]byte(out), &l); err != nil {
		d.t.Fatalf("%v\n%s", err, out)
	}
	return l
}

// await looks until it is so.
func (d depot) await(what string, so func(l shardLayout) bool) shardLayout {
	d.t.Helper()
	for late := time.Now().Add(soon); ; {
		l := d.layout()
		if so(l) {
			return l
		}
		if time.Now().After(late) {
			d.t.Fatalf("not within %v: %s: %+v", soon, what, l)
		}
	}
}

// settled waits until every part is where it should be, and every member that is to
// have parts has some.
func (d depot) settled() shardLayout {
	d.t.Helper()
	return d.await("every part where it should be", func(l shardLayout) bool {
		for _, p := range l.Parts {
			if p.State != partOwned {
				return false
			}
		}
		for _, m := range l.Members {
			if !m.Leaving && m.Owned == 0 {
				return false
			}
		}
		return len(l.Members) >= len(d.nodes)
	})
}

func TestShardMapSaysWhoOwnsWhat(t *testing.T) {
	inDepot(t, false, []string{"a", "b"}, func(d depot) {
		l := d.layout()
		if l.Space != "depot" || len(l.Parts) != depotParts || len(l.Members) != 2 || l.Foreign != 0 || l.PlanError != "" {
			t.Fatalf("%+v", l)
		}
		for i, m := range l.Members {
			if m.Node != d.nodes[i].ID().String() || m.ID == "" || m.Weight != 1 || m.Owned != depotParts/2 || m.Planned != depotParts/2 || m.Leaving || m.Unfit || m.Labels["name"] == "" {
				t.Errorf("%+v", m)
			}
		}
		for i, p := range l.Parts {
			if p.Part != i || p.Term == 0 || p.Owner == "" || p.Planned != p.Owner {
				t.Errorf("%+v", p)
			}
		}
		out, _ := d.says(exitOK, "map", "depot")
		has(t, out, "Space depot: 8 parts, of them 8 with the planned owner, 0 moving, 0 without", "NODE STATE WEIGHT PLANNED OWNED LABELS",
			d.nodes[0].ID().String()+" member 1 4 4 name=a", d.nodes[1].ID().String()+" member 1 4 4 name=b")
		if strings.Contains(out, "PART") {
			t.Error(out)
		}
		out, _ = d.says(exitOK, "map", "-parts", "depot")
		has(t, out, "PART OWNER TERM PLANNED MARK", fmt.Sprintf("7 %s %d %s -", l.Parts[7].Owner, l.Parts[7].Term, l.Parts[7].Planned))
		if strings.Contains(out, "<-") {
			t.Errorf("a part is marked:\n%s", out)
		}
		out, _ = d.says(exitOK, "spaces")
		if out != "depot\n" {
			t.Errorf("%q", out)
		}
		out, _ = d.says(exitOK, "spaces", "-o", "json")
		if out != "[\"depot\"]\n" {
			t.Errorf("%q", out)
		}
	})
}

func TestShardMapMarksPartsThatMove(t *testing.T) {
	inDepot(t, true, []string{"a", "b"}, func(d depot) {
		l := d.await("the plan", func(l shardLayout) bool { return len(l.Members) == 2 && l.Members[1].Planned == depotParts/2 })
		if l.Members[1].Owned != 0 {
			t.Fatalf("%+v", l.Members)
		}
		out, _ := d.says(exitOK, "map", "-parts", "depot")
		has(t, out, "4 with the planned owner, 4 moving, 0 without")
		if strings.Count(out, "<- moves") != depotParts/2 {
			t.Error(out)
		}
		// Moves and drains that have not come about are told by an exit code.
		part := -1
		for _, p := range l.Parts {
			if p.State == partOwned {
				part = p.Part
			}
		}
		_, complaint := d.says(exitLater, "move", "depot", fmt.Sprint(part), "b", "-for", "300ms")
		has(t, complaint, fmt.Sprintf("not yet done part %d planned for b@", part))
		_, complaint = d.says(exitLater, "drain", "depot", "a", "-for", "300ms")
		has(t, complaint, "not yet done a@ told to leave")
		close(d.free)
		out, _ = d.says(exitOK, "drain", "depot", "a")
		has(t, out, "a@ owns nothing of depot now")
		if l := d.settled(); l.Members[1].Owned != depotParts || !l.Members[0].Leaving {
			t.Errorf("%+v", l.Members)
		}
	})
}

func TestShardMovesAndDrains(t *testing.T) {
	inDepot(t, false, []string{"a", "b", "b"}, func(d depot) {
		ids := []string{d.nodes[0].ID().String(), d.nodes[1].ID().String(), d.nodes[2].ID().String()}
		part := -1
		for _, p := range d.layout().Parts {
			if p.Owner == ids[0] {
				part = p.Part
			}
		}
		_, complaint := d.says(exitFailed, "move", "depot", fmt.Sprint(part), "b")
		has(t, complaint, "2 members called "+ids[1]+" "+ids[2])
		out, _ := d.says(exitOK, "move", "depot", fmt.Sprint(part), ids[2][len(ids[2])-16:])
		has(t, out, fmt.Sprintf("part %d is with %s now", part, ids[2]))
		if l := d.settled(); l.Parts[part].Owner != ids[2] {
			t.Errorf("%+v", l.Parts[part])
		}
		out, _ = d.says(exitOK, "move", "depot", fmt.Sprint(part), "a", "-o", "json")
		if want := fmt.Sprintf("{\"space\":\"depot\",\"part\":%d,\"owner\":%q}\n", part, ids[0]); out != want {
			t.Errorf("%s not %s", out, want)
		}
		_, complaint = d.says(exitFailed, "move", "depot", fmt.Sprint(part), "a")
		has(t, complaint, "owns the part already a@")
		_, complaint = d.says(exitFailed, "move", "depot", "8", "a")
		has(t, complaint, "no such part: 8 0 to 7")
		_, complaint = d.says(exitFailed, "move", "depot", "0", "c")
		has(t, complaint, "not a member", "c "+ids[0]+" "+ids[1])
		_, complaint = d.says(exitFailed, "map", "deport")
		has(t, complaint, "no such space deport spaces depot")

		out, complaint = d.says(exitOK, "drain", "depot", ids[1])
		has(t, out, ids[1]+" owns nothing of depot now")
		if complaint != "" {
			t.Error(complaint)
		}
		_, complaint = d.says(exitFailed, "move", "depot", fmt.Sprint(part), ids[1])
		has(t, complaint, "own nothing leaves")
		d.says(exitOK, "drain", "depot", ids[2])
		out, complaint = d.says(exitOK, "drain", "depot", "a", "-o", "json")
		has(t, complaint, "nobody is left")
		if want := fmt.Sprintf("{\"space\":\"depot\",\"node\":%q,\"alone\":true}\n", ids[0]); out != want {
			t.Errorf("%s not %s", out, want)
		}
		out, _ = d.says(exitOK, "map", "-parts", "depot")
		has(t, out, "0 with the planned owner, 0 moving, 8 without", "0 - - - <- no owner", "a@ leaves 0 0")
	})
}

func TestShardSaysThatZooKeeperIsNotThere(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := shards(t.Context(), []string{"map", "s", "-zk", "127.0.0.1:1", "-timeout", "300ms"}, &out, &errs); code != exitNobody {
		t.Errorf("code %d: %s", code, &errs)
	}
	has(t, errs.String(), "no ZooKeeper at 127.0.0.1:1 within 300ms")
}

// What is wrong with a command line is told without a cluster.
func TestShardCommandLines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code  int
		says  string
		words []string
	}{
		{exitUsage, "usage:", nil},
		{exitOK, "move SPACE PART NODE", []string{"-h"}},
		{exitUsage, `no command "sing"`, []string{"sing"}},
		{exitOK, "-parts", []string{"map", "-h"}},
		{exitUsage, "it takes SPACE", []string{"map"}},
		{exitUsage, "it takes SPACE PART NODE", []string{"move", "s", "1"}},
		{exitUsage, `unexpected argument "b"`, []string{"drain", "s", "a", "b"}},
		{exitUsage, `"x" is not the number of a part`, []string{"move", "s", "x", "n"}},
		{exitUsage, "less than nothing", []string{"drain", "s", "n", "-for", "-1s"}},
		{exitUsage, "no time at all", []string{"spaces", "-timeout", "0s"}},
		{exitUsage, "-o xml", []string{"map", "s", "-o", "xml"}},
		{exitUsage, "bad name", []string{"map", "a/b"}},
		{exitUsage, "user:password", []string{"map", "s", "-zk-auth", "me"}},
	} {
		var stdout, stderr bytes.Buffer
		code := shards(t.Context(), test.words, &stdout, &stderr)
		if said := stdout.String() + stderr.String(); code != test.code || !strings.Contains(said, test.says) {
			t.Errorf("%q: code %d, want %d and %q\n%s", test.words, code, test.code, test.says, said)
		}
	}
}
