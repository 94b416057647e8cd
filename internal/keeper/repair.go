package keeper

import "context"

// Repair reads every watched znode again, without a watch, and calls the watch
// functions of those that have changed unnoticed; it returns how many. The
// session does this by itself after every reconnect. It stops, with an error,
// when the connection or ctx ends.
func (s *Session) Repair(ctx context.Context) (repaired int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type outcome struct {
		missed int
		err    error
	}
	suspects := s.watch.suspects()
	work := make(chan suspect)
	results := make(chan outcome)
	readers := min(repairReaders, len(suspects))
	for range readers {
		go func() {
			var o outcome
			for sus := range work {
				if o.err != nil {
					continue
				}
				var missed int
				missed, o.err = s.repairOne(ctx, sus)
				o.missed += missed
				if o.err != nil {
					cancel(o.err)
				}
			}
			results <- o
		}()
	}
	for _, sus := range suspects {
		work <- sus
	}
	close(work)
	for range readers {
		o := <-results
		repaired += o.missed
		if err == nil {
			err = o.err
		}
	}
	return repaired, err
}

// repairReaders bounds the reads of a Repair that are under way.
const repairReaders = 16

func (s *Session) repairOne(ctx context.Context, sus suspect) (int, error) {
	c := call{kind: kindRepair, op: "exists", path: sus.path, urgent: true}
	stat, exists, err := s.exists(ctx, c, nil)
	if err != nil {
		return 0, err
	}
	missed, fns := s.watch.inspect(sus, exists, stat)
	s.k.count.repaired.Add(uint64(missed))
	for _, fn := range fns {
		fn(causeRepair)
	}
	return missed, nil
}
