package main

import (
	"os"
	"strings"
	"testing"
)

func TestREADMEShowsTheProgramAsItIs(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("boss.go")
	if err != nil {
		t.Fatal(err)
	}
	_, program, found := strings.Cut(string(source), "// Job is a task")
	if !found {
		t.Fatal("boss.go has changed its shape; this test cuts the program out of it")
	}
	program, _, _ = strings.Cut(program, "\n// join stands for")
	if !strings.Contains(string(readme), strings.TrimSpace(program)) {
		t.Error("the program in README.md is not the one in boss.go")
	}
}
