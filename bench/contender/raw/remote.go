package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"strings"

	"conclave/bench/child"
)

// remote is frames over connections, one for each sender and receiver: a byte
// that says whether an answer is wanted, the length, and the body. The first byte
// on a connection is the receiver's number.
type remote struct {
	listen func() (address string, accept func() (net.Conn, error))
	dial   func(address string) (net.Conn, error)

	address   string
	receivers []receiver
}

type receiver struct {
	size int
	got  func(bool)
}

const (
	header = 5
	buffer = 128 << 10
)

func (r *remote) Serve(size int, got func(bool)) string {
	r.receivers = append(r.receivers, receiver{size, got})
	n := len(r.receivers) - 1
	if n == 0 {
		var accept func() (net.Conn, error)
		r.address, accept = r.listen()
		go func() {
			for {
				conn, err := accept()
				child.Check(err)
				go r.serve(conn)
			}
		}()
	}
	return r.address + "," + strconv.Itoa(n)
}

func (r *remote) serve(conn net.Conn) {
	in := bufio.NewReaderSize(conn, buffer)
	answer := child.Payload(child.Small)
	n, err := in.ReadByte()
	child.Check(err)
	to := r.receivers[n]
	body := make([]byte, to.size)
	var head [header]byte
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return // the sender has ended
		}
		body = body[:binary.BigEndian.Uint32(head[1:])]
		_, err := io.ReadFull(in, body)
		child.Check(err)
		to.got(child.Intact(body, to.size))
		if head[0] != 0 {
			_, err := conn.Write(answer)
			child.Check(err)
		}
	}
}

func (r *remote) Spawn(address string, size int, f func(child.Port)) {
	host, number, _ := strings.Cut(address, ",")
	n, err := strconv.Atoi(number)
	child.Check(err)
	conn, err := r.dial(host)
	child.Check(err)
	_, err = conn.Write([]byte{byte(n)})
	child.Check(err)
	frame := append(make([]byte, header, header+size), child.Payload(size)...)
	binary.BigEndian.PutUint32(frame[1:], uint32(size))
	asking := append([]byte(nil), frame...)
	asking[0] = 1
	out := bufio.NewWriterSize(conn, buffer)
	answer := make([]byte, child.Small)
	go f(child.Port{
		Send: func() error {
			_, err := out.Write(frame)
			return err
		},
		Call: func() error {
			if _, err := out.Write(asking); err != nil {
				return err
			}
			if err := out.Flush(); err != nil {
				return err
			}
			_, err := io.ReadFull(conn, answer)
			return err
		},
		Flush: out.Flush,
	})
}

func listenTCP() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	child.Check(err)
	return l
}

func openTCP(*child.Child) child.Remote {
	return &remote{
		listen: func() (string, func() (net.Conn, error)) {
			l := listenTCP()
			return l.Addr().String(), l.Accept
		},
		dial: func(address string) (net.Conn, error) { return net.Dial("tcp", address) },
	}
}
