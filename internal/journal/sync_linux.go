package journal

import (
	"os"
	"syscall"
)

// datasync makes the bytes of a file durable, and of what is known about it only what reading them needs.
func datasync(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
