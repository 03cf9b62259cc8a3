package tile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncer makes files durable all at once. Its directory stays open, since the kernel reports to a descriptor the errors
// of writing back that came after it was opened.
type syncer struct{ dir *os.File }

func newSyncer(root *os.Root) (*syncer, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	return &syncer{dir}, nil
}

func (s *syncer) wrote(string) {}

func (s *syncer) sync() error {
	conn, err := s.dir.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) { failed = unix.Syncfs(int(fd)) })
	return errors.Join(err, failed)
}

func (s *syncer) close() error { return s.dir.Close() }
