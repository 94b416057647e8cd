//conclave:pure

package shard

import (
	"errors"
	"fmt"
	"maps"

	"conclave/actor"
	"conclave/codec"
)

// settings are what all members of a space have to agree on: the data of the space's
// znode.
type settings struct {
	Version int               `msgpack:"v"`
	Parts   int               `msgpack:"p"`
	Needs   map[string]string `msgpack:"n,omitempty"`
}

// memberRecord is the data of a member's znode.
type memberRecord struct {
	Node    string            `msgpack:"n"` // actor.NodeID, as text
	Weight  int               `msgpack:"w"` // 0: it owns nothing
	Labels  map[string]string `msgpack:"l,omitempty"`
	Leaving bool              `msgpack:"x,omitempty"` // it wants to own nothing any more
	Door    string            `msgpack:"d,omitempty"` // the PID of its door, as text
}

// recordVersion is the version of settings that this program writes and reads.
const recordVersion = 1

// ErrMismatch: the space was opened before with other settings, which are fixed for
// ever. It is another space, or a mistake.
var ErrMismatch = errors.New("shard: the space has other settings")

func encode(v any) []byte {
	data, _, err := codec.Append(nil, v)
	if err != nil {
		panic(fmt.Sprintf("shard: a record that cannot be encoded: %v", err)) // they have no such fields
	}
	return data
}

func readSettings(data []byte) (s settings, err error) {
	if err = codec.Decode("shard.settings", data, &s); err != nil {
		return s, fmt.Errorf("%w: the znode of the space holds something else: %w", ErrMismatch, err)
	}
	switch {
	case s.Version > recordVersion:
		return s, fmt.Errorf("%w: they were written by a later version (%d, this one knows %d)", ErrMismatch, s.Version, recordVersion)
	case s.Version < 1 || s.Parts < 1 || s.Parts > MaxParts:
		return s, fmt.Errorf("%w: the znode of the space holds something else: version %d, %d parts", ErrMismatch, s.Version, s.Parts)
	}
	return s, nil
}

// fits says whether a Config agrees with what is fixed.
func (s settings) fits(c Config) error {
	switch {
	case c.Parts != 0 && c.Parts != s.Parts:
		return fmt.Errorf("%w: it has %d parts, not %d", ErrMismatch, s.Parts, c.Parts)
	case len(c.Needs) > 0 && !maps.Equal(c.Needs, s.Needs):
		return fmt.Errorf("%w: members need the labels %v, not %v", ErrMismatch, s.Needs, c.Needs)
	}
	return nil
}

// settingsOf are those of the first to open a space.
func settingsOf(c Config) settings {
	s := settings{Version: recordVersion, Parts: c.Parts, Needs: c.Needs}
	if s.Parts == 0 && !c.Watch {
		s.Parts = DefaultParts
	}
	return s
}

func readMember(data []byte) (r memberRecord, id actor.NodeID, err error) {
	if err = codec.Decode("shard.memberRecord", data, &r); err != nil {
		return r, id, err
	}
	if r.Weight < 0 || r.Weight > MaxWeight {
		return r, id, fmt.Errorf("a weight of %d", r.Weight)
	}
	id, err = actor.ParseNodeID(r.Node)
	return r, id, err
}

// share is what the member counts for in a plan.
func (r memberRecord) share(needs map[string]string) int {
	if r.Leaving || !r.fits(needs) {
		return 0
	}
	return r.Weight
}

// fits says whether the member has the labels that it needs to own parts.
func (r memberRecord) fits(needs map[string]string) bool {
	for k, v := range needs {
		if has, ok := r.Labels[k]; !ok || has != v {
			return false
		}
	}
	return true
}
