package zktest

import (
	"slices"
	"strings"
	"testing"
)

// mostTries bounds how often shrink asks.
const mostTries = 2000

// shrink takes commands out of a script, and makes them simpler, as long as
// differs says that it still shows what it did.
func shrink(script []string, differs func([]string) bool) []string {
	tries := 0
	try := func(commands []string) bool {
		tries++
		if tries > mostTries || !differs(commands) {
			return false
		}
		script = commands
		return true
	}
	for size := (len(script) + 1) / 2; size > 0; {
		shorter := false
		for at := 0; at < len(script); {
			if try(slices.Concat(script[:at], script[min(at+size, len(script)):])) {
				shorter = true
			} else {
				at += size
			}
		}
		if !shorter || size > 1 {
			size /= 2
		}
	}
	for i := 0; i < len(script); {
		simpler := slices.ContainsFunc(simplifications(script[i]), func(line string) bool {
			return try(slices.Concat(script[:i], []string{line}, script[i+1:]))
		})
		if !simpler {
			i++
		}
	}
	return script
}

// simplifications of a command: a multi with a part less or none around its one
// part, a setwatches with a path less.
func simplifications(line string) (list []string) {
	if head, parts, isMulti := strings.Cut(line, "multi "); isMulti {
		all := strings.Split(parts, " ; ")
		if len(all) == 1 {
			return []string{head + all[0]}
		}
		for i := range all {
			list = append(list, head+"multi "+strings.Join(slices.Concat(all[:i], all[i+1:]), " ; "))
		}
		return list
	}
	if strings.Contains(line, " setwatches") {
		all := strings.Fields(line)
		for i := 3; i < len(all); i++ {
			list = append(list, strings.Join(slices.Concat(all[:i], all[i+1:]), " "))
		}
	}
	return list
}

func TestShrinkLeavesWhatTheDifferenceNeeds(t *testing.T) {
	script := []string{"x connect", "y connect", "x create /a", "z ping", "y multi delete /b ; set /a x ; check /c 1", "x ping", "y setwatches 0 data=/a data=/b"}
	got := shrink(script, func(commands []string) bool {
		text := strings.Join(commands, "\n")
		created, set, watched := strings.Index(text, "x create /a"), strings.Index(text, "set /a x"), strings.Index(text, "data=/b")
		return created >= 0 && set > created && watched > set
	})
	if want := []string{"x create /a", "y set /a x", "y setwatches 0 data=/b"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
