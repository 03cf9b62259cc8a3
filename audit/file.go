package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
)

// FileOptions is the wiring of a [File]. The zero value, or nil, works.
type FileOptions struct {
	Now func() time.Time // the clock of the file's own events; default time.Now
}

// File is a durable [Sink]: a file of JSON lines, one event each, that only grows. One Write is one write(2) and one
// fsync(2), and while they run a [Trail] collects the next batch, so many callers share them.
//
// Before each Write the file is compared with its path. If somebody has deleted or replaced it, File goes on in the
// file of that name, which begins (or continues) with an event [ActionFileReplaced]; it does the same in a file cut
// shorter. A last line without its newline, from a crash or a full disk, is ended and followed by an event
// [ActionFileRepaired]: whole lines are never lost, and [Read] reports the one that is not.
//
// A file has one writer at a time. Its methods may be called by many goroutines.
type File struct {
	path string
	now  func() time.Time

	mu      sync.Mutex
	file    *os.File // nil after Close
	regular bool     // not a device; only then size means something
	size    int64    // after the last Write
	notes   []byte   // lines about the file itself that wait for a Write to succeed
	buf     []byte
}

// OpenFile opens the file at path for appending, and creates it with mode 0600 if it does not exist. The last element
// of path must not be a symbolic link (O_NOFOLLOW), and what it names must be a regular file or a character device;
// a device is not Durable. A torn last line is repaired at once.
func OpenFile(path string, opts *FileOptions) (*File, error) {
	path, err := filepath.Abs(path) // a later chdir must not lead elsewhere
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	f := &File{path: path, now: time.Now}
	if opts != nil && opts.Now != nil {
		f.now = opts.Now
	}
	if err := f.open(); err != nil {
		return nil, err
	}
	if err := f.Write(context.Background(), nil); err != nil {
		f.file.Close()
		return nil, err
	}
	return f, nil
}

// open makes f.file the file at f.path, and leaves it as it was when that fails.
func (f *File) open() error {
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_APPEND|os.O_CREATE|openFlags, 0o600)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	st, err := file.Stat()
	regular := err == nil && st.Mode().IsRegular()
	if err == nil && !regular && st.Mode()&fs.ModeCharDevice == 0 {
		err = fmt.Errorf("%s is neither a regular file nor a character device: %w", f.path, opsec.ErrInvalid)
	}
	if err == nil && regular {
		err = syncDir(filepath.Dir(f.path)) // the name must outlive a crash too
	}
	if err != nil {
		file.Close()
		return fmt.Errorf("audit: %w", err)
	}
	if f.file != nil {
		f.file.Close()
	}
	f.file, f.regular, f.size = file, regular, st.Size()
	return nil
}

// Write implements [Sink]. The events are on stable storage when it returns nil. After an error none of them, or some
// whole lines, are in the file; where not even taking back was possible, the next Write ends the torn line.
func (f *File) Write(ctx context.Context, batch []Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("audit: %s: %w", f.path, err)
	}
	if f.file == nil {
		return fmt.Errorf("audit: %s: %w", f.path, os.ErrClosed)
	}
	lines, err := f.inspect(f.buf[:0])
	if err != nil {
		return err
	}
	for _, r := range batch {
		lines = append(append(lines, r.JSON...), '\n')
	}
	if cap(lines) <= 2*batchBytes {
		f.buf = lines
	}
	if len(lines) == 0 {
		return nil
	}
	return f.append(lines)
}

// inspect looks at what has become of the file since the last Write, opens it anew if need be, and appends to lines
// what there is to say about it.
func (f *File) inspect(lines []byte) ([]byte, error) {
	if !f.regular {
		return lines, nil
	}
	st, err := f.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	var what string
	switch at, err := os.Lstat(f.path); {
	case errors.Is(err, fs.ErrNotExist):
		what = "deleted"
	case err != nil:
		return nil, fmt.Errorf("audit: %w", err)
	case !os.SameFile(st, at):
		what = "replaced"
	case st.Size() < f.size:
		what = "truncated"
	}
	size := f.size
	if what == "deleted" || what == "replaced" {
		if err := f.open(); err != nil {
			return nil, fmt.Errorf("%v", err) // no opsec.ErrInvalid: the batch is not at fault
		}
	} else {
		f.size = st.Size()
	}
	if what != "" {
		f.notes = f.note(f.notes, ActionFileReplaced, size, tenantAttr("what", what))
	}
	torn, err := f.torn()
	if err != nil {
		return nil, err
	}
	if !torn {
		return append(lines, f.notes...), nil
	}
	lines = append(append(lines, '\n'), f.notes...)
	return f.note(lines, ActionFileRepaired, f.size), nil
}

// note appends the line of an event about the file, which had so many bytes.
func (f *File) note(lines []byte, action string, size int64, attrs ...opsec.Attr) []byte {
	attrs = append(attrs, tenantAttr("path", f.path), tenantAttr("size", strconv.FormatInt(size, 10)))
	return append(notice(action, f.now(), attrs...).AppendJSON(lines), '\n')
}

// torn reports whether the file ends within a line.
func (f *File) torn() (bool, error) {
	if f.size == 0 {
		return false, nil
	}
	var last [1]byte
	if _, err := f.file.ReadAt(last[:], f.size-1); err != nil {
		return false, fmt.Errorf("audit: %w", err)
	}
	return last[0] != '\n', nil
}

// append writes whole lines, or takes back what it has written.
func (f *File) append(lines []byte) error {
	n, err := f.file.Write(lines)
	if err != nil {
		if st, e := f.file.Stat(); e == nil && n > 0 && st.Size() == f.size+int64(n) {
			err = errors.Join(err, f.file.Truncate(f.size)) // else the next Write finds a torn line
		}
		return fmt.Errorf("audit: %w", err)
	}
	f.size += int64(n)
	// After a failed fsync the kernel may forget the pages: the batch comes again, as new ones.
	if err := f.file.Sync(); err != nil && f.regular {
		return fmt.Errorf("audit: %w", err)
	}
	f.notes = nil
	return nil
}

// Durable implements [Sink]: a regular file is, a device is not.
func (f *File) Durable() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.regular
}

// Close implements [Sink].
func (f *File) Close(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}
