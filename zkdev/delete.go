package zkdev

type versionRequest struct {
	path    string
	version int32 // -1: any
}

func readVersion(r *reader) versionRequest {
	return versionRequest{path: r.string(), version: r.int32()}
}

func (t *txn) delete(r versionRequest) error {
	if !splittable(r.path) || special(r.path) {
		return codeBadArguments
	}
	parentPath, _ := parentOf(r.path)
	parent := t.s.nodes[parentPath]
	if parent == nil {
		return codeNoNode
	}
	if err := allow(parent.acl, permDelete, t.ids); err != nil {
		return err
	}
	n := t.s.nodes[r.path]
	switch {
	case n == nil:
		return codeNoNode
	case r.version != -1 && r.version != n.version:
		return codeBadVersion
	case len(n.children) > 0:
		return codeNotEmpty
	}
	t.remove(r.path)
	return nil
}

func (k *call) delete() error {
	return k.transact(func(t *txn) error {
		r := readVersion(k.in)
		if k.in.err != nil {
			return k.in.err
		}
		return t.delete(r)
	})
}
