//conclave:pure

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strconv"
)

// How the state of a part is written: lines, each a checksum and a JSON object. The
// first says whose state it is, each of the others what an instance is from then on.

// heading is the record that a term begins with.
type heading struct {
	Part  int   `json:"part"`
	Parts int   `json:"parts"` // of the space: with another number keys are elsewhere
	Term  int64 `json:"term"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// line is a record as it is written.
func line(record any) ([]byte, error) {
	body, err := json.Marshal(record)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(body, castagnoli), body), nil
}

// replay reads what line has written. A last line without its end is one that was being
// written when the writer died: nobody was told that it was kept, so it is none. Any
// other that is damaged is an error, which says where it is.
func replay(data []byte, h *heading) (all map[string]instance, err error) {
	all = make(map[string]instance)
	for n, at := 1, 0; at < len(data); n++ {
		end := bytes.IndexByte(data[at:], '\n')
		if end < 0 && n > 1 {
			break
		}
		text := data[at : at+max(end, 0)]
		var i instance
		into := any(&i)
		if n == 1 {
			into = h
		}
		if err := unline(text, into); err != nil {
			return nil, fmt.Errorf("line %d (byte %d): %w", n, at, err)
		}
		if n > 1 {
			all[i.Key] = i
		}
		at += end + 1
	}
	return all, nil
}

// unline reads one line.
func unline(text []byte, into any) error {
	sum, body, _ := bytes.Cut(text, []byte(" "))
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || uint32(want) != crc32.Checksum(body, castagnoli) {
		return fmt.Errorf("damaged: %.60q", text)
	}
	return json.Unmarshal(body, into)
}
