package actor

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

var somePIDs = []PID{
	{},
	MakePID(NodeID{Name: "a", Address: "127.0.0.1:4000", Incarnation: 1}, 1),
	MakePID(NodeID{Name: "alpha-17", Address: "[::1]:4000", Incarnation: 1<<64 - 1}, 1<<64-1),
	MakePID(NodeID{Name: "b.c", Address: "[fe80::1%eth0.5]:65535", Incarnation: 0xabc}, 1<<40),
	MakePID(NodeID{Name: "gast", Incarnation: 5}, 0),
	MakePID(NodeID{Name: "日本", Address: "host.example:1", Incarnation: 5}, 77),
}

func TestPIDSurvivesEveryEncoding(t *testing.T) {
	for _, pid := range somePIDs {
		back, err := ParsePID(pid.String())
		if err != nil || back != pid {
			t.Errorf("text: %s became %s, %v", pid, back, err)
		}
		if strings.Contains(pid.String(), "/") {
			t.Errorf("%s cannot be the name of a znode", pid)
		}
		var fromBinary, fromJSON PID
		data, err := pid.MarshalBinary()
		if err == nil {
			err = fromBinary.UnmarshalBinary(data)
		}
		if err != nil || fromBinary != pid {
			t.Errorf("binary: %s became %s, %v", pid, fromBinary, err)
		}
		data, err = json.Marshal(map[string]PID{"pid": pid})
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]PID
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		if fromJSON = m["pid"]; fromJSON != pid {
			t.Errorf("JSON: %s became %s", pid, fromJSON)
		}
		if node := pid.Node(); !pid.IsZero() {
			if back, err := ParseNodeID(node.String()); err != nil || back != node {
				t.Errorf("node %s became %s, %v", node, back, err)
			}
		}
	}
}

func TestPIDIsWrittenAsDocumented(t *testing.T) {
	if got := somePIDs[1].String(); got != "a@127.0.0.1:4000#0000000000000001.1" {
		t.Error(got)
	}
	if got := (PID{}).String(); got != "nobody" {
		t.Error(got)
	}
	if (PID{}).Node() != (NodeID{}) || !(PID{}).Node().IsZero() || !(PID{}).IsZero() {
		t.Error("the zero PID has a node")
	}
	p, q := somePIDs[1], somePIDs[2]
	if p.SameNode(q) || !p.SameNode(p.WithSerial(9)) || p.WithSerial(9).Serial() != 9 || p.NodeHandle() == q.NodeHandle() {
		t.Error("nodes are mixed up")
	}
}

func TestRestartedNodeHasOtherPIDs(t *testing.T) {
	before, after := testNode("a"), testNode("a")
	after.Incarnation++
	old, s := MakePID(before, 1), NewSystem(SystemConfig{Node: after})
	pid := s.Spawn(untilDone)
	if pid.Serial() != old.Serial() || pid == old || s.Alive(old) {
		t.Errorf("%s is taken for %s", old, pid)
	}
	wantErr(t, s.Register("x", old), NoProcess)
	wantErr(t, s.Send(t.Context(), old, 1), LinkLost)
	_ = s.Stop(t.Context(), nil)
}

func TestHostileTextIsNoPID(t *testing.T) {
	long := strings.Repeat("n", 300)
	for _, text := range []string{
		"", ".", "@", "#", "a", "a.1", "a@b.1", "a@b#1.1", "a@b#0000000000000001", "a@b#0000000000000001.",
		"a@b#0000000000000001.-1", "a@b#0000000000000001.18446744073709551616", "a@b#000000000000000g.1",
		"@b#0000000000000001.1", "a/b@c#0000000000000001.1", "a@b/c#0000000000000001.1", "a@b@c#0000000000000001.1",
		"a#b@c#0000000000000001.1", "a@..#0000000000000001.1", long + "@b#0000000000000001.1", "a@" + long + "#0000000000000001.1",
		"a@b#+000000000000001.1", "a@b#0000000000000001.+1", "a\x00@b#0000000000000001.1", strings.Repeat(".", 1<<16),
	} {
		pid, err := ParsePID(text)
		if !errors.Is(err, ErrBadPID) || !pid.IsZero() {
			t.Errorf("%.60q is %s, %v", text, pid, err)
		} else if len(err.Error()) > 1000 {
			t.Errorf("%.60q: an error of %d bytes", text, len(err.Error()))
		}
		if err := new(PID).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%.60q: UnmarshalText took it", text)
		}
	}
	for _, id := range []NodeID{{}, {Name: "a@b"}, {Name: "a#b"}, {Name: "a", Address: "x@y"}, {Name: "a", Address: "x/y"}, {Name: "a", Address: "x#y"}} {
		if err := id.Check(); !errors.Is(err, ErrBadName) {
			t.Errorf("%+v: %v", id, err)
		}
	}
}

func TestHostileBytesAreNoPID(t *testing.T) {
	good, _ := somePIDs[2].MarshalBinary()
	for n := 1; n < len(good); n++ {
		if err := new(PID).UnmarshalBinary(good[:n]); !errors.Is(err, ErrBadPID) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	for name, data := range map[string][]byte{
		"more behind":   append(bytes.Clone(good), 0),
		"a huge length": append(make([]byte, 8), 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 'a'),
		"a long varint": append(make([]byte, 8), bytes.Repeat([]byte{0xff}, 20)...),
		"no name":       append(make([]byte, 8), 1, 0, 0),
		"a bad name":    append(make([]byte, 8), 1, 1, '/', 0),
	} {
		pid := somePIDs[1]
		if err := pid.UnmarshalBinary(data); !errors.Is(err, ErrBadPID) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParsePID(f *testing.F) {
	for _, pid := range somePIDs {
		f.Add(pid.String())
	}
	f.Fuzz(func(t *testing.T, text string) {
		pid, err := ParsePID(text)
		if err != nil {
			if !errors.Is(err, ErrBadPID) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if back, err := ParsePID(pid.String()); err != nil || back != pid {
			t.Fatalf("%q became %s, then %s, %v", text, pid, back, err)
		}
		data, _ := pid.MarshalBinary()
		var back PID
		if err := back.UnmarshalBinary(data); err != nil || back != pid {
			t.Fatalf("%s became %s, %v", pid, back, err)
		}
	})
}

func FuzzPIDBinary(f *testing.F) {
	for _, pid := range somePIDs {
		data, _ := pid.MarshalBinary()
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var pid PID
		if err := pid.UnmarshalBinary(data); err != nil {
			if !errors.Is(err, ErrBadPID) {
				t.Fatal(err)
			}
			return
		}
		again, _ := pid.MarshalBinary()
		var back PID
		if err := back.UnmarshalBinary(again); err != nil || back != pid {
			t.Fatalf("%x became %s, %v", data, pid, err)
		}
		if back, err := ParsePID(pid.String()); err != nil || back != pid {
			t.Fatalf("%s became %s, %v", pid, back, err)
		}
	})
}
