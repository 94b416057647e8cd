package node

import (
	"testing"
	"testing/synctest"

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
