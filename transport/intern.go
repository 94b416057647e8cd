package transport

// Bounds of a table of interned names, for each lane and direction. They are
// part of the protocol: a definition beyond them ends the link.
const (
	maxInterned      = 1 << 16
	maxInternedBytes = 4 << 20
)

// Name codes. Codes from codeFirst on name an entry of the table.
const (
	codeDefine  = 0 // a name follows and enters the table
	codeLiteral = 1 // a name follows and does not
	codeFirst   = 2
)

// internRoom reports whether a table with so many entries and bytes has room
// for one more name. Both ends must come to the same answer.
func internRoom(entries, bytes int, size int) bool {
	return entries < maxInterned && bytes+size <= maxInternedBytes
}

// sentNames is the sender's half of a table: code by name.
type sentNames struct {
	codes map[string]uint64
	bytes int
}

// lastName is the name of the frame before: it is mostly the same string, and
// then comparing costs less than hashing.
type lastName struct {
	name string
	code uint64
}

// code returns the code for name: of its entry, or codeDefine if it has none
// and there is room, or codeLiteral. It changes nothing but last.
func (t *sentNames) code(name string, last *lastName) uint64 {
	if name == "" {
		return codeLiteral
	}
	if name == last.name {
		return last.code
	}
	if code, ok := t.codes[name]; ok {
		last.name, last.code = name, code
		return code
	}
	if internRoom(len(t.codes), t.bytes, len(name)) {
		return codeDefine
	}
	return codeLiteral
}

// next returns the code that the next definition gets.
func (t *sentNames) next() uint64 { return uint64(len(t.codes)) + codeFirst }

// define enters name, whose code was codeDefine.
func (t *sentNames) define(name string) {
	if t.codes == nil {
		t.codes = make(map[string]uint64)
	}
	// The caller's string may be a small part of something big.
	own := string(append([]byte(nil), name...))
	t.codes[own] = t.next()
	t.bytes += len(own)
}

// heardNames is the receiver's half: name by number.
type heardNames struct {
	names []string
	bytes int
}

// define enters name, and reports whether the sender may do so.
func (t *heardNames) define(name []byte) (string, bool) {
	if len(name) == 0 || !internRoom(len(t.names), t.bytes, len(name)) {
		return "", false
	}
	own := string(name)
	t.names = append(t.names, own)
	t.bytes += len(own)
	return own, true
}

// at returns the name that code stands for.
func (t *heardNames) at(code uint64) (string, bool) {
	if i := code - codeFirst; i < uint64(len(t.names)) {
		return t.names[i], true
	}
	return "", false
}
