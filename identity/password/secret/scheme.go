package secret

import (
	"encoding/json"
	"fmt"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Kind is what a secret is made of.
type Kind string

// The kinds (8.1.1-6b).
const (
	KindPIN     Kind = "pin"
	KindPattern Kind = "pattern" // a line through the nodes of a grid
	KindClicks  Kind = "clicks"  // points on a picture
	KindImages  Kind = "images"  // pictures of a set, in order
	KindMelody  Kind = "melody"  // notes, in any key and at any speed
)

// Scheme is one way to enter a secret: [PIN], [Pattern], [Clicks], [Images] or [Melody]. It is data, and no secret: it is kept
// in clear beside the hash, for a secret can be read only by the scheme that it was enrolled with. Kept as JSON, it is read
// back by [Parse].
type Scheme interface {
	Kind() Kind
	// Validate returns an error that wraps opsec.ErrInvalid and names the first field out of bounds.
	Validate() error
	// Enroll reads the entry of a new secret. It refuses one that would fall early, with a *[WeakError], and one that could not
	// be entered again with certainty. The scheme that it returns is the one to keep.
	Enroll(Entry) (Scheme, Secret, error)
	// Read reads an entry at log-in. The error wraps [ErrEntry] when the entry can be no secret of the scheme: count it as a
	// wrong one.
	Read(Entry) (Secret, error)
}

// ErrEntry says that an entry does not fit its scheme. It says which rule it breaks, and nothing of the entry.
var ErrEntry = fmt.Errorf("secret: entry: %w", opsec.ErrInvalid)

// WeakError says that a new secret is among those that are guessed first. It wraps [opsec.ErrInvalid].
type WeakError struct {
	Kind  Kind
	Least uint64 // guesses that it should take and does not
}

// Error names the kind and the bound, not how weak the secret is.
func (e *WeakError) Error() string {
	return fmt.Sprintf("secret: %s: one of the first %d to be guessed", e.Kind, e.Least)
}

// Unwrap returns [opsec.ErrInvalid].
func (e *WeakError) Unwrap() error { return opsec.ErrInvalid }

const (
	maxSchemeBytes = 8 << 10 // of JSON
	maxID          = 64      // bytes of the id of a picture or of a set
)

// Parse reads a scheme from JSON such as {"kind":"pin","min":6,"max":8}. It is strict: of at most 8 KiB, without fields that
// the kind does not have, and valid.
func Parse(data []byte) (Scheme, error) {
	if len(data) > maxSchemeBytes {
		return nil, invalid("scheme: %d bytes, want at most %d", len(data), maxSchemeBytes)
	}
	var head struct{ Kind Kind }
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, invalid("scheme: %v", err)
	}
	switch head.Kind {
	case KindPIN:
		return parse[PIN](data)
	case KindPattern:
		return parse[Pattern](data)
	case KindClicks:
		return parse[Clicks](data)
	case KindImages:
		return parse[Images](data)
	case KindMelody:
		return parse[Melody](data)
	}
	return nil, invalid("scheme: a kind of %d bytes that is none", len(head.Kind))
}

func parse[T Scheme](data []byte) (Scheme, error) {
	var both struct {
		Kind Kind `json:"kind"`
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, invalid("scheme: %v", err)
	}
	if err := json.Unmarshal(fields["kind"], &both.Kind); err != nil {
		return nil, invalid("scheme: kind: want it once, in small letters")
	}
	delete(fields, "kind")
	rest, err := json.Marshal(fields)
	if err != nil {
		return nil, invalid("scheme: %v", err)
	}
	var s T
	if err := strictjson.Decode(rest, &s); err != nil {
		return nil, invalid("scheme: %v", err)
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
}

// Text is the JSON that [Parse] reads.
func Text(s Scheme) ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	fields, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("secret: scheme: %w", err)
	}
	head := fmt.Sprintf(`{"kind":%q`, s.Kind())
	if string(fields) == "{}" {
		return []byte(head + "}"), nil
	}
	return append([]byte(head+","), fields[1:]...), nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("secret: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

func misfit(rule string) error { return fmt.Errorf("%w: want %s", ErrEntry, rule) }

// id says whether s can name a picture or a set of them.
func id(s string) bool {
	for _, r := range s {
		if r < '!' || r > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxID
}
