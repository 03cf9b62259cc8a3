//go:build linux || darwin || freebsd

package journal

import (
	"os"
	"syscall"
)

// freeBytes is the room that the file system has for this process, if it says.
func freeBytes(root *os.Root) (free int64, known bool) {
	d, err := root.Open(".")
	if err != nil {
		return 0, false
	}
	defer d.Close()
	var s syscall.Statfs_t
	if err := syscall.Fstatfs(int(d.Fd()), &s); err != nil || s.Blocks == 0 {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}
