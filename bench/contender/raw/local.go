// Command raw is what the language alone does: no actors, no names, no supervision.
package main

import (
	"sync"
	"time"

	"conclave/bench/child"
)

func main() {
	child.Main(child.With(map[string]child.Role{
		"L1 channel": channel,
		"L1 slice":   slice,
		"L2":         twoChannels,
		"L2a":        twoChannels,
		"L3":         goroutines,
	}, child.Roles("TCP", openTCP), child.Roles("yamux", openYamux)))
}

func channel(c *child.Child) map[string]float64 {
	ch := make(chan *child.Body, 1<<16)
	done := make(chan int)
	go func() {
		got := 0
		for range ch {
			got++
		}
		done <- got
	}()
	b := &child.Body{A: 1}
	c.Ready()
	start := time.Now()
	for range c.N {
		ch <- b
	}
	close(ch)
	return child.Span(time.Since(start), c.N, <-done)
}

// slice is a list under a mutex whose reader takes all that is there.
func slice(c *child.Child) map[string]float64 {
	var mu sync.Mutex
	var mail []*child.Body
	wake := make(chan struct{}, 1)
	done := make(chan int)
	go func() {
		var spare []*child.Body
		got := 0
		for got < c.N {
			<-wake
			mu.Lock()
			mail, spare = spare[:0], mail
			mu.Unlock()
			got += len(spare)
		}
		done <- got
	}()
	b := &child.Body{A: 1}
	c.Ready()
	start := time.Now()
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
	return child.Span(time.Since(start), c.N, <-done)
}

func twoChannels(c *child.Child) map[string]float64 {
	to, back := make(chan *child.Body), make(chan *child.Body)
	go func() {
		for b := range to {
			back <- b
		}
	}()
	b := &child.Body{A: 1}
	c.Ready()
	start := time.Now()
	got := 0
	for range c.N {
		to <- b
		<-back
		got++
	}
	return child.Span(time.Since(start), c.N, got)
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
