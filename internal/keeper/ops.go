package keeper

// MaxRequest is the size in bytes above which a request is refused with
// ErrTooLarge instead of being sent: a server drops the connection, and with
// it every request under way, at about 1 MB.
const MaxRequest = 900 << 10

// AnyVersion as the version of a Set, Delete or Check accepts every version.
const AnyVersion int32 = -1

type opKind uint8

const (
	opCreate opKind = iota
	opSet
	opDelete
	opCheck
)

func (k opKind) String() string {
	return [...]string{"create", "set", "delete", "check"}[k]
}

// Op is one operation of a Multi: all of them happen, or none.
type Op struct {
	kind    opKind
	fence   bool
	path    string
	data    []byte
	mode    Mode
	version int32
}

// CreateOp creates path with data, under the Keeper's ACL.
func CreateOp(path string, data []byte, mode Mode) Op {
	return Op{kind: opCreate, path: path, data: data, mode: mode, version: AnyVersion}
}

// SetOp replaces the data of path if it has this version (or AnyVersion).
func SetOp(path string, data []byte, version int32) Op {
	return Op{kind: opSet, path: path, data: data, version: version}
}

// DeleteOp deletes path if it has this version (or AnyVersion) and no children.
func DeleteOp(path string, version int32) Op {
	return Op{kind: opDelete, path: path, version: version}
}

// CheckOp changes nothing, and lets the Multi fail unless path is there with
// this version (or AnyVersion).
func CheckOp(path string, version int32) Op {
	return Op{kind: opCheck, path: path, version: version}
}

// Path is the znode that the operation is for.
func (o Op) Path() string { return o.path }

// size is about what the operation takes in a request; it may say more than
// the truth by a few bytes, never less.
func (o Op) size(acl []ACL) int {
	n := 9 + 4 + len(o.path) + 4 + len(o.data) + 4
	if o.kind == opCreate {
		n += 4
		for _, a := range acl {
			n += 12 + len(a.Scheme) + len(a.ID)
		}
	}
	return n
}

// Result is what one operation of a successful Multi brought.
type Result struct {
	// Path is the full name of what a CreateOp made.
	Path string
	// Stat is the znode after a SetOp; zero for the others.
	Stat Stat
}
