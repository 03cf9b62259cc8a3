//go:build (linux && !android) || darwin || freebsd || netbsd || openbsd || dragonfly

package journal

import (
	"errors"
	"os"
	"syscall"
)

func flock(d *os.File) error {
	err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrLocked
	}
	return os.NewSyscallError("flock", err)
}

// openFlags: no waiting for the writer of a pipe that has taken the place of a file.
const openFlags = syscall.O_NONBLOCK

// syncDir makes the names in a directory durable.
func syncDir(d *os.File) error { return d.Sync() }

// isFull reports that a disk, or the share of it that a user has, is full.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
