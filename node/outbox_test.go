package node

import (
	"testing"
	"testing/synctest"
	"time"

	"conclave/transport"
)

// stuckConn takes a batch for each receive from taken.
type stuckConn struct {
	transport.Conn
	taken chan struct{}
}

func (c stuckConn) Write(transport.Lane, []byte) error {
	if _, ok := <-c.taken; !ok {
		return transport.ErrClosed
	}
	return nil
}

// What dead letters tell of a link that broke: also of the batch being written,
// which may have left in part, and not of what the network took.
func TestMailOfABatchBeingWrittenIsUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(transport.Messages, 1<<20, 1<<20)
		add := func(kinds ...transport.Kind) {
			t.Helper()
			for _, k := range kinds {
				if err := o.append(t.Context(), &transport.Frame{Kind: k, From: 1, To: 2, Ref: 3, Type: "int", Body: []byte{1}}, false); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		}
		expect := func(want int, what string) {
			t.Helper()
			if n := o.unsent(); n != want {
				t.Errorf("%d unsent %s, want %d", n, what, want)
			}
		}
		conn, end := stuckConn{taken: make(chan struct{})}, make(chan error, 1)
		go func() { end <- o.run(conn) }()
		synctest.Wait()
		add(transport.Message)
		expect(1, "of a batch being written")
		add(transport.Call, transport.Reply, transport.Message, transport.Link)
		expect(4, "of that and the next")
		conn.taken <- struct{}{}
		synctest.Wait()
		expect(3, "when the network took the first")
		o.close()
		expect(3, "of a closed outbox")
		close(conn.taken)
		<-end
		expect(3, "when its write has failed")
	})
}

// writes is a Conn that notes how long each batch was.
type writes struct {
	transport.Conn
	sizes []int
}

func (w *writes) Write(_ transport.Lane, batch []byte) error {
	w.sizes = append(w.sizes, len(batch))
	return nil
}

// running runs f with an outbox whose writer runs, in virtual time.
func running(t *testing.T, f func(t *testing.T, o *outbox, w *writes, add func(n, size int))) {
	synctest.Test(t, func(t *testing.T) {
		o, w := newOutbox(transport.Messages, 1<<20, 1<<20), &writes{}
		end := make(chan error, 1)
		go func() { end <- o.run(w) }()
		synctest.Wait()
		f(t, o, w, func(n, size int) {
			t.Helper()
			for range n {
				if err := o.append(t.Context(), &transport.Frame{Kind: transport.Message, From: 1, To: 2, Type: "bytes", Body: make([]byte, size)}, false); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		})
		o.close()
		<-end
	})
}

func TestRestingOutboxGivesItsBuffersBack(t *testing.T) {
	running(t, func(t *testing.T, o *outbox, w *writes, add func(n, size int)) {
		large := func() bool {
			o.mu.Lock()
			defer o.mu.Unlock()
			return cap(o.buf)+cap(o.spare) > 4*smallBatch
		}
		for range 3 {
			add(2, 8*smallBatch)
			time.Sleep(bufferRest * 2 / 3)
		}
		if !large() {
			t.Error("a busy link has a new buffer for each batch")
		}
		time.Sleep(2 * bufferRest)
		if large() {
			t.Errorf("after %v large buffers are kept", 2*bufferRest)
		}
		add(1, 10)
		if n := len(w.sizes); w.sizes[n-1] > 100 {
			t.Errorf("then these were written: %d", w.sizes)
		}
		for range 2 { // it looks again
			add(2, 8*smallBatch)
			time.Sleep(3 * bufferRest)
			if large() {
				t.Error("large buffers are kept when it has rested again")
			}
		}
	})
}

func TestRestingOutboxGivesItsTraysBack(t *testing.T) {
	running(t, func(t *testing.T, o *outbox, _ *writes, add func(n, size int)) {
		room := func() int {
			tray, _ := o.tray(1)
			tray.mu.Lock()
			defer tray.mu.Unlock()
			return cap(tray.buf)
		}
		add(1, 10) // the peer knows the type now
		o.mu.Lock()
		for range 3 * trayRoom / 1000 {
			if !o.put(&transport.Frame{Kind: transport.Message, From: 1, To: 2, Type: "bytes", Body: make([]byte, 1000)}) && room() < trayRoom {
				t.Error("a tray that is not full takes no more")
			}
		}
		o.mu.Unlock()
		time.Sleep(bufferRest / 2)
		if room() < trayRoom {
			t.Errorf("%d bytes are kept of a tray that is used", room())
		}
		time.Sleep(2 * bufferRest)
		if room() > 0 {
			t.Errorf("%d bytes are kept of a tray that rests", room())
		}
	})
}
