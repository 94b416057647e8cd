package node

import (
	"context"

	"conclave/actor"
)

// directory answers names for the processes of a node.
type directory Node

func (d *directory) GetCapable(ctx context.Context, service string) ([]actor.PID, error) {
	return (*Node)(d).GetCapable(ctx, service)
}

func (d *directory) WaitCapable(ctx context.Context, service string, n int) ([]actor.PID, error) {
	return (*Node)(d).WaitCapable(ctx, service, n)
}

func (d *directory) WhereisGlobal(ctx context.Context, name string) (actor.PID, error) {
	return (*Node)(d).WhereisGlobal(ctx, name)
}

func (d *directory) Offer(ctx context.Context, service string, pid actor.PID) error {
	_, err := (*Node)(d).Register(ctx, service, pid)
	return err
}

func (d *directory) Retract(ctx context.Context, service string, pid actor.PID) error {
	return (*Node)(d).Unregister(ctx, service, pid)
}

func (d *directory) SubscribeCapable(service string, pid actor.PID) error {
	return (*Node)(d).SubscribeCapable(service, pid)
}

func (d *directory) UnsubscribeCapable(service string, pid actor.PID) {
	(*Node)(d).UnsubscribeCapable(service, pid)
}

func (d *directory) NameChanged(name string, pid actor.PID, there bool) {
	if d.cfg.Guest || d.cfg.AdvertiseNames != nil && !d.cfg.AdvertiseNames(name) {
		return
	}
	d.adverts.post(advert{name, pid, there})
}
