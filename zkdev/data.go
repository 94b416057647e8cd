package zkdev

import "strings"

type setRequest struct {
	path    string
	data    []byte
	version int32 // -1: any
}

func readSet(r *reader) setRequest {
	return setRequest{path: r.string(), data: r.buffer(), version: r.int32()}
}

func (t *txn) set(r setRequest) (*node, error) {
	n, err := t.versioned(versionRequest{r.path, r.version}, permWrite)
	if err != nil {
		return nil, err
	}
	t.setData(r.path, n, r.data)
	return n, nil
}

func (t *txn) check(r versionRequest) error {
	_, err := t.versioned(r, permRead)
	return err
}

// versioned finds the node a conditional request is about.
func (t *txn) versioned(r versionRequest, perm int32) (*node, error) {
	if !validPath(r.path) {
		return nil, codeBadArguments
	}
	n := t.s.nodes[r.path]
	if n == nil {
		return nil, codeNoNode
	}
	if err := allow(n.acl, perm, t.ids); err != nil {
		return nil, err
	}
	if r.version != -1 && r.version != n.version {
		return nil, codeBadVersion
	}
	return n, nil
}

func (k *call) setData() error {
	return k.transact(func(t *txn) error {
		r := readSet(k.in)
		if k.in.err != nil {
			return k.in.err
		}
		n, err := t.set(r)
		if err == nil {
			k.out.stat(n)
		}
		return err
	})
}

// check on its own is of no use: ZooKeeper 3.8 answers only those that fail.
// We answer all.
func (k *call) check() error {
	return k.transact(func(t *txn) error {
		r := readVersion(k.in)
		if k.in.err != nil {
			return k.in.err
		}
		return t.check(r)
	})
}

// exists watches for the node's creation too: its watch stays even if there is
// no such node.
func (k *call) exists() error {
	path, watch := k.in.string(), k.in.bool()
	if k.in.err != nil {
		return k.in.err
	}
	if strings.Contains(path, "\x00") {
		return codeBadArguments
	}
	if watch {
		k.s.watches.add(watchData, path, k.c, watchOnce)
	}
	n := k.s.node(path)
	if n == nil {
		return codeNoNode
	}
	k.out.stat(n)
	return nil
}

func (k *call) getData() error {
	n, err := k.readable(watchData)
	if err != nil {
		return err
	}
	k.out.buffer(n.data)
	k.out.stat(n)
	return nil
}

// readable reads the common request for a node's data or children: a path and
// whether to watch it, which only a successful read does.
func (k *call) readable(kind watchKind) (*node, error) {
	path, watch := k.in.string(), k.in.bool()
	if k.in.err != nil {
		return nil, k.in.err
	}
	n := k.s.node(path)
	if n == nil {
		return nil, codeNoNode
	}
	if err := allow(n.acl, permRead, k.c.ids); err != nil {
		return nil, err
	}
	if watch && !k.unwatched {
		k.s.watches.add(kind, path, k.c, watchOnce)
	}
	return n, nil
}
