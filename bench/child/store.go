package child

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Store is where tasks are kept, as a process sees it that uses it: another
// process, of a program that is no contender's own.
type Store struct {
	Addr string
	pid  int
	dir  string
}

// Serve ends the preparation of the child that has started the store: the
// processes after it get it from [Child.Store]. The child tells the store's usage,
// and at the end it stops it and removes its files.
func (s Store) Serve(c *Child, stop func()) {
	c.StandsFor(s.pid)
	c.AtEnd(func() {
		stop()
		Check(os.RemoveAll(s.dir))
	})
	c.Ready(s.Addr, strconv.Itoa(s.pid), s.dir)
}

// NewStore describes a store that serves.
func NewStore(addr string, pid int, dir string) Store { return Store{addr, pid, dir} }

// storeWords are its address, process id and folder.
const storeWords = 3

// Store is the first of the processes before this one.
func (c *Child) Store() Store {
	if len(c.Args) < storeWords {
		fail("there is no store")
	}
	return Store{c.Args[0], int(number(c.Args[1])), c.Args[2]}
}

// WorkersWords are what those that work said to those that submit.
func (c *Child) WorkersWords() []string { return c.Args[storeWords:] }

// StoreDir makes a folder for a store's files. They must be on a disk: what counts
// is what it costs that a task is durable. The driver removes what is left.
func StoreDir() string {
	dir, err := os.MkdirTemp(filepath.Dir(os.Args[0]), "store-")
	Check(err)
	var on syscall.Statfs_t
	Check(syscall.Statfs(dir, &on))
	const tmpfs = 0x01021994
	if on.Type == tmpfs {
		fail(dir + " is in memory: let TMPDIR name a folder on a disk")
	}
	return dir
}

// filesKB is what the store's files take on the disk. Room that it has reserved and
// not written is not in it.
func (s Store) filesKB() float64 {
	var sum int64
	Check(filepath.WalkDir(s.dir, func(_ string, d fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil {
			info, err = d.Info()
		}
		switch {
		case errors.Is(err, fs.ErrNotExist): // the store removes old ones meanwhile
			return nil
		case err == nil && !d.IsDir():
			const block = 512
			sum += info.Sys().(*syscall.Stat_t).Blocks * block
		}
		return err
	}))
	return float64(sum) / 1024
}
