package actor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// directory remembers the names it was told of.
type directory struct {
	Directory // for what is not used
	mu        sync.Mutex
	facts     logOf
	names     map[string]PID
	wrong     []string
}

func (d *directory) NameChanged(name string, pid PID, there bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names == nil {
		d.names = make(map[string]PID)
	}
	d.facts.add("%s:%v", name, there)
	switch holder, had := d.names[name]; {
	case there && had, !there && holder != pid:
		d.wrong = append(d.wrong, fmt.Sprintf("%s of %s there=%v, but known: %s", name, pid, there, holder))
	case there:
		d.names[name] = pid
	default:
		delete(d.names, name)
	}
}

func (d *directory) GetCapable(_ context.Context, service string) ([]PID, error) {
	return []PID{MakePID(testNode("x"), 1)}, nil
}

func (d *directory) WaitCapable(ctx context.Context, service string, n int) ([]PID, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func (d *directory) WhereisGlobal(ctx context.Context, name string) (PID, error) {
	return MakePID(testNode("x"), 2), nil
}

func TestNameLeadsToItsProcess(t *testing.T) {
	d := &directory{}
	s := newSystem(t, func(c *SystemConfig) { c.Directory = d })
	var pid PID
	must(t, s, func(p *Process) error {
		pid = p.Self()
		if err := p.Register("till"); err != nil {
			return err
		}
		if err := p.Register("till"); err != nil {
			return fmt.Errorf("its own name again: %w", err)
		}
		if s.Whereis("till") != pid || !s.Whereis("other").IsZero() {
			return errors.New("Whereis says something else")
		}
		q := p.Spawn(untilDone)
		wantErr(t, s.Register("till", q), ErrNameTaken)
		p.Unregister("till")
		p.Unregister("till")
		p.Unregister("never had it")
		if err := s.Register("till", q); err != nil {
			return err
		}
		p.Unregister("till") // is another's now
		if s.Whereis("till") != q {
			return errors.New("one process took another's name away")
		}
		p.Monitor(q)
		p.Exit(q, nil)
		_, _, err := Expect[Down](p)
		if !s.Whereis("till").IsZero() {
			return errors.New("the name outlived its process")
		}
		if err := p.Register("till"); err != nil {
			return fmt.Errorf("a name freed by its process's end: %w", err)
		}
		return err
	})
	if got := d.facts.String(); got != "till:true till:false till:true till:false till:true till:false" {
		t.Errorf("the directory was told: %s", got)
	}
	wantErr(t, s.Register("till", pid), NoProcess)
	wantErr(t, s.Register("till", MakePID(testNode("elsewhere"), pid.serial)), NoProcess)
}

func TestNamesThatCannotBe(t *testing.T) {
	s := newSystem(t)
	for _, name := range []string{"", ".", "..", "a/b", "tab\t", "\x00", "\x7f", "\u0085", "\ue000", "\ufff0", "\xff", strings.Repeat("n", 256)} {
		err := s.Register(name, PID{})
		if wantErr(t, err, ErrBadName); len(err.Error()) > 200 {
			t.Errorf("%.20q...: an error of %d bytes", name, len(err.Error()))
		}
	}
	for _, name := range []string{"a", "...", "ö.ä", strings.Repeat("n", 255), "name with spaces", "日本"} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestRegisteringOverAndOverKeepsNoMemory(t *testing.T) {
	s := newSystem(t)
	must(t, s, func(p *Process) error {
		for range 1000 {
			if err := p.Register("again"); err != nil {
				return err
			}
			p.Unregister("again")
		}
		if n := len(p.ties.names); n != 0 {
			return fmt.Errorf("%d names are remembered", n)
		}
		return nil
	})
}

// Whatever the process does while somebody else registers it, the directory is
// told facts in their order, and a name does not outlive its process.
func TestRegisterAgainstTheEnd(t *testing.T) {
	d := &directory{}
	s := newSystem(t, func(c *SystemConfig) { c.Directory = d })
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				pid := s.Spawn(func(p *Process) error { p.Unregister("one"); return nil })
				for _, name := range []string{"one", "two"} {
					_ = s.Register(name, pid)
				}
			}
		})
	}
	wg.Wait()
	await(t, "all to end", func() bool { return s.Count() == 0 })
	await(t, "the names to go", func() bool {
		s.namesMu.Lock()
		defer s.namesMu.Unlock()
		return len(s.names) == 0
	})
	s.Unregister("one", PID{}) // waits its turn behind the last fact
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.wrong) > 0 || len(d.names) > 0 {
		t.Errorf("left: %v; %d facts out of order, the first: %v", d.names, len(d.wrong), append(d.wrong, "")[0])
	}
}

func TestProcessAsksTheCluster(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSystem(t, func(c *SystemConfig) { c.Directory = &directory{} })
		must(t, s, func(p *Process) error {
			pids, err := p.GetCapable("worker")
			if err != nil || len(pids) != 1 {
				return fmt.Errorf("%v, %w", pids, err)
			}
			if pid, err := p.WhereisGlobal("boss"); err != nil || pid.Serial() != 2 {
				return fmt.Errorf("%v, %w", pid, err)
			}
			return nil
		})
		waiting := s.Spawn(func(p *Process) error {
			_, err := p.WaitCapable("worker", 1)
			return err
		})
		time.Sleep(time.Hour)
		s.Exit(waiting, errTest)
		if err := ended(s, waiting); err != errTest && err != NoProcess {
			t.Errorf("it waited on: %v", err)
		}
		alone := newSystem(t)
		must(t, alone, func(p *Process) error {
			_, err := p.GetCapable("worker")
			wantErr(t, err, ErrNoDirectory)
			_, err = p.WaitCapable("worker", 1)
			wantErr(t, err, ErrNoDirectory)
			_, err = p.WhereisGlobal("boss")
			wantErr(t, err, ErrNoDirectory)
			return nil
		})
	})
}
