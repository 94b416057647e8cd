package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"testing"
)

func TestPicturesAreXML(t *testing.T) {
	for name, text := range map[string][]byte{
		"dots":  Dots("a < b", "we", "& more", []Row{{"row", []Dot{{"they", 0.3}, {"others", 12}}}}),
		"lines": Lines("a < b", "x", "y", "&", []Series{{"s", []float64{1, 10, 100}, []float64{3, 30, 200}}}),
		"empty": Lines("", "", "", "", nil),
	} {
		d := xml.NewDecoder(bytes.NewReader(text))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Errorf("%s: %v", name, err)
				break
			}
		}
	}
}

func TestScaleTakesInAllValuesBetweenRoundTicks(t *testing.T) {
	s := newScale([]float64{3, 40}, 0, 100)
	if want := []float64{2, 5, 10, 20, 50}; !slices.Equal(s.ticks(), want) {
		t.Errorf("ticks %v, want %v", s.ticks(), want)
	}
	if low, high := s.at(2), s.at(50); low != 0 || high != 100 {
		t.Errorf("the ends are at %v and %v, want 0 and 100", low, high)
	}
}
