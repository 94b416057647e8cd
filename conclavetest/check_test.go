package conclavetest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"conclave/actor"
	"conclave/history"
	"conclave/node"
)

// story is a history made up by a test: a cluster in which nothing runs.
type story struct {
	*Cluster
}

// told makes up a history on nodes 0 and 1 and asks a check about it.
func told(t *testing.T, check Check, make func(s *story)) (err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &story{Cluster: newCluster(t, 1, 2, options{tick: time.Second})}
		for i, h := range s.hosts {
			h.runs = []*Node{{c: s.Cluster, host: h}}
			s.byRun[uint64(i+1)] = h.runs[0]
		}
		make(s)
		err = check(s.Cluster)
		s.zk.Close()
	})
	return err
}

// after lets time pass.
func (s *story) after(d time.Duration) *story {
	time.Sleep(d)
	synctest.Wait()
	return s
}

func (s *story) tells(i int, kind node.EventKind, number int64) *story {
	s.hosts[i].runs[0].note(node.Event{Kind: kind, Term: actor.MakeTerm("c", "boss", number)})
	return s
}

// takes has a receiver on node i take a message; number is the term it holds.
func (s *story) takes(i int, stamp Stamp, serial uint64, number int64) *story {
	l := &s.ledger
	if m := l.message(stamp); m != nil {
		m.receipts = append(m.receipts, len(l.received))
	}
	var term actor.Term
	if number != 0 {
		term = actor.MakeTerm("c", "boss", number)
	}
	by := actor.MakePID(actor.NodeID{Name: s.hosts[i].name, Incarnation: uint64(i + 1)}, serial)
	l.received = append(l.received, receipt{stamp, by, term, time.Now()})
	return s
}

// records is what the node tells package history.
func (s *story) records(i int, kind history.Kind, number int64, until time.Duration) *story {
	s.hosts[i].runs[0].keep(history.Event{
		Kind: kind, At: s.Now(), Wall: time.Now(), Node: s.hosts[i].name, Cluster: "c", Name: "boss", Number: number, Until: until,
	})
	return s
}

const moment = time.Second

func TestChecksRejectBadHistories(t *testing.T) {
	for name, x := range map[string]struct {
		check Check
		make  func(s *story)
		want  string
	}{
		"terms overlap": {NeverTwo("boss"), func(s *story) {
			s.tells(0, node.TermBegan, 1).after(moment).tells(1, node.TermBegan, 2).after(moment).tells(0, node.TermEnded, 1)
		}, "term 2 of n1 began at 1s, but 1 of n0 ended at 2s"},
		"a term does not end": {NeverTwo("boss"), func(s *story) {
			s.tells(0, node.TermBegan, 1).after(moment).tells(1, node.TermBegan, 2)
		}, "1 of n0 still lasts"},
		"terms overlap in one moment": {NeverTwo("boss"), func(s *story) {
			s.tells(0, node.TermBegan, 1).after(moment).tells(1, node.TermBegan, 2).tells(0, node.TermEnded, 1)
		}, "term 2 of n1 began at 1s"},
		"overlap with one that is killed later": {NeverTwo("boss"), func(s *story) {
			s.tells(0, node.TermBegan, 1).after(moment).tells(1, node.TermBegan, 2).after(moment)
			n := s.hosts[0].runs[0]
			n.killed = Fact{At: time.Now(), seq: s.seq.Add(1)}
			n.dead.Store(true)
		}, "1 of n0 ended at 2s"},
		"a holder acts after its term": {NeverTwo("boss"), func(s *story) {
			s.tells(0, node.TermBegan, 1).after(moment).tells(0, node.TermEnded, 1).after(moment).takes(0, s.Stamp("a"), 1, 1)
		}, "a/1 was taken at 2s under term 1, which ended at 1s"},
		"a holder without a term": {NeverTwo("boss"), func(s *story) {
			s.takes(0, s.Stamp("a"), 1, 1)
		}, "a/1 was taken at 0s under term 1"},
		"terms fall": {TermsRise("boss"), func(s *story) {
			s.tells(0, node.TermBegan, 2).tells(0, node.TermEnded, 2).after(moment).tells(1, node.TermBegan, 1)
		}, "term 1 of n1 began at 1s, after 2 of n0"},
		"a term serves twice": {TermsRise("boss"), func(s *story) {
			s.tells(0, node.TermBegan, 2).tells(0, node.TermEnded, 2).after(moment).tells(1, node.TermBegan, 2)
		}, "term 2 of n1 began at 1s, after 2 of n0"},
		"a lower term is accepted": {AtMostOneAccepted("boss"), func(s *story) {
			s.tells(0, node.Accepted, 2).after(moment).tells(0, node.Accepted, 1)
		}, "n0 accepted one of term 1 at 1s, but had heard of 2 at 0s (accepted)"},
		"a lower term is accepted after a view": {AtMostOneAccepted("boss"), func(s *story) {
			s.tells(0, node.Accepted, 1).tells(0, node.Elected, 2).after(moment).tells(0, node.Accepted, 1)
		}, "had heard of 2 at 0s (elected)"},
		"a lower term is accepted by the holder": {AtMostOneAccepted("boss"), func(s *story) {
			s.tells(0, node.TermBegan, 2).after(moment).tells(0, node.Accepted, 1)
		}, "(term began)"},
		"a stuck holder": {NobodyStuck(), func(s *story) {
			s.tells(0, node.StuckHolder, 1).tells(0, node.UnstuckHolder, 1).tells(1, node.StuckHolder, 2)
		}, "boss term 2 on n1"},
		"received twice": {AtMostOnce(), func(s *story) {
			m := s.Stamp("a")
			s.takes(0, m, 1, 0).after(moment).takes(1, m, 1, 0)
		}, "a/1 was received 2 times, at 0s and at 1s"},
		"received although refused": {AtMostOnce(), func(s *story) {
			m := s.Stamp("a")
			s.NotSent(m)
			s.after(moment).takes(0, m, 1, 0)
		}, "a/1, which was not accepted as its sender was told at 0s, was received at 1s"},
		"acknowledged and lost": {NoLostAck("boss"), func(s *story) {
			s.Acked(s.Stamp("a"))
		}, "a/1, sent at 0s, acknowledged at 0s"},
		"acknowledged and lost by a holder that ended before": {NoLostAck("boss"), func(s *story) {
			s.tells(0, node.TermBegan, 1).tells(0, node.TermEnded, 1).after(moment)
			s.Acked(s.Stamp("a"))
		}, "a/1"},
		"acknowledged and lost by one that began later": {NoLostAck("boss"), func(s *story) {
			s.Acked(s.Stamp("a"))
			s.after(moment).tells(0, node.TermBegan, 1).after(moment).tells(0, node.TermEnded, 1)
		}, "a/1"},
		"leases overlap": {SoundHistory(), func(s *story) {
			s.records(0, history.Began, 1, 9*moment).after(moment).records(1, history.Began, 2, 9*moment)
			s.after(moment).records(0, history.Ended, 1, 0).records(1, history.Ended, 2, 0)
		}, "violation"},
		"a lower term is accepted after an announcement": {SoundHistory(), func(s *story) {
			s.records(0, history.Raised, 2, 0).after(moment).records(0, history.Accepted, 1, 0)
		}, "violation"},
		"out of order": {OrderPerPair(), func(s *story) {
			first, second := s.Stamp("a"), s.Stamp("a")
			s.takes(0, second, 1, 0).after(moment).takes(0, first, 1, 0)
		}, "received a/1 at 1s after a/2 at 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := told(t, x.check, x.make); err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("%v; want %q", err, x.want)
			}
		})
	}
}

func TestChecksAcceptGoodHistories(t *testing.T) {
	all := func(c *Cluster) (err error) {
		for _, check := range []Check{NeverTwo("boss"), TermsRise("boss"), AtMostOneAccepted("boss"), NobodyStuck(),
			AtMostOnce(), NoLostAck("boss"), OrderPerPair(), SoundHistory()} {
			err = errors.Join(err, check(c))
		}
		return err
	}
	for name, make := range map[string]func(s *story){
		"nothing": func(s *story) {},
		"one after the other": func(s *story) {
			a, b, x, y := s.Stamp("a"), s.Stamp("a"), s.Stamp("x"), s.Stamp("y")
			s.tells(0, node.TermBegan, 1).tells(1, node.Accepted, 1).takes(0, a, 1, 1).after(moment)
			s.Acked(a)
			s.tells(0, node.TermEnded, 1).tells(1, node.TermBegan, 2).takes(1, b, 1, 2)
			s.tells(0, node.Accepted, 2).tells(0, node.Refused, 1)
			s.NotSent(x)
			s.takes(1, y, 1, 0)
		},
		"order is of a pair only": func(s *story) {
			a, b := s.Stamp("a"), s.Stamp("a")
			s.takes(0, b, 1, 0).takes(0, a, 2, 0)
		},
		"what happens in one moment is simultaneous": func(s *story) {
			s.tells(0, node.Accepted, 2).tells(0, node.Accepted, 1)
		},
		"lost with the holder's mailbox": func(s *story) {
			s.tells(0, node.TermBegan, 1).after(moment)
			s.Acked(s.Stamp("a"))
			s.after(moment).tells(0, node.TermEnded, 1)
		},
		"a session that was ended early": func(s *story) {
			a := s.Stamp("a")
			s.tells(0, node.TermBegan, 1).after(moment)
			n := s.hosts[0].runs[0]
			n.expired = append(n.expired, Fact{At: time.Now(), seq: s.seq.Add(1)})
			s.tells(1, node.TermBegan, 2).after(moment).takes(0, a, 1, 1).tells(0, node.TermEnded, 1)
		},
		"leases one after the other": func(s *story) {
			s.records(0, history.Began, 1, 9*moment).after(moment).records(0, history.Ended, 1, 0)
			s.records(1, history.Began, 2, 9*moment).records(0, history.Raised, 2, 0).records(0, history.Accepted, 2, 0)
			s.after(moment).records(0, history.Refused, 1, 0).records(1, history.Ended, 2, 0)
		},
		"stuck for a while": func(s *story) {
			s.tells(0, node.StuckHolder, 1).after(moment).tells(0, node.UnstuckHolder, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := told(t, all, make); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestManyFindingsAreCutShort(t *testing.T) {
	err := told(t, NoLostAck(), func(s *story) {
		for range mostFindings + 5 {
			s.Acked(s.Stamp("a"))
		}
	})
	if err == nil || !strings.Contains(err.Error(), "and 5 more") || strings.Count(err.Error(), "\n") != mostFindings+1 {
		t.Error(err)
	}
}

func TestCountCountsFates(t *testing.T) {
	var got Count
	told(t, func(*Cluster) error { return nil }, func(s *story) {
		a, b, _ := s.Stamp("a"), s.Stamp("b"), s.Stamp("b")
		s.Acked(a)
		s.NotSent(b)
		s.takes(0, a, 1, 0)
		s.Acked(Stamp{"nobody's", 1})
		got = s.Count()
	})
	if want := (Count{Sent: 3, Acked: 1, NotSent: 1, Received: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestTraceKeepsTheLatest(t *testing.T) {
	var tr trace
	for i := range traceLines + 7 {
		tr.add(time.Duration(i), "line")
	}
	lines := strings.Split(strings.TrimSpace(tr.String()), "\n")
	if len(lines) != traceLines+1 || lines[0] != "(7 lines before)" || slices.Contains(lines, "6ns  line") {
		t.Errorf("%d lines, the first %q", len(lines), lines[0])
	}
}
