package zkdev

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"
)

// attach does the handshake on a bare connection.
func attach(t *testing.T, nc net.Conn, id int64, password []byte, timeout time.Duration) (int64, []byte) {
	t.Helper()
	w := packet()
	w.int32(0)
	w.int64(0)
	w.int32(int32(timeout.Milliseconds()))
	w.int64(id)
	w.buffer(append(password, make([]byte, 16)...)[:16])
	if _, err := nc.Write(w.seal()); err != nil {
		t.Fatal(err)
	}
	p, err := readPacket(nc)
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{b: p}
	r.int32()
	r.int32()
	return r.int64(), r.buffer()
}

// TestSessionExpiresAtTheTickAfterItsTimeout gives the exact times: the
// timeout from the last packet, rounded up to the next whole tick.
func TestSessionExpiresAtTheTickAfterItsTimeout(t *testing.T) {
	for _, test := range []struct{ touched, timeout, ends time.Duration }{
		{0, 4000 * time.Millisecond, 5000 * time.Millisecond}, // strictly after
		{1 * time.Millisecond, 4000 * time.Millisecond, 5000 * time.Millisecond},
		{999 * time.Millisecond, 4000 * time.Millisecond, 5000 * time.Millisecond},
		{1000 * time.Millisecond, 4000 * time.Millisecond, 6000 * time.Millisecond},
		{1500 * time.Millisecond, 2600 * time.Millisecond, 5000 * time.Millisecond},
	} {
		bubble(t, Config{Tick: time.Second}, func(t *testing.T, s *Server) {
			nc, err := s.Dial()
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(test.touched)
			attach(t, nc, 0, nil, test.timeout)
			if _, err := nc.Read(make([]byte, 1)); err != io.EOF {
				t.Fatalf("read: %v", err)
			}
			if got := time.Since(s.start); got != test.ends {
				t.Errorf("touched at %v, timeout %v: expired at %v, not %v", test.touched, test.timeout, got, test.ends)
			}
			if len(s.Sessions()) != 0 {
				t.Error("still there")
			}
		})
	}
}

func TestSessionOutlivesItsConnection(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		nc, _ := s.Dial()
		id, password := attach(t, nc, 0, nil, 10*time.Second)
		nc.Close()
		time.Sleep(9 * time.Second)
		nc, _ = s.Dial()
		if again, _ := attach(t, nc, id, password, 10*time.Second); again != id {
			t.Fatalf("session %#x, not %#x", again, id)
		}
		second, _ := s.Dial()
		attach(t, second, id, password, 10*time.Second)
		if _, err := nc.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the older connection: %v", err)
		}
		wrong, _ := s.Dial()
		if got, _ := attach(t, wrong, id, []byte("wrong"), 10*time.Second); got != 0 {
			t.Errorf("a wrong password got session %#x", got)
		}
	})
}

func TestPasswordOfSessionsIsThatOfTheHandshake(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		nc, _ := s.Dial()
		id, password := attach(t, nc, 0, nil, time.Second)
		list := s.Sessions()
		if len(list) != 1 || list[0].ID != id || !bytes.Equal(list[0].Password, password) ||
			list[0].Timeout != 4*time.Second || !list[0].Connected {
			t.Errorf("sessions %+v", list)
		}
	})
}

func TestSilentNewcomerIsHungUpOn(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		nc, _ := s.Dial()
		start := time.Now()
		if _, err := nc.Read(make([]byte, 1)); err != io.EOF || time.Since(start) != handshakeTime {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestTooLongAPacketEndsTheConnection(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		for _, n := range []uint32{maxPacket + 1, 1 << 31, 1<<32 - 1} {
			nc, _ := s.Dial()
			attach(t, nc, 0, nil, 10*time.Second)
			nc.Write(binary.BigEndian.AppendUint32(nil, n))
			if _, err := nc.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("length %d: %v", n, err)
			}
		}
	})
}
