package transport

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
)

// The handshake, as docs/wire.md has it.

const (
	magic = "\xc0nclave\n"

	proofNone   = 0
	proofSecret = 1

	nonceSize = 32
	openSize  = len(magic) + 4 + nonceSize // messages 1 and 2
	proofSize = sha256.Size

	labelDialer   = "conclave dialer\x00"
	labelListener = "conclave listener\x00"
	labelLink     = "conclave link\x00"

	purposeLink = 0
	purposeBulk = 1
)

// Status codes.
const (
	statusOK      = 0
	statusVersion = 1
	statusSecret  = 2
	statusBusy    = 3
	statusOther   = 4
	statusNoLink  = 5
	statusTLS     = 6
)

// offer is what one side brings to a handshake.
type offer struct {
	lowest, highest byte // versions
	hello, secret   []byte
	maxFrame        int

	purpose byte // of the connection, for a dialer

	// claim, for a listener, gives a bulk connection to the link that the peer
	// named, whose proof has been checked. Nil: there are no links.
	claim func(key linkKey, version int) error
}

// linkKey is what only the two sides of a link know of it.
type linkKey [sha256.Size]byte

// agreement is what a handshake comes to.
type agreement struct {
	version  int
	hello    []byte // the peer's
	maxFrame int    // the peer's
	key      linkKey
	bulk     bool // for a listener: it is not a link, but has been given to one
}

// refusal is the status that tells the peer of a kind of error.
func refusal(err error) byte {
	switch err {
	case ErrVersion:
		return statusVersion
	case ErrWrongSecret:
		return statusSecret
	case ErrBusy:
		return statusBusy
	case ErrNoLink:
		return statusNoLink
	}
	return statusOther
}

// refused is what a peer's status means.
func refused(status byte) error {
	switch status {
	case statusVersion:
		return ErrVersion
	case statusSecret:
		return ErrWrongSecret
	case statusBusy:
		return ErrBusy
	case statusNoLink:
		return ErrNoLink
	case statusTLS:
		return errPlain
	}
	return fmt.Errorf("refused with status %d", status)
}

// shaker is a handshake under way: both sides' bytes pass through it and are
// remembered for the proofs.
type shaker struct {
	rw         io.ReadWriter
	own        offer
	transcript []byte
}

// dialHandshake does the dialer's part over rw. It reads nothing beyond the
// handshake, and has no sense of time: the caller breaks rw when it has waited
// long enough. Errors are ErrHandshake.
func dialHandshake(rw io.ReadWriter, own offer) (agreement, error) {
	s := shaker{rw: rw, own: own}
	a, err := s.dial()
	return a, wrapHandshake(err)
}

// listenHandshake does the listener's part.
func listenHandshake(rw io.ReadWriter, own offer) (agreement, error) {
	s := shaker{rw: rw, own: own}
	a, err := s.listen()
	return a, wrapHandshake(err)
}

func wrapHandshake(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrHandshake, err)
}

func (s *shaker) dial() (agreement, error) {
	if err := s.sendOpen(s.own.lowest, s.own.highest); err != nil {
		return agreement{}, err
	}
	open, err := s.readOpen()
	if err != nil {
		return agreement{}, err
	}
	status, version, proof := open[0], open[1], open[2]
	if status != statusOK {
		return agreement{}, fmt.Errorf("the listener refused: %w", refused(status))
	}
	if version < s.own.lowest || version > s.own.highest {
		return agreement{}, s.refuse(fmt.Errorf("%w: we speak %d to %d, the listener chose %d", ErrVersion, s.own.lowest, s.own.highest, version), ErrVersion)
	}
	if err := s.checkProofMode(proof); err != nil {
		return agreement{}, s.refuse(err, ErrWrongSecret)
	}
	if err := s.sendSelf(labelDialer); err != nil {
		return agreement{}, err
	}
	a, err := s.readSelf(int(version), labelListener, nil)
	if err != nil {
		return agreement{}, err
	}
	a.key = s.linkKey()
	return a, nil
}

func (s *shaker) listen() (agreement, error) {
	open, err := s.readOpen()
	if err == errPlain {
		s.sendOpen(statusTLS, s.own.highest)
	}
	if err != nil {
		return agreement{}, err
	}
	lowest, highest, proof, purpose := open[0], open[1], open[2], open[3]
	version := min(highest, s.own.highest)
	if version < max(lowest, s.own.lowest) {
		s.sendOpen(statusVersion, s.own.highest)
		return agreement{}, fmt.Errorf("%w: we speak %d to %d, the dialer %d to %d", ErrVersion, s.own.lowest, s.own.highest, lowest, highest)
	}
	if err := s.checkProofMode(proof); err != nil {
		s.sendOpen(statusSecret, version)
		return agreement{}, err
	}
	if purpose > purposeBulk {
		s.sendOpen(statusOther, version)
		return agreement{}, fmt.Errorf("a connection of purpose %d, which we do not know", purpose)
	}
	if err := s.sendOpen(statusOK, version); err != nil {
		return agreement{}, err
	}
	a, err := s.readSelf(int(version), labelDialer, s.refuse)
	if err != nil {
		return agreement{}, err
	}
	if purpose == purposeBulk {
		if err := s.giveAway(a); err != nil {
			return agreement{}, s.refuse(err, ErrNoLink)
		}
		a.bulk, s.own.hello = true, nil
	}
	if err := s.sendSelf(labelListener); err != nil {
		return agreement{}, err
	}
	a.key = s.linkKey()
	return a, nil
}

// giveAway gives the connection to the link that the dialer named.
func (s *shaker) giveAway(a agreement) error {
	if s.own.claim == nil || len(a.hello) != len(linkKey{}) {
		return ErrNoLink
	}
	return s.own.claim(linkKey(a.hello), a.version)
}

// linkKey is the key of the link that this handshake, which is over, has made.
func (s *shaker) linkKey() linkKey {
	return linkKey(s.proof(labelLink, nil))
}

// sendOpen sends message 1 or 2; x and y are the two bytes that they differ in.
func (s *shaker) sendOpen(x, y byte) error {
	m := make([]byte, openSize)
	copy(m, magic)
	m[8], m[9], m[11] = x, y, s.own.purpose
	if len(s.own.secret) > 0 {
		m[10] = proofSecret
	}
	rand.Read(m[12:])
	return s.send(m)
}

// readOpen reads message 1 or 2 and returns the four bytes after the magic.
func (s *shaker) readOpen() ([]byte, error) {
	// The magic first: what speaks something else may say less than a whole
	// message and then wait.
	start, err := s.read(len(magic))
	if err != nil {
		return nil, err
	}
	if beganWithTLS(start) {
		return nil, errPlain
	}
	if string(start) != magic {
		return nil, fmt.Errorf("%w: it begins with %q", ErrNotConclave, start)
	}
	rest, err := s.read(openSize - len(magic))
	if err != nil {
		return nil, err
	}
	return rest[:4], nil
}

// errPlain: the other side speaks TLS, we do not.
var errPlain = fmt.Errorf("%w: the other side has it, we have not", ErrTLS)

// checkProofMode compares the peer's kind of proof with ours.
func (s *shaker) checkProofMode(proof byte) error {
	has := len(s.own.secret) > 0
	switch {
	case proof == proofNone && has:
		return fmt.Errorf("%w: the peer has none, we have one", ErrWrongSecret)
	case proof == proofSecret && !has:
		return fmt.Errorf("%w: the peer has one, we have none", ErrWrongSecret)
	case proof > proofSecret:
		return fmt.Errorf("%w: the peer wants proof %d", ErrWrongSecret, proof)
	}
	return nil
}

// sendSelf sends message 3 or 4.
func (s *shaker) sendSelf(label string) error {
	m := make([]byte, 0, 7+len(s.own.hello)+proofSize)
	m = append(m, statusOK)
	m = binary.BigEndian.AppendUint32(m, uint32(s.own.maxFrame))
	m = binary.BigEndian.AppendUint16(m, uint16(len(s.own.hello)))
	m = append(m, s.own.hello...)
	if len(s.own.secret) > 0 {
		m = append(m, s.proof(label, m)...)
	}
	return s.send(m)
}

// readSelf reads message 3 or 4 and checks its proof. It tells the peer through
// refuse, if there is one, why it is refused.
func (s *shaker) readSelf(version int, label string, refuse func(err, kind error) error) (agreement, error) {
	if refuse == nil {
		refuse = func(err, kind error) error { return err }
	}
	status, err := s.read(1)
	if err != nil {
		return agreement{}, err
	}
	if status[0] != statusOK {
		return agreement{}, fmt.Errorf("the peer refused: %w", refused(status[0]))
	}
	sizes, err := s.read(6)
	if err != nil {
		return agreement{}, err
	}
	maxFrame, helloSize := binary.BigEndian.Uint32(sizes), int(binary.BigEndian.Uint16(sizes[4:]))
	if maxFrame < SmallestMaxFrame || maxFrame > LargestMaxFrame || helloSize > MaxHello {
		err := fmt.Errorf("frames of %d bytes and a hello of %d are out of bounds", maxFrame, helloSize)
		return agreement{}, refuse(err, nil)
	}
	hello, err := s.read(helloSize)
	if err != nil {
		return agreement{}, err
	}
	if len(s.own.secret) > 0 {
		want := s.proof(label, nil)
		got, err := s.read(proofSize)
		if err != nil {
			return agreement{}, err
		}
		if !hmac.Equal(got, want) {
			return agreement{}, refuse(ErrWrongSecret, ErrWrongSecret)
		}
	}
	return agreement{version: version, hello: append([]byte(nil), hello...), maxFrame: int(maxFrame)}, nil
}

// refuse sends a status in place of message 3 or 4 and returns err.
func (s *shaker) refuse(err, kind error) error {
	s.rw.Write([]byte{refusal(kind)}) // the peer may be gone; err is what counts
	return err
}

// proof is the HMAC over label, all that was said, and more.
func (s *shaker) proof(label string, more []byte) []byte {
	mac := hmac.New(sha256.New, s.own.secret)
	mac.Write([]byte(label))
	mac.Write(s.transcript)
	mac.Write(more)
	return mac.Sum(nil)
}

func (s *shaker) send(m []byte) error {
	s.transcript = append(s.transcript, m...)
	_, err := s.rw.Write(m)
	return err
}

// read reads n bytes. They are valid until the next call of any method.
func (s *shaker) read(n int) ([]byte, error) {
	at := len(s.transcript)
	s.transcript = append(s.transcript, make([]byte, n)...)
	m := s.transcript[at:]
	if _, err := io.ReadFull(s.rw, m); err != nil {
		return nil, unexpected(err)
	}
	return m, nil
}
