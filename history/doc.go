// Package history records who held which global when, and which mail was accepted
// under which term, and checks such records: did two nodes ever act as the holder
// of one name at once, and was a lower term ever accepted after a higher one?
//
// A node records when it is told where to:
//
//	f, err := history.OpenFile("/var/lib/app/history.jsonl")
//	n, err := node.Start(ctx, node.Config{..., History: f.Record})
//	...
//	err = n.Stop(ctx)
//	err = f.Close()
//
// or, into the program's own log, History: history.ToLog(logger). A file has one
// JSON object a line; what a slog.JSONHandler writes can be read as well.
// "conclave verify FILE..." reads the files of all nodes and says what it found;
// in a program the same is [Read] and [Check].
//
// # What it costs
//
// Without a History nothing is recorded and nothing is paid. With one every
// message under a term costs its receiver's node a line of about 300 bytes; other
// messages cost nothing. A term costs three lines, and one more for each renewal of
// its lease (every eighth of the session timeout).
//
// # Failure
//
// A line is one write, and what extends a right is recorded before it takes
// effect. So kill -9 tears at most the last line, and what that line would have
// said had not happened yet. The record of a killed process ends without Ended:
// until its lease would have run out nobody can tell from its record alone whether
// it acted. A witness of its death (Died) can; without one, a successor that began
// before then is a doubt, not a violation. "conclave guard -history FILE" is such a
// witness: it records each death that it notices before it ends the dead node's
// session, and so before a successor can begin. A witness who is contradicted by what
// the node recorded later is not believed, and that is a doubt.
//
// A file belongs to one process at a time, and its guard. A line that another writes
// behind one that a kill has torn is lost with it, which is told.
//
// The record is as good as its clocks. Nodes on one machine share one and are
// compared exactly. Between machines, and between boots, only the calendars can be
// compared, and the reader has to say how far they may be apart ([Options]).
package history
