package shard_test

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/shard"
)

var histories = flag.Int("shard.histories", 4, "how many random histories TestRandomFaultsNeverMakeTwoOwners plays")

// Minutes of random failures under load, with mail by key, on 3 to 12 nodes: the history
// that all have recorded is checked, and what became of the mail. Replay a seed with -conclavetest.seed, and -run with the
// number of nodes.
func TestRandomFaultsNeverMakeTwoOwners(t *testing.T) {
	for run := range *histories {
		nodes := 3 + 7*run%10
		t.Run(fmt.Sprintf("%d-nodes", nodes), func(t *testing.T) {
			s, m := &store{}, &mail{keys: 2 * nodes, pause: 8 * time.Second}
			spaceWith(t, nodes, shard.Config{Parts: 8 * nodes, OnGain: s.serve}, m, func(w *world) {
				w.balanced(8*nodes, nodes)
				w.Faults(3*time.Minute, 15, lawful()...)
				w.Mend()
				w.balanced(8*nodes, nodes)
				v := m.check(w, 8*nodes)
				t.Logf("%d letters: %d accepted, %d of them lost with their owners; %d refused, %d unknown; %d processes of keys",
					v.Sent, v.Accepted, v.Lost, v.Refused, v.Unknown, v.Lives)
				s.check(w)
			})
		})
		if t.Failed() {
			return
		}
	}
}

// lawful are the faults under which ZooKeeper keeps its promises: it ends no session
// before its time.
func lawful() []conclavetest.Kind {
	return slices.DeleteFunc(conclavetest.Kinds(), func(k conclavetest.Kind) bool { return k == conclavetest.KindExpire })
}
