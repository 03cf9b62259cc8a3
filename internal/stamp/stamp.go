// Package stamp tells the states of a record from each other: in the record itself, and in the events that witness them.
package stamp

import (
	"encoding/binary"
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// Stamp is when a record was inserted, and how often it has been written since. Of two records that were under one id
// one after the other, the later has the later birth.
type Stamp struct {
	Born   int64 // Unix nanoseconds
	Writes uint64
}

// Header is what stands before the content of a record.
type Header struct {
	Version int
	Stamp
}

// Append appends the header and the content.
func (h Header) Append(b, content []byte) []byte {
	b = binary.AppendUvarint(b, uint64(h.Version))
	b = binary.AppendVarint(b, h.Born)
	b = binary.AppendUvarint(b, h.Writes)
	return append(b, content...)
}

// Cut splits what Append has written.
func Cut(payload []byte) (h Header, content []byte, ok bool) {
	version, a := binary.Uvarint(payload)
	if a <= 0 || version == 0 || version > 1<<30 {
		return h, nil, false
	}
	born, b := binary.Varint(payload[a:])
	if b <= 0 {
		return h, nil, false
	}
	writes, c := binary.Uvarint(payload[a+b:])
	if c <= 0 {
		return h, nil, false
	}
	return Header{int(version), Stamp{born, writes}}, payload[a+b+c:], true
}

// Witness is what an event says of a record: that it was written in this state, or deleted after it.
type Witness struct {
	Digest string // of the record's key; without spaces and colons
	Stamp
	Deleted bool
}

// Before reports whether other, of the same record, is a later state. Events come in any order.
func (w Witness) Before(other Witness) bool {
	if w.Born != other.Born {
		return w.Born < other.Born
	}
	return !w.Deleted && (other.Deleted || w.Writes < other.Writes)
}

// String returns "digest:born:writes", with "-" for the writes of a deleted record, the numbers to the base of 36.
func (w Witness) String() string {
	writes := "-"
	if !w.Deleted {
		writes = strconv.FormatUint(w.Writes, 36)
	}
	return w.Digest + ":" + strconv.FormatInt(w.Born, 36) + ":" + writes
}

// Witnesses yields those of a list with spaces between them. Of anything else it yields false, and ends.
func Witnesses(list string) iter.Seq2[Witness, bool] {
	return func(yield func(Witness, bool) bool) {
		for text := range strings.SplitSeq(list, " ") {
			w, ok := parse(text)
			if !yield(w, ok) || !ok {
				return
			}
		}
	}
}

func parse(text string) (w Witness, ok bool) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 || parts[0] == "" {
		return w, false
	}
	w.Digest, w.Deleted = parts[0], parts[2] == "-"
	var err error
	if w.Born, err = strconv.ParseInt(parts[1], 36, 64); err == nil && !w.Deleted {
		w.Writes, err = strconv.ParseUint(parts[2], 36, 64)
	}
	return w, err == nil
}

// Trail is the latest witness of each record, by the digest of its key.
type Trail map[string]Witness

// Add takes in a list of witnesses; it reports false when the list is none.
func (t Trail) Add(list string) bool {
	for w, ok := range Witnesses(list) {
		if !ok {
			return false
		}
		if have, known := t[w.Digest]; !known || have.Before(w) {
			t[w.Digest] = w
		}
	}
	return true
}

// Contradicts says why a record that is there in the state of have cannot be, or "".
func (w Witness) Contradicts(have Stamp) string {
	switch {
	case have.Born < w.Born:
		return "is of before its last deletion: an old value was put back"
	case have.Born == w.Born && w.Deleted:
		return "was deleted, and is here again"
	case have.Born == w.Born && have.Writes < w.Writes:
		return fmt.Sprintf("is its state after %d writes, and the audit trail knows of %d: an old value was put back",
			have.Writes, w.Writes)
	}
	return ""
}
