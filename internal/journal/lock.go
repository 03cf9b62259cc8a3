package journal

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
)

// here are the directories that this process has open. flock(2) keeps other processes out, and on some file systems
// nobody of this one: so it is the one thing of the package that all Journals share.
var here struct {
	sync.Mutex
	dirs []fs.FileInfo
}

// lock locks the directory itself: a file in it could be removed, and made again by the next who comes.
func lock(root *os.Root) (release func(), err error) {
	d, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	info, err := d.Stat()
	if err == nil {
		err = register(info)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	release = func() {
		d.Close()
		here.Lock()
		defer here.Unlock()
		here.dirs = slices.DeleteFunc(here.dirs, func(i fs.FileInfo) bool { return os.SameFile(i, info) })
	}
	if err := flock(d); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

func register(info fs.FileInfo) error {
	here.Lock()
	defer here.Unlock()
	if slices.ContainsFunc(here.dirs, func(i fs.FileInfo) bool { return os.SameFile(i, info) }) {
		return fmt.Errorf("%w, in this process", ErrLocked)
	}
	here.dirs = append(here.dirs, info)
	return nil
}
