package zkdev

import (
	"crypto/sha1"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// acl grants permissions to an identity.
type acl struct {
	perms int32
	id    identity
}

const (
	permRead = 1 << iota
	permWrite
	permCreate
	permDelete
	permAdmin
	permAll = 1<<iota - 1
)

var (
	anyone  = identity{"world", "anyone"}
	openACL = []acl{{permAll, anyone}}
)

// allow returns codeNoAuth unless one of ids has one of the permissions.
func allow(acls []acl, perm int32, ids []identity) error {
	if len(acls) == 0 {
		return nil
	}
	for _, a := range acls {
		if a.perms&perm == 0 {
			continue
		}
		if a.id == anyone {
			return nil
		}
		for _, id := range ids {
			if id.scheme == a.id.scheme && matches(id, a.id) {
				return nil
			}
		}
	}
	return codeNoAuth
}

func matches(have, want identity) bool {
	switch want.scheme {
	case "digest":
		return have.id == want.id
	case "ip":
		net, bits, ok := ipRange(want.id)
		addr, valid := ipv4(have.id)
		return ok && valid && (addr^net)>>(32-bits) == 0
	}
	return false
}

// ipRange reads an address with an optional number of leading bits that count.
func ipRange(text string) (net uint64, bits int, ok bool) {
	host, length, found := strings.Cut(text, "/")
	net, ok = ipv4(host)
	bits = 32
	if found {
		n, err := strconv.Atoi(length)
		bits, ok = n, ok && err == nil && n >= 0 && n <= 32
	}
	return net, bits, ok
}

// ipv4 reads an address. ZooKeeper 3.8 knows no other kind, and reads its parts
// as numbers, with leading zeros where there are some.
func ipv4(text string) (addr uint64, ok bool) {
	parts := strings.Split(text, ".")
	for _, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || n > 255 {
			return 0, false
		}
		addr = addr<<8 | uint64(n)
	}
	return addr, len(parts) == 4
}

// expand checks the ACL of a request and puts the requester's proven
// identities in the place of "auth".
func expand(acls []acl, ids []identity) ([]acl, error) {
	var out []acl
	for i, a := range acls {
		if slices.Contains(acls[:i], a) {
			continue
		}
		switch {
		case a.id == anyone:
			out = append(out, a)
		case a.id.scheme == "auth":
			proven := false
			for _, id := range ids {
				if id.scheme == "digest" { // an address proves nothing
					proven = true
					out = append(out, acl{a.perms, id})
				}
			}
			if !proven {
				return nil, codeInvalidACL
			}
		case a.id.scheme == "digest" && strings.Count(strings.TrimRight(a.id.id, ":"), ":") == 1:
			out = append(out, a)
		case a.id.scheme == "ip":
			if _, _, ok := ipRange(a.id.id); !ok {
				return nil, codeInvalidACL
			}
			out = append(out, a)
		default:
			return nil, codeInvalidACL
		}
	}
	if len(out) == 0 {
		return nil, codeInvalidACL
	}
	return out, nil
}

// digest is the identity that "user:password" proves.
func digest(credential string) identity {
	user, _, _ := strings.Cut(credential, ":")
	sum := sha1.Sum([]byte(credential))
	return identity{"digest", user + ":" + base64.StdEncoding.EncodeToString(sum[:])}
}

// setAuth adds to what the connection has proved to be. A scheme we do not
// know ends the connection, after an answer that says so.
func (c *conn) setAuth(xid int32, body *reader) {
	body.int32()
	scheme, secret := body.string(), body.buffer()
	var id identity
	switch {
	case body.err != nil:
		c.kill()
		return
	case scheme == "digest":
		id = digest(string(secret))
	case scheme == "ip":
		id = c.address()
	default:
		c.send(reply(xid, 0, codeAuthFailed).seal())
		c.closeAfterFlush()
		return
	}
	c.ids = withIdentity(c.ids, id)
	c.send(reply(xid, 0, codeOK).seal())
}

func (k *call) getACL() error {
	path := k.in.string()
	if k.in.err != nil {
		return k.in.err
	}
	n := k.s.node(path)
	if n == nil {
		return codeNoNode
	}
	if err := allow(n.acl, permRead|permAdmin, k.c.ids); err != nil {
		return err
	}
	acls := n.acl
	if allow(n.acl, permAdmin, k.c.ids) != nil {
		// Who may not administer a node does not see password hashes.
		acls = slices.Clone(acls)
		for i, a := range acls {
			if user, _, ok := strings.Cut(a.id.id, ":"); ok && a.id.scheme == "digest" {
				acls[i].id.id = user + ":x"
			}
		}
	}
	k.out.acls(acls)
	k.out.stat(n)
	return nil
}

func (k *call) setACL() error {
	return k.transact(func(t *txn) error {
		path, acls, version := k.in.string(), k.in.acls(), k.in.int32()
		if k.in.err != nil {
			return k.in.err
		}
		if !validPath(path) {
			return codeBadArguments
		}
		acls, err := expand(acls, t.ids)
		if err != nil {
			return err
		}
		n := t.s.nodes[path]
		if n == nil {
			return codeNoNode
		}
		if err := allow(n.acl, permAdmin, t.ids); err != nil {
			return err
		}
		if version != -1 && version != n.aversion {
			return codeBadVersion
		}
		t.setACL(path, n, acls)
		k.out.stat(n)
		return nil
	})
}
