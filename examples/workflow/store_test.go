package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// part is the heading of part 17 in that term.
func part(term int64) heading { return heading{Part: 17, Parts: 64, Term: term} }

func open(t *testing.T, state string, term int64) *store {
	t.Helper()
	s, err := openStore(state, part(term))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	return s
}

func keep(t *testing.T, s *store, keys ...string) {
	t.Helper()
	for _, key := range keys {
		key, step, _ := strings.Cut(key, "=")
		if err := s.keep(instance{Key: key, Step: step, Until: noon}); err != nil {
			t.Fatal(err)
		}
	}
}

// holds is what a store has, as key=step.
func holds(s *store) string {
	var all []string
	for _, i := range s.list() {
		all = append(all, i.Key+"="+i.Step)
	}
	return strings.Join(all, " ")
}

// files are those of the part, with the logs' contents.
func files(t *testing.T, state string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	names, err := filepath.Glob(filepath.Join(state, "0017", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimLeft(filepath.Base(name), "0")] = string(text)
	}
	return all
}

func TestWhatWasKeptIsThereInTheNextTerm(t *testing.T) {
	state := t.TempDir()
	s := open(t, state, 5)
	keep(t, s, "a=reserve", "b=reserve", "a=charge", "a=paid")
	if got := holds(s); got != "a=paid b=reserve" {
		t.Errorf("it holds %s", got)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if err := s.keep(instance{Key: "c"}); !errors.Is(err, errClosed) {
		t.Errorf("kept after it was closed: %v", err)
	}
	s = open(t, state, 9)
	if got := holds(s); got != "a=paid b=reserve" {
		t.Errorf("the next term holds %s", got)
	}
	if i, err := s.get("a"); err != nil || !i.Until.Equal(noon) {
		t.Errorf("the next term has %+v, %v", i, err)
	}
	if i, err := s.get("none"); err != nil || i.Key != "none" || i.Step != "" {
		t.Errorf("an instance that nobody started: %+v, %v", i, err)
	}
	if all := files(t, state); len(all) != 2 || all["9.term"] != "" || strings.Count(all["9.log"], "\n") != 3 {
		t.Errorf("the files are %q", all)
	}
}

// What a writer is told was kept is what his successor finds.
func TestWriterWhoseTermIsOverKeepsNothing(t *testing.T) {
	state := t.TempDir()
	old := open(t, state, 5)
	keep(t, old, "a=reserve")
	young := open(t, state, 7)
	if err := old.keep(instance{Key: "a", Step: "late"}); !errors.Is(err, errFenced) || !strings.Contains(err.Error(), "term 7 of part 17 has begun") {
		t.Errorf("kept by the old owner: %v", err)
	}
	if err := old.keep(instance{Key: "a", Step: "later"}); !errors.Is(err, errFenced) {
		t.Errorf("kept by the old owner: %v", err)
	}
	if _, err := old.get("a"); !errors.Is(err, errFenced) {
		t.Errorf("the old owner is told what it is: %v", err)
	}
	keep(t, young, "a=charge")
	if got := holds(open(t, state, 8)); got != "a=charge" {
		t.Errorf("the third holds %s", got)
	}
}

// The writer stands still between its write and its look, and wakes.
func TestWriterThatWasPausedIsToldThatNothingWasKept(t *testing.T) {
	state := t.TempDir()
	old := open(t, state, 5)
	text, err := line(instance{Key: "a", Step: "reserve"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.f.Write(text); err != nil {
		t.Fatal(err)
	}
	open(t, state, 7)
	if err := old.fence(); !errors.Is(err, errFenced) {
		t.Errorf("%v", err)
	}
}

// The other way round: who has begun, and stands still before it reads, finds what was
// kept until then, and nothing is kept afterwards.
func TestWhatWasKeptBeforeTheMarkIsRead(t *testing.T) {
	state := t.TempDir()
	old := open(t, state, 5)
	keep(t, old, "a=reserve")
	if err := os.WriteFile(old.mark(7), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := old.keep(instance{Key: "a", Step: "charge"}); !errors.Is(err, errFenced) {
		t.Errorf("kept after the mark: %v", err)
	}
	// 7 never comes to write; whoever follows takes what 5 has left.
	if got := holds(open(t, state, 9)); !strings.HasPrefix(got, "a=") {
		t.Errorf("the next one holds %q", got)
	}
}

func TestAnEarlierTermCannotBegin(t *testing.T) {
	state := t.TempDir()
	keep(t, open(t, state, 7), "a=reserve")
	if _, err := openStore(state, part(5)); !errors.Is(err, errFenced) {
		t.Errorf("term 5 after term 7: %v", err)
	}
	if _, err := openStore(state, part(7)); err == nil {
		t.Error("a term has begun twice")
	}
	if got := holds(open(t, state, 8)); got != "a=reserve" {
		t.Errorf("the next one holds %s", got)
	}
}

func TestLineThatWasBeingWrittenIsNone(t *testing.T) {
	state := t.TempDir()
	s := open(t, state, 5)
	keep(t, s, "a=reserve", "b=reserve")
	whole := files(t, state)["5.log"]
	for cut := strings.LastIndex(strings.TrimSpace(whole), "\n") + 1; cut < len(whole); cut++ {
		if err := os.WriteFile(s.log(5), []byte(whole[:cut]), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := holds(reopen(t, state)); got != "a=reserve" {
			t.Errorf("cut at %d of %d it holds %s", cut, len(whole), got)
		}
	}
}

// reopen is the store in a term that leaves the files alone.
func reopen(t *testing.T, state string) *store {
	t.Helper()
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(state)); err != nil {
		t.Fatal(err)
	}
	return open(t, copied, 1000)
}

func TestDamageIsNamed(t *testing.T) {
	state := t.TempDir()
	s := open(t, state, 5)
	keep(t, s, "a=reserve", "b=reserve")
	whole := files(t, state)["5.log"]
	second := strings.Index(whole, "\n") + 1
	for _, test := range []struct {
		what, says string
		text       string
	}{
		{"a byte of an instance", fmt.Sprintf("line 2 (byte %d): damaged", second), strings.Replace(whole, `"a"`, `"c"`, 1)},
		{"a byte of the heading", "line 1 (byte 0): damaged", strings.Replace(whole, `"part":17`, `"part":18`, 1)},
		{"the heading alone, torn", "line 1 (byte 0): damaged", whole[:second-4]},
		{"a line of something else", "line 2", whole[:second] + "hello\n" + whole[second:]},
		{"an end that is a line", "line 4", whole + "hello\n"},
		{"zeros", "line 4", whole + "\x00\x00\n"},
		{"another part's", "the file of part 18, term 5", rename(t, whole, heading{18, 64, 5})},
		{"another term's", "the file of part 17, term 4", rename(t, whole, part(4))},
		{"of a space with more parts", "written for 128 parts, and there are 64 now", rename(t, whole, heading{17, 128, 5})},
	} {
		if err := os.WriteFile(s.log(5), []byte(test.text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := openStore(state, part(9))
		if !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), s.log(5)) {
			t.Errorf("%s: %v", test.what, err)
		}
		if all := files(t, state); len(all) != 2 || all["5.log"] != test.text {
			t.Errorf("%s: the files are %q", test.what, slices.Sorted(maps.Keys(all)))
		}
	}
	if err := os.WriteFile(s.log(5), []byte(whole), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := holds(open(t, state, 9)); got != "a=reserve b=reserve" {
		t.Errorf("mended, it holds %s", got)
	}
}

// rename gives a log another heading.
func rename(t *testing.T, log string, h heading) string {
	t.Helper()
	head, err := line(h)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(log, "\n")
	return string(head) + rest
}

func TestFileStaysSmallHoweverMuchIsKept(t *testing.T) {
	state := t.TempDir()
	s := open(t, state, 5)
	longest := 0
	for n := range 3 * slack {
		keep(t, s, fmt.Sprintf("a=%d", n), fmt.Sprintf("b%d=x", n%3))
		longest = max(longest, s.lines)
	}
	if on := strings.Count(files(t, state)["5.log"], "\n"); longest > 4*4+slack || on > s.lines+1 {
		t.Errorf("%d lines at most, %d on the disk, %d counted", longest, on, s.lines)
	}
	want := fmt.Sprintf("a=%d b0=x b1=x b2=x", 3*slack-1)
	if got := holds(open(t, state, 6)); got != want {
		t.Errorf("it holds %s", got)
	}
}

// An old owner that compacts while another has begun must not put its file into the
// other's place.
func TestOldOwnerThatCompactsDoesNoHarm(t *testing.T) {
	state := t.TempDir()
	old := open(t, state, 5)
	keep(t, old, "a=reserve")
	young := open(t, state, 7)
	keep(t, young, "a=charge")
	if err := old.compact(); !errors.Is(err, errFenced) {
		t.Errorf("compacted: %v", err)
	}
	if got := holds(open(t, state, 9)); got != "a=charge" {
		t.Errorf("the next one holds %s", got)
	}
}

func TestFolderThatIsTakenAwayIsNoticed(t *testing.T) {
	state := t.TempDir()
	for term, remove := range map[int64]func(*store) error{
		5: func(s *store) error { return os.Rename(s.dir, s.dir+".old") },
		6: func(s *store) error { return os.Remove(s.mark(6)) },
	} {
		s := open(t, filepath.Join(state, fmt.Sprint(term)), term)
		keep(t, s, "a=reserve")
		if err := remove(s); err != nil {
			t.Fatal(err)
		}
		if err := s.keep(instance{Key: "a", Step: "charge"}); err == nil {
			t.Error("kept where nobody will read it")
		}
	}
}

// Owners follow each other quickly, the old ones not knowing of the new: whatever one was
// told was kept, everyone after it finds, unless that has gone on from there.
func TestNothingKeptIsLostWhileOwnersOverlap(t *testing.T) {
	for round := range 20 {
		state := t.TempDir()
		var told [4]atomic.Int64 // the last number that was kept, by key
		var owners sync.WaitGroup
		deadline := time.Now().Add(10 * time.Second)
		for term := int64(1); term <= 12 && time.Now().Before(deadline); term++ {
			s, err := openStore(state, part(term))
			if err != nil {
				t.Fatal(err)
			}
			for k := range told {
				var n int64
				i, err := s.get(fmt.Sprint(k))
				if err != nil {
					t.Fatal(err)
				}
				fmt.Sscan(i.Step, &n)
				if kept := told[k].Load(); n < kept {
					t.Fatalf("round %d: term %d finds %d of key %d, and somebody was told that %d was kept", round, term, n, k, kept)
				}
			}
			var kept atomic.Int64
			owners.Go(func() { // until it hears of the next
				for n := 0; ; n++ {
					k := n % len(told)
					var last int64
					i, _ := s.get(fmt.Sprint(k)) // keep has the error
					fmt.Sscan(i.Step, &last)
					if err := s.keep(instance{Key: fmt.Sprint(k), Step: fmt.Sprint(last + 1)}); err != nil {
						if !errors.Is(err, errFenced) && !errors.Is(err, errClosed) {
							t.Errorf("term %d: %v", term, err)
						}
						s.close()
						return
					}
					for was := told[k].Load(); was < last+1 && !told[k].CompareAndSwap(was, last+1); was = told[k].Load() {
					}
					kept.Add(1)
				}
			})
			for kept.Load() < 8 && time.Now().Before(deadline) {
				runtime.Gosched()
			}
		}
		last, err := openStore(state, part(1000))
		if err != nil {
			t.Fatal(err)
		}
		owners.Wait()
		last.close()
	}
}
