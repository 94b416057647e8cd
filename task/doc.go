// Package task is durable work: what is submitted survives the submitter, the
// worker, the dispatcher and the power cut, and is done once in the record.
//
//	q, err := task.Open(n, "shop", task.Config{})
//
//	q.Handle("charge", func(ctx context.Context, t *task.Task) error { ... })  // this node can do this kind
//	id, err := q.Submit(ctx, task.Of("charge", c, task.In(time.Minute)))      // returns when it is durable
//	res, err := q.Wait(ctx, id)                                               // the result or the failure
//
// A scope ("shop") is a world of its own; one program may open many. Each scope
// has one dispatcher in the whole cluster, a global, which runs on one of the
// nodes that have opened the scope. It alone writes the scope's records, under
// the check of its own term, so a deposed one writes nothing.
package task
