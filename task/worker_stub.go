package task

import (
	"context"

	"conclave/node"
)

type worker struct{}

type Lease struct{ *Task }

func newWorker(n *node.Node, scope string, cfg Config) *worker              { return &worker{} }
func (w *worker) handle(kind string, h Handler, slots int) error            { return nil }
func (w *worker) unhandle(kind string)                                      {}
func (w *worker) take(ctx context.Context, kinds ...string) (*Lease, error) { return nil, nil }
func (w *worker) close(ctx context.Context) error                           { return nil }
