package zkdev

import "strings"

// whoAmI tells what the connection has proved to be, without secrets: of a
// digest the user's name.
func (k *call) whoAmI() error {
	k.out.int32(int32(len(k.c.ids)))
	for _, id := range k.c.ids {
		user := id.id
		if id.scheme == "digest" {
			user, _, _ = strings.Cut(user, ":")
		}
		k.out.string(id.scheme)
		k.out.string(user)
	}
	return nil
}

// reconfig is off, as ZooKeeper has it by default.
func (k *call) reconfig() error {
	for range 3 { // joining, leaving, new members: each may be null
		k.in.buffer()
	}
	k.in.int64()
	if k.in.err != nil {
		return k.in.err
	}
	return k.transact(func(*txn) error { return codeReconfigDisabled })
}
