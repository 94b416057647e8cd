package zkdev

import (
	"maps"
	"slices"
	"strings"
)

// getEphemerals lists the client's own ephemerals whose paths begin with a
// prefix, which need not end where a name does. All are those of an empty or null one,
// and of the root.
func (k *call) getEphemerals() error {
	prefix := string(k.in.buffer())
	if k.in.err != nil {
		return k.in.err
	}
	trimmed := strings.TrimFunc(prefix, func(c rune) bool { return c <= ' ' })
	all := trimmed == "" || trimmed == "/"
	var paths []string
	for _, path := range slices.Sorted(maps.Keys(k.c.session.ephemerals)) {
		if all || strings.HasPrefix(path, prefix) {
			paths = append(paths, path)
		}
	}
	k.out.strings(paths)
	return nil
}
