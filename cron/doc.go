// Package cron runs a function by a timetable, on one node of the cluster: the active
// one. The others stand by.
//
//	err := cron.Run(ctx, n, "report", "CRON_TZ=Europe/Berlin 30 2 * * *",
//		func(ctx context.Context) error { return report(ctx) })
//
// Every node that should be able to do it calls Run with the same name and line. Run
// stands for a global, returns when ctx ends, and what it does in between is:
//
//   - On the node that is elected, f runs at each tick. Its context is done as soon as
//     the node is not active any more (its lease has lapsed, it is stopping, it was
//     deposed or drained), with a cause that wraps actor.ErrTermOver; when ctx ends;
//     and after a [Timeout], if there is one.
//   - The name passes to another node when every f here has returned, never before.
//     An f that ignores its context holds it up; node.Config.ExitOnStuckHolder is for
//     those that cannot be taught.
//   - An error or a panic of f is logged, and the next tick is the next try.
//
// # What is promised
//
// A tick is run at most once by the node that is active then, and f never runs on
// two nodes at a time: both as far as docs/guarantees.md goes for holders of a
// global. Nothing is recorded of which ticks were run. So
//
//   - a tick that falls into a fail-over, or for which nobody is active, is missed: a
//     new active node begins with the first tick after its election. A planned
//     transfer (node.Node.Transfer, Drain) hands over how far its predecessor was, so
//     that the latest tick it has not begun is run;
//   - a run that a fail-over has cut off is not begun again;
//   - each node goes by its own clock: by as much as they differ, a tick just before a
//     fail-over can be run again just after it. [Tick.ID] is the same on both, for
//     those who keep a record of their own.
//
// For every tick to be done, exactly as far as that can be true, and on any node, use
// task.Schedule, which records them.
//
// # Lines
//
//	minute hour day-of-month month day-of-week          */5 9-17 * * MON-FRI
//	second minute hour day-of-month month day-of-week   30 0 4 1,15 * *
//	@hourly @daily @midnight @weekly @monthly @yearly @annually
//	@every 90s                                          a Go duration, of whole seconds
//	@at 2026-12-24T18:00:00+01:00                       once
//
// A field is * or ? (any), a value, a range a-b, a step (*/n, a-b/n, a/n), or a list of
// these with commas; months and days of the week have names (JAN, MON), 0 and 7 are
// Sunday. If both day fields are restricted, either suffices. The zone is that of a
// CRON_TZ=Zone before the line, else that of [Location], else UTC. "@every" counts
// from the start of 1970, so that all nodes mean the same ticks.
//
// At changes of the clock a line that names hours fires once for each reading that it
// fits: what falls into a gap, when the clock jumps; what comes twice, the first time.
// A line for every hour (* in the hour field) goes on at its distance through both.
//
// # When a tick is late, and when the clock is put
//
// The wall clock decides, and it is looked at again at least every ten seconds. If
// several ticks have gone by unseen (a pause, a clock put forward) the latest is run,
// once. If the clock is put back no tick is run a second time here, and nothing runs
// until the clock is where it was; put back by more than three hours it is taken to
// have been wrong before, and its new time counts.
//
// [Parallel] and [Queue] say what happens to a tick that comes while the run before
// goes on; if nothing does it is skipped, and the log says how many were.
//
// Run and its options may be used from any goroutine.
package cron
