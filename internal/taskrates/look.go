//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// sight is what there is to see at one moment.
type sight struct {
	at           time.Time
	done         int64
	cpu          map[role]time.Duration // of all processes of a role together
	dispatchers  []time.Duration        // of each
	zk           time.Duration
	transactions int64
}

// result is what was measured of one way, once.
type result struct {
	rate         float64          // tasks a second
	cpu          map[role]float64 // milliseconds of CPU for a thousand tasks, by role
	zk           float64          // the same, of ZooKeeper
	busiest      float64          // of the dispatching processes: share of a core
	transactions float64          // of ZooKeeper, for a task
}

// look looks at everything.
func (b *bench) look(all []*party) (s sight, err error) {
	s.cpu = make(map[role]time.Duration)
	tell(all, "mark")
	for _, p := range all {
		if p.role != submits {
			continue
		}
		select {
		case told := <-p.told:
			if told.Failed != "" {
				return s, errors.New("a caller has failed: " + told.Failed)
			}
			s.done += told.Done
		case <-time.After(patience):
			return s, fmt.Errorf("%s does not answer", p.name)
		}
	}
	s.at = time.Now()
	for _, p := range all {
		used, err := cpu(p.PID())
		if err != nil {
			return s, fmt.Errorf("%s: %w", p.name, err)
		}
		s.cpu[p.role] += used
		if p.role == dispatches {
			s.dispatchers = append(s.dispatchers, used)
		}
	}
	if s.zk, err = cpu(b.zk.Pid(0)); err != nil {
		return s, err
	}
	s.transactions, err = b.transactions()
	return s, err
}

// cpu is what a process has used.
func cpu(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, nil
}

// transactions are those that ZooKeeper has done in its present epoch.
func (b *bench) transactions() (int64, error) {
	text, err := b.zk.Word(0, "srvr")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(text, "Zxid: ")
	var zxid uint64
	if _, err := fmt.Sscanf(rest, "0x%x", &zxid); err != nil {
		return 0, fmt.Errorf("ZooKeeper says %q: %w", text, err)
	}
	return int64(zxid & 0xffffffff), nil
}

// since is what was between two looks.
func (s sight) since(before sight) result {
	took, done := s.at.Sub(before.at), float64(max(s.done-before.done, 1))
	r := result{rate: done / took.Seconds(), cpu: make(map[role]float64)}
	for of, used := range s.cpu {
		r.cpu[of] = 1000 * (used - before.cpu[of]).Seconds() * 1000 / done
	}
	for i, used := range s.dispatchers {
		r.busiest = max(r.busiest, (used-before.dispatchers[i]).Seconds()/took.Seconds())
	}
	r.zk = 1000 * (s.zk - before.zk).Seconds() * 1000 / done
	r.transactions = float64(s.transactions-before.transactions) / done
	return r
}

// atACore is how many tasks a second it would be with the busiest dispatching process
// at one core.
func (r result) atACore() float64 { return r.rate / max(r.busiest, 0.01) }
