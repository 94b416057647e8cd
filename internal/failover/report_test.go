package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func ms(numbers ...int) *series {
	s := &series{kind: "k", on: "o"}
	for _, n := range numbers {
		s.took = append(s.took, time.Duration(n)*time.Millisecond)
	}
	return s
}

func TestQuantileIsTheSmallestThatSoManyDoNotExceed(t *testing.T) {
	s := ms(50, 10, 40, 20, 30)
	for q, want := range map[float64]int{0: 10, 0.2: 10, 0.21: 20, 0.5: 30, 0.99: 50, 1: 50} {
		if got := s.quantile(q); got != time.Duration(want)*time.Millisecond {
			t.Errorf("%v: %v, want %d ms", q, got, want)
		}
	}
	if even := ms(1, 2, 3, 4).quantile(0.5); even != 2*time.Millisecond {
		t.Errorf("median of four: %v", even)
	}
}

func TestReportSaysWhenABoundIsExceeded(t *testing.T) {
	good, bad := ms(10), ms(10, 30)
	good.bound, bad.bound = 20*time.Millisecond, 20*time.Millisecond
	for s, exceeded := range map[*series]bool{good: false, bad: true} {
		var b bytes.Buffer
		report(&b, "v", []*series{s})
		if strings.Contains(b.String(), "EXCEEDED") != exceeded {
			t.Error(b.String())
		}
	}
}

func TestPictureIsWellFormed(t *testing.T) {
	s := ms(1, 5, 100_000)
	s.bound = time.Second
	d := xml.NewDecoder(bytes.NewReader(draw([]*series{s, ms(3)})))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
