package zkdev

import "strings"

// setWatches replays a client's watches after it attached again: what changed
// since the last zxid it has seen is told at once, the rest is watched.
// setWatches2 also has persistent watches, which are set again and told nothing:
// what they missed is lost.
func (k *call) setWatches() error {
	seen := k.in.int64()
	data, exist, child := k.in.strings(), k.in.strings(), k.in.strings()
	var persistent, recursive []string
	if k.op == opSetWatches2 {
		persistent, recursive = k.in.strings(), k.in.strings()
	}
	if k.in.err != nil {
		return k.in.err
	}
	for _, path := range data {
		switch n := k.s.node(path); {
		case n == nil:
			k.c.event(eventDeleted, path)
		case n.mzxid > seen:
			k.c.event(eventDataChanged, path)
		default:
			k.s.watches.add(watchData, path, k.c, watchOnce)
		}
	}
	for _, path := range exist {
		if k.s.node(path) != nil {
			k.c.event(eventCreated, path)
		} else {
			k.s.watches.add(watchData, path, k.c, watchOnce)
		}
	}
	for _, path := range child {
		switch n := k.s.node(path); {
		case n == nil:
			k.c.event(eventDeleted, path)
		case n.pzxid > seen:
			k.c.event(eventChildrenChanged, path)
		default:
			k.s.watches.add(watchChild, path, k.c, watchOnce)
		}
	}
	for _, path := range persistent {
		k.s.watches.addBoth(path, k.c, watchPersistent)
	}
	for _, path := range recursive {
		k.s.watches.addBoth(path, k.c, watchRecursive)
	}
	return nil
}

// addWatch sets a persistent watch. Nothing is checked: neither that there is
// such a node, nor that the client may read it.
func (k *call) addWatch() error {
	path, mode := k.in.string(), k.in.int32()
	if k.in.err != nil {
		return k.in.err
	}
	switch mode {
	case 0:
		k.s.watches.addBoth(path, k.c, watchPersistent)
	case 1:
		k.s.watches.addBoth(path, k.c, watchRecursive)
	default:
		return codeMarshalling
	}
	k.out.int32(int32(codeOK))
	return nil
}

// watcherKinds reads what checkWatches and removeWatches are about: 1 is
// watches for children, 2 for data, 3 any.
func (k *call) watcherKinds() (path string, kinds []watchKind, err error) {
	path = k.in.string()
	what := k.in.int32()
	if k.in.err != nil {
		return "", nil, k.in.err
	}
	switch what {
	case 1:
		kinds = []watchKind{watchChild}
	case 2:
		kinds = []watchKind{watchData}
	case 3:
		kinds = []watchKind{watchChild, watchData}
	default:
		return "", nil, codeMarshalling
	}
	return path, kinds, nil
}

// checkWatches asks whether a path is watched. As in ZooKeeper 3.8 a watch of
// another client will do.
func (k *call) checkWatches() error {
	path, kinds, err := k.watcherKinds()
	if err != nil {
		return err
	}
	if path != "" && !strings.Contains(path, "/") {
		return codeMarshalling // it looks for a parent
	}
	found := false
	for _, kind := range kinds {
		found = found || path != "" && len(k.s.watches[kind].by[path]) > 0
	}
	if !found {
		return codeNoWatcher
	}
	return nil
}

// removeWatches takes out the client's watches, one-shot and persistent.
func (k *call) removeWatches() error {
	path, kinds, err := k.watcherKinds()
	if err != nil {
		return err
	}
	found := false
	for _, kind := range kinds {
		if k.s.watches.remove(kind, path, k.c) {
			found = true
		}
	}
	if !found {
		return codeNoWatcher
	}
	return nil
}
