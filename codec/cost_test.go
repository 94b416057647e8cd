package codec_test

import (
	"testing"

	"conclave/codec"
	"conclave/internal/cost"
)

// What a struct of a number, a string and bytes costs to write and to read, as
// instructions, by its own methods and by reflection. Bounds are a third above what
// was counted.

func TestCostOfTheDirectWay(t *testing.T) { costOf(t, noteOf[leanNote](), new(leanNote), costOfDirect) }

func TestCostOfReflection(t *testing.T) {
	costOf(t, noteOf[plainNote](), new(plainNote), costOfReflection)
}

func costOf(t *testing.T, body, into any, bound float64) {
	cost.Need(t)
	dst := make([]byte, 0, 1<<10)
	const n = 1000
	cost.AtMost(t, bound, n, func() {
		for range n {
			data, name, err := codec.Append(dst, body)
			if err == nil {
				err = codec.Decode(name, data, into)
			}
			if err != nil {
				panic(err)
			}
		}
	})
}

const (
	costOfDirect     = 34
	costOfReflection = 54
)
