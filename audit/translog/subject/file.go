package subject

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
)

// The conditions that callers branch on, beside those of entry.Keys.
var (
	// ErrLocked says that somebody has the file open, in this process or another.
	ErrLocked = errors.New("subject: the file is in use")
	// ErrDamaged says that a key, or the head of the file, is not what was written.
	ErrDamaged = errors.New("subject: damaged")
	// ErrReplaced says that another file has taken the place of the one that is open, or that it is gone. What is
	// written or erased would not be so in the file that is opened next, therefore nothing is any more.
	ErrReplaced = errors.New("subject: the file was replaced")
)

// Sealer wraps the keys of subjects: an AEAD that draws its own nonces, as tink.AEAD of Tink. What it adds to a
// plaintext must not be more than 350 bytes. File asks it for one thing at a time when subjects are made, and for
// several when keys are read.
type Sealer interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// Options is the wiring of a [File]. The zero value, or nil, works.
type Options struct {
	// Cache is how many keys, of the subjects seen last, are kept in memory unwrapped; default 65,536.
	Cache int
	// SkipDamaged opens a file although keys in it are damaged. What is sealed under those cannot be read, which says
	// ErrDamaged, and their subjects get new keys.
	SkipDamaged bool
}

// File holds the keys of subjects in one file; it is an entry.Keys. It is safe for use by many goroutines. Close it
// when nothing uses its keys any more.
type File struct {
	master Sealer
	tags   prf
	id     [16]byte // of the file
	spare  int      // bytes of a slot that are left for names
	cache  int      // bound of known and open

	turn chan struct{} // full while somebody writes
	disk disk          // written by who has the turn

	mu       sync.RWMutex
	slots    []slot
	handles  map[entry.Handle]uint32 // slot
	accounts map[tag]uint32          // the last slot of an account, or of a tenant itself, plus 1
	persons  map[tag]uint32          // the last slot of a person, plus 1
	known    map[entry.Subject]*key
	open     map[uint32]*key // by slot
	pending  map[who]*creation
	queue    []*creation
	broken   error // why nothing more can be written
	closed   bool
}

// tag stands for a tenant, an account or a person; it is zero where there is none.
type tag [16]byte

// who is a subject by its tags.
type who struct{ account, person tag }

// slot is what is known of a key while it stays on disk.
type slot struct {
	handle   entry.Handle
	who      who
	accounts uint32 // the slot before this one of the same account, plus 1
	persons  uint32 // the slot before this one of the same person, plus 1
	state    byte
}

// OpenFile opens the file at path, or makes it with mode 0600. Keys in it are wrapped by master. Subjects are found by
// digests under lookup: at least 32 random bytes, which are copied. Both must be those that the file was made with.
//
// A file that is open already is [ErrLocked], one with damaged keys [ErrDamaged]. It takes 512 bytes for each subject
// that ever was, which are all read, and about 150 bytes of memory.
func OpenFile(path string, master Sealer, lookup []byte, opts *Options) (*File, error) {
	if master == nil {
		return nil, fmt.Errorf("subject: no master key: %w", opsec.ErrInvalid)
	}
	if len(lookup) < 32 {
		return nil, fmt.Errorf("subject: lookup key of %d bytes, want 32 or more: %w", len(lookup), opsec.ErrInvalid)
	}
	file, err := openLocked(path)
	if err != nil {
		return nil, fmt.Errorf("subject: %w", err)
	}
	f, err := open(file, master, lookup, opts)
	if err == nil {
		err = syncDir(filepath.Dir(path)) // the name must outlive a crash too
	}
	if err != nil {
		return nil, fmt.Errorf("subject: %s: %w", path, errors.Join(err, file.Close()))
	}
	return f, nil
}

// Memory returns keys that end with the process, for tests and for trying things out.
func Memory() *File {
	secret := make([]byte, chacha20poly1305.KeySize)
	rand.Read(secret)
	lookup := make([]byte, 32)
	rand.Read(lookup)
	f, err := open(new(memory), newBox(secret), lookup, nil)
	if err != nil {
		panic(err) // nothing of this can fail
	}
	return f
}

// Close closes the file. After it every method, also of keys, returns [os.ErrClosed].
func (f *File) Close() error {
	f.turn <- struct{}{}
	defer func() { <-f.turn }()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	f.known, f.open = nil, nil
	return f.disk.Close()
}

// Listed is a subject that has a key.
type Listed struct {
	Handle  entry.Handle
	Subject entry.Subject // names that were too long for their slot, about 280 bytes, end in "…"
}

// All returns the subjects whose keys are not erased, as they were when it was called, in the order in which they were
// made. A key that cannot be read is an error, and the others follow.
func (f *File) All(ctx context.Context) iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		f.mu.RLock()
		n := len(f.slots)
		f.mu.RUnlock()
		for i := range uint32(n) {
			if err := ctx.Err(); err != nil {
				yield(Listed{}, fmt.Errorf("subject: %w", err))
				return
			}
			handle, secret, s, err := f.read(i)
			clear(secret)
			if errors.Is(err, entry.ErrErased) {
				continue
			}
			if !yield(Listed{handle, s}, err) || errors.Is(err, os.ErrClosed) {
				return
			}
		}
	}
}
