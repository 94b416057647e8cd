// Package task is durable work: what is submitted survives the submitter, the
// worker, the dispatcher and the power cut, and is completed once in the record.
//
//	q, err := task.Open(n, "shop", task.Config{})
//
//	q.Handle("charge", func(ctx context.Context, t *task.Task) error { ... })   // this node can do this kind
//	id, err := q.Submit(ctx, task.Of("charge", c), task.In(time.Minute))       // returns when it is durable
//	res, err := q.Wait(ctx, id)                                                // the result or the failure
//	err = q.Schedule(ctx, "nightly", "30 2 * * *", task.Of("report", r), task.Zone("Europe/Berlin"))
//
// # Scopes
//
// A scope ("shop") is a world of its own: its tasks, schedules, workers and
// dispatcher (or several, see Parts). A program may open many. A node that has opened a scope can submit;
// it works once it handles a kind; and it stands for dispatcher, unless it is a
// guest or Config.NoDispatch says not to.
//
// # Tasks
//
// A task is of a kind, and has a body: anything that a message can be, at most 10 KB
// unless Config.MaxBody says else. What else it can have: an id of the submitter's
// (ID: the same id again is the same task), metadata that is read without the body
// (Meta), a time to start (In, At), a priority, a key (Key: tasks of one key run
// one at a time, in order), a unique key (Unique: one live task at most), bounds for
// an attempt (Timeout, Beat) and for their number (Attempts, BackOff), and attributes
// that a worker must have (Needs).
//
//	waiting, delayed, held (behind another of its key)
//	   -> running -> done
//	              -> delayed (failed, and tried again after its back-off) -> waiting ...
//	              -> dead (failed for good; it can be retried)
//	   -> cancelled
//
// A kind that no worker can do is no error: its tasks wait, and Status shows them.
// Two versions of a program may handle one kind at the same time; tasks that only one
// of them can do say so with Needs.
//
// # Handlers
//
// A handler returns nil (done), Retry(d) (again later, no harm done), Discard(err)
// (dead at once), or any other error (again after the back-off, until the attempts are
// used up). Its context is one of an actor.Process, so that it can call and send; it
// ends when the task is not this worker's any more. See Handler for what that
// promises, and Task for what it can do: Return a result, submit what follows in the
// transaction of the completion (Then), save how far it has come (Progress, Saved).
//
// # The dispatcher
//
// Each scope has one dispatcher in the whole cluster, the global "task:" and the
// scope's name. It alone writes the scope's records, each transaction under the check
// of its own term, so that a deposed one writes nothing. Everybody else asks it by
// messages and is answered when what he asked for is durable; what arrives while one
// transaction is under way goes into the next. When it dies another takes over, reads
// the records (a hundred thousand tasks in about half a second), takes back what is with
// workers that are gone, and goes on. Meanwhile calls wait, as long as their contexts.
//
// Which worker gets a task is for the Strategy: LeastLoaded, RoundRobin, Random,
// Sticky by key, or your own function.
//
// # Parts
//
// With Config.Parts the scope is divided, so that no single dispatcher is its limit:
//
//	q, err := task.Open(n, "shop", task.Config{Parts: 8})
//
// Each part has records and a dispatcher of its own. The parts are those of a space of
// package shard, called "task:" and the scope's name: the nodes that may dispatch own
// them, take them over from each other as they come and go ("conclave shard" shows and
// moves them), and no part ever has two. How many there are is decided by whoever opens
// the scope first, for ever: ErrMismatch is what others are told. 0 takes what is there.
//
// A task belongs to the part of its key, or else of its unique key, or of its id; with
// none of them it goes anywhere. So all that is promised of a key holds as it does
// undivided. What is different:
//
//   - A task has a key or a unique key, not both (ErrBadTask).
//   - All or none (SubmitAll) is for tasks of one part: ErrOtherPart.
//   - What follows a task (Then) has its key, or neither key nor unique key nor id:
//     ErrOtherPart. Another task is submitted before the handler returns, with an id, so
//     that a repetition of the handler does not submit it twice.
//   - The task of a schedule has neither key nor unique key (ErrBadSchedule).
//   - An id is one task as long as it always comes with the same key, or with none.
//     Found by id alone are tasks without keys, and those to which Submit has given the
//     id, by one question; the others by one to every part.
//   - MaxLive, MaxBytes and the numbers of Keep are divided between the parts; a
//     strategy sees the tasks of one. Fences rise for each key and each task, and are
//     never given twice; those of two parts are not in order.
//   - Between keys there is no order, as ever, and List is in order of the dispatchers'
//     clocks.
//   - Each working node has a worker in each part, which has its share of the slots, and
//     at least one. A node with fewer slots than parts (or fewer for a kind) is given more
//     than it can run at a time; what is too much waits there, for 10 s at most. Then
//     it goes back, which uses up no attempt, and others may have it.
//
// Two to four times as many parts as there will be dispatching nodes share out evenly.
// Each part costs a lease on each working node. Each dispatching node commits for
// itself, what its parts have to commit together, so that with more of them fewer tasks
// share a transaction: where ZooKeeper is the limit, parts are no help.
//
// # Schedules
//
// A schedule submits a task at each tick of a cron line, an interval, or once. A
// tick is part of the task's id and is recorded in the same transaction: across any
// number of failovers none is fired twice. What becomes of ticks that nobody could
// fire in time, and of those that find the last one's task still live, are policies
// (Missed, Overlap). For a function that is simply to run on one node only, without
// a record, see package cron.
//
// # Stores
//
// Records are in ZooKeeper, in a journal under <root>/tasks/<scope>/journal: a few
// znodes of many records each, so that neither the number of children nor the number
// of reads grows with the number of tasks. Store is the seam for others.
//
// # What is bounded
//
// Bodies, results, metadata, names, tasks submitted at once, live tasks and the bytes
// they take (ErrQueueFull), schedules, and what is remembered of tasks that have
// ended (Config.Keep).
//
// # Failure
//
// docs/guarantees.md says what is promised, by what, and shown by which test. In
// short: in the record everything happens exactly once; what a handler does to the
// outside happens at least once, with an attempt number and a fence that tell.
package task
