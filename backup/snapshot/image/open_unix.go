//go:build unix

package image

import (
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// regular is a regular file that is open.
type regular struct {
	fd    int
	size  int64
	taken int64 // bytes on the disk: of a file with holes less than size
	time  time.Time
}

// opensNoLink says that openIn refuses links.
const opensNoLink = true

// asFolder opens folders and nothing else.
const asFolder = unix.O_DIRECTORY | unix.O_NONBLOCK

// openIn opens a file of the folder that was entered, by a name without slashes, which no link can lead out of it. It does not wait for the other end of what
// is no file after all. An [os.File] would be told to the runtime's poller, which takes as long as to open it.
func (p *place) openIn(name string) (*regular, error) {
	fd, err := unix.Openat(int(p.here.Fd()), name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "openat", Path: name, Err: err}
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errNotAFile
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &regular{fd, st.Size, st.Blocks * 512, time.Unix(st.Mtim.Unix()).UTC()}, nil
}

// ReadAt implements [io.ReaderAt].
func (r *regular) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) {
		m, err := unix.Pread(r.fd, p[n:], at+int64(n))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return n, err
		case m == 0:
			return n, io.EOF
		}
		n += m
	}
	return n, nil
}

func (r *regular) Close() error { return unix.Close(r.fd) }
