package zktest

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	wordIDs     = regexp.MustCompile(`0x[0-9a-f]+`)
	wordDates   = regexp.MustCompile(`(?m)^.*expire at .*:\n`)
	wordNumbers = regexp.MustCompile(`-?[0-9]+(\.[0-9]+)*`)
	wordVersion = regexp.MustCompile(`(?m)^Zookeeper version.*\n`)
	wordFlag    = regexp.MustCompile(`\[[01]\]`)
)

// form is a word's answer without what differs between any two servers.
func form(text string) string {
	text = wordVersion.ReplaceAllString(text, "")
	text = wordDates.ReplaceAllString(text, "")
	text = wordIDs.ReplaceAllString(text, "ID")
	text = wordFlag.ReplaceAllString(text, "[F]")
	lines := strings.Split(wordNumbers.ReplaceAllString(text, "N"), "\n")
	slices.Sort(lines) // sessions, connections and paths are in no order
	return strings.Join(lines, "\n")
}

// keys are what stands before a separator in each line.
func keys(text, separator string) (list []string) {
	for line := range strings.Lines(text) {
		if key, _, ok := strings.Cut(line, separator); ok {
			list = append(list, key)
		}
	}
	return list
}

func TestFourLetterWordsHaveTheFormOfTheRealOnes(t *testing.T) {
	list := []string{"ruok", "isro", "srvr", "stat", "cons", "dump", "wchs", "wchc", "wchp", "dirs", "gtmk",
		"stmk\x00\x00\x00\x00\x00\x00\x00\x12", "gtmk", "crst", "srst", "hash", "none", "conf", "mntr", "envi"}
	answers := map[string][]string{}
	Each(t, func(t *testing.T, z Target) {
		// What of these is on other tests' connections would show, so each has
		// a server of its own.
		addr := z.Addr
		if z.Dev == nil {
			addr = Start(t, Tick(time.Second)).Addr()
		}
		play := &player{addr: addr, clients: make(map[string]*wire)}
		for _, line := range []string{"a connect", `a create /e "" e`, `a create /f "" es`, "a exists /x w", "a get /e w", "a ls / w", "a addwatch /p persistent",
			"a addwatch / recursive", "b connect", "b exists /x w", "b ping"} {
			if lines := play.do(words(line)); len(lines) > 0 && strings.HasPrefix(lines[0], "broken") {
				t.Fatal(line, lines)
			}
		}
		for _, word := range list {
			text, err := askWord(dialLoopback, addr, word, 10*time.Second)
			if err != nil {
				t.Fatalf("%s: %v", word, err)
			}
			answers[t.Name()] = append(answers[t.Name()], text)
		}
		for _, w := range play.clients {
			w.drop()
		}
	}, Tick(time.Second))
	real, dev := answers[t.Name()+"/zookeeper"], answers[t.Name()+"/zkdev"]
	if real == nil {
		return
	}
	for i, word := range list {
		a, b := real[i], dev[i]
		switch word {
		case "conf":
			if !slices.Equal(keys(a, "="), keys(b, "=")) {
				t.Errorf("%s:\nwant %s\ngot  %s", word, a, b)
			}
		case "mntr", "envi": // the real one has more: its queues, its Java
			have := keys(a, map[string]string{"mntr": "\t", "envi": "="}[word])
			for _, key := range keys(b, map[string]string{"mntr": "\t", "envi": "="}[word]) {
				if !slices.Contains(have, key) {
					t.Errorf("%s: %s is none of the real ones", word, key)
				}
			}
		default:
			if form(a) != form(b) {
				t.Errorf("%s:\nwant %s\ngot  %s", word, form(a), form(b))
			}
		}
	}
}
