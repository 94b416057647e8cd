package child

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReservedRoomIsNotCountedAsWritten(t *testing.T) {
	s := Store{dir: t.TempDir()}
	name := filepath.Join(s.dir, "log")
	if err := os.WriteFile(name, make([]byte, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil { // some file systems find the blocks late
		t.Fatal(err)
	}
	written := s.filesKB()
	if err := f.Truncate(64 << 20); err != nil {
		t.Fatal(err)
	}
	if got := s.filesKB(); written < 64 || got > 2*written {
		t.Errorf("64 KB and 64 MB of nothing: %v KB, and %v KB before", got, written)
	}
}
