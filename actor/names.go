package actor

import (
	"fmt"
	"slices"
)

// Register gives a process of this node a local name. ErrNameTaken: another
// living process has it; NoProcess: pid lives here no more.
func (s *System) Register(name string, pid PID) error {
	if err := CheckName(name); err != nil {
		return err
	}
	p := s.table.get(pid.serial)
	if p == nil || pid.node != s.self.node {
		return fmt.Errorf("register %q: %s: %w", name, pid, NoProcess)
	}
	s.namesIn.Lock()
	defer s.namesIn.Unlock()
	added, err := s.addName(name, p)
	if added && s.cfg.Directory != nil {
		s.cfg.Directory.NameChanged(name, pid, true)
	}
	return err
}

func (s *System) addName(name string, p *Process) (added bool, err error) {
	s.namesMu.Lock()
	defer s.namesMu.Unlock()
	if holder, taken := s.names[name]; taken {
		if holder == p.pid {
			return false, nil
		}
		return false, fmt.Errorf("register %q: %w by %s", name, ErrNameTaken, holder)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return false, fmt.Errorf("register %q: %s: %w", name, p.pid, NoProcess)
	}
	t := p.tiesLocked()
	t.names = append(t.names, name)
	s.names[name] = p.pid
	return true, nil
}

// Unregister takes the name from pid, if it has it.
func (s *System) Unregister(name string, pid PID) {
	s.namesIn.Lock()
	defer s.namesIn.Unlock()
	if s.dropName(name, pid) && s.cfg.Directory != nil {
		s.cfg.Directory.NameChanged(name, pid, false)
	}
}

func (s *System) dropName(name string, pid PID) bool {
	s.namesMu.Lock()
	defer s.namesMu.Unlock()
	if holder, taken := s.names[name]; !taken || holder != pid {
		return false
	}
	delete(s.names, name)
	if p := s.table.get(pid.serial); p != nil {
		p.mu.Lock()
		if p.ties != nil {
			p.ties.names = slices.DeleteFunc(p.ties.names, func(n string) bool { return n == name })
		}
		p.mu.Unlock()
	}
	return true
}

// Whereis is the process of this node with that local name; zero if there is none.
func (s *System) Whereis(name string) PID {
	s.namesMu.RLock()
	defer s.namesMu.RUnlock()
	return s.names[name]
}
