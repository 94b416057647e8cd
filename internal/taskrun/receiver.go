//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"conclave/internal/child"
)

// receiverMain is the world outside. Whoever posts an effect is answered when it
// is written down.
func receiverMain(args []string) int {
	fs := flag.NewFlagSet("receiver", flag.ExitOnError)
	path := fs.String("notes", "", "")
	fs.Parse(args)
	child.Hello()
	b, err := openNotes(*path)
	if err != nil {
		return failed(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return failed(err)
	}
	newSayer().say(said{Address: l.Addr().String()})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go receive(conn, b)
		}
	}()
	awaitStop()
	return 0
}

// receive writes down what comes, and says so.
func receive(conn net.Conn, b *notes) {
	defer conn.Close()
	for in := bufio.NewScanner(conn); in.Scan(); {
		var l line
		err := json.Unmarshal(in.Bytes(), &l)
		if err == nil {
			l.At = time.Now().UnixMilli()
			err = b.put(l)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "receiver:", err)
			return
		}
		if _, err := conn.Write([]byte("ok\n")); err != nil {
			return
		}
	}
}

// postbox takes effects to the receiver, over as many connections as are needed.
type postbox struct {
	address string
	idle    chan net.Conn
}

func newPostbox(address string) *postbox {
	return &postbox{address: address, idle: make(chan net.Conn, 64)}
}

// post returns when the effect is written down. After an error it may be, too.
func (b *postbox) post(ctx context.Context, l line) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	conn, err := b.connection(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	answer := make([]byte, len("ok\n"))
	_, err = conn.Write(append(text, '\n'))
	if err == nil {
		_, err = conn.Read(answer)
	}
	if !stop() || err != nil {
		conn.Close()
		return errors.Join(err, context.Cause(ctx))
	}
	select {
	case b.idle <- conn:
	default:
		conn.Close()
	}
	return nil
}

func (b *postbox) connection(ctx context.Context) (net.Conn, error) {
	select {
	case conn := <-b.idle:
		return conn, nil
	default:
		var d net.Dialer
		return d.DialContext(ctx, "tcp", b.address)
	}
}
