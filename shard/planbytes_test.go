package shard

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
)

func somePlan(t fataler) Plan {
	return nextOf(t, newPlan(t, 5), Member{"ada", 200}, Member{"b\xff", 300}, Member{"cleo", 0})
}

// summed appends the checksum that makes body look whole.
func summed(body ...byte) []byte {
	return binary.BigEndian.AppendUint32(slices.Clone(body), crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

func TestAPlanHasTheseBytes(t *testing.T) {
	p := somePlan(t)
	data := p.Append([]byte("before"))
	if got, want := hex.EncodeToString(data),
		hex.EncodeToString([]byte("before"))+"01"+"05"+"03"+
			"03616461"+"c801"+"0262ff"+"ac02"+"04636c656f"+"00"+
			"0102010202"+"e461ec2a"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	back, err := ParsePlan(data[len("before"):])
	if err != nil || !back.Equal(p) {
		t.Errorf("they are read as %v, %v", back, err)
	}
	clear(data)
	if !back.Equal(p) {
		t.Error("a part of the bytes was kept")
	}
}

func TestAPlanOfNobodyIsReadBack(t *testing.T) {
	for _, parts := range []int{1, MaxParts} {
		p := newPlan(t, parts)
		if back, err := ParsePlan(p.Append(nil)); err != nil || !back.Equal(p) || back.Parts() != parts {
			t.Errorf("%d parts: %d, %v", parts, back.Parts(), err)
		}
	}
}

func TestDamagedPlansAreRefused(t *testing.T) {
	whole := somePlan(t).Append(nil)
	for n := range whole {
		if _, err := ParsePlan(whole[:n]); !errors.Is(err, ErrBadPlan) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
		// also if the checksum is right
		if _, err := ParsePlan(summed(whole[:max(1, min(n, len(whole)-5))]...)); !errors.Is(err, ErrBadPlan) {
			t.Errorf("the first %d bytes with a checksum: %v", n, err)
		}
		for bit := range 8 {
			data := slices.Clone(whole)
			data[n] ^= 1 << bit
			if _, err := ParsePlan(data); !errors.Is(err, ErrBadPlan) {
				t.Errorf("byte %d with bit %d turned: %v", n, bit, err)
			}
		}
	}
}

func TestAForeignPlanIsRefusedWithTheReason(t *testing.T) {
	overlong := bytes.Repeat([]byte{0xff}, 11)
	for want, data := range map[string][]byte{
		"only 0 bytes":                           nil,
		"the checksum is wrong":                  []byte(`{"parts":256}`),
		"it ends before the number of parts":     summed(1),
		"number of parts is not from 1 to 4096":  summed(1, 0, 0),
		"parts is not from 1":                    summed(1, 0x81, 0x20, 0), // 4097
		"number of parts is not":                 summed(append([]byte{1}, overlong...)...),
		"ends before the number of members":      summed(1, 1),
		"number of members is not":               summed(append([]byte{1, 1}, overlong...)...),
		"number of members is not from 0":        summed(1, 1, 0x81, 0x20), // 4097
		"before the length of ID 0":              summed(1, 1, 1),
		"length of ID 0 is not from 1 to 128":    summed(1, 1, 1, 0),
		"length of ID 0 is not":                  summed(1, 1, 1, 0x81, 0x01),
		"ends within ID 0":                       summed(1, 1, 1, 2, 'a'),
		"ends before the weight of member 0":     summed(1, 1, 1, 1, 'a'),
		"weight of member 0 is not from 0 to 10": summed(1, 1, 1, 1, 'a', 0xc1, 0x84, 0x3d, 1), // 1,000,001
		"ID 1 is not above":                      summed(1, 1, 2, 1, 'b', 1, 1, 'a', 1, 1),
		"ID 1 is not above the one before it":    summed(1, 1, 2, 1, 'a', 1, 1, 'a', 1, 1),
		"ends before the owner of part 1":        summed(1, 2, 1, 1, 'a', 1, 1),
		"owner of part 0 is not from 0 to 1":     summed(1, 1, 1, 1, 'a', 1, 2),
		"parts is not in its shortest form":      summed(1, 0x81, 0, 1, 1, 'a', 1, 1),
		"2 bytes follow":                         summed(1, 1, 1, 1, 'a', 1, 1, 1, 0),
	} {
		if p, err := ParsePlan(data); !errors.Is(err, ErrBadPlan) || errors.Is(err, ErrOtherPlan) || !strings.Contains(err.Error(), want) || p.Parts() != 0 {
			t.Errorf("%v, want one that says %q", err, want)
		}
	}
	for _, version := range []byte{0, 2, 255} {
		if _, err := ParsePlan(summed(version, 'a', 'b', 'c')); !errors.Is(err, ErrOtherPlan) || errors.Is(err, ErrBadPlan) {
			t.Errorf("version %d: %v", version, err)
		}
	}
	if _, err := ParsePlan(summed(1, 1, 1, 1, 'a', 1, 1)); err != nil {
		t.Errorf("the whole of them: %v", err)
	}
}

func FuzzParsePlan(f *testing.F) {
	f.Add(somePlan(f).Append(nil))
	f.Add(newPlan(f, 300).Append(nil))
	f.Add(summed(1, 3, 2, 1, 'a', 0, 1, 'b', 2, 1, 0, 1)) // not as Next would have it
	f.Add([]byte(`{"parts":256}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, summed(data...), summed(data[:max(0, len(data)-4)]...)} {
			p, err := ParsePlan(data)
			if err != nil {
				if errors.Is(err, ErrBadPlan) == errors.Is(err, ErrOtherPlan) {
					t.Fatal(err)
				}
				continue
			}
			if again := p.Append(nil); !bytes.Equal(again, data) {
				t.Fatalf("%x becomes %x", data, again)
			}
			members := p.Members()
			next, err := p.Next(members)
			if err != nil {
				t.Fatalf("%x: %v", data, err)
			}
			if problem := sound(next, members); problem != "" {
				t.Fatalf("%x: %s", data, problem)
			}
			if moved, least := changed(p, next), least(p, members); moved != least {
				t.Fatalf("%x: %d parts move, %d are enough", data, moved, least)
			}
			if !nextOf(t, next, members...).Equal(next) {
				t.Fatalf("%x: it does not come to rest", data)
			}
		}
	})
}
