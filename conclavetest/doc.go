// Package conclavetest is a whole cluster in one test: nodes, the network between
// them and ZooKeeper, in one process and in virtual time. Tests of your own actors
// use it to see what these do when nodes die, stand still, and are cut off.
//
//	func TestCounter(t *testing.T) {
//		conclavetest.Run(t, 0, 3, func(c *conclavetest.Cluster) {
//			c.Setup(func(n *conclavetest.Node) { n.Stand("counter", counter) })
//			holder := c.AwaitHolder("counter")
//			c.Kill(holder.Index())
//			c.AwaitHolder("counter")
//			c.Check(conclavetest.NeverTwo("counter"))
//		})
//	}
//
// The tests in example_test.go are meant to be copied: a counter under partitions,
// a boss with workers, and a global that writes to a store outside the cluster.
//
// # What runs
//
// [Run] opens a testing/synctest bubble. The nodes are real nodes (a [Node] embeds a
// node.Node), linked by transport.Network instead of TCP; ZooKeeper is package
// zkdev, which the nodes' ZooKeeper client cannot tell from the real server. Time
// stands still while anything can happen and leaps while all wait: an idle hour
// takes less than a tenth of a second. So write time.Sleep without remorse, and do
// nothing in the bubble that waits for the outside: no real sockets, no os/exec, no
// mutex held across a wait. Goroutines that the test starts must end before it
// does; those that end with [testing.T.Context] or [Node.Context] do.
//
// # What can go wrong
//
// Nodes are known by their index. They can be killed, stopped, restarted and
// paused; the ways between them cut, in one direction or both, and made slow; their
// way to ZooKeeper cut likewise; sessions expire; replies get lost; ZooKeeper goes
// down, freezes, loses its quorum, or shows the past. What is done stays until it
// is undone, or until [Cluster.Mend]. [Cluster.Faults] does such things by chance,
// [Cluster.Play] from a plan.
//
// # What can be checked
//
// [Cluster.Check] takes checks of what nodes have told of themselves ([NeverTwo],
// [TermsRise], [AtMostOneAccepted], [NobodyStuck]), of what they have recorded for
// package history ([SoundHistory]), and of what the test has said about its own
// messages ([AtMostOnce], [NoLostAck], [OrderPerPair]). For these a
// message carries a [Stamp], its sender says what became of it ([Cluster.Acked],
// [Cluster.NotSent]) and its receiver that it came ([Cluster.Received]).
//
// # What is replayed and what is not
//
// All that the cluster chooses by chance follows from the seed: plans of faults,
// and whatever the test draws from [Cluster.Rand] and [Cluster.Chance]. A test that
// fails prints its seed and what was done when:
//
//	go test -run '^TestCounter$' -conclavetest.seed=N    # the same again
//	go test -run '^TestCounter$' -conclavetest.log       # prints what the nodes log
//
// The order in which goroutines run that can run at the same moment of virtual time
// does not follow from the seed: the bubble gives virtual time, not a fixed
// schedule. Nor do the incarnations of nodes and the back-off of reconnecting. So a
// replayed run meets the same faults at the same times, and nearly always fails in
// the same way; when the failure hangs on a race within one moment it may take a
// few runs (go test -count).
//
// What happens in one moment counts as simultaneous where a check compares times.
//
// # Limits
//
// A node's code is of the test's own process. [Cluster.Kill] and [Cluster.Pause]
// say what that means. yamux, TLS over TCP, the operating system's clocks and
// ZooKeeper's own code are not part of this; they are tested with real processes.
package conclavetest
