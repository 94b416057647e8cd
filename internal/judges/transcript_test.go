package judges

import (
	"reflect"
	"strings"
	"testing"
)

const transcript = `Connecting to 127.0.0.1:1
printwatches is on
Created /a
WATCHER::
WatchedEvent state:SyncConnected type:NodeCreated path:/a
printwatches is on
cZxid = 0x9
ctime = Sun Nov 22 02:51:15 UTC 2026
mZxid = 0x10
ephemeralOwner = 0x77
printwatches is on
[/b, /a]
printwatches is on
`

var played = []string{"connect", "create -e /a", "stat /a", "getEphemerals"}

func TestTranscriptsDifferInMoreThanIDsAndTimes(t *testing.T) {
	want := readTranscript(transcript, "127.0.0.1:1", played)
	if len(want.steps) != len(played) || len(want.events) != 1 || len(want.steps[2].said) != 4 {
		t.Fatalf("read %+v", want)
	}
	alike := strings.NewReplacer("127.0.0.1:1", "127.0.0.1:2", "0x9", "0x1234", "0x10", "0x10000", "0x77", "0x88",
		"02:51:15", "02:51:16", "[/b, /a]", "[/a, /b]").Replace(transcript)
	if got := readTranscript(alike, "127.0.0.1:2", played); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nis not %+v", got, want)
	}
	for _, change := range [][2]string{
		{"cZxid = 0x9", "cZxid = 0x11"},         // created after it was changed
		{"0x77", "0x0"},                         // nobody's
		{"Sun Nov 22 02:51:15 UTC 2026", epoch}, // never
		{"Created /a", "Created /b"},
		{"NodeCreated", "NodeDeleted"},
		{"[/b, /a]", "[/a]"},
		{"WatchedEvent state:SyncConnected type:NodeCreated path:/a\n", ""},
		{"Connecting", "Refusing"},
	} {
		other := strings.Replace(transcript, change[0], change[1], 1)
		if got := readTranscript(other, "127.0.0.1:1", played); reflect.DeepEqual(got, want) {
			t.Errorf("%q in the place of %q makes no difference", change[1], change[0])
		}
	}
}
