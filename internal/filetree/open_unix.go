//go:build unix

package filetree

import "syscall"

// openFlags keep an open from blocking on a FIFO or a modem that has taken a file's place, and from making a terminal
// the controlling one.
const openFlags = syscall.O_NONBLOCK | syscall.O_NOCTTY
