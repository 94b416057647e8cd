//conclave:pure

package global

import "conclave/actor"

// inheritance is what a candidate has been told to expect of the holder right
// ahead of it, and the state once that has come. It is bound to that candidate's
// znode: nobody could get in between the two, so if the candidate is elected, its
// term is the next after the holder's. Under any other znode the node may have
// come late, and the state be out of date.
type inheritance struct {
	candidate string       // our znode; "": nothing is expected
	from      actor.NodeID // the holder's node
	number    int64        // and its term
	state     any
	there     bool
}

// expect is a new announcement; what was expected before is forgotten.
func expect(candidate string, from actor.NodeID, number int64) inheritance {
	return inheritance{candidate: candidate, from: from, number: number}
}

// receive takes the state, if it is what is expected. It says whether it was.
func (i inheritance) receive(candidate string, from actor.NodeID, number int64, state any) (inheritance, bool) {
	if candidate == "" || i.candidate != candidate || i.from != from || i.number != number {
		return i, false
	}
	i.state, i.there = state, true
	return i, true
}

// due is what a term inherits that candidate begins with that number.
func (i inheritance) due(candidate string, number int64) (state any, ok bool) {
	if !i.there || i.candidate != candidate || number <= i.number {
		return nil, false
	}
	return i.state, true
}
