package shard

import (
	"encoding/binary"
	"hash/crc32"
)

// LaterPlan makes of a plan's bytes one of the next version.
func LaterPlan(data []byte) []byte {
	body := append([]byte{planVersion + 1}, data[1:len(data)-4]...)
	return binary.BigEndian.AppendUint32(body, crc32.Checksum(body, castagnoli))
}
