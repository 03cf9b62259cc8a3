package meter

import (
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// State is how a resource was.
type State uint8

// The states, from the best to the worst; Unknown is what an interval without evidence is as well.
const (
	Unknown State = iota
	Up
	Degraded
	Down
)

// String returns the word for a state.
func (s State) String() string {
	if words := [...]string{"unknown", "up", "degraded", "down"}; int(s) < len(words) {
		return words[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Open is the end of a state that has none yet. It lasts until the same source says something of the resource that starts
// later.
const Open int64 = math.MaxInt64

// MaxName is how many bytes the name of a source or of a resource may have.
const MaxName = 1024

// Moments of evidence are in years 1 to 9999.
const (
	earliest int64 = -62_135_596_800_000
	latest   int64 = 253_402_300_800_000
)

// Evidence is what a source has seen of a resource: a state over a span, or requests in a slice. Source, resource and
// number identify it: that which comes again is the same.
type Evidence struct {
	Source   string        `json:"source"`          // who saw it
	Seq      uint64        `json:"seq"`             // its number at the source, of the resource at least
	Resource string        `json:"resource"`        //
	Span     timeline.Span `json:"span"`            // of a state, which may be [Open]; of requests it is the slice
	State    State         `json:"state,omitempty"` // of evidence without requests
	Good     uint64        `json:"good,omitempty"`  // requests
	Total    uint64        `json:"total,omitempty"` // requests; 0: this is a state
}

// check returns an error that wraps [opsec.ErrInvalid] unless this is evidence.
func (e *Evidence) check() error {
	switch {
	case e.Span.Start >= e.Span.End:
		return e.invalid("span", "from %d to %d: it ends before it starts, or is empty", e.Span.Start, e.Span.End)
	case e.Span.Start < earliest || e.Span.Start >= latest || e.Span.End > latest && e.Span.End != Open:
		return e.invalid("span", "from %d to %d: want years 1 to 9999", e.Span.Start, e.Span.End)
	case e.State > Down:
		return e.invalid("state", "%d is none", e.State)
	case e.Good > e.Total:
		return e.invalid("good", "%d of %d requests", e.Good, e.Total)
	case e.Total > 0 && (e.State != Unknown || e.Span.End == Open):
		return e.invalid("total", "requests come in a slice that has an end, and without a state")
	}
	return nil
}

func (e *Evidence) invalid(field, form string, args ...any) error {
	return invalid(field, "%s, in piece %d of %.40q on %.40q", fmt.Sprintf(form, args...), e.Seq, e.Source, e.Resource)
}

// checkName returns an error that wraps [opsec.ErrInvalid] unless a text can be a name.
func checkName(field, s string) error {
	if s == "" || len(s) > MaxName || !utf8.ValidString(s) {
		return invalid(field, "%.40q: want 1 to %d bytes of UTF-8", s, MaxName)
	}
	return nil
}

func invalid(field, form string, args ...any) error {
	return fmt.Errorf("meter: %s: %s: %w", field, fmt.Sprintf(form, args...), opsec.ErrInvalid)
}
