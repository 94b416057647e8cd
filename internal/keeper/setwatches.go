package keeper

import (
	"bytes"
	"encoding/binary"
)

// The client is not told of our watches. It would set those it knows of again
// after a reconnect, and for that reads its last zxid without a lock, while another
// goroutine of its own writes it with every answer. Nothing that can be seen from
// outside proves that it has read: a SetWatches that goes out may be one that was
// queued for the connection before. Without watches it reads nothing and sends
// nothing.
//
// So a read that is to set a watch goes through the client as one that sets none,
// with a mark behind its path; the link takes the mark off and asks for the watch.
// The client hands every event to its callback, whether it knows of a watch or
// not. Setting them again is the link's work.

// watchMark is a character of which the client lets paths have any number, and
// ZooKeeper none: no znode's path ends with it.
const watchMark = "\ue000"

// Opcodes of the reads that can set a watch. All their requests are a path and
// one byte that says whether to.
const (
	codeExists       = 3
	codeGetData      = 4
	codeGetChildren2 = 12
)

// unmark makes the frame that goes to the server of the client's.
func unmark(frame []byte) []byte {
	switch int32(binary.BigEndian.Uint32(frame[8:])) {
	case codeExists, codeGetData, codeGetChildren2:
	default:
		return frame
	}
	path, ok := bytes.CutSuffix(frame[:len(frame)-1], []byte(watchMark))
	if !ok {
		return frame
	}
	out := append(bytes.Clone(path), 1)
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	binary.BigEndian.PutUint32(out[12:], uint32(len(path)-16))
	return out
}

// xidSetWatches numbers the link's requests to set watches again, as it does with
// ZooKeeper's own client. Nobody else's number is below zero.
const xidSetWatches = -8

// setWatchesLimit is how long one of them may be: servers refuse requests of a
// megabyte, and may be told to refuse smaller ones.
const setWatchesLimit = 128 << 10

// setWatches are the frames that set these watches again. What has changed since
// the server's transaction zxid is told at once.
func setWatches(zxid int64, standing [watchKinds][]string) []byte {
	var out []byte
	for {
		var part [watchKinds][]string
		size, any := 4+8+8+3*4, false
		for k := range standing {
			n := 0
			for _, path := range standing[k] {
				if size += 4 + len(path); size > setWatchesLimit && any {
					break
				}
				n, any = n+1, true
			}
			part[k], standing[k] = standing[k][:n], standing[k][n:]
		}
		if !any {
			return out
		}
		begin := len(out)
		out = binary.BigEndian.AppendUint32(out, 0)
		code := int32(xidSetWatches)
		out = binary.BigEndian.AppendUint32(out, uint32(code))
		out = binary.BigEndian.AppendUint32(out, codeSetWatches)
		out = binary.BigEndian.AppendUint64(out, uint64(zxid))
		for _, paths := range part { // data, exist, child: as the request has them
			out = binary.BigEndian.AppendUint32(out, uint32(len(paths)))
			for _, path := range paths {
				out = binary.BigEndian.AppendUint32(out, uint32(len(path)))
				out = append(out, path...)
			}
		}
		binary.BigEndian.PutUint32(out[begin:], uint32(len(out)-begin-4))
	}
}
