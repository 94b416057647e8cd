package zktest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A script is a text of commands, each a line "client command argument ...",
// and under each, indented, what came of it. Lines that begin with # and empty
// lines are kept. play runs the commands and returns the script with what came
// of them in this run. See testdata for how it reads.
//
// After each command every other client pings, which brings out the events
// that are waiting for it.
func play(addr, script string) string {
	p := &player{addr: addr, clients: make(map[string]*wire)}
	var out strings.Builder
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "\t") {
			continue // what came of it in an earlier run
		}
		out.WriteString(line + "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		for _, l := range p.do(words(line)) {
			out.WriteString("\t" + l + "\n")
		}
	}
	for _, w := range p.clients {
		if !w.closed {
			w.nc.Close()
		}
	}
	return p.zxids.finish(out.String())
}

type player struct {
	addr     string // or several with commas between: the clients take turns
	root     string // see wire.path
	clients  map[string]*wire
	names    []string
	zxids    ranks
	sessions map[int64][]byte // their passwords; those that were not closed
}

func (p *player) client(name string) *wire {
	w := p.clients[name]
	if w == nil {
		w = &wire{zxids: &p.zxids, closed: true, root: p.root}
		p.clients[name] = w
		p.names = append(p.names, name)
	}
	return w
}

func (p *player) addrOf(w *wire) string {
	addrs := strings.Split(p.addr, ",")
	i := slices.IndexFunc(p.names, func(name string) bool { return p.clients[name] == w })
	return addrs[i%len(addrs)]
}

// words splits a line at spaces; "quoted words" are as Go's strings.
func words(line string) []string {
	var list []string
	for {
		line = strings.TrimLeft(line, " ")
		if line == "" {
			return list
		}
		if q, err := strconv.QuotedPrefix(line); err == nil {
			word, _ := strconv.Unquote(q)
			list = append(list, word)
			line = line[len(q):]
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		list = append(list, word)
		line = rest
	}
}

func (p *player) do(args []string) (lines []string) {
	defer func() {
		if r := recover(); r != nil {
			lines = append(lines, fmt.Sprint("broken: ", r))
		}
	}()
	w := p.client(args[0])
	lines = p.command(w, args[1], args[2:])
	lines = append(lines, p.settle(w)...)
	if endsSession(args[1]) {
		slices.Sort(lines)
	}
	return lines
}

// endsSession reports the commands after which ephemerals may go. In which
// order they do is chance: the real server keeps them in a hash table.
func endsSession(verb string) bool { return verb == "close" || verb == "closed?" }

// settle has all clients but one ping, and returns the events that come out.
func (p *player) settle(but *wire) (lines []string) {
	for _, name := range p.names {
		o := p.clients[name]
		if o == but || o.closed {
			continue
		}
		for _, l := range o.ask(ping) {
			if !strings.HasPrefix(l, "ok at ") { // the ping's own reply
				lines = append(lines, name+" "+l)
			}
		}
	}
	return lines
}

// command does what a command says and returns what came of it.
func (p *player) command(w *wire, verb string, args []string) []string {
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	switch verb {
	case "connect": // [timeout] [ro]: anew or to the session it has
		timeout, err := strconv.Atoi(arg(0))
		if err != nil {
			timeout = 20000
		}
		said := w.connect(p.addrOf(w), int32(timeout), slices.Contains(args, "ro"))
		if p.sessions != nil && !w.closed {
			p.sessions[w.session] = slices.Clone(w.password)
		}
		return []string{said}
	case "as": // other client: takes over its session
		o := p.clients[arg(0)]
		w.session, w.password, w.last = o.session, slices.Clone(o.password), o.last
		return nil
	case "forget": // its session: the next connect makes one
		w.session, w.password = 0, nil
		return nil
	case "forge": // a wrong password
		w.password = []byte("wrong")
		return nil
	case "ahead": // claims to have seen more than there is
		w.last += 1 << 40
		return nil
	case "drop":
		w.drop()
		return nil
	case "closed?": // the server has ended the connection
		if w.closed {
			return []string{"yes"}
		}
		if _, err := w.packet(); err == nil || err == errSilent {
			return []string{"no"}
		}
		w.closed = true
		return []string{"yes"}
	case "drain": // the server ends the connection: what comes before that
		return w.receive(0, ping)
	}
	if w.closed {
		return []string{"closed"}
	}
	r, ok := w.request(verb, args)
	if !ok {
		panic("no such command: " + verb)
	}
	lines := w.ask(r)
	if verb == "close" && strings.HasPrefix(lines[len(lines)-1], "ok") {
		delete(p.sessions, w.session)
	}
	if verb == "auth" && !strings.HasPrefix(lines[len(lines)-1], "ok") {
		return append(lines, p.command(w, "closed?", nil)...)
	}
	return lines
}
