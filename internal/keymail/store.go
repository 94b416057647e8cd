package keymail

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// Store keeps a count for each key. What a term saves late, when the next has begun,
// is not loaded by anybody.
type Store interface {
	Load(key string) (count int, err error)
	Save(key string, term int64, count int) error
}

// Folder is a Store in files, named after the key and the term that has saved it.
type Folder string

// Load reads what the highest term has saved; nothing is 0.
func (dir Folder) Load(key string) (count int, err error) {
	files, err := filepath.Glob(filepath.Join(string(dir), key+".*"))
	highest := int64(-1)
	for _, path := range files {
		term, bad := strconv.ParseInt(strings.TrimPrefix(filepath.Ext(path), "."), 10, 64)
		if bad != nil || term <= highest {
			continue
		}
		text, bad := os.ReadFile(path)
		if bad != nil {
			return 0, bad
		}
		if count, err = strconv.Atoi(string(text)); err != nil {
			return 0, err
		}
		highest = term
	}
	return count, err
}

// Save writes what a term has counted.
func (dir Folder) Save(key string, term int64, count int) error {
	path := filepath.Join(string(dir), fmt.Sprintf("%s.%d", key, term))
	if err := os.WriteFile(path+"~", []byte(strconv.Itoa(count)), 0o644); err != nil {
		return err
	}
	return os.Rename(path+"~", path)
}

// Memory is a Store in memory.
type Memory struct {
	Wait func() // what saving takes; nil: nothing

	mu   sync.Mutex
	kept map[string]saved
}

type saved struct {
	term  int64
	count int
}

// Load is that of a Store.
func (s *Memory) Load(key string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[key].count, nil
}

// Save is that of a Store.
func (s *Memory) Save(key string, term int64, count int) error {
	if s.Wait != nil {
		s.Wait()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = make(map[string]saved)
	}
	if term >= s.kept[key].term {
		s.kept[key] = saved{term, count}
	}
	return nil
}
