package zktest

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Operations of the protocol, by their numbers there.
const (
	opCreate       = 1
	opDelete       = 2
	opExists       = 3
	opGet          = 4
	opSet          = 5
	opGetACL       = 6
	opSetACL       = 7
	opChildren     = 8
	opSync         = 9
	opPing         = 11
	opChildren2    = 12
	opCheck        = 13
	opMulti        = 14
	opCreate2      = 15
	opCheckWatches = 17
	opRemove       = 18
	opContainer    = 19
	opCreateTTL    = 21
	opMultiRead    = 22
	opAuth         = 100
	opSetWatches   = 101
	opEphemerals   = 103
	opCount        = 104
	opSetWatches2  = 105
	opAddWatch     = 106
	opWhoAmI       = 107
	opClose        = -11
)

func nothing(*dec) string { return "" }

var ping = request{op: opPing, show: nothing}

// request encodes a command that is one request. It panics if the command is
// not written as it must be.
func (w *wire) request(verb string, args []string) (r request, ok bool) {
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	var e enc
	switch verb {
	case "close":
		return request{opClose, nil, nothing}, true
	case "ping":
		return ping, true
	case "whoami":
		return request{opWhoAmI, nil, identities}, true
	case "raw": // operation, body in hex
		body, err := hex.DecodeString(arg(1))
		if err != nil {
			panic(err)
		}
		return request{number(arg(0)), body, remainder}, true
	case "big": // a node with that many bytes of data
		n, _ := strconv.Atoi(arg(1))
		return request{opCreate, w.createBody([]string{arg(0), strings.Repeat("x", n)}), w.shownPath}, true
	case "multi":
		return request{opMulti, w.multiBody(args), w.multi}, true
	case "multiread":
		return request{opMultiRead, w.multiBody(args), w.multi}, true
	case "setwatches", "setwatches2":
		return w.setWatches(verb, args), true
	case "ephemerals":
		if prefix := w.path(arg(0)); prefix == "null" {
			e.i32(-1)
		} else {
			e.str(prefix)
		}
		return request{opEphemerals, e.b, w.paths}, true
	case "sync", "count", "getacl":
		e.str(w.path(arg(0)))
		switch verb {
		case "sync":
			return request{opSync, e.b, w.shownPath}, true
		case "count":
			return request{opCount, e.b, func(d *dec) string { return strconv.Itoa(int(d.i32())) }}, true
		}
		return request{opGetACL, e.b, func(d *dec) string { return acls(d) + " " + w.stat(d) }}, true
	case "exists", "ls2":
		e.str(w.path(arg(0)))
		e.bool(arg(1) == "w")
		if verb == "exists" {
			return request{opExists, e.b, w.stat}, true
		}
		return request{opChildren2, e.b, func(d *dec) string { return children(d) + " " + w.stat(d) }}, true
	case "addwatch": // path persistent|recursive
		e.str(w.path(arg(0)))
		e.i32(choice(arg(1), "persistent", "recursive"))
		return request{opAddWatch, e.b, func(d *dec) string { return strconv.Itoa(int(d.i32())) }}, true
	case "checkwatches", "removewatches": // path children|data|any
		e.str(w.path(arg(0)))
		e.i32(choice(arg(1), "", "children", "data", "any"))
		if verb == "checkwatches" {
			return request{opCheckWatches, e.b, nothing}, true
		}
		return request{opRemove, e.b, nothing}, true
	case "setacl": // path version acl...
		e.str(w.path(arg(0)))
		putACL(&e, args[2:])
		e.i32(number(arg(1)))
		return request{opSetACL, e.b, w.stat}, true
	case "auth":
		e.i32(0)
		e.str(arg(0))
		e.buf([]byte(arg(1)))
		return request{opAuth, e.b, nothing}, true
	}
	op, body, ok := w.operation(verb, args)
	return request{op, body, w.result(op)}, ok
}

// operation encodes what may also be part of a multi.
func (w *wire) operation(verb string, args []string) (op int32, body []byte, ok bool) {
	args = append(slices.Clone(args), "", "")
	var e enc
	e.str(w.path(args[0]))
	switch verb {
	case "create": // path [data [flags [acl...]]]
		return opCreate, w.createBody(args), true
	case "create2":
		return opCreate2, w.createBody(args), true
	case "container":
		return opContainer, w.createBody(args), true
	case "createttl": // path data flags milliseconds [acl...]
		args = append(args, "", "")
		ttl, err := strconv.ParseInt(args[3], 10, 64)
		if err != nil {
			panic(err)
		}
		e.b = w.createBody(slices.Delete(args, 3, 4))
		e.i64(ttl)
		return opCreateTTL, e.b, true
	case "delete", "check":
		e.i32(number(args[1]))
		if verb == "delete" {
			return opDelete, e.b, true
		}
		return opCheck, e.b, true
	case "set":
		e.buf(content(args[1]))
		e.i32(number(args[2]))
		return opSet, e.b, true
	case "get", "ls":
		e.bool(args[1] == "w")
		if verb == "get" {
			return opGet, e.b, true
		}
		return opChildren, e.b, true
	}
	return 0, nil, false
}

// result shows the reply to an operation.
func (w *wire) result(op int32) func(*dec) string {
	switch op {
	case opCreate:
		return w.shownPath
	case opCreate2, opContainer, opCreateTTL:
		return func(d *dec) string { return w.shownPath(d) + " " + w.stat(d) }
	case opSet:
		return w.stat
	case opGet:
		return w.data
	case opChildren:
		return children
	}
	return nothing
}

// createBody reads: path [data [flags [acl...]]].
func (w *wire) createBody(args []string) []byte {
	args = append(slices.Clone(args), "", "", "")
	var e enc
	e.str(w.path(args[0]))
	e.buf(content(args[1]))
	list := slices.DeleteFunc(slices.Clone(args[3:]), func(s string) bool { return s == "" })
	if len(list) == 0 {
		list = []string{"world:anyone:31"}
	}
	putACL(&e, list)
	e.i32(choice(args[2], "p", "e", "s", "es", "c", "t", "ts"))
	return e.b
}

// multiBody reads operations with ; between them.
func (w *wire) multiBody(args []string) []byte {
	var e enc
	for len(args) > 0 {
		end := slices.Index(args, ";")
		if end < 0 {
			end = len(args)
		}
		op, body, ok := w.operation(args[0], args[1:end])
		if !ok {
			panic("no such part: " + args[0])
		}
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

// setWatches reads: "last" or 0, then data=path exist=path child=path, and in
// setwatches2 persistent=path recursive=path, any number of each.
func (w *wire) setWatches(verb string, args []string) request {
	var e enc
	if args[0] == "last" {
		e.i64(w.last)
	} else {
		e.i64(0)
	}
	op, kinds := int32(opSetWatches), []string{"data=", "exist=", "child="}
	if verb == "setwatches2" {
		op, kinds = opSetWatches2, append(kinds, "persistent=", "recursive=")
	}
	for _, kind := range kinds {
		var paths []string
		for _, a := range args[1:] {
			if path, ok := strings.CutPrefix(a, kind); ok {
				paths = append(paths, w.path(path))
			}
		}
		e.strs(paths)
	}
	return request{op, e.b, nothing}
}

// choice is a word's place among words, or a number.
func choice(s string, words ...string) int32 {
	if i := slices.Index(words, s); i >= 0 {
		return int32(i)
	}
	if s == "" {
		return 0
	}
	return number(s)
}

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
		if !utf8.ValidString(id) {
			id = strconv.Quote(id)
		}
		list = append(list, fmt.Sprintf("%s:%s:%d", scheme, id, perms))
	}
	return "[" + strings.Join(list, " ") + "]"
}

func children(d *dec) string { return sorted(d, d.str) }

func (w *wire) paths(d *dec) string { return sorted(d, func() string { return w.shownPath(d) }) }

func identities(d *dec) string {
	return sorted(d, func() string { return d.str() + ":" + d.str() })
}

// sorted shows a list that ZooKeeper keeps in no order.
func sorted(d *dec, next func() string) string {
	var list []string
	for range d.i32() {
		list = append(list, next())
	}
	slices.Sort(list)
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

func remainder(d *dec) string {
	rest := d.b
	d.b = nil
	return hex.EncodeToString(rest)
}
