//go:build unix

package image

import (
	"io/fs"
	"syscall"
)

// quietly does not wait for the other end of what is no file after all, and follows no link that has come meanwhile.
const quietly = syscall.O_NONBLOCK | syscall.O_NOFOLLOW

// taken returns the bytes that a file takes on the disk: one with holes less than its length.
func taken(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Blocks * 512
	}
	return info.Size()
}
