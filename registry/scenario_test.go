package registry

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"conclave/actor"
)

// The scenarios in testdata are the machines' behaviour in words: a line that
// is not indented is an event, the indented ones below it are what the machine
// has done about it. Lines with # in front are explanation. -update writes what
// the machines do now; read the difference.

var update = flag.Bool("update", false, "rewrite the scenarios in testdata")

func TestScenariosOfTheCache(t *testing.T) {
	scenarios(t, "cache", func() scenario { return newCacheScenario() })
}

func TestScenariosOfTheRoll(t *testing.T) {
	scenarios(t, "roll", func() scenario { return newRollScenario() })
}

// scenario is a machine that understands the words of a file.
type scenario interface {
	// do feeds one event and returns what the machine does.
	do(words []string) ([]string, error)
}

func scenarios(t *testing.T, folder string, begin func() scenario) {
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := begin()
			var out []string
			for i, line := range strings.Split(strings.TrimRight(string(data), "\n"), "\n") {
				switch {
				case strings.HasPrefix(line, " "):
					continue // what it did last time
				case line == "" || strings.HasPrefix(line, "#"):
					out = append(out, line)
					continue
				}
				did, err := s.do(strings.Fields(line))
				if err != nil {
					t.Fatalf("%s:%d: %q: %v", file, i+1, line, err)
				}
				out = append(out, line)
				for _, d := range did {
					out = append(out, "    "+d)
				}
			}
			text := strings.Join(out, "\n") + "\n"
			if *update {
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if text != string(data) {
				t.Errorf("%s is not what happens, which is:\n%s", file, text)
			}
		})
	}
}

func number(word string) (uint64, error) {
	return strconv.ParseUint(strings.TrimLeft(word, "#z"), 10, 64)
}

var outcomes = map[string]outcome{"absent": absent, "broken": broken, "refused": refused}

var errScenario = errors.New("not permitted")

func sessionEvent(words []string) (event, error) {
	n, err := strconv.ParseUint(words[1], 10, 64)
	switch words[0] {
	case "up":
		return sessionUp{n, words[2]}, err
	case "lost":
		return sessionLost{n}, err
	case "suspended":
		return suspended{n}, err
	default:
		return resumed{n}, err
	}
}

// cacheScenario plays the cache.
type cacheScenario struct {
	c       *cache
	now     time.Duration
	fired   map[listKey]uint64 // as the cells have it
	started map[listKey]uint64
}

func newCacheScenario() *cacheScenario {
	return &cacheScenario{
		c: newCache(cacheConfig{
			reads: 3, reloads: 2, calm: 100 * time.Millisecond, check: time.Minute, forget: 10 * time.Minute,
			backoff: 50 * time.Millisecond, backoffMax: 5 * time.Second,
		}, 1),
		now: 1, fired: make(map[listKey]uint64), started: make(map[listKey]uint64),
	}
}

func keyOf(word string) listKey {
	switch word {
	case "names":
		return namesKey
	case "nodes":
		return nodesKey
	}
	return serviceKey(word)
}

func (k listKey) String() string {
	return [...]string{"names", k.name, "nodes"}[k.kind]
}

func (s *cacheScenario) do(words []string) ([]string, error) {
	ev, err := s.event(words)
	if err != nil {
		return nil, err
	}
	var did []string
	for _, a := range s.c.step(ev, s.now) {
		did = append(did, s.act(a))
	}
	return did, nil
}

func (s *cacheScenario) event(words []string) (event, error) {
	switch words[0] {
	case "up", "lost", "suspended", "resumed":
		return sessionEvent(words)
	case "at":
		d, err := time.ParseDuration(words[1])
		s.now = d
		return tick{}, err
	case "want":
		id, err := number(words[1])
		key := keyOf(words[2])
		w := want{waiter{id: id, need: s.fired[key] + 1, needNames: s.fired[namesKey] + 1}, key}
		if len(words) > 3 && words[3] == "fresh" {
			w.mode = modeFresh
		} else if len(words) > 4 && words[3] == "changed" {
			w.mode = modeChange
			var zxid uint64
			if zxid, err = number(words[4]); zxid > 0 {
				w.seen = Token{s.c.cluster, int64(zxid)}
			}
		} else if len(words) > 4 {
			w.mode = modeMembers
			w.members, err = strconv.Atoi(words[4])
		}
		return w, err
	case "cancel":
		id, err := number(words[1])
		return cancel{keyOf(words[2]), id}, err
	case "fired":
		key := keyOf(words[1])
		armed, err := number(words[2])
		upTo := max(armed, s.started[key])
		s.fired[key] = max(s.fired[key], upTo)
		return fired{key, armed, upTo}, err
	case "own":
		return ownWrite{keyOf(words[1])}, nil
	case "used":
		var keys []listKey
		for _, w := range words[1:] {
			keys = append(keys, keyOf(w))
		}
		return used{keys}, nil
	case "read":
		if e := s.c.entries[keyOf(words[1])]; e == nil || words[2] != fmt.Sprint("#", e.loading) {
			return nil, errors.New("no such read is under way")
		}
		return s.readDone(words)
	case "late": // a reply of an earlier session
		return s.readDone(words[1:])
	case "checked":
		key := keyOf(words[1])
		read, err := number(words[2])
		done := checkDone{key: key, session: s.c.session, read: read, outcome: outcomes[words[3]]}
		if done.outcome == found {
			var n uint64
			n, err = number(words[3])
			done.pzxid = int64(n)
		}
		return done, err
	}
	return nil, errors.New("unknown event")
}

func (s *cacheScenario) readDone(words []string) (event, error) {
	key := keyOf(words[1])
	read, err := number(words[2])
	done := readDone{key: key, session: s.c.session, read: read, outcome: outcomes[words[3]]}
	if done.outcome == refused {
		done.err = errScenario
	}
	if done.outcome != found || err != nil {
		return done, err
	}
	n, err := number(words[3])
	done.list = &list{cluster: s.c.cluster, session: s.c.session, read: read, pzxid: int64(n)}
	if key == namesKey {
		done.list.setNames(words[4:])
		return done, err
	}
	for _, w := range words[4:] {
		serial, err := number(w)
		if err != nil {
			return nil, err
		}
		done.list.pids = append(done.list.pids, actor.MakePID(actor.NodeID{Name: "n"}, serial))
		done.list.children = append(done.list.children, w)
	}
	return done, err
}

func (s *cacheScenario) act(a action) string {
	switch a := a.(type) {
	case startRead:
		s.started[a.key] = a.read
		text := fmt.Sprintf("read %v #%d", a.key, a.read)
		if a.watch {
			text += ", with a watch"
		}
		if a.fresh {
			text += ", behind a write"
		}
		return text
	case startCheck:
		return fmt.Sprintf("check %v #%d", a.key, a.read)
	case startSweep:
		return "ask what is in use"
	case publish:
		return fmt.Sprintf("show %v #%d of z%d: %v", a.key, a.list.read, a.list.pzxid, a.list.children)
	case doubt:
		s.fired[a.key] = max(s.fired[a.key], a.upTo)
		return fmt.Sprintf("doubt %v up to #%d", a.key, a.upTo)
	case hide:
		return fmt.Sprintf("show nothing for %v", a.key)
	case answer:
		switch {
		case a.err != nil:
			return fmt.Sprintf("answer %d: %v", a.id, a.err)
		case a.list == nil:
			return fmt.Sprintf("answer %d: nobody", a.id)
		}
		return fmt.Sprintf("answer %d: %v, as of #%d", a.id, a.list.children, a.list.read)
	case report:
		return "report: " + a.event.String()
	}
	return fmt.Sprintf("%T", a)
}

// rollScenario plays the roll.
type rollScenario struct {
	r   *roll
	now time.Duration
}

func newRollScenario() *rollScenario {
	return &rollScenario{newRoll(rollConfig{
		writes: 2, pause: 100 * time.Millisecond, backoff: 50 * time.Millisecond, backoffMax: 5 * time.Second,
	}, 1), 1}
}

func offerOf(service, serial string) (offerKey, error) {
	n, err := number(serial)
	return offerKey{service, actor.MakePID(actor.NodeID{Name: "n"}, n)}, err
}

func (s *rollScenario) do(words []string) ([]string, error) {
	ev, err := s.event(words)
	if err != nil {
		return nil, err
	}
	var did []string
	for _, a := range s.r.step(ev, s.now) {
		did = append(did, s.act(a))
	}
	return did, nil
}

func (s *rollScenario) event(words []string) (event, error) {
	switch words[0] {
	case "up", "lost", "suspended", "resumed":
		return sessionEvent(words)
	case "at":
		d, err := time.ParseDuration(words[1])
		s.now = d
		return tick{}, err
	case "drop":
		key, err := offerOf("", words[1])
		return drop{key.pid}, err
	case "drop-all":
		id, err := number(words[1])
		return dropAll{id}, err
	case "register", "unregister", "leave":
		id, err := number(words[1])
		if err != nil {
			return nil, err
		}
		key, err := offerOf(words[2], words[3])
		switch words[0] {
		case "register":
			return register{id, key}, err
		case "unregister":
			return unregister{id, key}, err
		}
		return leave{id, key}, err
	case "vanished", "done":
		if words[0] == "done" && fmt.Sprint("#", s.r.attempts) < words[3] && len(words[3]) == 2 {
			return nil, errors.New("no such attempt")
		}
		key, err := offerOf(words[1], words[2])
		if err != nil {
			return nil, err
		}
		attempt, err := number(words[3])
		if words[0] == "vanished" {
			return vanished{key, attempt}, err
		}
		done := writeDone{key: key, session: s.r.session, attempt: attempt}
		if slices.Contains(words, "broken") {
			done.outcome = broken
		} else if slices.Contains(words, "refused") {
			done.outcome, done.err = refused, errScenario
		} else if len(words) > 4 {
			n, _ := number(words[4])
			done.token = Token{s.r.cluster, int64(n)}
		}
		return done, err
	}
	return nil, errors.New("unknown event")
}

func (s *rollScenario) act(a action) string {
	switch a := a.(type) {
	case startWrite:
		text := [...]string{"?", "make", "remove"}[a.kind]
		text = fmt.Sprintf("%s %s %d, attempt #%d", text, a.key.service, a.key.pid.Serial(), a.attempt)
		if a.sync {
			text += ", when the one before is decided"
		}
		return text
	case settled:
		switch {
		case a.err != nil:
			return fmt.Sprintf("tell %d: %v", a.id, a.err)
		case a.token.IsZero():
			return fmt.Sprintf("tell %d: done", a.id)
		}
		return fmt.Sprintf("tell %d: done at %v", a.id, a.token)
	case wrote:
		return fmt.Sprintf("what is known about %s is out of date", a.service)
	case report:
		return "report: " + a.event.String()
	}
	return fmt.Sprintf("%T", a)
}
