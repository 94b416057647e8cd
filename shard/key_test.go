package shard

import (
	"fmt"
	"strings"
	"testing"
)

// The figures come from another program in another language, which was held to the
// published test vectors of FNV-1a ("foobar": 85944171f73967e8) and of SplitMix64
// (seed 1234567: 6457827717110365317). None of them may ever change.
func TestAKeyIsInOnePartForEver(t *testing.T) {
	sizes := []int{1, 2, 7, 256, 1000, 4096}
	for _, c := range []struct {
		key   string
		hash  uint64
		parts []int
	}{
		{"", 0xc3817c016ba4ff30, []int{0, 0, 4, 48, 8, 3888}},
		{"a", 0x5f29c2aadd9b8527, []int{0, 1, 1, 39, 583, 1319}},
		{"b", 0x56f6a47e30923664, []int{0, 0, 6, 100, 980, 1636}},
		{"foobar", 0x5df295413403de4f, []int{0, 1, 6, 79, 415, 3663}},
		{"customer 17", 0xe2edacb2bff9a8f9, []int{0, 1, 6, 249, 145, 2297}},
		{"\x00", 0x71b8262bb6e2e086, []int{0, 0, 0, 134, 614, 134}},
		{"\x00\x00", 0x6382567327bf3b67, []int{0, 1, 0, 103, 727, 2919}},
		{"\xff\xfe", 0x53af3090a73f3aa2, []int{0, 0, 4, 162, 210, 2722}},
		{"Grüße, 世界", 0xb7ba912127a4a998, []int{0, 0, 1, 152, 336, 2456}},
		{strings.Repeat("x", 1000), 0x3f154133758e6a81, []int{0, 1, 0, 129, 929, 2689}},
	} {
		if h := hash(c.key); h != c.hash {
			t.Errorf("hash(%.20q) is %#x, want %#x", c.key, h, c.hash)
		}
		for i, parts := range sizes {
			if part := PartOf(c.key, parts); part != c.parts[i] {
				t.Errorf("%.20q of %d parts is in part %d, want %d", c.key, parts, part, c.parts[i])
			}
		}
	}
}

func TestKeysThatAreAlikeSpreadEvenly(t *testing.T) {
	const parts, each = 256, 400
	for name, key := range map[string]func(i int) string{
		"numbers":       func(i int) string { return fmt.Sprint(i) },
		"padded":        func(i int) string { return fmt.Sprintf("customer-%012d", i) },
		"alike at last": func(i int) string { return fmt.Sprintf("%d@example.org", i) },
		"bytes":         func(i int) string { return string([]byte{byte(i), byte(i >> 8), byte(i >> 16)}) },
		"lengths":       func(i int) string { return strings.Repeat("\x00", i%4096) + fmt.Sprint(i/4096) },
	} {
		var load [parts]int
		for i := range parts * each {
			load[PartOf(key(i), parts)]++
		}
		// Of a sum of squares like this one its mean is 255, its deviation 22.6.
		var chi float64
		for _, n := range load {
			chi += float64((n-each)*(n-each)) / each
		}
		if chi < 255-6*22.6 || chi > 255+6*22.6 {
			t.Errorf("%s: chi-squared is %.0f for 255 degrees of freedom", name, chi)
		}
	}
}

func TestFewerThanOnePartAreOne(t *testing.T) {
	for _, parts := range []int{1, 0, -1, -256} {
		if part := PartOf("key", parts); part != 0 {
			t.Errorf("of %d parts it is in %d", parts, part)
		}
	}
}

func TestPartOfAllocatesNothing(t *testing.T) {
	key := strings.Repeat("k", 100)
	if n := testing.AllocsPerRun(100, func() { PartOf(key, 256) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
