package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Each file of testdata is a story; its first lines say what is wrong with it.
func TestBadHistoriesAreRejected(t *testing.T) {
	files, err := filepath.Glob("testdata/*.history")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d histories, %v", len(files), err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".history")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for l := range strings.Lines(string(text)) {
				if what, is := strings.CutPrefix(l, "# want: "); is {
					want = append(want, strings.TrimSuffix(what, "\n"))
				}
			}
			if len(want) == 0 != strings.Contains(name, "good") {
				t.Fatalf("it wants %q", want)
			}
			lines, err := readLines(strings.NewReader(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			v := verdict{}
			if strings.HasPrefix(name, "ticks-") {
				v = judgeTicks("tick", lines)
			} else {
				v = judge(lines)
			}
			if !slices.Equal(v.wrong, want) {
				t.Errorf("said\n\t%s\nwanted\n\t%s", strings.Join(v.wrong, "\n\t"), strings.Join(want, "\n\t"))
			}
		})
	}
}

func TestVerdictCounts(t *testing.T) {
	f, err := os.Open("testdata/good.history")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := readLines(f)
	if err != nil {
		t.Fatal(err)
	}
	v := judge(lines)
	if v.submitted != 5 || v.followers != 1 || v.refused != 1 || v.unknown != 1 || v.effects != 9 || v.repeated != 3 || v.late != 1 || v.keys != 1 || v.waited != 1 {
		t.Errorf("%+v", v)
	}
}

// A run that is broken in all its tasks is told in a few lines.
func TestComplaintsAreFew(t *testing.T) {
	var lines []line
	for i := range 1000 {
		lines = append(lines, line{What: lineAcked, ID: plan(1, i, 0).ID})
	}
	v := judge(lines)
	if len(v.wrong) != most+1 || v.wrong[most] != "lost: 990 more" {
		t.Errorf("%d complaints, at last %q", len(v.wrong), v.wrong[len(v.wrong)-1])
	}
}

func TestPlanFollowsFromItsSeed(t *testing.T) {
	keyed, unique, then, fails := 0, 0, 0, 0
	for i := range 10_000 {
		p, again := plan(7, i, i%16), plan(7, i, i%16)
		if p.ID != again.ID || p.Key != again.Key || p.Unique != again.Unique || p.Errand.Takes != again.Errand.Takes || len(p.Errand.Then) != len(again.Errand.Then) {
			t.Fatalf("%+v, and then %+v", p, again)
		}
		if p.Key != "" {
			keyed++
		}
		if p.Unique != "" {
			unique++
		}
		if p.Errand.Then != nil {
			then++
		}
		if p.Errand.Fails > 0 {
			fails++
		}
	}
	if keyed < 3000 || keyed > 3700 || unique < 300 || then < 300 || fails < 300 {
		t.Errorf("%d keyed, %d unique, %d followed, %d failing", keyed, unique, then, fails)
	}
}
