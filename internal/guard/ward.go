package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// Variable is the environment variable by which a program finds its guard.
const Variable = "CONCLAVE_GUARD"

// ErrNoGuard: the guard has died, or broken off.
var ErrNoGuard = errors.New("the guard is gone")

// writeTime bounds a write to a guard that does not read. It is short of what
// anybody waits for the answer.
const writeTime = time.Second

// Ward is a program under a guard. All nodes of the program share it. Its
// methods can be called from any goroutine.
type Ward struct {
	conn net.Conn

	writing sync.Mutex // held for one frame

	mu      sync.Mutex
	waiting map[about]chan struct{} // closed when the guard has it
	lost    error
	tell    map[int]func(error)
	tells   int
}

// about names a session.
type about struct {
	incarnation uint64
	id          int64
}

// NewWard talks to a guard over conn, which it owns.
func NewWard(conn net.Conn) *Ward {
	w := &Ward{conn: conn, waiting: make(map[about]chan struct{}), tell: make(map[int]func(error))}
	go w.read()
	return w
}

// Inherited is this process's ward, nil if it has no guard. The first call takes
// the descriptor over: it is closed to programs that this one starts from then
// on, and the environment variable is removed for the same reason. An error means
// that there should be a guard and cannot be reached: the descriptor was closed
// on the way, or is another one.
func Inherited() (*Ward, error) { return inherited() }

var inherited = sync.OnceValues(func() (*Ward, error) {
	conn, err := inherit()
	if conn == nil || err != nil {
		return nil, err
	}
	return NewWard(conn), nil
})

// Hold hands a session over and returns when the guard has it. ErrNoGuard: it has
// not, and never will. If ctx ends first it may yet.
func (w *Ward) Hold(ctx context.Context, s Session) error {
	frame, err := appendHold(nil, s)
	defer clear(frame)
	if err != nil {
		return err
	}
	key := about{s.Incarnation, s.ID}
	w.mu.Lock()
	if w.lost != nil {
		w.mu.Unlock()
		return w.lost
	}
	has := w.waiting[key]
	if has == nil {
		has = make(chan struct{})
		w.waiting[key] = has
	}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.waiting, key)
		w.mu.Unlock()
	}()
	if err := w.write(frame); err != nil {
		return err
	}
	select {
	case <-has:
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.lost // it may have been closed for that
	case <-ctx.Done():
		return fmt.Errorf("the guard did not answer: %w", context.Cause(ctx))
	}
}

// Forget tells the guard that a session is over.
func (w *Ward) Forget(incarnation uint64, id int64) {
	_ = w.write(appendAbout(nil, kindForget, incarnation, id)) // without a guard there is nothing to forget
}

// OnLost has f called, once and from another goroutine, when the guard is gone;
// at once if it is already. stop takes that back.
func (w *Ward) OnLost(f func(error)) (stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost != nil {
		go f(w.lost)
		return func() {}
	}
	w.tells++
	n := w.tells
	w.tell[n] = f
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.tell, n)
	}
}

func (w *Ward) write(frame []byte) error {
	w.writing.Lock()
	defer w.writing.Unlock()
	w.conn.SetWriteDeadline(time.Now().Add(writeTime))
	n, err := w.conn.Write(frame)
	switch {
	case err == nil:
		return nil
	case n == 0 && errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the guard does not read: %w", err)
	}
	w.lose(err) // also if a part of it was written
	return fmt.Errorf("%w: %w", ErrNoGuard, err)
}

// read takes the guard's answers until it is gone.
func (w *Ward) read() {
	buf := make([]byte, maxFrame)
	for {
		kind, body, err := readFrame(w.conn, buf)
		if err == nil && kind == kindHeld {
			var key about
			key.incarnation, key.id, err = parseAbout(body)
			w.mu.Lock()
			if has := w.waiting[key]; has != nil {
				delete(w.waiting, key)
				close(has)
			}
			w.mu.Unlock()
		}
		if err != nil {
			w.lose(err)
			return
		}
	}
}

// lose ends it. The descriptor stays open: should there be a guard, then this
// process must not look dead to it.
func (w *Ward) lose(cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost != nil {
		return
	}
	w.lost = fmt.Errorf("%w: %w", ErrNoGuard, cause)
	for key, has := range w.waiting {
		delete(w.waiting, key)
		close(has)
	}
	for n, f := range w.tell {
		delete(w.tell, n)
		go f(w.lost)
	}
}
