//conclave:pure

package actor

// heard is what a node makes of a term number.
type heard uint8

const (
	heardStale   heard = iota // a higher one was heard before: turn it away
	heardCurrent              // it is the highest
	heardRaised               // it is the highest from now on
)

// hear is the term table's step for one scope, whose highest number so far it is
// given (0: none was heard; ZooKeeper's numbers begin at 1). It returns the
// highest from then on. A number is never forgotten while its cluster lasts, so
// what is turned away once is turned away for ever.
func hear(highest, number int64) (int64, heard) {
	switch {
	case number < highest:
		return highest, heardStale
	case number == highest:
		return highest, heardCurrent
	default:
		return number, heardRaised
	}
}
