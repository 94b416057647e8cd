package node

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"conclave/transport"
)

// stream is a Conn that keeps what is written.
type stream struct {
	transport.Conn
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *stream) Write(_ transport.Lane, batch []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all.Write(batch)
	return nil
}

// frames are what the peer reads.
func (s *stream) frames(t *testing.T) (all []transport.Frame) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	dec := transport.NewDecoder(bytes.NewReader(s.all.Bytes()), 0)
	for {
		var f transport.Frame
		if err := dec.Next(&f); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
}

// Plain mail and other frames, of many senders at once, through an outbox that is
// often full and whose writer often sleeps.
func TestEachSendersFramesStayInOrder(t *testing.T) { synctest.Test(t, eachInOrder) }

func eachInOrder(t *testing.T) {
	const senders, each = 24, 3000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	o, conn := newOutbox(transport.Messages, 4<<10, 1<<20), &stream{}
	end := make(chan error, 1)
	go func() { end <- o.run(conn) }()
	types := []string{"a", "b", "c", "d", "e", "f"}
	var all sync.WaitGroup
	for from := range uint64(senders) {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, from))
			for i := range uint64(each) {
				f := transport.Frame{Kind: transport.Message, From: from, To: 7, Ref: i + 1, Type: types[rnd.IntN(1+int(from)%len(types))], Body: make([]byte, rnd.IntN(100))}
				urgent := false
				switch rnd.IntN(40) {
				case 0:
					f = transport.Frame{Kind: transport.Exit, From: from, To: 7, Ref: i + 1, Body: []byte("reason")}
					urgent = true
				case 1:
					f.ToName = "boss"
				case 2:
					f.Body = make([]byte, plainMax+rnd.IntN(100))
				case 3:
					o.count()
				}
				if err := o.append(t.Context(), &f, urgent); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := o.count(); n != senders*each {
		t.Errorf("%d frames are counted of %d", n, senders*each)
	}
	o.part()
	synctest.Wait()
	if n := o.unsent(); n != 0 {
		t.Errorf("the writer sleeps, and %d messages are not written", n)
	}
	o.close()
	if err := <-end; err != errOutboxClosed {
		t.Error(err)
	}
	next := map[uint64]uint64{}
	frames := conn.frames(t)
	for _, f := range frames {
		if f.Ref != next[f.From]+1 {
			t.Fatalf("frame %d of sender %d came behind its %d", f.Ref, f.From, next[f.From])
		}
		next[f.From] = f.Ref
	}
	if len(frames) != senders*each {
		t.Errorf("%d frames were written of %d", len(frames), senders*each)
	}
}

// untaken is an outbox whose writer does not run, and that knows a type.
func untaken(t *testing.T) (o *outbox, tell func(from uint64) error) {
	o = newOutbox(transport.Messages, 1<<20, 1<<20)
	tell = func(from uint64) error {
		return o.append(t.Context(), &transport.Frame{Kind: transport.Message, From: from, To: 7, Type: "int", Body: []byte{1}}, false)
	}
	for from := range uint64(100) {
		if err := tell(from); err != nil { // so all trays know the type
			t.Fatal(err)
		}
	}
	return o, tell
}

func TestWhatIsNotPlainComesBehindAllThatWasSentBefore(t *testing.T) {
	o, tell := untaken(t)
	for from := range uint64(100) {
		if err := tell(from); err != nil {
			t.Fatal(err)
		}
	}
	if o.laid.Load() != 1<<trays-1 {
		t.Errorf("there is mail on the trays %b", o.laid.Load())
	}
	if err := o.append(t.Context(), &transport.Frame{Kind: transport.Bye}, true); err != nil {
		t.Fatal(err)
	}
	conn := &stream{}
	if err := conn.Write(transport.Messages, o.buf); err != nil {
		t.Fatal(err)
	}
	if all := conn.frames(t); len(all) != 201 || all[200].Kind != transport.Bye {
		t.Errorf("%d frames, the last %v", len(all), all[len(all)-1].Kind)
	}
}

func TestPartedOutboxTakesNoMoreMailAndLosesNone(t *testing.T) {
	for name, over := range map[string]func(*outbox){"part": (*outbox).part, "close": (*outbox).close} {
		o, tell := untaken(t)
		for from := range uint64(100) {
			if err := tell(from); err != nil {
				t.Fatal(err)
			}
		}
		over(o)
		for from := range uint64(100) {
			if err := tell(from); !errors.Is(err, errOutboxClosed) {
				t.Errorf("%s: mail is taken: %v", name, err)
			}
		}
		if n := o.unsent(); n != 200 {
			t.Errorf("%s: %d messages are known of, 200 were taken", name, n)
		}
	}
}

func TestTraysFillAndAreTakenIn(t *testing.T) {
	o, tell := untaken(t)
	for range 10_000 {
		if err := tell(3); err != nil {
			t.Fatal(err)
		}
	}
	tray, _ := o.tray(3)
	if most := trayRoom + plainMax; cap(tray.buf) > 2*most || len(tray.buf) > most {
		t.Errorf("a tray holds %d bytes in %d", len(tray.buf), cap(tray.buf))
	}
	if n := o.unsent(); n != 10_100 {
		t.Errorf("%d messages, want 10100", n)
	}
}

// signalling is a Conn that says when it has been written to.
type signalling struct {
	transport.Conn
	written chan struct{}
}

func (c signalling) Write(transport.Lane, []byte) error {
	c.written <- struct{}{}
	return nil
}

// Mail that is put down just as the writer falls asleep; if it is overlooked, all
// wait for ever, which the bubble notices.
func TestNothingIsLeftLyingOnATray(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, tell := untaken(t)
		conn, end := signalling{written: make(chan struct{})}, make(chan error, 1)
		go func() { end <- o.run(conn) }()
		<-conn.written
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 50_000 {
			for range rnd.IntN(400) { // a little time, not always the same
				o.laid.Load()
			}
			if err := tell(3); err != nil {
				t.Fatal(err)
			}
			<-conn.written
		}
		o.close()
		<-end
	})
}

// Signals do not wait, and take in what is on the trays: that must not make room for
// mail that has to wait, or those who send a message and end would fill the reserve
// of the signals and lose the link.
func TestSignalsLetNoMailIntoAFullOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, senders = 64 << 10, 20_000
		o := newOutbox(transport.Messages, limit, 1<<20)
		o.overflow = func() { t.Error("the link is lost") }
		var all sync.WaitGroup
		for from := range uint64(senders) {
			all.Go(func() {
				f := transport.Frame{Kind: transport.Message, From: 1 + from, To: 7, Type: "[]uint8", Body: make([]byte, 1000)}
				if o.append(t.Context(), &f, false) == nil {
					_ = o.append(t.Context(), &transport.Frame{Kind: transport.Down, From: 1 + from, To: 7, Ref: 1}, true)
				}
			})
		}
		synctest.Wait()
		if most := limit + trays*(trayRoom+2*plainMax); len(o.buf) > most {
			t.Errorf("%d bytes wait, more than %d", len(o.buf), most)
		}
		o.close()
		all.Wait()
	})
}
