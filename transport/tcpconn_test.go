package transport

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"testing"
	"time"
)

// gated is a connection that lets one write through for each token, and notes
// the yamux frames that it sees.
type gated struct {
	net.Conn
	gate   chan struct{} // closed: all of them
	begun  chan struct{} // closed at the first data frame of the messages lane
	frames []dataFrame   // to be read when all is written
}

type dataFrame struct{ stream, size uint32 }

func (g *gated) Write(p []byte) (int, error) {
	if len(p) == yamuxHeader && p[1] == yamuxData {
		f := dataFrame{binary.BigEndian.Uint32(p[4:]), binary.BigEndian.Uint32(p[8:])}
		if g.frames = append(g.frames, f); f == (dataFrame{laneStream(Messages), writeChunk}) {
			select {
			case <-g.begun:
			default:
				close(g.begun)
			}
			<-g.gate
		}
	}
	return g.Conn.Write(p)
}

// yamuxWriters counts the goroutines that wait for yamux to write.
func yamuxWriters() int {
	stacks := make([]byte, 1<<20)
	return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("yamux.(*Session).waitForSendErr("))
}

func laneStream(l Lane) uint32 { return uint32(2*l + 1) }

// What nodes say to each other waits for what is being written and at most one
// chunk of messages behind it, however large the batch is that they come from.
func TestControlOvertakesABatchOfMessages(t *testing.T) {
	near, far := net.Pipe()
	g := &gated{Conn: near, gate: make(chan struct{}), begun: make(chan struct{})}
	accepted := make(chan *tcpConn, 1)
	go func() {
		c, err := newTCPConn(far, far, true, agreement{})
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	from, err := newTCPConn(g, g, false, agreement{})
	if err != nil {
		t.Fatal(err)
	}
	to := <-accepted
	defer from.Close()
	defer to.Close()
	const batch, ping = 4 << 20, 100
	read := make(chan error, 2)
	for lane, size := range map[Lane]int64{Messages: batch, Control: ping} {
		go func() { _, err := io.CopyN(io.Discard, LaneReader(to, lane), size); read <- err }()
	}
	wrote := make(chan error, 2)
	go func() { wrote <- from.Write(Messages, make([]byte, batch)) }()
	<-g.begun // the first chunk is held up
	go func() { wrote <- from.Write(Control, make([]byte, ping)) }()
	for end := time.Now().Add(10 * time.Second); yamuxWriters() < 2; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("the control lane's write does not queue up")
		}
	}
	close(g.gate)
	for range 2 {
		if err := <-wrote; err != nil {
			t.Error(err)
		}
		if err := <-read; err != nil {
			t.Error(err)
		}
	}
	ahead, after := uint32(0), uint32(0)
	passed := false
	for _, f := range g.frames {
		switch {
		case f.stream == laneStream(Control):
			passed = true
		case passed:
			after += f.size
		default:
			ahead += f.size
		}
	}
	if ahead > 256<<10 || ahead+after != batch || !passed {
		t.Errorf("%d bytes of messages went ahead, %d came after", ahead, after)
	}
	t.Logf("%d bytes of messages went ahead", ahead)
}
