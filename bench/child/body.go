package child

// Small is how many bytes the messages of R1 to R4 and all answers have.
const Small = 64

// stride is how far apart the bytes are that a receiver looks at: to look at all
// of a large body would be much of the work.
const stride = 4096

// Payload makes a body of that size.
func Payload(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

// Intact says whether a body arrived as Payload made it, as far as its length and
// samples tell.
func Intact(b []byte, size int) bool {
	if len(b) != size {
		return false
	}
	for i := 0; i < size; i += stride {
		if b[i] != byte(i%251) {
			return false
		}
	}
	return size == 0 || b[size-1] == byte((size-1)%251)
}
