package subject

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// disk is where the bytes of a [File] are.
type disk interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	Sync() error
}

// locked is a file that nobody else has open.
type locked struct {
	*os.File
	path string // absolute
}

// Sync makes what was written durable, in the file that will be opened the next time.
func (f locked) Sync() error {
	if err := f.File.Sync(); err != nil {
		return err
	}
	have, err := f.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Lstat(f.path); err != nil || !os.SameFile(have, there) {
		return fmt.Errorf("%w: %s", ErrReplaced, f.path)
	}
	return nil
}

// Size returns how many bytes the file has.
func (f locked) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// memory is a disk that forgets.
type memory struct {
	mu    sync.RWMutex
	bytes []byte
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if off >= int64(len(m.bytes)) {
		return 0, io.EOF
	}
	n := copy(p, m.bytes[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if end := int(off) + len(p); end > len(m.bytes) {
		m.bytes = append(m.bytes, make([]byte, end-len(m.bytes))...)
	}
	return copy(m.bytes[off:], p), nil
}

func (m *memory) Size() (int64, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return int64(len(m.bytes)), nil
}

func (m *memory) Truncate(size int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes = m.bytes[:size]
	return nil
}

func (m *memory) Sync() error  { return nil }
func (m *memory) Close() error { return nil }
