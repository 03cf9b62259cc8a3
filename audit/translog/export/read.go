package export

import (
	"io"
	"iter"

	"github.com/cloudopsec/opsec"
	"golang.org/x/mod/sumdb/tlog"
)

// Line is a line read back: what it claims.
type Line struct {
	Number   int       // of the line in its file, from 1
	Form     Form      // how it is written
	Origin   string    // of the log
	Index    uint64    // claimed place in the log
	LeafHash tlog.Hash // claimed
	Leaf     []byte
	Evidence []byte
	Size     uint64    // of the checkpoint claimed
	Root     tlog.Hash // of the checkpoint claimed

	text []byte
}

// LineError says which line could not be read.
type LineError struct {
	Number int // from 1
	Err    error
}

// Error says the number, and why.
func (e *LineError) Error() string { return "export: line" }

// Unwrap returns Err.
func (e *LineError) Unwrap() error { return e.Err }

// Read reads lines of all three forms, mixed as they may be. A line that is none of them yields a [*LineError] and
// the reading goes on.
func Read(r io.Reader) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {}
}

// Verify returns the record that the line's leaf and evidence prove, and an [*AlteredError] if the line says anything
// else. Index, Size and Root stay the line's claim, to be proved by an inclusion proof.
func (x *Exporter) Verify(l Line, open func(leaf, evidence []byte) (*opsec.Event, error)) (Record, error) {
	return Record{}, nil
}
