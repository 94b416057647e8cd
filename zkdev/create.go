package zkdev

import "fmt"

// Flags of a create request.
const (
	flagPersistent          = 0
	flagEphemeral           = 1
	flagSequential          = 2
	flagEphemeralSequential = 3
	flagContainer           = 4 // in this request as good as persistent
	flagTTL                 = 5
	flagTTLSequential       = 6
)

type createRequest struct {
	path  string
	data  []byte
	acl   []acl
	flags int32
}

func readCreate(r *reader) createRequest {
	return createRequest{path: r.string(), data: r.buffer(), acl: r.acls(), flags: r.int32()}
}

// create makes a node and returns the path it got.
func (t *txn) create(r createRequest) (string, error) {
	switch {
	case r.flags < flagPersistent || r.flags > flagTTLSequential:
		return "", codeBadArguments
	case r.flags == flagTTL, r.flags == flagTTLSequential:
		return "", codeBadArguments // no time to live can be told here
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
	if r.flags == flagSequential || r.flags == flagEphemeralSequential {
		path += fmt.Sprintf("%010d", parent.created)
	}
	switch {
	case !validPath(path):
		return "", codeBadArguments
	case t.s.nodes[path] != nil:
		return "", codeNodeExists
	case parent.owner != 0:
		return "", codeNoChildrenForEphemerals
	}
	n := &node{data: r.data, acl: acls}
	if r.flags == flagEphemeral || r.flags == flagEphemeralSequential {
		n.owner = t.owner
	}
	t.insert(path, n)
	return path, nil
}

// create answers create and create2; the second also tells the Stat.
func (k *call) create() error {
	return k.transact(func(t *txn) error {
		r := readCreate(k.in)
		if k.in.err != nil {
			return k.in.err
		}
		path, err := t.create(r)
		if err != nil {
			return err
		}
		k.out.string(path)
		if k.op == opCreate2 {
			k.out.stat(t.s.nodes[path])
		}
		return nil
	})
}
