package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/cloudopsec/opsec/internal/hint"
	"github.com/cloudopsec/opsec/store"
)

var (
	// ErrInUse says that the file is open already, in this process or another. The error names the path.
	ErrInUse = errors.New("bolt: the file is in use")
	// ErrFormat says that a file or a backup is not one of this package, or of another version, or cut, or changed.
	ErrFormat = errors.New("bolt: not a file of this package, or damaged")
)

// bucket holds everything; its name is the version of the layout. A stored value is the Rev, big-endian, and the bytes
// after it. The bucket's sequence is the last Rev given out.
const bucket = "opsec/store/1"

// revBytes are in front of each stored value.
const revBytes = 8

// reserve is the address space that is mapped from the start, unless the system has a small one. A file that outgrows
// it is mapped anew, which has to wait for running backups.
const reserve = 1 << (36 * (^uint(0) >> 63))

// freelist is the faster of bbolt's two. Each commit writes the list of free pages, which the other has to sort first:
// with 570,000 free pages a commit took 46 ms and not 7, and opening the file 160 ms and not 50.
const freelist = bbolt.FreelistArrayType

// Options is the wiring of [Open]. The zero value, or nil, works.
type Options struct {
	Mode fs.FileMode // of a file that Open creates, whatever the umask; default 0600
}

// Driver is a [store.Driver] on an open file, a [store.Watcher] and [store.Certain]. Make it with [Open].
type Driver struct {
	path string
	db   *bbolt.DB
	hub  hint.Hub
	queue
	key []byte // the leader's

	settling sync.RWMutex // held while a transaction is made durable
	durable  atomic.Int64 // the last transaction that is known to be
	closing  sync.Once
	closed   atomic.Bool
}

// Open opens the file at path, or creates it. It returns [ErrInUse] when somebody has it open, and [ErrFormat] when it
// is something else, was cut short, or does not hold together as far as can be seen at once; it is left as it was then.
// How long Open takes does not depend on how much is stored.
func Open(path string, o *Options) (*Driver, error) {
	mode := fs.FileMode(0o600)
	if o != nil && o.Mode != 0 {
		mode = o.Mode.Perm()
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if err = create(path, mode); err == nil || errors.Is(err, fs.ErrExist) {
			f, err = os.OpenFile(path, os.O_RDWR, 0)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("bolt: %w", err)
	}
	db, err := open(f)
	switch {
	case errors.Is(err, ErrInUse) || errors.Is(err, ErrFormat):
		return nil, fmt.Errorf("%w: %s", err, path)
	case err != nil:
		return nil, fmt.Errorf("bolt: %s: %w", path, err)
	}
	d := &Driver{path: path, db: db}
	if err := d.view(func(b *bbolt.Bucket) error { d.durable.Store(int64(b.Tx().ID())); return nil }); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return d, nil
}

// open makes f a database, or closes it.
func open(f *os.File) (db *bbolt.DB, err error) {
	if err = lock(f); err == nil {
		_, err = readLayout(f)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			unlock(f)
			f.Close()
			db, err = nil, fmt.Errorf("%w (%v)", ErrFormat, p)
		}
	}()
	o := &bbolt.Options{
		Timeout:         1, // the shortest: no waiting
		FreelistType:    freelist,
		InitialMmapSize: reserve,
		NoStatistics:    true,
		OpenFile:        func(string, int, os.FileMode) (*os.File, error) { return f, nil },
	}
	db, err = bbolt.Open(f.Name(), 0, o)
	if errors.Is(err, syscall.ENOMEM) { // of address space
		if f, err = os.OpenFile(f.Name(), os.O_RDWR, 0); err != nil {
			return nil, err
		}
		o.InitialMmapSize = 0
		db, err = bbolt.Open(f.Name(), 0, o)
	}
	if errors.Is(err, berrors.ErrTimeout) {
		err = ErrInUse
	}
	return db, err
}

// Get implements [store.Driver].
func (d *Driver) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := store.ValidateKeys(keys...); err != nil {
		return nil, err
	}
	list := make([]store.Item, len(keys))
	err := d.view(func(b *bbolt.Bucket) error {
		stored := make([][]byte, len(keys))
		var key []byte
		for i, k := range keys {
			list[i].Key = k
			key = append(key[:0], k...)
			stored[i] = b.Get(key)
		}
		return fill(list, stored, false)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// page has room for what lies in the file, as long as the transaction lasts.
type page struct{ keys, stored [store.MaxPage][]byte }

var pages = sync.Pool{New: func() any { return new(page) }}

// List implements [store.Driver].
func (d *Driver) List(ctx context.Context, r store.Range) ([]store.Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	p := pages.Get().(*page)
	n := 0
	defer func() { // nobody may hold what was mapped
		clear(p.keys[:n])
		clear(p.stored[:n])
		pages.Put(p)
	}()
	var list []store.Item
	err := d.view(func(b *bbolt.Bucket) error {
		names, values := 0, 0
		for k, v := range within(b.Cursor(), r) {
			p.keys[n], p.stored[n] = k, v
			n, names, values = n+1, names+len(k), values+len(v)-revBytes
			if n == r.Limit || !r.KeysOnly && values >= store.MaxPageBytes {
				break
			}
		}
		list = make([]store.Item, n)
		name(list, p.keys[:n], names)
		return fill(list, p.stored[:n], r.KeysOnly)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// within walks over the range.
func within(c *bbolt.Cursor, r store.Range) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		if !r.Reverse {
			k, v := c.Seek([]byte(r.Start))
			for k != nil && (r.End == "" || string(k) < r.End) && yield(k, v) {
				k, v = c.Next()
			}
			return
		}
		var k, v []byte
		if r.End != "" {
			k, _ = c.Seek([]byte(r.End)) // at End or above it, so the one before is below
		}
		if k != nil {
			k, v = c.Prev()
		} else {
			k, v = c.Last()
		}
		for k != nil && string(k) >= r.Start && yield(k, v) {
			k, v = c.Prev()
		}
	}
}

// name copies the keys out of the file, into one string.
func name(list []store.Item, keys [][]byte, bytes int) {
	var all strings.Builder
	all.Grow(bytes)
	for i, key := range keys {
		all.Write(key)
		list[i].Key = all.String()[all.Len()-len(key):]
	}
}

// chunk is how many bytes of values share an allocation, or one value if it is larger: who keeps one keeps no more.
const chunk = 32 << 10

// fill copies the revisions and values out of the file. It shortens stored by the revisions.
func fill(list []store.Item, stored [][]byte, keysOnly bool) (err error) {
	from, size := 0, 0
	for i, v := range stored {
		if list[i].Rev, err = revOf(v); err != nil {
			return err
		}
		if keysOnly || v == nil {
			continue
		}
		stored[i] = v[revBytes:]
		size += len(stored[i])
		if size >= chunk {
			share(list[from:i+1], stored[from:i+1])
			from, size = i+1, 0
		}
	}
	if !keysOnly {
		share(list[from:], stored[from:])
	}
	return nil
}

// share copies values into one allocation.
func share(list []store.Item, values [][]byte) {
	all := bytes.Join(values, nil)
	if all == nil {
		all = []byte{}
	}
	for i, v := range values {
		if list[i].Rev != 0 {
			list[i].Value = all[:len(v):len(v)]
			all = all[len(v):]
		}
	}
}

// revOf returns the Rev in front of a stored value; that of nil, an absent one, is zero.
func revOf(stored []byte) (store.Rev, error) {
	if stored == nil {
		return 0, nil
	}
	if len(stored) < revBytes {
		return 0, fmt.Errorf("%w: a value without a revision", ErrFormat)
	}
	rev := store.Rev(binary.BigEndian.Uint64(stored))
	if rev == 0 {
		return 0, fmt.Errorf("%w: a value of revision 0", ErrFormat)
	}
	return rev, nil
}

// view runs fn in a read transaction, and returns when all that it can have seen is durable.
func (d *Driver) view(fn func(*bbolt.Bucket) error) (err error) {
	tx, err := d.begin(false)
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w (%v)", ErrFormat, p)
		}
		id := tx.ID()
		tx.Rollback()
		d.await(id)
		if err != nil {
			err = fmt.Errorf("%w: %s", err, d.path)
		}
	}()
	return fn(tx.Bucket([]byte(bucket)))
}

func (d *Driver) begin(writes bool) (*bbolt.Tx, error) {
	if d.closed.Load() {
		return nil, store.ErrClosed
	}
	tx, err := d.db.Begin(writes)
	switch {
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		return nil, store.ErrClosed
	case err != nil:
		return nil, fmt.Errorf("bolt: %s: %w", d.path, err)
	}
	return tx, nil
}

// await returns when the transaction of that number is durable: bbolt shows it a moment before.
func (d *Driver) await(id int) {
	if int64(id) > d.durable.Load() {
		d.settling.RLock() // whoever held it has written, or failed to
		defer d.settling.RUnlock()
	}
}

// Watch implements [store.Watcher]. It ends with [store.ErrClosed] after Close.
func (d *Driver) Watch(ctx context.Context, prefix string) iter.Seq2[struct{}, error] {
	return d.hub.Watch(ctx, prefix)
}

// Certain implements [store.Certain]: it is true.
func (d *Driver) Certain() bool { return true }

// Check reads every page of the file and returns what is wrong with it, or nil. Commits wait meanwhile, and ctx is
// obeyed only before it begins. It takes some 100 bytes of memory a page of 4 KiB.
func (d *Driver) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	tx, err := d.begin(true) // a writer, so that there is no other
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := check(tx); err != nil {
		return fmt.Errorf("%w: %s", err, d.path)
	}
	return nil
}

// check is bbolt's own check of every page.
func check(tx *bbolt.Tx) (err error) {
	for fault := range tx.Check() { // to the end: the other side of the channel reads the file
		if err == nil {
			err = fmt.Errorf("%w: %v", ErrFormat, fault)
		}
	}
	return err
}

// Close implements [store.Driver]. It waits for the commit that is being written, and turns away those that wait.
func (d *Driver) Close() (err error) {
	d.closing.Do(func() {
		d.closed.Store(true)
		d.refuse(store.ErrClosed)
		d.hub.Close(store.ErrClosed)
		err = d.db.Close()
	})
	return err
}
