package task

import (
	"fmt"

	"conclave/codec"
	"conclave/internal/keeper"
)

// area is what one dispatcher and its workers are for: a scope, or a part of one.
type area struct {
	scope string
	part  int
	parts int // of the scope; below 2: it is not divided
}

func (a area) divided() bool { return a.parts > 1 }

// String is for people.
func (a area) String() string {
	if a.divided() {
		return fmt.Sprintf("%q, part %d", a.scope, a.part)
	}
	return fmt.Sprintf("%q", a.scope)
}

// journal is where the records are.
func (a area) journal(p keeper.Paths) string {
	if a.divided() {
		return p.TaskPartJournal(a.scope, a.part)
	}
	return p.TaskJournal(a.scope)
}

// workers is where the workers are.
func (a area) workers(p keeper.Paths) string {
	if a.divided() {
		return p.TaskPartWorkers(a.scope, a.part)
	}
	return p.TaskWorkers(a.scope)
}

// worker is one worker's znode.
func (a area) worker(p keeper.Paths, guid string) string {
	return a.workers(p) + "/" + keeper.Escape(guid)
}

// znode is one that stays.
type znode struct {
	path string
	data []byte
}

// ground is what has to be there before anything of the area's can be, from the top.
func (a area) ground(p keeper.Paths) []znode {
	all := []znode{{p.Tasks(), nil}, {p.TaskScope(a.scope), encodeDivision(a.parts)}}
	if a.divided() {
		all = append(all, znode{p.TaskParts(a.scope), nil}, znode{p.TaskPart(a.scope, a.part), nil})
	}
	return all
}

// division is the data of a scope's znode, if it is divided. Whoever makes the znode
// has decided for ever.
type division struct {
	Version int `msgpack:"v"`
	Parts   int `msgpack:"p"`
}

const divisionVersion = 1

func encodeDivision(parts int) []byte {
	if parts < 2 {
		return nil
	}
	return encode(division{divisionVersion, parts})
}

// decodeDivision says false for what nobody of us has written.
func decodeDivision(data []byte) (d division, ok bool) {
	err := codec.Decode("task.division", data, &d)
	return d, err == nil && d.Version > 0 && (d.Version > divisionVersion || d.Parts > 1 && d.Parts <= MaxParts)
}
