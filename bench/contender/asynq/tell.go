package main

import (
	"bufio"
	"fmt"
	"net"

	"conclave/bench/child"
)

// announce tells everyone who connects to the address the ids that it is given.
// asynq itself tells nobody that a task is done; what it is given here costs next
// to nothing.
func announce() (address string, tell func(id string)) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	child.Check(err)
	listeners := make(chan net.Conn)
	go func() {
		for {
			c, err := l.Accept()
			child.Check(err)
			listeners <- c
		}
	}()
	ids := make(chan string, 4096)
	go speak(listeners, ids)
	return l.Addr().String(), func(id string) { ids <- id }
}

// speak writes ids to all that listen, those together that come together.
func speak(listeners <-chan net.Conn, ids <-chan string) {
	var all []*bufio.Writer
	for {
		select {
		case c := <-listeners:
			all = append(all, bufio.NewWriter(c))
		case id := <-ids:
			for _, w := range all {
				_, err := w.WriteString(id + "\n")
				child.Check(err)
				if len(ids) == 0 {
					child.Check(w.Flush())
				}
			}
		}
	}
}

// hear calls finished with each id that is told at the address.
func hear(address string, finished func(id string)) {
	c, err := net.Dial("tcp", address)
	child.Check(err)
	s := bufio.NewScanner(c)
	for s.Scan() {
		finished(s.Text())
	}
	child.Check(s.Err())
}

func text(all []any) string { return fmt.Sprintln(all...) }
