//go:build !linux

package tile

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"runtime"
)

// syncer knows the files that were written and makes them durable one by one, with the directories above them.
type syncer struct {
	root  *os.Root
	files []string
}

func newSyncer(root *os.Root) (*syncer, error) { return &syncer{root: root}, nil }

func (s *syncer) wrote(name string) { s.files = append(s.files, name) }

func (s *syncer) sync() error {
	dirs := map[string]bool{}
	for _, name := range s.files {
		if err := s.one(name); err != nil && !errors.Is(err, fs.ErrNotExist) { // Clean may have removed it
			return err
		}
		for name != "." {
			name = path.Dir(name)
			dirs[name] = true
		}
	}
	for name := range dirs {
		if runtime.GOOS == "windows" {
			break // a directory cannot be synced there
		}
		if err := s.one(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	s.files = s.files[:0]
	return nil
}

func (s *syncer) one(name string) error {
	flag := os.O_RDONLY
	if runtime.GOOS == "windows" {
		flag = os.O_RDWR
	}
	f, err := s.root.OpenFile(name, flag, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (s *syncer) close() error { return nil }
