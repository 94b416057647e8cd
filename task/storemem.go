package task

import (
	"context"
	"fmt"
	"sync"

	"conclave/actor"
)

// Memory is a Store for tests: it survives dispatchers and nodes, all in one
// process, and nothing else. Hand the same one to the nodes of a scope.
func Memory() Store { return &memory{records: make(map[string][]byte)} }

type memory struct {
	mu      sync.Mutex
	term    int64
	records map[string][]byte
}

// Open lets no Commit of an earlier term be done any more.
func (m *memory) Open(_ context.Context, term actor.Term, load func(key string, value []byte) error) (Log, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if term.Number() < m.term {
		return nil, fmt.Errorf("%w: term %d, this is %d", ErrDeposed, m.term, term.Number())
	}
	m.term = term.Number()
	for key, value := range m.records {
		if err := load(key, value); err != nil {
			return nil, err
		}
	}
	return &memoryLog{m, m.term}, nil
}

type memoryLog struct {
	m    *memory
	term int64
}

// Commit knows nothing of workers: they are in ZooKeeper.
func (l *memoryLog) Commit(ctx context.Context, changes []Change, _ []string) error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.term < l.m.term {
		return fmt.Errorf("%w: term %d, this is %d", ErrDeposed, l.m.term, l.term)
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	for _, c := range changes {
		if c.Value == nil {
			delete(l.m.records, c.Key)
			continue
		}
		l.m.records[c.Key] = c.Value
	}
	return nil
}
