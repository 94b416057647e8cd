package zkdev

// Every part of a multi request and of its reply begins with a header: its
// kind, whether this is the end, and an error code.
func multiHeader(w *writer, op int32, done bool, c code) {
	w.int32(op)
	w.bool(done)
	w.int32(int32(c))
}

// readMulti decodes a multi request into one function for each part, which
// does it and writes its result.
func readMulti(r *reader) ([]func(*txn, *writer) error, error) {
	var parts []func(*txn, *writer) error
	for {
		op, done := r.int32(), r.bool()
		r.int32()
		if r.err != nil {
			return nil, r.err
		}
		if done {
			return parts, nil
		}
		switch op {
		case opCreate, opCreate2, opCreateContainer, opCreateTTL:
			req := readCreate(r, op)
			parts = append(parts, func(t *txn, w *writer) error { return req.part(t, w) })
		case opDelete:
			req := readVersion(r)
			parts = append(parts, func(t *txn, w *writer) error {
				multiHeader(w, op, false, codeOK)
				return t.delete(req)
			})
		case opSetData:
			req := readSet(r)
			parts = append(parts, func(t *txn, w *writer) error {
				n, err := t.set(req)
				if err != nil {
					return err
				}
				multiHeader(w, op, false, codeOK)
				w.stat(n)
				return nil
			})
		case opCheck:
			req := readVersion(r)
			parts = append(parts, func(t *txn, w *writer) error {
				multiHeader(w, op, false, codeOK)
				return t.check(req)
			})
		default:
			return nil, errMalformed
		}
	}
}

// part is a create as part of a multi. What it makes is for the flags alone to
// say; a time to live must be there if they want one.
func (r createRequest) part(t *txn, w *writer) error {
	if r.wantsTTL() && r.op != opCreateTTL {
		return errMalformed
	}
	if !r.wantsTTL() {
		r.op, r.ttl = opCreate, -1
		if r.flags == flagContainer {
			r.op = opCreateContainer
		}
	}
	path, err := t.create(r)
	if err != nil {
		return err
	}
	if r.op == opCreate { // or create2: no Stat here
		multiHeader(w, opCreate, false, codeOK)
		w.string(path)
		return nil
	}
	multiHeader(w, opCreate2, false, codeOK)
	w.string(path)
	w.stat(t.s.nodes[path])
	return nil
}

// multi does all of its parts or none. A failure is told part by part, while
// the reply as a whole says OK: the parts before the failed one say OK too,
// those after it "runtime inconsistency".
func (k *call) multi() error {
	parts, err := readMulti(k.in)
	return k.transact(func(t *txn) error {
		if err != nil {
			return err
		}
		start := len(k.out.b)
		for i, part := range parts {
			err := part(t, k.out)
			if err == nil {
				continue
			}
			if err == errMalformed {
				return err // of the request as a whole
			}
			t.rollback()
			k.out.b = k.out.b[:start]
			for j := range parts {
				c := codeOK
				switch {
				case j == i:
					c = codeOf(err)
				case j > i:
					c = codeRuntimeInconsistency
				}
				multiHeader(k.out, opError, false, c)
				k.out.int32(int32(c))
			}
			break
		}
		multiHeader(k.out, opError, true, -1)
		return nil
	})
}

// multiRead answers several reads, each with its own result or error. None of
// them watches, even if it asks to.
func (k *call) multiRead() error {
	for {
		op, done := k.in.int32(), k.in.bool()
		k.in.int32()
		if k.in.err != nil {
			return k.in.err
		}
		if done {
			multiHeader(k.out, opError, true, -1)
			return nil
		}
		part := call{s: k.s, c: k.c, op: op, in: k.in, out: &writer{}, unwatched: true}
		var err error
		switch op {
		case opGetData:
			err = part.getData()
		case opGetChildren:
			err = part.getChildren()
		default:
			return errMalformed
		}
		switch {
		case k.in.err != nil:
			return k.in.err
		case err != nil:
			multiHeader(k.out, opError, false, codeOf(err))
			k.out.int32(int32(codeOf(err)))
		default:
			multiHeader(k.out, op, false, codeOK)
			k.out.b = append(k.out.b, part.out.b...)
		}
	}
}
