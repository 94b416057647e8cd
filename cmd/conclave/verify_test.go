package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVerifyTellsGoodFromBadAndDoubtful(t *testing.T) {
	const recorded = "../../history/testdata/"
	read := func(path string) string {
		text, err := os.ReadFile(recorded + path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	orderly := read("good/orderly.jsonl")
	of := func(label string) string { // each node in a file of its own
		var mine []string
		for _, line := range strings.SplitAfter(orderly, "\n") {
			if strings.Contains(line, `"label":"`+label+`"`) {
				mine = append(mine, line)
			}
		}
		return write(label, strings.Join(mine, ""))
	}
	ann, bob, cas := of("ann"), of("bob"), of("cas")
	torn := write("torn", orderly+`{"kind":"opened","at":12`)
	foreign := write("foreign", orderly+"hello\nworld\n")
	badAndForeign := write("bad-and-foreign", "hello\n"+read("bad/overlap.jsonl"))
	text := write("text", "once\nupon\na time\n")
	empty := write("empty", "")
	missing := filepath.Join(dir, "missing")
	machines := recorded + "bad/overlap-two-machines.jsonl"

	for _, test := range []struct {
		args   []string
		code   int
		prints string // to standard output; empty: nothing
		says   string // to standard error; empty: nothing
	}{
		{[]string{recorded + "good/orderly.jsonl"}, exitOK, "GOOD", ""},
		{[]string{ann, bob, cas}, exitOK, "2 terms of 1 global, 3 runs of nodes; under a term 2 messages let in and 1 message turned away", ""},
		{[]string{ann, cas}, exitDoubt, "term 23 was heard of by node cas", ""},
		{[]string{ann, bob, cas, ann}, exitOK, "GOOD", ann + ": named before"},
		{[]string{recorded + "bad/overlap.jsonl"}, exitFailed, "25ms of two holders", ""},
		{[]string{recorded + "bad/regress.jsonl"}, exitFailed, "a lower term after a higher one", ""},
		{[]string{machines}, exitDoubt, "share no clock", "with -skew"},
		{[]string{"-skew", "100ms", machines}, exitFailed, "1.25s of two holders", ""},
		{[]string{torn}, exitOK, "GOOD", torn + ": line 19 is torn"},
		{[]string{foreign}, exitUsage, "IN DOUBT", foreign + `: line 19 is not of a history: it begins with "hello", not with a JSON object (and 1 more such line)`},
		{[]string{foreign, bob}, exitUsage, "1 file could not be read in full", foreign + ": line 19"},
		{[]string{badAndForeign}, exitFailed, "25ms of two holders", badAndForeign + ": line 1 is not"},
		{[]string{missing, recorded + "good/orderly.jsonl"}, exitUsage, "IN DOUBT", "missing: no such file"},
		{[]string{missing}, exitUsage, "", "missing: no such file"},
		{[]string{dir}, exitUsage, "", "is a directory"},
		{[]string{text}, exitUsage, "", "line 1 is not of a history"},
		{[]string{empty}, exitUsage, "", "not one event"},
		{nil, exitUsage, "", "no file is named"},
		{[]string{"-skew", "-1s", ann}, exitUsage, "", "-1s"},
		{[]string{"-skew", "much", ann}, exitUsage, "", "much"},
		{[]string{"-h"}, exitOK, "usage: conclave verify", ""},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append([]string{"verify"}, test.args...), &stdout, &stderr)
		if code != test.code || !strings.Contains(stdout.String(), test.prints) || !strings.Contains(stderr.String(), test.says) ||
			test.says == "" && stderr.Len() > 0 || test.prints == "" && test.code == exitUsage && stdout.Len() > 0 {
			t.Errorf("verify %v: code %d, want %d\nprinted: %s\nsaid: %s", test.args, code, test.code, &stdout, &stderr)
		}
	}
}
