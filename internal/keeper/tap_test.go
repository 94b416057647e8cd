package keeper

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// tap is a connection to a server that shows its frames to a test and can
// falsify the answers to credentials.
type tap struct {
	net.Conn
	sent func(xid, code int32) // every frame but the handshake

	mu     sync.Mutex
	first  bool
	auths  map[int32]bool
	refuse func() bool // credentials
	out    []byte      // of the server, looked at
	begun  bool        // the handshake has been answered
}

func (p *tap) Write(b []byte) (int, error) {
	p.mu.Lock()
	if !p.first {
		p.first = true
	} else {
		for rest := b; len(rest) >= 12; rest = rest[4+binary.BigEndian.Uint32(rest):] {
			xid, code := int32(binary.BigEndian.Uint32(rest[4:])), int32(binary.BigEndian.Uint32(rest[8:]))
			if code == codeAuth {
				if p.auths == nil {
					p.auths = make(map[int32]bool)
				}
				p.auths[xid] = true
			}
			if p.sent != nil {
				p.sent(xid, code)
			}
		}
	}
	p.mu.Unlock()
	return p.Conn.Write(b)
}

func (p *tap) Read(b []byte) (int, error) {
	if len(p.out) == 0 {
		var head [4]byte
		if _, err := io.ReadFull(p.Conn, head[:]); err != nil {
			return 0, err
		}
		frame := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, err := io.ReadFull(p.Conn, frame); err != nil {
			return 0, err
		}
		p.mu.Lock()
		if p.begun && len(frame) >= 16 && p.auths[int32(binary.BigEndian.Uint32(frame))] && p.refuse != nil && p.refuse() {
			code := int32(-115)
			binary.BigEndian.PutUint32(frame[12:], uint32(code))
		}
		p.begun = true
		p.mu.Unlock()
		p.out = append(head[:], frame...)
	}
	n := copy(b, p.out)
	p.out = p.out[n:]
	return n, nil
}

// silent is a connection that takes everything and never answers.
func silent() net.Conn {
	client, server := net.Pipe()
	go func() {
		io.Copy(io.Discard, server)
		server.Close()
	}()
	return client
}
