package bolt

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/cloudopsec/opsec/store"
)

// A backup is a bbolt image and a seal: the name of the format, the length of the image and the number of its records
// as big-endian 64-bit numbers, and the SHA-256 of all before it.
const (
	sealName  = "opsec/store/bolt backup 1\n\x00\x00\x00\x00\x00\x00"
	sealBytes = len(sealName) + 8 + 8 + sha256.Size
)

// leap is what [Restore] adds to the sequence: more revisions than can have been used since the backup.
const leap = 1 << 32

// Summary says what a backup holds.
type Summary struct {
	Bytes   int64             // of the whole stream
	Records int64             // keys
	SHA256  [sha256.Size]byte // of the stream up to these bytes, which are its last
}

// Backup writes the store as it is at one point in time to w, while commits go on. The stream ends with a seal, by which
// [Restore] and [Verify] find that it was cut or changed. Between two writes to w a ctx that has ended, or a Close of
// the driver, stops it. What commits free meanwhile is not used again before the end, so the file may grow.
func (d *Driver) Backup(ctx context.Context, w io.Writer) (Summary, error) {
	if err := ctx.Err(); err != nil {
		return Summary{}, err
	}
	tx, err := d.begin(false)
	if err != nil {
		return Summary{}, err
	}
	defer tx.Rollback()
	d.await(tx.ID())
	out := newSealer(w, func() error {
		if d.closed.Load() {
			return store.ErrClosed
		}
		return ctx.Err()
	})
	s := Summary{Records: int64(tx.Bucket([]byte(bucket)).Stats().KeyN)}
	buffered := bufio.NewWriterSize(out, 1<<20)
	if _, err = tx.WriteTo(buffered); err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = out.seal(s.Records)
	}
	if out.err != nil { // bbolt does not wrap it
		err = out.err
	}
	if err != nil {
		return Summary{}, fmt.Errorf("bolt: backup of %s: %w", d.path, err)
	}
	s.Bytes, s.SHA256 = out.n, [sha256.Size]byte(out.sum.Sum(nil))
	return s, nil
}

// sealer writes and hashes.
type sealer struct {
	w    io.Writer
	sum  hash.Hash
	n    int64
	err  error
	stop func() error
}

func newSealer(w io.Writer, stop func() error) *sealer {
	return &sealer{w: w, sum: sha256.New(), stop: stop}
}

func (s *sealer) Write(p []byte) (int, error) {
	if s.err = s.stop(); s.err != nil {
		return 0, s.err
	}
	s.sum.Write(p)
	n, err := s.w.Write(p)
	if s.n, s.err = s.n+int64(n), err; err == nil && n < len(p) {
		s.err = io.ErrShortWrite
	}
	return n, s.err
}

func (s *sealer) seal(records int64) error {
	mark := binary.BigEndian.AppendUint64([]byte(sealName), uint64(s.n))
	mark = binary.BigEndian.AppendUint64(mark, uint64(records))
	if _, err := s.Write(mark); err != nil {
		return err
	}
	n, err := s.w.Write(s.sum.Sum(nil))
	s.n += int64(n)
	s.err = err
	return err
}

// Verify reads a backup to its end and returns what it holds, or [ErrFormat] if it was cut or changed since Backup wrote
// it. It looks at the seal alone: a backup that was made wrong on purpose is for [Restore] to find.
func Verify(ctx context.Context, r io.Reader) (Summary, error) {
	if err := ctx.Err(); err != nil {
		return Summary{}, err
	}
	s, err := unseal(ctx, r, io.Discard)
	if err != nil {
		return Summary{}, fmt.Errorf("bolt: backup: %w", err)
	}
	return s, nil
}

// Restore makes the store that a backup holds a file at path, with mode 0600. It refuses a path where there is something
// already, also when that comes meanwhile, with [fs.ErrExist]. The file gets its name when the seal, the structure, the
// number of records and bbolt's check of every page are right and all is durable; after any error nothing is left
// behind. Revisions go on 2^32 above those of the backup, so that none is used twice.
func Restore(ctx context.Context, r io.Reader, path string) (Summary, error) {
	if err := ctx.Err(); err != nil {
		return Summary{}, err
	}
	s, err := restore(ctx, r, path)
	if err != nil {
		return Summary{}, fmt.Errorf("bolt: restore to %s: %w", path, err)
	}
	return s, nil
}

func restore(ctx context.Context, r io.Reader, path string) (s Summary, err error) {
	if _, err := os.Lstat(path); err == nil {
		return s, fs.ErrExist
	} else if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	err = publish(path, 0o600, func(temp *os.File) error {
		if s, err = unseal(ctx, r, temp); err != nil {
			return err
		}
		if err := inspect(ctx, temp, s.Records); err != nil {
			return err
		}
		return raise(temp.Name())
	})
	if err != nil {
		return s, err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		os.Remove(path)
		return s, err
	}
	return s, nil
}

// unseal copies the image to w and returns what the seal says, if it is right.
func unseal(ctx context.Context, r io.Reader, w io.Writer) (s Summary, err error) {
	in := bufio.NewReaderSize(r, 1<<20)
	head, err := in.Peek(1 << 17) // two pages, however large
	if err != nil && err != io.EOF {
		return s, err
	}
	meta, err := readMeta(bytesAt(head))
	if err != nil {
		return s, err
	}
	size := int64(meta.pages) * meta.pageSize
	sum := sha256.New()
	image := &stoppable{ctx: ctx, r: in}
	n, err := io.CopyBuffer(onlyWriter{io.MultiWriter(w, sum)}, io.LimitReader(image, size), make([]byte, 1<<20))
	if err != nil {
		return s, err
	}
	seal := make([]byte, sealBytes+1)
	m, err := io.ReadFull(image, seal)
	switch {
	case err == nil:
		return s, damaged("the backup goes on behind its seal")
	case err != io.ErrUnexpectedEOF && err != io.EOF:
		return s, err
	case n < size || m < sealBytes:
		return s, damaged("a backup cut short: %d bytes, want %d", n+int64(m), size+int64(sealBytes))
	}
	mark, digest := seal[:sealBytes-sha256.Size], seal[sealBytes-sha256.Size:sealBytes]
	sum.Write(mark)
	length, records := binary.BigEndian.Uint64(mark[len(sealName):]), binary.BigEndian.Uint64(mark[len(sealName)+8:])
	switch {
	case string(mark[:len(sealName)]) != sealName:
		return s, damaged("the backup has no seal of this version")
	case length != uint64(size) || records > math.MaxInt64 || string(sum.Sum(nil)) != string(digest):
		return s, damaged("the backup was changed")
	}
	return Summary{Bytes: size + int64(sealBytes), Records: int64(records), SHA256: [sha256.Size]byte(digest)}, nil
}

// inspect looks at a file that nothing has been believed of yet: first with ordinary reads, then with bbolt's check.
func inspect(ctx context.Context, f *os.File, records int64) error {
	l, err := readLayout(f)
	if err != nil {
		return err
	}
	if l.sequence > math.MaxUint64-leap {
		return damaged("revision %d is too high", l.sequence)
	}
	found, err := l.walk()
	if err != nil {
		return err
	}
	if found != records {
		return damaged("%d records, the seal says %d", found, records)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	db, err := bbolt.Open(f.Name(), 0, &bbolt.Options{ReadOnly: true, Timeout: 1})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(check)
}

// raise lifts the sequence above all that the lost file can have used.
func raise(name string) error {
	db, err := bbolt.Open(name, 0, &bbolt.Options{Timeout: 1, FreelistType: freelist})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		return b.SetSequence(b.Sequence() + leap)
	})
	return errors.Join(err, db.Close())
}

// bytesAt is a file of a few bytes.
type bytesAt []byte

func (b bytesAt) ReadAt(p []byte, off int64) (n int, err error) {
	if off < int64(len(b)) {
		n = copy(p, b[off:])
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// stoppable reads until ctx ends.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

func (s *stoppable) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

// onlyWriter hides ReadFrom, which would ignore the buffer.
type onlyWriter struct{ io.Writer }
