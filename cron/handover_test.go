package cron_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"conclave/conclavetest"
	"conclave/cron"
)

// f may be told to end, and say then that it has had enough. Whatever the term ends
// with, that is heard.
func TestStopIsHeardThoughTheTermIsOver(t *testing.T) {
	for what, end := range map[string]func(c *conclavetest.Cluster, old *conclavetest.Node){
		"handed over": func(c *conclavetest.Cluster, old *conclavetest.Node) {
			if err := old.Transfer(c.Context(), "cron:"+name, c.Node(1-old.Index()).ID()); err != nil {
				c.Error(err)
			}
		},
		"session expires":    func(c *conclavetest.Cluster, old *conclavetest.Node) { c.ExpireSession(old.Index()) },
		"cut from ZooKeeper": func(c *conclavetest.Cluster, old *conclavetest.Node) { c.CutZooKeeper(old.Index()) },
	} {
		t.Run(what, func(t *testing.T) {
			conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
				var returned [2]chan error
				for i := range 2 {
					returned[i] = make(chan error, 1)
					go func() {
						returned[i] <- cron.Run(c.Context(), c.Node(i).Node, name, "@every 1s", func(ctx context.Context) error {
							<-ctx.Done()
							return fmt.Errorf("this one has had enough: %w", cron.Stop)
						})
					}()
				}
				old := active(c)
				time.Sleep(5 * time.Second)
				end(c, old)
				c.Await("the other to be active", func() bool { return cron.Active(c.Node(1-old.Index()).Node, name) })
				time.Sleep(time.Minute)
				select {
				case err := <-returned[old.Index()]:
					if err != nil {
						c.Errorf("Run returned %v", err)
					}
				default:
					c.Error("Run has not returned")
				}
				if len(returned[1-old.Index()]) > 0 {
					c.Error("Run has returned on the other node, where nobody has said so")
				}
				c.Mend()
			})
		})
	}
}

// A tick that was kept for later when the name is handed over is run by the next node.
func TestQueuedTickIsHandedOver(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		d := stand(c, "*/10 * * * * *", long(14*time.Second), cron.Queue())
		old := active(c)
		time.Sleep(21 * time.Second) // the tick of 20 s waits for the run of that of 10 s
		if err := old.Transfer(c.Context(), "cron:"+name, c.Node(1-old.Index()).ID()); err != nil {
			c.Fatal(err)
		}
		time.Sleep(time.Second)
		runs := d.entries()
		if len(runs) != 2 || runs[1].node == old || runs[1].tick.Time.Sub(start) != 20*time.Second {
			c.Errorf("it ran %v; on %s until it was handed over", runs, old.Name())
		}
		d.check()
	})
}

// The name is handed over at the very moment of a tick, again and again: none is missed
// or run twice.
func TestTickAtTheMomentOfAHandOver(t *testing.T) {
	conclavetest.Run(t, 0, 2, func(c *conclavetest.Cluster) {
		d := stand(c, "* * * * * *", brief)
		active(c)
		const moves = 60
		for i := range moves {
			from := active(c)
			to := c.Node(1 - from.Index())
			c.Await("it to stand in line", func() bool {
				line, err := c.Node(0).Candidates(c.Context(), "cron:"+name)
				return err == nil && len(line) == 2
			})
			now := c.Now()
			time.Sleep(now.Truncate(time.Second) + 2*time.Second - now - time.Duration(i%4)*time.Millisecond)
			if err := from.Transfer(c.Context(), "cron:"+name, to.ID()); err != nil {
				c.Errorf("transfer %d: %v", i, err)
			}
		}
		time.Sleep(2 * time.Second)
		runs := d.entries()
		for i := 1; i < len(runs); i++ {
			if gap := runs[i].tick.Time.Sub(runs[i-1].tick.Time); gap != time.Second {
				c.Errorf("%v, then %v", &runs[i-1], &runs[i])
			}
		}
		if len(runs) < moves {
			c.Errorf("%d runs", len(runs))
		}
		d.check()
	})
}
