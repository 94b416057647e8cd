//conclave:pure

package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A segment is a row of blocks. A block, all numbers big-endian:
//
//	4  "cjl" and the version of this format, 1
//	4  CRC-32C of the block without these four bytes
//	8  term of the writer
//	8  sequence number, which rises from block to block through all segments
//	4  length of what follows
//	.. changes: uvarint length of the key, key, uvarint 0 for a deletion or
//	   the length of the value + 1, value

const (
	magic   = "cjl"
	version = 1

	headerSize = 28
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// block is one commit as it was read.
type block struct {
	term     int64
	sequence uint64
	changes  []byte // encoded
}

// appendHeader leaves room for the header of a block.
func appendHeader(buf []byte) []byte { return append(buf, make([]byte, headerSize)...) }

// seal fills in the header of a block that is otherwise complete.
func seal(b []byte, term int64, sequence uint64) {
	copy(b, magic)
	b[3] = version
	binary.BigEndian.PutUint64(b[8:], uint64(term))
	binary.BigEndian.PutUint64(b[16:], sequence)
	binary.BigEndian.PutUint32(b[24:], uint32(len(b)-headerSize))
	binary.BigEndian.PutUint32(b[4:], sum(b))
}

func sum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:4], castagnoli), castagnoli, b[8:])
}

// appendChange encodes one change; a nil value is a deletion.
func appendChange(buf []byte, key string, value []byte) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(key)))
	buf = append(buf, key...)
	if value == nil {
		return append(buf, 0)
	}
	buf = binary.AppendUvarint(buf, uint64(len(value))+1)
	return append(buf, value...)
}

// changeSize is how much appendChange appends.
func changeSize(key string, value []byte) int {
	if value == nil {
		return uvarintSize(len(key)) + len(key) + 1
	}
	return uvarintSize(len(key)) + len(key) + uvarintSize(len(value)+1) + len(value)
}

func uvarintSize(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

var (
	errTruncated = errors.New("it ends in the middle of a block")
	errNoBlock   = errors.New("what is there is not a block")
	errChecksum  = errors.New("the checksum of a block is wrong")
	errChanges   = errors.New("a block's changes cannot be read")
	errOrder     = errors.New("a block's number is not above that of the one before it")

	// errNewer is no damage: another version of this program wrote it.
	errNewer = errors.New("it was written by a newer version")
)

// cutBlock takes the first block off data. A block that it returns is whole: its
// checksum is right and its changes can be read.
func cutBlock(data []byte) (b block, rest []byte, err error) {
	if len(data) < headerSize {
		return block{}, data, errTruncated
	}
	if string(data[:3]) != magic {
		return block{}, data, errNoBlock
	}
	length := binary.BigEndian.Uint32(data[24:])
	if uint64(length) > uint64(len(data)-headerSize) {
		return block{}, data, errTruncated
	}
	whole := data[:headerSize+int(length)]
	if binary.BigEndian.Uint32(whole[4:]) != sum(whole) {
		return block{}, data, errChecksum
	}
	if whole[3] != version {
		return block{}, data, fmt.Errorf("%w: format %d, this one knows %d", errNewer, whole[3], version)
	}
	b = block{
		term:     int64(binary.BigEndian.Uint64(whole[8:])),
		sequence: binary.BigEndian.Uint64(whole[16:]),
		changes:  whole[headerSize:],
	}
	for left := b.changes; len(left) > 0; {
		if _, _, left, err = cutChange(left); err != nil {
			return block{}, data, err
		}
	}
	return b, data[len(whole):], nil
}

// cutChange takes the first change off data. key and value are parts of data.
func cutChange(data []byte) (key, value, rest []byte, err error) {
	n, size := binary.Uvarint(data)
	if size <= 0 || n > uint64(len(data)-size) {
		return nil, nil, nil, errChanges
	}
	key, rest = data[size:size+int(n)], data[size+int(n):]
	n, size = binary.Uvarint(rest)
	if size <= 0 || n > uint64(len(rest)-size)+1 {
		return nil, nil, nil, errChanges
	}
	rest = rest[size:]
	if n == 0 {
		return key, nil, rest, nil
	}
	return key, rest[: n-1 : n-1], rest[n-1:], nil
}
