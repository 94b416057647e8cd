package zkdev

// getChildren answers getChildren and getChildren2; the second also tells the
// parent's Stat.
func (k *call) getChildren() error {
	n, err := k.readable(watchChild)
	if err != nil {
		return err
	}
	k.out.strings(n.names())
	if k.op == opGetChildren2 {
		k.out.stat(n)
	}
	return nil
}

// getAllChildrenNumber counts all that is below a node.
func (k *call) getAllChildrenNumber() error {
	path := k.in.string()
	if k.in.err != nil {
		return k.in.err
	}
	n := k.s.node(path)
	if n == nil {
		return codeNoNode
	}
	if err := allow(n.acl, permRead, k.c.ids); err != nil {
		return err
	}
	count := 0
	switch path {
	case "/":
		count = len(k.s.nodes) - 1
	case "": // the root by its other name, which is not below itself
		count = len(k.s.nodes)
	default:
		count = n.below(k.s, path)
	}
	k.out.int32(int32(count))
	return nil
}

func (n *node) below(s *Server, path string) int {
	count := len(n.children)
	for name := range n.children {
		child := path + "/" + name
		count += s.nodes[child].below(s, child)
	}
	return count
}
