package transport

import (
	"encoding/binary"
	"errors"
	"testing"
)

// yamuxFrame is a header and so much data.
func yamuxFrame(kind byte, flags uint16, stream, length uint32) []byte {
	h := make([]byte, yamuxHeader)
	h[1] = kind
	binary.BigEndian.PutUint16(h[2:], flags)
	binary.BigEndian.PutUint32(h[4:], stream)
	binary.BigEndian.PutUint32(h[8:], length)
	if kind == yamuxData && length < 1<<20 {
		h = append(h, make([]byte, length)...)
	}
	return h
}

func TestGuardPassesWhatIsUsedOfYamux(t *testing.T) {
	for _, listener := range []bool{true, false} {
		greeting := uint16(yamuxACK)
		if listener {
			greeting = yamuxSYN
		}
		var stream []byte
		for _, f := range [][]byte{
			yamuxFrame(yamuxWindow, greeting, 1, 1000),
			yamuxFrame(yamuxData, greeting, 3, 100),
			yamuxFrame(yamuxData, 0, 1, 70_000),
			yamuxFrame(yamuxWindow, 0, 3, 5),
			yamuxFrame(yamuxData, 0, 3, 0),
			yamuxFrame(yamuxData, 0, 3, 12),
			yamuxFrame(yamuxWindow, 0, 1, 0),
		} {
			stream = append(stream, f...)
		}
		for _, size := range []int{1, 5, 12, 4096, len(stream)} {
			g := guard{listener: listener}
			for rest := stream; len(rest) > 0; rest = rest[min(size, len(rest)):] {
				if err := g.check(rest[:min(size, len(rest))]); err != nil {
					t.Fatalf("listener %v, portions of %d: %v", listener, size, err)
				}
			}
		}
	}
}

func TestGuardStopsEverythingElse(t *testing.T) {
	syn := yamuxFrame(yamuxWindow, yamuxSYN, 1, 0)
	for name, f := range map[string][]byte{
		"version":             append([]byte{1}, yamuxFrame(yamuxData, 0, 1, 0)[1:]...),
		"ping":                yamuxFrame(2, yamuxSYN, 0, 7),
		"go away":             yamuxFrame(3, 0, 0, 0),
		"unknown type":        yamuxFrame(4, 0, 1, 0),
		"FIN":                 yamuxFrame(yamuxWindow, 4, 1, 0),
		"RST":                 yamuxFrame(yamuxWindow, 8, 1, 0),
		"SYN twice":           yamuxFrame(yamuxWindow, yamuxSYN, 1, 0),
		"ACK to a listener":   yamuxFrame(yamuxWindow, yamuxACK, 1, 0),
		"SYN and ACK":         yamuxFrame(yamuxWindow, yamuxSYN|yamuxACK, 3, 0),
		"stream 0":            yamuxFrame(yamuxData, 0, 0, 0),
		"stream 2":            yamuxFrame(yamuxWindow, yamuxSYN, 2, 0),
		"third lane":          yamuxFrame(yamuxWindow, yamuxSYN, 5, 0),
		"highest stream":      yamuxFrame(yamuxWindow, yamuxSYN, 0xffffffff, 0),
		"stream not yet open": yamuxFrame(yamuxData, 0, 3, 0),
	} {
		g := guard{listener: true}
		if err := g.check(syn); err != nil {
			t.Fatal(err)
		}
		if err := g.check(f); !errors.Is(err, errProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
	g := guard{}
	if err := g.check(syn); !errors.Is(err, errProtocol) {
		t.Errorf("SYN to a dialer: %v", err)
	}
}

// FuzzGuard: whatever comes, in whatever portions, the guard comes to the same
// answer.
func FuzzGuard(f *testing.F) {
	f.Add(append(yamuxFrame(yamuxWindow, yamuxSYN, 1, 9), yamuxFrame(yamuxData, 0, 1, 20)...), uint8(3))
	f.Add(yamuxFrame(yamuxData, yamuxSYN, 3, 0xffffffff), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, portion uint8) {
		for _, listener := range []bool{true, false} {
			whole, parts := guard{listener: listener}, guard{listener: listener}
			want := whole.check(data)
			var got error
			size := int(portion) + 1
			for rest := data; len(rest) > 0 && got == nil; rest = rest[min(size, len(rest)):] {
				got = parts.check(rest[:min(size, len(rest))])
			}
			if (want == nil) != (got == nil) {
				t.Fatalf("at once %v, in portions of %d %v", want, size, got)
			}
		}
	})
}
