package conclavetest_test

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

var bubbleName = regexp.MustCompile(`^goroutine \d+ [^\n]*(synctest bubble \d+)`)

// goroutines counts those of the caller's bubble, by what they run.
func goroutines() (counts map[string]int, total int) {
	name := bubbleName.FindStringSubmatch(stacks(false))
	if name == nil {
		panic("not in a bubble")
	}
	counts = make(map[string]int)
	for _, stack := range strings.Split(stacks(true), "\n\n") {
		if m := bubbleName.FindStringSubmatch(stack); m != nil && m[1] == name[1] {
			counts[runs(stack)]++
			total++
		}
	}
	return counts, total
}

func stacks(all bool) string {
	for size := 1 << 20; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, all); n < size {
			return string(buf[:n])
		}
	}
}

// runs is the outermost function in a stack that says what the goroutine is for.
func runs(stack string) (function string) {
	for _, line := range strings.Split(stack, "\n")[1:] {
		name, _, call := cutLast(line, "(")
		switch {
		case strings.HasPrefix(line, "created by "):
			return function
		case strings.HasPrefix(line, "\t") || !call:
		case function == "", strings.Contains(name, "conclave/") && !strings.Contains(name, "group).Go"):
			function = name
		}
	}
	return function
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// grown says what there is more of than before.
func grown(before, after map[string]int) (what []string) {
	for function, n := range after {
		if n > before[function] {
			what = append(what, fmt.Sprintf("%d in %s, before %d", n, function, before[function]))
		}
	}
	slices.Sort(what)
	return what
}
