package transport

import "encoding/binary"

// Numbers of extensions. Those that a receiver does not know it skips.
const (
	// ExtTrace is a trace context.
	ExtTrace = 1
	// ExtPriority is a priority.
	ExtPriority = 2
)

// AppendExtension appends one extension, a number and its value, to ext, which
// becomes a Frame's Ext.
func AppendExtension(ext []byte, number uint64, value []byte) []byte {
	ext = binary.AppendUvarint(ext, number)
	ext = binary.AppendUvarint(ext, uint64(len(value)))
	return append(ext, value...)
}

// Extension returns the value of the first extension with this number. What
// cannot be understood ends the search and is no error: extensions are
// optional, and newer nodes may send others.
func Extension(ext []byte, number uint64) (value []byte, ok bool) {
	for len(ext) > 0 {
		id, n := binary.Uvarint(ext)
		if n <= 0 {
			return nil, false
		}
		ext = ext[n:]
		size, n := binary.Uvarint(ext)
		if n <= 0 || size > uint64(len(ext)-n) {
			return nil, false
		}
		value, ext = ext[n:n+int(size)], ext[n+int(size):]
		if id == number {
			return value, true
		}
	}
	return nil, false
}
