package figures

import (
	"strings"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	var all []time.Duration
	if q := Quantile(all, 0.5); q != 0 {
		t.Errorf("the median of none is %v", q)
	}
	for i := range 101 {
		all = append(all, time.Duration((i*37)%101))
	}
	for q, want := range map[float64]time.Duration{0: 0, 0.5: 50, 0.99: 99, 1: 100, 0.255: 26} {
		if got := Quantile(all, q); got != want {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0 ms", 1234 * time.Microsecond: "1.2 ms", 999 * time.Millisecond: "999.0 ms", 1234 * time.Millisecond: "1.23 s",
	} {
		if got := Short(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestMachine(t *testing.T) {
	if m := Machine(); !strings.Contains(m, "cores: ") || !strings.Contains(m, "go1.") {
		t.Errorf("the machine is %q", m)
	}
}
