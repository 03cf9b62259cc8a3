package export

import (
	"context"
	"errors"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// acknowledged waits until the peer's TCP has acknowledged every byte sent, or says why it will not.
func acknowledged(ctx context.Context, conn *net.TCPConn, timeout time.Duration) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		left, broken := 0, 0
		err2 := raw.Control(func(fd uintptr) {
			if broken, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR); err == nil {
				left, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
			}
		})
		switch {
		case broken != 0:
			return unix.Errno(broken)
		case err != nil || err2 != nil:
			return errors.Join(err, err2)
		case left == 0:
			return nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
