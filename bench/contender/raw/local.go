// Command raw is what the language alone does: no actors, no names, no supervision.
package main

import (
	"sync"

	"conclave/bench/child"
)

func main() {
	child.Main(map[string]child.Role{
		"L1 channel": channel,
		"L1 slice":   slice,
		"L2":         twoChannels,
		"L2a":        twoChannels,
		"L3":         goroutines,
	}, child.Roles("TCP", openTCP), child.Roles("yamux", openYamux))
}

func channel(c *child.Child) map[string]float64 {
	count := child.NewCount(c)
	ch := make(chan *child.Body, 1<<16)
	go func() {
		for range ch {
			count.Add()
		}
	}()
	b := &child.Body{A: 1}
	return count.Run(func() {
		for range c.N {
			ch <- b
		}
	})
}

// slice is a list under a mutex whose reader takes all that is there.
func slice(c *child.Child) map[string]float64 {
	count := child.NewCount(c)
	var mu sync.Mutex
	var mail []*child.Body
	wake := make(chan struct{}, 1)
	go func() {
		var taken []*child.Body
		for {
			<-wake
			mu.Lock()
			mail, taken = taken[:0], mail
			mu.Unlock()
			for range taken {
				count.Add()
			}
		}
	}()
	b := &child.Body{A: 1}
	return count.Run(func() {
		for range c.N {
			mu.Lock()
			mail = append(mail, b)
			first := len(mail) == 1
			mu.Unlock()
			if first {
				select {
				case wake <- struct{}{}:
				default:
				}
			}
		}
	})
}

func twoChannels(c *child.Child) map[string]float64 {
	count := child.NewCount(c)
	to, back := make(chan *child.Body), make(chan *child.Body)
	go func() {
		for b := range to {
			back <- b
		}
	}()
	b := &child.Body{A: 1}
	return count.Run(func() {
		for range c.N {
			to <- b
			<-back
			count.Add()
		}
	})
}

func goroutines(c *child.Child) map[string]float64 {
	t := child.NewTally(c.N)
	boxes := make([]chan *child.Body, c.N)
	b := &child.Body{A: 1}
	return child.Idle(c, t, func(i int) {
		ch := make(chan *child.Body, 1)
		boxes[i] = ch
		go func() {
			<-ch
			t.Add()
		}()
	}, func(i int) { boxes[i] <- b })
}
