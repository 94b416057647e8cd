//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"time"

	"conclave/actor"
	"conclave/internal/child"
	"conclave/internal/keeper"
	"conclave/internal/keymail"
	"conclave/node"
	"conclave/shard"
)

// office is what one program does beside being a node.
type office struct {
	plan
	notes *keymail.File
	clock keeper.Clock
	n     *node.Node // a guest's is another each time

	mu   sync.Mutex
	desk *keymail.Desk // of that node
	told [2]int64      // how many letters the driver has been told of
}

// enter starts the node and opens the space.
func (o *office) enter(ctx context.Context) (err error) {
	if o.n, err = node.Start(ctx, o.node); err != nil {
		return err
	}
	d := &keymail.Desk{Node: o.n, Put: o.notes.Put, Clock: o.clock, Store: keymail.Folder(o.store)}
	o.mu.Lock()
	if o.desk != nil {
		d.Sent.Store(o.desk.Sent.Load()) // the counts of guests go on with the next
	}
	o.desk = d
	o.mu.Unlock()
	// Whoever starts while ZooKeeper is away waits; whoever is to stop meanwhile, too,
	// as the driver mends everything first.
	d.Space, err = shard.Open(ctx, o.n, spaceName, o.config(d))
	return err
}

// serve is a member's life.
func (o *office) serve(ctx context.Context) (err error) {
	if err := o.enter(ctx); err != nil {
		return err
	}
	o.sink(ctx)
	working, rest := context.WithCancel(ctx)
	defer rest()
	var staff, errands sync.WaitGroup
	o.clerks(working, &staff)
	quiet := func() { rest(); staff.Wait() }
	orders(func(word string, args []string) bool {
		switch word {
		case "hush": // nothing new is sent
			go quiet()
		case "delete":
			errands.Go(func() { o.delete(ctx, args) })
		case "move":
			errands.Go(func() { o.move(working, args) })
		case "leave": // as an operator would have it leave: it works until it owns nothing
			within, cancel := context.WithTimeout(ctx, patience)
			if err := o.desk.Space.Drain(within); err != nil {
				fmt.Fprintln(os.Stderr, "drain:", err)
			}
			cancel()
			return false
		case "stop":
			return false
		}
		return true
	})
	quiet()
	errands.Wait()
	leaving, done := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer done()
	if err := o.n.Stop(leaving); err != nil {
		fmt.Fprintln(os.Stderr, "stop:", err)
	}
	return nil
}

// patience is how long a program waits for what should take moments.
const patience = 20 * time.Second

// guests are the life of the program that has no node of its own for long.
func (o *office) guests(ctx context.Context, cancel func()) error {
	go func() {
		orders(func(word string, _ []string) bool { return word != "hush" && word != "stop" })
		cancel()
	}()
	name := o.node.Name
	o.node.Listen, o.node.Guest = "", true
	for i := 1; ctx.Err() == nil; i++ {
		o.node.Name = name + "-" + strconv.Itoa(i)
		if err := o.visit(ctx); err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "visit:", err)
			child.Pause(ctx, time.Second)
		}
	}
	return nil
}

// visit is one guest.
func (o *office) visit(ctx context.Context) (err error) {
	o.n = nil
	defer func() {
		if o.n != nil {
			within, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
			defer cancel()
			err = errors.Join(err, o.n.Stop(within))
		}
	}()
	if err := o.enter(ctx); err != nil {
		return err
	}
	var staff sync.WaitGroup
	for i := range 4 {
		staff.Go(func() { o.clerk("guest", i).hurry(ctx, 10) })
	}
	staff.Wait()
	return nil
}

// config is how a program takes part.
func (o *office) config(d *keymail.Desk) shard.Config {
	return shard.Config{
		Parts: o.parts,
		Watch: o.guest,
		OnGain: func(p *actor.Process, part int) error {
			p.Spawn(o.radiate)
			return nil
		},
		OnLose: func(_ *actor.Process, part int, why error) error {
			if why == nil && rand.IntN(8) == 0 {
				time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
			}
			return nil
		},
		Entity:  d.Entity,
		Serve:   d.Serve,
		Idle:    5 * time.Second,
		OnEvent: d.Told,
		Logger:  o.node.Logger,
	}
}

// Beat is what parts send to some node all the time: it is let in, or not, by its term.
type Beat struct{ Count int }

// radiate sends beats under the part's term.
func (o *office) radiate(p *actor.Process) error {
	for count := 1; ; count++ {
		if _, err := p.ReceiveTimeout(time.Second + time.Duration(rand.Int64N(int64(2*time.Second)))); !errors.Is(err, actor.ErrTimeout) {
			return err
		}
		if sinks, err := p.GetCapable("sink"); err == nil && len(sinks) > 0 {
			if err := p.Send(sinks[rand.IntN(len(sinks))], Beat{count}); err != nil && p.CheckTerm() != nil {
				return err
			}
		}
	}
}

// sink takes beats.
func (o *office) sink(ctx context.Context) {
	pid := o.n.Spawn(func(p *actor.Process) error {
		for {
			if _, err := p.Receive(); err != nil {
				return err
			}
		}
	})
	go func() {
		for ctx.Err() == nil {
			if _, err := o.n.Register(ctx, "sink", pid); err == nil {
				return
			}
			child.Pause(ctx, 100*time.Millisecond)
		}
	}()
}

// delete deletes owner znodes, as an administrator might.
func (o *office) delete(ctx context.Context, parts []string) {
	for _, text := range parts {
		part, err := strconv.Atoi(text)
		if err != nil {
			continue
		}
		within, cancel := context.WithTimeout(ctx, patience)
		if s, err := o.n.Keeper().Session(within); err == nil {
			at := o.clock()
			o.notes.Put(keymail.Note{What: keymail.Delete, Part: part, At: at})
			err := s.Delete(within, o.n.Keeper().Paths().SpaceOwner(spaceName, part), keeper.AnyVersion)
			v := keymail.Note{What: keymail.Deleted, Part: part, At: at, Until: o.clock()}
			if err != nil {
				v.Text = err.Error()
			}
			o.notes.Put(v)
		}
		cancel()
	}
}

// move has parts go to where others are planned.
func (o *office) move(ctx context.Context, parts []string) {
	for i := 0; i+1 < len(parts); i += 2 {
		part, err := strconv.Atoi(parts[i])
		if err != nil {
			continue
		}
		other, _ := strconv.Atoi(parts[i+1])
		to, ok := o.desk.Space.Planned(other)
		if !ok {
			continue
		}
		within, cancel := context.WithTimeout(ctx, patience)
		if err := shard.Move(within, o.n, spaceName, part, to); err != nil {
			fmt.Fprintln(os.Stderr, "move:", err)
		}
		cancel()
	}
}
