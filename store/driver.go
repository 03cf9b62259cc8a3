package store

import (
	"context"
	"iter"
)

// The limits of the contract. Every engine that stands behind a [Driver] meets them, so that a program which works on
// one works on all.
const (
	MaxKey       = 1 << 10   // bytes of a key; a key has one at least
	MaxValue     = 256 << 10 // bytes of a value
	MaxOps       = 100       // ops of a [Batch]
	MaxChecks    = 100       // checks of a [Batch]
	MaxBatch     = 1 << 20   // bytes of all keys and values of a [Batch]
	MaxGet       = 100       // keys of one Get
	MaxPage      = 1000      // items of one List
	MaxPageBytes = 4 << 20   // a page ends with the item whose value brings it to this many bytes of values
)

// Rev identifies the committed write that gave a key its value. Zero means that the key is absent. A Rev is never used
// again, not even after the key was deleted and written anew, nor after the engine was restored from a backup, as long as
// anybody may remember it; nothing follows from the order of two of them.
type Rev uint64

// Item is a key and what the store holds under it. An absent key has a zero Rev and a nil Value; an empty value may be nil
// too.
type Item struct {
	Key   string // any bytes, 1 to [MaxKey]; keys are ordered bytewise
	Value []byte // 0 to [MaxValue] bytes, to be read only
	Rev   Rev
}

// Range selects the keys k with Start <= k, and k < End unless End is empty.
type Range struct {
	Start, End string
	Limit      int  // 1 to [MaxPage] items
	Reverse    bool // from the highest key down
	KeysOnly   bool // no values; MaxPageBytes does not count then
}

// Check is a condition of a commit: the key is at Rev. With a zero Rev the key is absent.
type Check struct {
	Key string
	Rev Rev
}

// Op writes a value under a key, or deletes the key. To delete an absent key is not an error.
type Op struct {
	Key    string
	Value  []byte
	Delete bool
}

// Batch is what one commit does: when all of its checks hold, all of its ops, and otherwise nothing. No key stands
// twice among the checks, nor among the ops.
type Batch struct {
	Checks []Check
	Ops    []Op
}

// Driver is an engine that keeps keys and values. It may be used by many goroutines. Package storetest has the suite
// that holds an implementation to every sentence here.
//
// Get returns one item for each key, in the order given, as they all were at one point in time; an absent key is no
// error. At most [MaxGet] keys, or [ErrTooLarge]. A key may be asked for twice.
//
// List returns one page of a range as it was at one point in time, in the order of the keys or in the reverse. The page
// ends after Limit items, or with the item that brings its values to [MaxPageBytes], or where the range ends; what
// follows is listed from behind its last key. Over several pages a key that is present throughout therefore appears
// exactly once, in order.
//
// Get and List see every commit that had returned before they were called, on whatever handle or node. Nobody changes
// the bytes of a value that they return: neither the caller nor the driver.
//
// Commit checks and writes in one atomic step, linearizable with all others, and what it wrote is durable when it
// returns nil. A key that is only checked is protected like one that is written. All that a batch writes has the same
// new Rev, which Commit returns; a batch without ops is a check, and returns zero. The driver does not change the batch
// and keeps nothing of it. When a check fails, the error is a [*ConflictError]; a batch over the limits is [ErrTooLarge], one that breaks
// another rule is [opsec.ErrInvalid] (see [Batch.Validate]). After each of these, and after any error but
// [ErrIndeterminate], nothing has been written and nothing will be; ErrIndeterminate says only that nobody knows.
//
// A context that has ended before the call makes each method return its error and do nothing. One that ends meanwhile
// may be obeyed, but a Commit that may still take effect says [ErrIndeterminate] then, never the context's error alone.
//
// Close lets go of what the driver holds. All methods return [ErrClosed] afterwards, but Close itself nil.
type Driver interface {
	Get(ctx context.Context, keys ...string) ([]Item, error)
	List(ctx context.Context, r Range) ([]Item, error)
	Commit(ctx context.Context, b Batch) (Rev, error)
	Close() error
}

// Watcher is what a [Driver] implements when it can tell that something has changed. Watch yields a first time as soon
// as it listens, and again after each change below prefix, on whatever node: a hint, at least once, possibly for
// several changes together, possibly for none. An error that it yields is the last; when ctx ends it stops without one.
// A DB over a driver that cannot watch polls.
type Watcher interface {
	Watch(ctx context.Context, prefix string) iter.Seq2[struct{}, error]
}

// Certain is what a [Driver] implements when its commits cannot be lost on the way to the engine, because the engine
// is in the same process. If Certain reports true, a DB sends no commit markers: an [ErrIndeterminate], which such a
// driver returns only when the disk fails under a commit, is then final.
type Certain interface {
	Certain() bool
}
