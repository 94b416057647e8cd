package actor

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// ErrBadName is wrapped by every error about a name that cannot be used.
var ErrBadName = errors.New("bad name")

// MaxName is the longest name, in bytes.
const MaxName = 255

// CheckName says whether a name can be given to a process, a service or a
// global: 1 to 255 bytes of UTF-8 without "/", control characters and the few
// ranges that ZooKeeper keeps out of its paths (names become znodes), and
// neither "." nor "..". The error quotes the name and wraps [ErrBadName].
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrBadName)
	case len(name) > MaxName:
		return fmt.Errorf("%w %.40q...: %d bytes, at most %d are allowed", ErrBadName, name, len(name), MaxName)
	case name == "." || name == "..":
		return fmt.Errorf("%w %q: ZooKeeper does not allow it in a path", ErrBadName, name)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w %q: not UTF-8", ErrBadName, name)
	}
	for _, r := range name {
		switch {
		case r == '/':
			return fmt.Errorf("%w %q: a slash is not allowed", ErrBadName, name)
		case r < 0x20 || 0x7f <= r && r <= 0x9f:
			return fmt.Errorf("%w %q: control character %U is not allowed", ErrBadName, name, r)
		case 0xe000 <= r && r <= 0xf8ff || 0xfff0 <= r && r <= 0xffff:
			return fmt.Errorf("%w %q: character %U is not allowed in a ZooKeeper path", ErrBadName, name, r)
		}
	}
	return nil
}
