package zkdev

import "fmt"

// Flags of a create request.
const (
	flagPersistent          = 0
	flagEphemeral           = 1
	flagSequential          = 2
	flagEphemeralSequential = 3
	flagContainer           = 4 // means what it says in createContainer and in a multi
	flagTTL                 = 5
	flagTTLSequential       = 6
)

type createRequest struct {
	op    int32
	path  string
	data  []byte
	acl   []acl
	flags int32
	ttl   int64 // milliseconds; -1 in all but createTTL
}

func readCreate(r *reader, op int32) createRequest {
	req := createRequest{op: op, path: r.string(), data: r.buffer(), acl: r.acls(), flags: r.int32(), ttl: -1}
	if op == opCreateTTL {
		req.ttl = r.int64()
	}
	return req
}

func (r createRequest) wantsTTL() bool { return r.flags == flagTTL || r.flags == flagTTLSequential }

func (r createRequest) sequential() bool {
	return r.flags == flagSequential || r.flags == flagEphemeralSequential || r.flags == flagTTLSequential
}

// create makes a node and returns the path it got.
func (t *txn) create(r createRequest) (string, error) {
	switch {
	case r.flags < flagPersistent || r.flags > flagTTLSequential:
		return "", codeBadArguments
	case r.wantsTTL() && !t.s.cfg.ExtendedTypes:
		return "", codeUnimplemented
	case r.wantsTTL() != (r.op == opCreateTTL), r.wantsTTL() && (r.ttl <= 0 || r.ttl > maxTTL):
		// The real server also takes a createTTL whose flags want none and
		// whose time is negative, and ends.
		return "", codeBadArguments
	case !splittable(r.path):
		return "", codeBadArguments
	}
	acls, err := expand(r.acl, t.ids)
	if err != nil {
		return "", err
	}
	parentPath, _ := parentOf(r.path)
	parent := t.s.nodes[parentPath]
	if parent == nil {
		return "", codeNoNode
	}
	if err := allow(parent.acl, permCreate, t.ids); err != nil {
		return "", err
	}
	path := r.path
	if r.sequential() {
		path += fmt.Sprintf("%010d", parent.created)
	}
	switch {
	case !validPath(path):
		return "", codeBadArguments
	case t.s.nodes[path] != nil:
		return "", codeNodeExists
	case ephemeral(parent.owner):
		return "", codeNoChildrenForEphemerals
	}
	n := &node{data: r.data, acl: acls}
	switch {
	case r.op == opCreateContainer:
		n.owner = containerOwner
	case r.op == opCreateTTL:
		n.owner = ttlOwner(r.ttl)
	case r.flags == flagEphemeral, r.flags == flagEphemeralSequential:
		n.owner = t.owner
	}
	t.insert(path, n)
	return path, nil
}

// create answers create and its kin; all but the plain one also tell the Stat.
func (k *call) create() error {
	return k.transact(func(t *txn) error {
		r := readCreate(k.in, k.op)
		if k.in.err != nil {
			return k.in.err
		}
		path, err := t.create(r)
		if err != nil {
			return err
		}
		k.out.string(path)
		if k.op != opCreate {
			k.out.stat(t.s.nodes[path])
		}
		return nil
	})
}
