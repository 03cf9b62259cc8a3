package rewrap

import (
	"context"
	"fmt"
	"iter"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Object is something that is kept under a key: a ciphertext, a wrapped data key, an envelope.
type Object struct {
	ID      string          // unique, not empty, at most 1 KiB of UTF-8, as it stands in checkpoints
	Rev     string          // of what was read: whatever Swap needs to see that it is still so
	Wrapped []byte          // not changed after it was yielded
	Context keymgmt.Context // under which it was protected
}

// Change replaces an object.
type Change struct {
	Object           // as it was read
	Rewrapped []byte // what takes the place of Wrapped; not to be kept after Swap has returned
}

// Lister lists objects.
type Lister interface {
	// Objects yields those whose ids are above after, in bytewise order of their ids. An object that is there throughout
	// is yielded.
	Objects(ctx context.Context, after string) iter.Seq2[Object, error]
}

// Objects is where objects are kept. Its methods may be called by many goroutines.
type Objects interface {
	Lister
	// Swap puts each change in place if its object is still as it was read, and says of each whether it was. After an
	// error any of them may be in place.
	Swap(ctx context.Context, changes []Change) ([]bool, error)
}

const maxID = 1 << 10 // bytes

// ordered passes objects on, and fails when they are not in the order that a checkpoint rests on.
func ordered(ctx context.Context, l Lister, after string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		last := after
		for o, err := range l.Objects(ctx, after) {
			switch {
			case err != nil:
			case len(o.ID) == 0 || len(o.ID) > maxID || !utf8.ValidString(o.ID): // JSON would change the last
				err = invalid("objects: an id of %d bytes: want 1 to %d of UTF-8", len(o.ID), maxID)
			case o.ID <= last:
				err = invalid("objects: %.64q after %.64q: want bytewise order, each once", o.ID, last)
			}
			if !yield(o, err) || err != nil {
				return
			}
			last = o.ID
		}
	}
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("rewrap: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
