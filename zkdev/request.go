package zkdev

import "slices"

// call is one request being answered.
type call struct {
	s   *Server
	c   *conn
	op  int32
	in  *reader
	out *writer // the reply's body

	unwatched bool // a wish to watch is ignored
}

// operation is how one kind of request is answered. An operation that a
// client may ask for and that is not here is answered "unimplemented".
type operation struct {
	name string
	run  func(*call) error
}

var operations map[int32]operation

func init() { // not a literal: multi's parts refer back to it
	operations = map[int32]operation{
		opCreate:               {"create", (*call).create},
		opCreate2:              {"create2", (*call).create},
		opCreateContainer:      {"createContainer", (*call).create},
		opCreateTTL:            {"createTTL", (*call).create},
		opDeleteContainer:      {"deleteContainer", (*call).deleteContainer},
		opDelete:               {"delete", (*call).delete},
		opExists:               {"exists", (*call).exists},
		opGetData:              {"getData", (*call).getData},
		opSetData:              {"setData", (*call).setData},
		opGetACL:               {"getACL", (*call).getACL},
		opSetACL:               {"setACL", (*call).setACL},
		opGetChildren:          {"getChildren", (*call).getChildren},
		opGetChildren2:         {"getChildren2", (*call).getChildren},
		opSync:                 {"sync", (*call).sync},
		opPing:                 {"ping", func(*call) error { return nil }},
		opCheck:                {"check", (*call).check},
		opMulti:                {"multi", (*call).multi},
		opMultiRead:            {"multiRead", (*call).multiRead},
		opSetWatches:           {"setWatches", (*call).setWatches},
		opSetWatches2:          {"setWatches2", (*call).setWatches},
		opAddWatch:             {"addWatch", (*call).addWatch},
		opCheckWatches:         {"checkWatches", (*call).checkWatches},
		opRemoveWatches:        {"removeWatches", (*call).removeWatches},
		opGetEphemerals:        {"getEphemerals", (*call).getEphemerals},
		opGetAllChildrenNumber: {"getAllChildrenNumber", (*call).getAllChildrenNumber},
		opWhoAmI:               {"whoAmI", (*call).whoAmI},
		opReconfig:             {"reconfig", (*call).reconfig},
		opCloseSession:         {"closeSession", (*call).closeSession},
	}
}

// handle answers one packet of an attached connection.
func (c *conn) handle(p []byte) {
	in := &reader{b: p}
	xid, op := in.int32(), in.int32()
	if in.err != nil {
		c.kill()
		return
	}
	s := c.s
	if c.session == nil || s.sessions[c.session.id] != c.session {
		c.kill() // not begun, or ended a moment ago
		return
	}
	if c.session.owner != nil {
		c.closeAfterFlush() // it has moved to a follower
		return
	}
	c.took(op, xid)
	req := s.note(c, op, in.b)
	f := s.faultFor(req)
	if f == LoseRequest {
		c.kill()
		return
	}
	s.touch(c.session)
	if f == HoldReply {
		c.held = true
	}
	if s.follower != nil {
		s.follower.take(c, xid, op, in, f)
		return
	}
	before := len(c.out)
	c.answer(xid, op, in)
	if f == LoseReply {
		c.unsend(before) // its reply, and the events it caused here
	}
}

// answer does a request and puts its reply into the outbox, behind the events
// that it caused.
func (c *conn) answer(xid, op int32, in *reader) {
	if op == opSetAuth {
		c.setAuth(xid, in)
		return
	}
	if op == opSASL { // there is none, which a client learns from no token
		w := reply(xid, 0, codeOK)
		w.buffer(nil)
		c.send(w.seal())
		return
	}
	o, known := operations[op]
	if !known {
		c.send(reply(xid, -1, codeUnimplemented).seal())
		c.closeAfterFlush()
		return
	}
	if op == opPing {
		xid = xidPing
	}
	k := &call{s: c.s, c: c, op: op, in: in, out: &writer{}}
	err := o.run(k)
	w := reply(xid, c.s.zxid, codeOf(err))
	if err == nil {
		w.b = append(w.b, k.out.b...)
	}
	c.send(w.seal())
	if op == opCloseSession {
		c.closeAfterFlush()
	}
}

// transact runs f as one transaction: on error nothing of it remains but the
// zxid it took.
func (k *call) transact(f func(*txn) error) error {
	t := k.s.begin(k.c.session.id, k.c.ids)
	if err := f(t); err != nil {
		t.rollback()
		t.ship()
		return err
	}
	t.commit()
	return nil
}

// sync has nothing to wait for: there is one server, and a reply follows
// everything before it. The path is not looked at.
func (k *call) sync() error {
	path := k.in.string()
	if k.in.err != nil {
		return k.in.err
	}
	k.out.string(path)
	return nil
}

// note counts a request and describes it for hooks.
func (s *Server) note(c *conn, op int32, body []byte) Request {
	req := Request{Session: c.session.id, Op: opName(op)}
	s.requests[req.Op]++
	if s.cfg.Requests != nil || len(s.faults) > 0 {
		req.Paths = requestPaths(op, body)
	}
	if s.cfg.Requests != nil {
		path := ""
		if len(req.Paths) > 0 {
			path = req.Paths[0]
		}
		s.cfg.Requests(req.Op, path)
	}
	return req
}

func opName(op int32) string {
	if o, ok := operations[op]; ok {
		return o.name
	}
	if op == opSetAuth {
		return "setAuth"
	}
	return "unknown"
}

// requestPaths lists the paths a request is about, as far as it can be read.
func requestPaths(op int32, body []byte) []string {
	r := &reader{b: body}
	switch op {
	case opPing, opSetAuth, opSASL, opCloseSession, opWhoAmI, opReconfig:
		return nil
	case opSetWatches, opSetWatches2:
		r.int64()
		paths := slices.Concat(r.strings(), r.strings(), r.strings())
		if op == opSetWatches2 {
			paths = slices.Concat(paths, r.strings(), r.strings())
		}
		return paths
	case opMulti, opMultiRead:
		var paths []string
		for {
			part, done := r.int32(), r.bool()
			r.int32()
			if r.err != nil || done {
				return paths
			}
			switch part {
			case opCreate, opCreate2, opCreateContainer, opCreateTTL:
				paths = append(paths, readCreate(r, part).path)
			case opSetData:
				paths = append(paths, readSet(r).path)
			case opDelete, opCheck:
				paths = append(paths, readVersion(r).path)
			case opGetData, opGetChildren:
				paths = append(paths, r.string())
				r.bool()
			default:
				return paths
			}
		}
	default:
		if path := r.string(); r.err == nil {
			return []string{path}
		}
		return nil
	}
}
