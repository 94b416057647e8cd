package keeper

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DefaultRoot is the znode everything lives under unless Config.Root says else.
const DefaultRoot = "/conclave"

// Paths is the whole znode tree:
//
//	<root>/cluster                          persistent; the cluster id, 16 hex digits
//	<root>/nodes/<incarnation>              ephemeral; a running node, its NodeID as text
//	<root>/services/<service>/<pid>         ephemeral; one who offers the service
//	<root>/globals/<name>/<guid>-NNNNNNNNNN ephemeral, numbered; one candidate for the name
//	<root>/tasks/<scope>                    persistent; a scope of tasks, into how many parts it is divided
//	<root>/tasks/<scope>/journal            persistent; the segments of the scope's records
//	<root>/tasks/<scope>/workers/<guid>     ephemeral; a worker of the scope, its PID as text
//	<root>/tasks/<scope>/parts/NNNN         persistent; a part of a divided scope: journal and workers of its own, and
//	<root>/tasks/<scope>/parts/NNNN/epoch   persistent; the term of who may write the part's records
//	<root>/shards/<space>                   persistent; a space of parts, its settings
//	<root>/shards/<space>/members/<guid>    ephemeral; a node that may own parts
//	<root>/shards/<space>/plan              persistent; who should own which part
//	<root>/shards/<space>/owners/NNNN       ephemeral; who does own that part
//
// Names of services, globals, scopes, spaces and PIDs are escaped (see Escape), so that every
// name actor.CheckName accepts is a good znode name. The zero Paths has the
// default root. Values can be compared and copied.
type Paths struct{ root string }

// NewPaths checks root: "" for DefaultRoot, "/", or an absolute path without
// empty, "." and ".." parts, outside ZooKeeper's own /zookeeper.
func NewPaths(root string) (Paths, error) {
	if root == "" {
		root = DefaultRoot
	}
	if root == "/" {
		return Paths{"/"}, nil
	}
	if !validPath(root) {
		return Paths{}, fmt.Errorf("%w: root %q is not a path", ErrBadRequest, root)
	}
	if root == "/zookeeper" || strings.HasPrefix(root, "/zookeeper/") {
		return Paths{}, fmt.Errorf("%w: root %q is ZooKeeper's own", ErrBadRequest, root)
	}
	return Paths{root}, nil
}

func (p Paths) join(rest string) string {
	switch p.root {
	case "":
		return DefaultRoot + "/" + rest
	case "/":
		return "/" + rest
	}
	return p.root + "/" + rest
}

// Root is the znode everything lives under.
func (p Paths) Root() string {
	if p.root == "" {
		return DefaultRoot
	}
	return p.root
}

// Ancestors are the znodes above Root, from the top, without "/" itself.
func (p Paths) Ancestors() []string {
	var all []string
	root := p.Root()
	for i := 1; i < len(root); i++ {
		if root[i] == '/' {
			all = append(all, root[:i])
		}
	}
	return all
}

// Cluster holds the cluster id.
func (p Paths) Cluster() string { return p.join("cluster") }

// Nodes has a child for every running node.
func (p Paths) Nodes() string { return p.join("nodes") }

// Node belongs to the node of this incarnation.
func (p Paths) Node(incarnation uint64) string {
	return p.join("nodes/" + NodeName(incarnation))
}

// NodeName is the last part of Node: 16 hex digits.
func NodeName(incarnation uint64) string { return fmt.Sprintf("%016x", incarnation) }

// ParseNodeName reads a child of Nodes; ok is false for anything that
// NodeName does not write.
func ParseNodeName(child string) (incarnation uint64, ok bool) {
	n, err := strconv.ParseUint(child, 16, 64)
	return n, err == nil && NodeName(n) == child
}

// Services has a child for every service ever registered.
func (p Paths) Services() string { return p.join("services") }

// Service has a child for every process that offers it.
func (p Paths) Service(service string) string { return p.join("services/" + Escape(service)) }

// Member is the entry of the process pid (as text) under a service.
func (p Paths) Member(service, pid string) string {
	return p.join("services/" + Escape(service) + "/" + Escape(pid))
}

// Globals has a child for every global ever stood for.
func (p Paths) Globals() string { return p.join("globals") }

// Global has a child for every candidate for the name.
func (p Paths) Global(name string) string { return p.join("globals/" + Escape(name)) }

// CandidatePrefix is what to create with EphemeralSequential: ZooKeeper
// appends the number. The guid makes the znode findable when the outcome of
// its create is unknown.
func (p Paths) CandidatePrefix(name, guid string) string {
	return p.join("globals/" + Escape(name) + "/" + guid + "-")
}

// Candidate is one candidate's znode, from a child of Global.
func (p Paths) Candidate(name, child string) string {
	return p.join("globals/" + Escape(name) + "/" + child)
}

// Tasks has a child for every scope of tasks.
func (p Paths) Tasks() string { return p.join("tasks") }

// TaskScope is what a scope of tasks has.
func (p Paths) TaskScope(scope string) string { return p.join("tasks/" + Escape(scope)) }

// TaskJournal has a child for every segment of the scope's records.
func (p Paths) TaskJournal(scope string) string { return p.TaskScope(scope) + "/journal" }

// TaskWorkers has a child for every worker of the scope.
func (p Paths) TaskWorkers(scope string) string { return p.TaskScope(scope) + "/workers" }

// TaskWorker is the entry of one worker of the scope.
func (p Paths) TaskWorker(scope, guid string) string {
	return p.TaskWorkers(scope) + "/" + Escape(guid)
}

// TaskParts has a child for every part of a scope that is divided.
func (p Paths) TaskParts(scope string) string { return p.TaskScope(scope) + "/parts" }

// TaskPart is what a part of a scope has.
func (p Paths) TaskPart(scope string, part int) string {
	return p.TaskParts(scope) + "/" + PartName(part)
}

// TaskPartEpoch says who may write the part's records.
func (p Paths) TaskPartEpoch(scope string, part int) string {
	return p.TaskPart(scope, part) + "/epoch"
}

// TaskPartJournal has a child for every segment of the part's records.
func (p Paths) TaskPartJournal(scope string, part int) string {
	return p.TaskPart(scope, part) + "/journal"
}

// TaskPartWorkers has a child for every worker of the part.
func (p Paths) TaskPartWorkers(scope string, part int) string {
	return p.TaskPart(scope, part) + "/workers"
}

// Shards has a child for every space of parts.
func (p Paths) Shards() string { return p.join("shards") }

// Space is a space of parts.
func (p Paths) Space(space string) string { return p.join("shards/" + Escape(space)) }

// SpaceMembers has a child for every member of the space.
func (p Paths) SpaceMembers(space string) string { return p.Space(space) + "/members" }

// SpaceMember is the entry of one member of the space.
func (p Paths) SpaceMember(space, guid string) string {
	return p.SpaceMembers(space) + "/" + Escape(guid)
}

// SpacePlan holds who should own which part of the space.
func (p Paths) SpacePlan(space string) string { return p.Space(space) + "/plan" }

// SpaceOwners has a child for every part of the space that has an owner.
func (p Paths) SpaceOwners(space string) string { return p.Space(space) + "/owners" }

// SpaceOwner is the permission to own a part of the space.
func (p Paths) SpaceOwner(space string, part int) string {
	return p.SpaceOwners(space) + "/" + PartName(part)
}

// PartName is the last part of SpaceOwner: four digits or more.
func PartName(part int) string { return fmt.Sprintf("%04d", part) }

// ParsePartName reads a child of SpaceOwners; ok is false for anything that PartName
// does not write.
func ParsePartName(child string) (part int, ok bool) {
	n, err := strconv.Atoi(child)
	return n, err == nil && n >= 0 && PartName(n) == child
}

// ParseCandidate takes a child of Global apart. ok is false for what no
// candidate has made.
func ParseCandidate(child string) (guid string, number int64, ok bool) {
	i := strings.LastIndexByte(child, '-')
	if i > 0 && child[i-1] == '-' {
		i-- // the server's counter is 32 bits with a sign
	}
	if i <= 0 || i+1 == len(child) {
		return "", 0, false
	}
	digits := child[i+1:]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || len(digits) < 10 {
		return "", 0, false
	}
	return child[:i], n, true
}

// validPath says whether ZooKeeper takes path for the path of a znode.
func validPath(path string) bool {
	if path == "/" {
		return true
	}
	if path == "" || path[0] != '/' {
		return false
	}
	for part := range strings.SplitSeq(path[1:], "/") {
		if part == "" || escape(part, false) != part {
			return false
		}
	}
	return true
}

const hexDigits = "0123456789ABCDEF"

// Escape makes any text a znode name: what ZooKeeper does not allow in one
// (the slash, control characters, private-use and special characters, broken
// UTF-8, the names "." and "..") and the percent sign become %XX for each byte.
// Unescape undoes it. Most names stay as they are.
func Escape(name string) string { return escape(name, true) }

func escape(name string, percent bool) string {
	switch name {
	case "":
		return "%"
	case ".":
		return "%2E"
	case "..":
		return "%2E%2E"
	}
	clean := true
	for _, r := range name {
		if forbidden(r, percent) {
			clean = false
			break
		}
	}
	if clean {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		if !forbidden(r, percent) {
			b.WriteString(name[i : i+size])
		} else {
			for _, c := range []byte(name[i : i+size]) {
				b.WriteByte('%')
				b.WriteByte(hexDigits[c>>4])
				b.WriteByte(hexDigits[c&15])
			}
		}
		i += size
	}
	return b.String()
}

// forbidden says whether r may not stand in a znode name.
func forbidden(r rune, percent bool) bool {
	switch {
	case r == '/', r <= 0x1f, r >= 0x7f && r <= 0x9f:
		return true
	case r >= 0xe000 && r <= 0xf8ff, r >= 0xfff0:
		return true // ZooKeeper sees UTF-16: surrogates, and so all above U+FFFF, are among them
	case r == '%':
		return percent
	}
	return false
}

// Unescape undoes Escape; ok is false for what Escape does not write.
func Unescape(child string) (name string, ok bool) {
	if strings.IndexByte(child, '%') < 0 {
		return child, Escape(child) == child
	}
	if child == "%" {
		return "", true
	}
	var b strings.Builder
	for i := 0; i < len(child); i++ {
		if child[i] != '%' {
			b.WriteByte(child[i])
			continue
		}
		if i+2 >= len(child) {
			return "", false
		}
		c, err := strconv.ParseUint(child[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(c))
		i += 2
	}
	name = b.String()
	return name, Escape(name) == child
}
