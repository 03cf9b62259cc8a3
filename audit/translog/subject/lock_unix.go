//go:build unix && !aix && !solaris

package subject

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// openLocked opens the file for this caller alone. The lock belongs to the open file, not to the process, so that a
// second caller of the same process is refused too. It ends with the file's closing, or with the process.
func openLocked(path string) (locked, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return locked{}, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return locked{}, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
	}
	if err != nil {
		return locked{}, errors.Join(&os.PathError{Op: "lock", Path: path, Err: err}, file.Close())
	}
	return locked{file, path}, nil
}

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
