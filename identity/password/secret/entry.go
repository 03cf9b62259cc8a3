package secret

import (
	"fmt"
	"log/slog"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Entry is what somebody entered: one of its fields, the one that the scheme asks for. It shows itself in no log, message or
// JSON.
type Entry struct {
	PIN    []byte  // digits in ASCII
	Nodes  []int   // of a grid, from 0, row by row from the top left
	Points []Point // in the order of the clicks
	Images []int   // of a set, from 0, in their order
	Notes  []Note
}

// Point is a place on a picture, in its pixels from the top left, not those of the screen.
type Point struct {
	X int `json:"x"`
	Y int `json:"y"`
}

// Note is a tone of a melody.
type Note struct {
	Pitch  int `json:"pitch"`  // in semitones, as MIDI counts them: 60 is the middle C; 0 to 127
	Length int `json:"length"` // milliseconds, best from the beginning of a note to that of the next; 1 to 60,000
}

// The bounds of an [Entry].
const (
	maxEntryBytes   = 8 << 10 // of JSON
	maxEntrySymbols = 64      // of any field
	maxPitch        = 127
	maxNoteLength   = 60_000
)

// ParseEntry reads an entry from JSON: {"pin":"271828"}, {"nodes":[0,1,4,3]}, {"points":[{"x":10,"y":20}, …]},
// {"images":[7,3,11]} or {"notes":[{"pitch":60,"length":500}, …]}, of at most 8 KiB and 64 symbols. The error wraps
// [ErrEntry] and shows nothing of it. What data holds is for the caller to wipe.
func ParseEntry(data []byte) (Entry, error) {
	var read struct {
		PIN    *string `json:"pin"`
		Nodes  []int   `json:"nodes"`
		Points []Point `json:"points"`
		Images []int   `json:"images"`
		Notes  []Note  `json:"notes"`
	}
	if len(data) > maxEntryBytes {
		return Entry{}, misfit("at most 8 KiB of JSON")
	}
	if strictjson.Decode(data, &read) != nil {
		return Entry{}, misfit("JSON with one known field")
	}
	e := Entry{Nodes: read.Nodes, Points: read.Points, Images: read.Images, Notes: read.Notes}
	if read.PIN != nil {
		e.PIN = []byte(*read.PIN)
	}
	if e.fields() != 1 || max(len(e.PIN), len(e.Nodes), len(e.Points), len(e.Images), len(e.Notes)) > maxEntrySymbols {
		e.Clear()
		return Entry{}, misfit("one field of 1 to 64 symbols")
	}
	return e, nil
}

// fields counts those that hold something.
func (e Entry) fields() (n int) {
	for _, size := range []int{len(e.PIN), len(e.Nodes), len(e.Points), len(e.Images), len(e.Notes)} {
		if size > 0 {
			n++
		}
	}
	return n
}

// alone says whether a field of size symbols is the only one of e, and within bounds.
func (e Entry) alone(size, least, most int) bool {
	return e.fields() == 1 && least <= size && size <= most
}

// Clear wipes what the entry holds.
func (e Entry) Clear() {
	clear(e.PIN)
	clear(e.Nodes)
	clear(e.Points)
	clear(e.Images)
	clear(e.Notes)
}

// Format implements [fmt.Formatter] and shows nothing, whatever the verb.
func (e Entry) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue implements [slog.LogValuer] and shows nothing.
func (e Entry) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler], and so JSON, and shows nothing.
func (e Entry) MarshalText() ([]byte, error) { return []byte(redacted), nil }
