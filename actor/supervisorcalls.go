package actor

// ChildInfo is what [WhichChildren] shows of a child.
type ChildInfo struct {
	Name  string
	State ChildState
	// PID is its process; zero when it is down.
	PID PID
	// Reason is why its last process ended; nil when none has.
	Reason error
	// Stuck says that it was told to stop, has not returned, and its time to do
	// so has passed.
	Stuck bool
}

// What a supervisor is called with: values of this node.
type (
	startChild     struct{ spec Child }
	terminateChild struct{ name string }
	restartChild   struct{ name string }
	deleteChild    struct{ name string }
	whichChildren  struct{}
	childDone      struct{}
)

// StartChild gives the supervisor another child, its last in order, and returns
// the child's PID once it counts as started. If it fails before, it is no child,
// and the error is [ErrNotStarted]. The supervisor must be on this node, and so
// for the calls that follow; c is the caller's process or its node.
func StartChild(c Caller, supervisor PID, child Child) (PID, error) {
	child, err := child.complete()
	if err != nil {
		return PID{}, err
	}
	return Call[PID](c, supervisor, startChild{child})
}

// TerminateChild stops a child, which stays known and down (a [Temporary] one
// goes). It returns when the child's code has; [ErrStuck]: it has not in time.
func TerminateChild(c Caller, supervisor PID, name string) error {
	_, err := Call[childDone](c, supervisor, terminateChild{name})
	return err
}

// RestartChild stops a child, if it runs, starts it, and returns its new PID. No
// other child is touched, and it does not count against Intensity.
func RestartChild(c Caller, supervisor PID, name string) (PID, error) {
	return Call[PID](c, supervisor, restartChild{name})
}

// DeleteChild makes the supervisor forget a child that was terminated or has
// ended and is not to start again; any other is [ErrChildBusy].
func DeleteChild(c Caller, supervisor PID, name string) error {
	_, err := Call[childDone](c, supervisor, deleteChild{name})
	return err
}

// WhichChildren lists the children in the order of their start.
func WhichChildren(c Caller, supervisor PID) ([]ChildInfo, error) {
	return Call[[]ChildInfo](c, supervisor, whichChildren{})
}
