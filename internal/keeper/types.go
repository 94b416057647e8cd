package keeper

import (
	"crypto/sha1"
	"encoding/base64"
	"log/slog"
)

// Stat is what ZooKeeper keeps about a znode beside its data.
type Stat struct {
	Czxid          int64 // transaction that created it; never used twice in one cluster
	Mzxid          int64 // transaction that last wrote its data
	Pzxid          int64 // transaction that last added or removed a child
	Ctime          int64 // server's clock at creation, ms since 1970
	Mtime          int64 // server's clock at the last write, ms since 1970
	Version        int32 // writes to its data since creation
	Cversion       int32 // changes to its set of children
	Aversion       int32 // changes to its ACL
	DataLength     int32 // bytes of data
	NumChildren    int32 // children now
	EphemeralOwner int64 // session that owns it; 0 unless ephemeral
}

// Mode says how long a created znode lives and whether its name gets a number.
type Mode uint8

const (
	// Persistent znodes stay until deleted.
	Persistent Mode = iota
	// Ephemeral znodes vanish with the session that made them.
	Ephemeral
	// PersistentSequential znodes get ten digits appended to their name.
	PersistentSequential
	// EphemeralSequential znodes are both.
	EphemeralSequential
)

// Perms of an ACL, to be or-ed.
const (
	PermRead int32 = 1 << iota
	PermWrite
	PermCreate
	PermDelete
	PermAdmin
	PermAll = PermRead | PermWrite | PermCreate | PermDelete | PermAdmin
)

// ACL permits one identity to do something with a znode.
type ACL struct {
	Perms      int32
	Scheme, ID string
}

// OpenACL lets anybody do anything: ZooKeeper's own default and ours.
func OpenACL() []ACL { return []ACL{{PermAll, "world", "anyone"}} }

// DigestACL gives perms to who presents DigestCredential(user, password).
func DigestACL(perms int32, user, password string) []ACL {
	sum := sha1.Sum([]byte(user + ":" + password))
	return []ACL{{perms, "digest", user + ":" + base64.StdEncoding.EncodeToString(sum[:])}}
}

// Credential is presented to ZooKeeper at the start of every session and on
// every reconnect. It prints without its secret.
type Credential struct {
	Scheme string // "digest", or another that the servers know
	Auth   []byte // for digest "user:password"
}

// DigestCredential is what DigestACL asks for.
func DigestCredential(user, password string) Credential {
	return Credential{Scheme: "digest", Auth: []byte(user + ":" + password)}
}

// String tells the scheme only.
func (c Credential) String() string { return c.Scheme + ":(hidden)" }

// GoString tells the scheme only.
func (c Credential) GoString() string { return c.String() }

// LogValue tells the scheme only.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }
