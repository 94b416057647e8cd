package shard

import (
	"errors"
	"testing"
)

func TestMemberNeedsALabelAlsoIfItsValueIsEmpty(t *testing.T) {
	needs := map[string]string{"gpu": ""}
	if n := (memberRecord{Weight: 3}).share(needs); n != 0 {
		t.Errorf("one without the label counts for %d", n)
	}
	if n := (memberRecord{Weight: 3, Labels: needs}).share(needs); n != 3 {
		t.Errorf("one with the label counts for %d", n)
	}
}

func TestLookoutStandsOnce(t *testing.T) {
	told := 0
	l := lookout{poke: func() { told++ }}
	fire := l.watch()
	l.read(7, nil)
	for range 3 {
		if l.watch() != nil {
			t.Fatal("it stands twice")
		}
		l.read(7, nil)
	}
	fire()
	again := l.watch()
	if l.read(8, nil); told != 1 || again == nil {
		t.Fatalf("it was told %d times; it stands again: %v", told, again != nil)
	}
	l.watch()
	if l.read(9, nil); told != 2 { // its watch was lost
		t.Errorf("it was told %d times", told)
	}
	if l.watch() == nil {
		t.Error("it stands no more")
	}
	l.read(0, errors.New("no answer"))
	if l.watch() == nil {
		t.Error("it stands on a read that has failed")
	}
}
