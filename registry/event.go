package registry

import "fmt"

// EventKind says what an [Event] is about.
type EventKind uint8

const (
	// EventStray: somebody put a child under a service (or under /nodes) that
	// cannot be read. It is skipped. Told once for each child.
	EventStray EventKind = iota + 1
	// EventWatchRepaired: a list had changed and no watch had told.
	EventWatchRepaired
	// EventWentBack: ZooKeeper answers with an older state than it had shown
	// before, and stands by it: it was restored from a backup, or lost a write.
	EventWentBack
	// EventRegistrationRefused: a registration could not be made again; it will
	// be tried further.
	EventRegistrationRefused
	// EventRegistrationGone: somebody deleted a registration of ours; it is made
	// again.
	EventRegistrationGone
)

func (k EventKind) String() string {
	switch k {
	case EventStray:
		return "stray child"
	case EventWatchRepaired:
		return "watch repaired"
	case EventWentBack:
		return "went back in time"
	case EventRegistrationRefused:
		return "registration refused"
	case EventRegistrationGone:
		return "registration gone"
	}
	return fmt.Sprintf("event %d", uint8(k))
}

// Event is a fact that an operator may want to know.
type Event struct {
	Kind    EventKind
	Service string // empty: the list of services, or of nodes
	Child   string // the znode's name, where it is about one
	Err     error  // why, where there is a reason
}

func (e Event) String() string {
	s := e.Kind.String()
	if e.Service != "" {
		s += fmt.Sprintf(", service %q", e.Service)
	}
	if e.Child != "" {
		s += fmt.Sprintf(", child %q", e.Child)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}
