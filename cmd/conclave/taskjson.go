package main

import (
	"conclave/gateway"
	"conclave/task"
)

// scopeStatus is all that there is to know of a scope as a whole. Like everything
// that -o json prints it has the gateway's form.
type scopeStatus struct {
	gateway.Status
	// Candidates are the nodes that stand for dispatcher; the first is it.
	Candidates []string `json:"candidates"`
	// Tasks of each worker, by the name of its znode, and those that wait for one,
	// oldest first.
	Tasks   map[string][]string `json:"tasks,omitempty"`
	Waiting []task.Info         `json:"waiting,omitempty"`
}
