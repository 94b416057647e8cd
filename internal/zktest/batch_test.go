package zktest

import (
	"fmt"
	"slices"
	"strings"
)

// pipelined are the commands that may be under way together. The others wait
// for their turn: they are about the connection itself, or the real server
// answers them out of turn (auth), or lets them take effect too late for the
// writes that follow at once (setacl).
var pipelined = map[string]bool{
	"create": true, "create2": true, "delete": true, "set": true, "get": true, "ls": true, "ls2": true, "exists": true,
	"getacl": true, "sync": true, "count": true, "ephemerals": true, "whoami": true, "ping": true, "multi": true, "multiread": true,
	"addwatch": true, "removewatches": true, "checkwatches": true, "setwatches": true, "setwatches2": true,
}

// alone in a command's line has it wait for its turn though it is one of these.
const alone = "alone"

// playBatches plays commands on the node root, those of one client that follow
// each other in one batch, and returns what came of each. It is quicker than
// play, and nearer to how clients work: events are told when they come before a
// reply of the client's own. In the end it closes all sessions.
func playBatches(addr, root string, commands []string) []string {
	p := &player{addr: addr, root: root, clients: make(map[string]*wire), sessions: make(map[int64][]byte)}
	said := make([]string, len(commands))
	for i := 0; i < len(commands); {
		i += p.batch(commands[i:], said[i:])
	}
	said = append(said, strings.Join(p.settle(nil), "\n"))
	p.finish()
	return p.ranked(said)
}

// playSteps is playBatches with one command at a time and a look at all clients
// after each, as play does it.
func playSteps(addr, root string, commands []string) []string {
	p := &player{addr: addr, root: root, clients: make(map[string]*wire), sessions: make(map[int64][]byte)}
	said := make([]string, len(commands))
	for i, line := range commands {
		said[i] = strings.Join(p.do(words(line)), "\n")
	}
	said = append(said, strings.Join(p.settle(nil), "\n"))
	p.finish()
	return p.ranked(said)
}

func (p *player) ranked(said []string) []string {
	return strings.Split(p.zxids.finish(strings.Join(said, "\x01")), "\x01")
}

// batch plays the first command, and those after it that can go along, and
// returns how many.
func (p *player) batch(commands, said []string) int {
	const most = 32
	first := words(commands[0])
	w := p.client(first[0])
	if w.closed || !mayJoin(first) {
		said[0] = strings.Join(p.single(w, first), "\n")
		return 1
	}
	var sent []request
	var xids []int32
	for _, line := range commands[:min(most, len(commands))] {
		args := words(line)
		if args[0] != first[0] || !mayJoin(args) {
			break
		}
		r, ok := w.request(args[1], args[2:])
		if !ok {
			panic("no such command: " + line)
		}
		xids = append(xids, w.send(r))
		sent = append(sent, r)
	}
	w.flush()
	for i, r := range sent {
		said[i] = strings.Join(w.heard(xids[i], r), "\n")
	}
	return len(sent)
}

// heard is receive where a reply that cannot be read is one of the things that
// may come.
func (w *wire) heard(xid int32, r request) (lines []string) {
	defer func() {
		if r := recover(); r != nil {
			lines = append(lines, fmt.Sprint("broken: ", r))
		}
	}()
	return w.receive(xid, r)
}

func mayJoin(args []string) bool {
	return pipelined[args[1]] && !slices.Contains(args, alone)
}

// single plays a command that is alone.
func (p *player) single(w *wire, args []string) (lines []string) {
	defer func() {
		if r := recover(); r != nil {
			lines = append(lines, fmt.Sprint("broken: ", r))
		}
	}()
	args = slices.DeleteFunc(args, func(a string) bool { return a == alone })
	if !endsSession(args[1]) {
		return p.command(w, args[1], args[2:])
	}
	// Only what the end of the session itself causes is in no order.
	before := p.settle(nil)
	lines = append(p.command(w, args[1], args[2:]), p.settle(w)...)
	slices.Sort(lines)
	return append(before, lines...)
}

// finish closes every session there is, so that none expires later.
func (p *player) finish() {
	for _, w := range p.clients {
		w.drop()
	}
	for id, password := range p.sessions {
		w := &wire{zxids: &ranks{}, session: id, password: password}
		addr, _, _ := strings.Cut(p.addr, ",")
		if said := w.connect(addr, 40000, false); strings.HasPrefix(said, "same session") {
			w.ask(request{opClose, nil, nothing})
			w.drop()
		}
	}
}
