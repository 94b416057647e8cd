package zktest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// pair is the real server and zkdev, with the same history, so that each script
// can have a node of its own and the next one another.
type pair struct {
	t      *testing.T
	real   *Server
	dev    Target
	played int // scripts, since both were empty
}

// perServer is how many scripts leave their nodes behind before both servers
// are wiped.
const perServer = 1000

func newPair(t *testing.T) *pair {
	opts := []Option{Tick(2 * time.Second), ContainerCheck(time.Hour), InMemory()}
	return &pair{t: t, real: Start(t, opts...), dev: Dev(t, opts...)}
}

type playing func(addr, root string, commands []string) []string

// play plays commands on both servers and returns what came of each.
func (p *pair) play(how playing, commands []string) (want, got []string) {
	p.t.Helper()
	if p.played++; p.played%perServer == 0 {
		p.real.Wipe(p.t)
		p.dev.Dev.Wipe()
	}
	root := fmt.Sprintf("/f%d", p.played)
	done := make(chan []string)
	go func() { done <- playOn(p.real.Addr(), root, how, commands) }()
	got = playOn(p.dev.Addr, root, how, commands)
	return <-done, got
}

func playOn(addr, root string, how playing, commands []string) []string {
	w := &wire{zxids: &ranks{}}
	first, _, _ := strings.Cut(addr, ",")
	w.connect(first, 40000, false)
	r, _ := w.request("create", []string{root})
	w.ask(r)
	w.ask(request{opClose, nil, nothing})
	w.nc.Close()
	return how(addr, root, commands)
}

// shrink finds the simplest way to play a script that brings a difference out,
// and the shortest script that still does.
func (p *pair) shrink(script []string) ([]string, playing) {
	at := func(how playing, commands []string) int { return firstDifference(p.play(how, commands)) }
	how := playing(playBatches)
	if at(playSteps, script) >= 0 {
		how = playSteps
	}
	differs := func(commands []string) bool { return at(how, commands) >= 0 }
	if i := at(how, script); i >= 0 && i < len(script) && differs(script[:i+1]) {
		script = script[:i+1]
	}
	return shrink(script, differs), how
}
