package node_test

import (
	"errors"
	"testing"

	"conclave/actor"
	"conclave/internal/keeper"
	"conclave/node"
)

func TestHolderFenceChecksTheHoldersTerm(t *testing.T) {
	apart(t, func(c *cluster) {
		a := c.node("a")
		under := make(chan actor.Term, 1)
		fenced := make(chan error, 1)
		a.stand("chef", func(p *actor.Process) error {
			s, fence, err := a.HolderFence(p.Term())
			if err == nil {
				_, err = s.Multi(p, fence, keeper.CreateOp(a.Keeper().Paths().Root()+"/dish", nil, keeper.Persistent))
			}
			under <- p.Term()
			fenced <- err
			return idle(p)
		})
		term := next(c, under)
		c.ok(next(c, fenced))
		s, fence, err := a.HolderFence(term)
		c.ok(err)
		c.ok(a.Withdraw(c.brief(), "chef"))
		if _, _, err := a.HolderFence(term); !errors.Is(err, node.ErrNotHolder) {
			c.Errorf("after its term: %v", err)
		}
		if _, err := s.Multi(c.brief(), fence, keeper.DeleteOp(a.Keeper().Paths().Root()+"/dish", keeper.AnyVersion)); !errors.Is(err, keeper.ErrNoNode) {
			c.Errorf("written after its term: %v", err)
		}
	})
}
