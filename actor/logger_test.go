package actor

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
)

func TestLogTellsNodePIDAndTerm(t *testing.T) {
	var out bytes.Buffer
	s := newSystem(t, func(c *SystemConfig) { c.Logger = slog.New(slog.NewJSONHandler(&out, nil)) })
	tenure := NewTenure(t.Context(), bossTerm(7), func() error { return nil })
	var pid PID
	must(t, s, func(p *Process) error {
		pid = p.Self()
		p.Logger().Info("cooking", "what", "soup")
		return nil
	}, InTenure(tenure))
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"node": testNode("here").String(), "pid": pid.String(), "term": "boss term 7", "what": "soup"}
	for name, v := range want {
		if line[name] != v {
			t.Errorf("%s is %v, want %v", name, line[name], v)
		}
	}
	if err := run(s, func(*Process) error { panic("burnt") }); err == nil {
		t.Fatal("no panic")
	}
	if !bytes.Contains(out.Bytes(), []byte(`"msg":"a process panicked"`)) {
		t.Errorf("the log is %s", out.Bytes())
	}
}
