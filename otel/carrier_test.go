package otel

import (
	"slices"
	"testing"
)

func TestCarrierComesOutAsItWentIn(t *testing.T) {
	var c carrier
	c.Set("traceparent", "00-1-2-01")
	c.Set("tracestate", "")
	c.Set("traceparent", "00-3-4-01")
	back := decode(c.encode())
	if !slices.Equal(*back, c) || back.Get("traceparent") != "00-3-4-01" || len(back.Keys()) != 2 || back.Get("other") != "" {
		t.Errorf("%q came out as %q", c, *back)
	}
}

func FuzzBrokenCarriersAreRead(f *testing.F) {
	f.Add("")
	f.Add("\x01a\x01b")
	f.Add("\x01a\x05b")
	f.Add("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
	f.Fuzz(func(t *testing.T, sent string) {
		c := decode(sent)
		if len(*c)%2 != 0 {
			t.Errorf("%q became %q", sent, *c)
		}
		for _, name := range c.Keys() {
			c.Get(name)
		}
	})
}
