// Package transport carries frames between nodes.
//
// A [Transport] listens and dials; what comes out is a [Conn] between two
// nodes that have proved to each other that they know the same secret. A Conn
// has lanes. Each lane is a stream of bytes in each direction with flow
// control of its own, so that a full lane of messages does not hold up the
// heartbeats in the control lane. The lane for large bodies, [Bulk], has a network
// connection of its own, which [Conn.OpenBulk] opens. Bytes of one lane arrive in the order
// written, at most once, and without gaps: when a Conn ends, what had not
// arrived is lost, and nothing after it arrives.
//
// What travels in a lane is a sequence of frames. An [Encoder] appends frames
// to a batch, [Conn.Write] sends the batch, a [Decoder] over
// [LaneReader] takes the frames out at the other end:
//
//	batch, err = enc.Append(batch[:0], &transport.Frame{Kind: transport.Message, From: 3, To: 8, Type: "main.Job", Body: body})
//	err = conn.Write(transport.Messages, batch)
//
//	dec := transport.NewDecoder(transport.LaneReader(conn, transport.Messages), 0)
//	for {
//		var f transport.Frame
//		if err := dec.Next(&f); err != nil {
//			break // the link is over
//		}
//	}
//
// There are two transports. [NewTCP] is the real one: TCP, with TLS when
// asked, and yamux for the lanes. [NewNetwork] is a network in memory for
// tests: it lives in the virtual time of testing/synctest and can be
// partitioned, healed and slowed. Both do the same handshake and pass the
// same conformance suite. docs/wire.md says what the bytes are.
//
// # Concurrency
//
// A Conn takes one writer and one reader for each lane, and Close from
// anywhere. An Encoder and a Decoder belong to one goroutine at a time, and to
// one lane and direction of one Conn for its whole life, because both ends
// remember the strings that have passed.
//
// # Failure
//
// There is one way for a Conn to end: all of it at once. Bytes that make no
// sense, a broken network connection and Close by either side all end its
// reads and writes, on both sides, with an error that is [ErrClosed]. A peer
// that is silent, because its machine or the network is gone, does not end a
// Conn: that is for heartbeats above to find out, and Close then returns at
// once and releases everything here.
package transport
