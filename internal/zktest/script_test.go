package zktest

import (
	"encoding/hex"
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
	addr    string
	clients map[string]*wire
	names   []string
	zxids   ranks
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
	name := args[0]
	w := p.clients[name]
	if w == nil {
		w = &wire{zxids: &p.zxids, closed: true}
		p.clients[name] = w
		p.names = append(p.names, name)
	}
	lines = p.command(w, args[1], args[2:])
	for _, other := range p.names {
		o := p.clients[other]
		if o == w || o.closed {
			continue
		}
		said := o.ask(-2, nil, nothing)
		for _, l := range said {
			if !strings.HasPrefix(l, "ok at ") { // the ping's own reply
				lines = append(lines, other+" "+l)
			}
		}
	}
	if args[1] == "close" || args[1] == "closed?" {
		slices.Sort(lines) // in what order ephemerals go is chance
	}
	return lines
}

func nothing(*dec) string { return "" }

func (p *player) command(w *wire, verb string, args []string) []string {
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	watched := func(i int) bool { return arg(i) == "w" }
	switch verb {
	case "connect": // [timeout] [ro]: anew or to the session it has
		timeout, err := strconv.Atoi(arg(0))
		if err != nil {
			timeout = 20000
		}
		return []string{w.connect(p.addr, int32(timeout), slices.Contains(args, "ro"))}
	case "as": // other client: takes over its session
		o := p.clients[arg(0)]
		w.session, w.password, w.last = o.session, slices.Clone(o.password), o.last
		return nil
	case "forge": // a wrong password
		w.password = []byte("wrong")
		return nil
	case "ahead": // claims to have seen more than there is
		w.last += 1 << 40
		return nil
	case "drop":
		w.nc.Close()
		w.closed = true
		return nil
	case "closed?": // the server has ended the connection
		if _, err := w.packet(); err == nil || err == errSilent {
			return []string{"no"}
		}
		w.closed = true
		return []string{"yes"}
	case "close":
		return w.ask(-11, nil, nothing)
	case "ping":
		return w.ask(-2, nil, nothing)
	case "raw": // operation, body in hex
		op, _ := strconv.Atoi(arg(0))
		body, err := hex.DecodeString(arg(1))
		if err != nil {
			panic(err)
		}
		return w.ask(int32(op), body, func(d *dec) string {
			rest := d.b
			d.b = nil
			return hex.EncodeToString(rest)
		})
	case "big": // a node with that many bytes of data
		n, _ := strconv.Atoi(arg(1))
		return w.ask(part{1, createBody([]string{arg(0), strings.Repeat("x", n)})}.both())
	case "sync":
		var e enc
		e.str(arg(0))
		return w.ask(9, e.b, (*dec).str)
	case "exists":
		return w.ask(3, readBody(arg(0), watched(1)), w.stat)
	case "get":
		return w.ask(4, readBody(arg(0), watched(1)), w.data)
	case "ls":
		return w.ask(8, readBody(arg(0), watched(1)), children)
	case "ls2":
		return w.ask(12, readBody(arg(0), watched(1)), func(d *dec) string { return children(d) + " " + w.stat(d) })
	case "create", "create2", "delete", "set", "check":
		op, body := operation(verb, args)
		return w.ask(op, body, w.result(op))
	case "getacl":
		var e enc
		e.str(arg(0))
		return w.ask(6, e.b, func(d *dec) string { return acls(d) + " " + w.stat(d) })
	case "setacl": // path version acl...
		var e enc
		e.str(arg(0))
		putACL(&e, args[2:])
		e.i32(number(arg(1)))
		return w.ask(7, e.b, w.stat)
	case "auth":
		var e enc
		e.i32(0)
		e.str(arg(0))
		e.buf([]byte(arg(1)))
		lines := w.ask(100, e.b, nothing)
		if !strings.HasPrefix(lines[len(lines)-1], "ok") {
			return append(lines, p.command(w, "closed?", nil)...)
		}
		return lines
	case "multi", "multiread":
		op := int32(14)
		if verb == "multiread" {
			op = 22
		}
		return w.ask(op, multiBody(args), w.multi)
	case "setwatches", "setwatches2": // since data=.. exist=.. child=..
		return p.setWatches(w, verb, args)
	}
	panic("no such command: " + verb)
}

// part is an operation with its body, for what takes two arguments.
type part struct {
	op   int32
	body []byte
}

func (p part) both() (int32, []byte, func(*dec) string) { return p.op, p.body, (*dec).str }

func number(s string) int32 {
	if s == "" {
		return -1
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		panic(err)
	}
	return int32(n)
}

func content(s string) []byte {
	if s == "null" {
		return nil
	}
	return []byte(s)
}

func readBody(path string, watch bool) []byte {
	var e enc
	e.str(path)
	e.bool(watch)
	return e.b
}

// createBody reads: path [data [flags [acl...]]].
func createBody(args []string) []byte {
	args = append(slices.Clone(args), "", "", "")
	var e enc
	e.str(args[0])
	e.buf(content(args[1]))
	list := slices.DeleteFunc(slices.Clone(args[3:]), func(s string) bool { return s == "" })
	if len(list) == 0 {
		list = []string{"world:anyone:31"}
	}
	putACL(&e, list)
	flags := map[string]int32{"": 0, "p": 0, "e": 1, "s": 2, "es": 3}
	f, ok := flags[args[2]]
	if !ok {
		f = number(args[2])
	}
	e.i32(f)
	return e.b
}

// putACL writes entries scheme:id:permissions; "none" is an empty list.
func putACL(e *enc, list []string) {
	if slices.Equal(list, []string{"none"}) {
		e.i32(0)
		return
	}
	e.i32(int32(len(list)))
	for _, a := range list {
		scheme, rest, _ := strings.Cut(a, ":")
		i := strings.LastIndexByte(rest, ':')
		e.i32(number(rest[i+1:]))
		e.str(scheme)
		e.str(rest[:i])
	}
}

func acls(d *dec) string {
	var list []string
	for range d.i32() {
		perms, scheme, id := d.i32(), d.str(), d.str()
		list = append(list, fmt.Sprintf("%s:%s:%d", scheme, id, perms))
	}
	return "[" + strings.Join(list, " ") + "]"
}

func children(d *dec) string {
	var list []string
	for range d.i32() {
		list = append(list, d.str())
	}
	slices.Sort(list) // ZooKeeper has no order
	return "[" + strings.Join(list, " ") + "]"
}

func (w *wire) data(d *dec) string {
	data := d.buf()
	text := strconv.Quote(string(data))
	if data == nil {
		text = "null"
	}
	return text + " " + w.stat(d)
}

// operation encodes what may also be part of a multi.
func operation(verb string, args []string) (op int32, body []byte) {
	args = append(slices.Clone(args), "", "")
	var e enc
	e.str(args[0])
	switch verb {
	case "create":
		return 1, createBody(args)
	case "create2":
		return 15, createBody(args)
	case "delete":
		op = 2
		e.i32(number(args[1]))
	case "check":
		op = 13
		e.i32(number(args[1]))
	case "set":
		op = 5
		e.buf(content(args[1]))
		e.i32(number(args[2]))
	case "get":
		op = 4
		e.bool(args[1] == "w")
	case "ls":
		op = 8
		e.bool(args[1] == "w")
	default:
		panic("no such part: " + verb)
	}
	return op, e.b
}

// result shows the reply to an operation.
func (w *wire) result(op int32) func(*dec) string {
	switch op {
	case 1:
		return (*dec).str
	case 15:
		return func(d *dec) string { return d.str() + " " + w.stat(d) }
	case 5:
		return w.stat
	case 4:
		return w.data
	case 8:
		return children
	}
	return nothing
}

// multiBody reads operations with ; between them.
func multiBody(args []string) []byte {
	var e enc
	for len(args) > 0 {
		end := slices.Index(args, ";")
		if end < 0 {
			end = len(args)
		}
		op, body := operation(args[0], args[1:end])
		e.i32(op)
		e.bool(false)
		e.i32(-1)
		e.b = append(e.b, body...)
		args = args[min(end+1, len(args)):]
	}
	e.i32(-1)
	e.bool(true)
	e.i32(-1)
	return e.b
}

func (w *wire) multi(d *dec) string {
	var list []string
	for {
		op, done, code := d.i32(), d.bool(), d.i32()
		if done {
			if op != -1 || code != -1 {
				list = append(list, fmt.Sprintf("end %d %d", op, code))
			}
			return "{" + strings.Join(list, "; ") + "}"
		}
		if op == -1 {
			list = append(list, fmt.Sprintf("error %d %d", code, d.i32()))
			continue
		}
		if code != 0 {
			list = append(list, fmt.Sprintf("code %d", code))
		}
		list = append(list, strings.TrimSpace(fmt.Sprintf("%d %s", op, w.result(op)(d))))
	}
}

// setWatches reads: "last" or 0, then data=path exist=path child=path, any
// number of each.
func (p *player) setWatches(w *wire, verb string, args []string) []string {
	var e enc
	if args[0] == "last" {
		e.i64(w.last)
	} else {
		e.i64(0)
	}
	for _, kind := range []string{"data=", "exist=", "child="} {
		var paths []string
		for _, a := range args[1:] {
			if path, ok := strings.CutPrefix(a, kind); ok {
				paths = append(paths, path)
			}
		}
		e.strs(paths)
	}
	op := int32(101)
	if verb == "setwatches2" {
		e.strs(nil)
		e.strs(nil)
		op = 105
	}
	return w.ask(op, e.b, nothing)
}
