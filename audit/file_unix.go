//go:build unix

package audit

import "syscall"

// openFlags: no symbolic link as the last element, and no waiting for the reader of a pipe.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
