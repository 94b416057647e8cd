// Package gateway is tasks, workers, globals and services for programs in any
// language: HTTP and JSON in front of a node.
//
//	g, err := gateway.New(gateway.Config{Node: n, Scopes: []string{"shop"}, Tokens: tokens})
//	err = g.Serve(ctx, listener, nil)
//
// or, as a program of its own, "conclave gateway -scopes shop -token-file F". What
// can be asked is described at /openapi.json; examples/python has a worker and a
// submitter that need nothing beside Python's standard library.
//
//	POST /v1/scopes/shop/tasks                  {"kind": "charge", "body": {"cents": 1250}}
//	GET  /v1/scopes/shop/tasks/ID/wait?wait=30s
//	POST /v1/scopes/shop/leases                 {"kinds": ["charge"], "wait": "30s"}
//	POST /v1/scopes/shop/leases/LEASE/complete  {"result": {"receipt": 17}}
//	POST /v1/globals/boss/call                  {"type": "main.Job", "body": {"Text": "dig"}}
//
// # Bodies
//
// JSON becomes msgpack and msgpack JSON. Integers stay integers, of up to 64 bits.
// Objects are maps by string, which a program in Go decodes into its structs, by the
// names of their fields; a message must name the type that its receiver expects
// ("main.Job", see package codec). Bytes are written {"$bytes": "base64"} and times
// {"$time": "RFC 3339"}; package internal/jsonbody has the rest. Time spans are numbers
// of seconds; in requests also texts such as "1m30s".
//
// # Leases
//
// A worker asks for a task with a request that waits, and gets a lease: a task, and a
// secret to name it by. It shows life as often as "beat" says, and ends the lease by
// complete, fail, again, discard or release, each of which answers when the outcome
// is recorded. Whoever did not hear the answer says the same again and gets the same
// answer, for ten minutes. Status 409 says that the work is to stop: the task was
// cancelled (then the worker has 10 s to say how it ended), or is another's.
//
// The gateway is one worker to its scopes, so a lease is worth what an assignment to
// a worker in Go is: it ends before the task can be given to another. What is
// said of it later is refused. Effects outside of the task's record can be repeated,
// each time with a higher attempt and fence. Only the gateway that gave a lease knows
// it: a balancer in front of several must send a worker to the same one.
//
// # Failure
//
// A lease that shows no life has failed, as any attempt may. A task whose taker has
// gone while it was being handed over goes back, and no attempt is used up. A gateway
// that dies has lost its leases: their tasks go back when its session with ZooKeeper
// is over, attempt + 1, and its workers are told 404, no_lease, by the next one. One
// that stops in order (Serve) gives no more leases, waits until those that are out
// come back, and returns the rest.
//
// Errors come as {"error": {"code": "queue_full", "message": "..."}}; a program looks
// at the code. After unknown_outcome what was asked may have been done: to submit a
// task of the same id again is safe, and so is to say the same of a lease. Where
// waiting helps, Retry-After says how long.
//
// # Who may
//
// Whoever has one of the tokens may do everything. Without tokens everybody may who
// reaches the gateway, and Serve listens on loopback only; beyond, it wants tokens and
// TLS. Without tokens a request must be addressed to localhost or to an address, so
// that no web page reaches the gateway through somebody's browser. Bodies, headers,
// the time to send them, and the requests that wait are bounded.
package gateway
