package entry

import (
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
)

// MaxLeaf is how long a leaf may be, in bytes: entry bundles of C2SP tlog-tiles hold no longer ones.
const MaxLeaf = 65_535

// Kind says what a leaf records.
type Kind byte

// The kinds of leaves.
const (
	Event Kind = 1 // an opsec.Event
	Epoch Kind = 2 // the root over the heads of all tenants
	Shard Kind = 3 // a checkpoint of another log, in a log of logs
)

// Leaf is what a log's leaf says in clear. Which fields it has depends on its kind.
type Leaf struct {
	Kind Kind
	Time time.Time // UTC

	// An event:
	ID       [16]byte       // opsec.Event.ID
	Class    opsec.Class    //
	Category opsec.Category //
	Action   string         //
	Outcome  opsec.Outcome  //
	Attrs    []opsec.Attr   // those marked Public, unless they are too long: see Scribe
	Body     tlog.Hash      // SHA-256 of the body's skeleton; in a shard leaf, of the signed note
	Tenant   Handle         // whose record it is
	Seq      uint64         // which one of the tenant's, counted from 1
	Prev     tlog.Hash      // the leaf hash of the tenant's event before; zero when Seq is 1

	// An epoch:
	Number  uint64    // counted from 1
	Tenants uint64    // how many heads
	Heads   tlog.Hash // the root over them

	// A shard:
	Log  string    // origin of the other log
	Size uint64    // its size
	Root tlog.Hash // its root
}

// EventID returns the id as an event has it.
func (l Leaf) EventID() opsec.ID { panic("TODO") }

// Append appends the leaf in its one form: [Parse] reads exactly what Append writes.
func (l Leaf) Append(b []byte) ([]byte, error) { panic("TODO") }

// Parse reads a leaf.
func Parse(leaf []byte) (Leaf, error) { panic("TODO") }
