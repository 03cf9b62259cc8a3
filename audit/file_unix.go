//go:build unix

package audit

import (
	"errors"
	"os"
	"syscall"
)

// openFlags: no symbolic link as the last element, and no waiting for the reader of a pipe.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
