package evidence

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// MaxResources is how many resources a [Track] or a [Counters] follows.
const MaxResources = 1 << 20

// Track makes spans of results at moments. A result holds until the next one of its resource, but no longer than Gap: what
// comes after that is unknown. Of two results at one moment the worse one holds.
//
// The number of its evidence is when the span begins, in milliseconds: the same results are the same evidence, whoever reads
// them again.
type Track struct {
	Source string
	Gap    time.Duration // at least 1 ms
	// Join makes one span of results that follow each other with the same state, as long as they begin in the same Join of
	// time since 1970. 0 leaves each result a span of its own.
	Join time.Duration

	held map[series]*held
}

// series is whose results follow each other.
type series struct{ source, resource string }

// held is the span of a resource that is not over yet.
type held struct {
	start int64
	last  int64 // its last result
	state meter.State
}

const maxGap = 366 * 24 * time.Hour

// Validate checks the fields.
func (t *Track) Validate() error {
	switch {
	case checkName(t.Source) != nil:
		return invalid("track: source: %v", errName)
	case t.Gap < time.Millisecond || t.Gap > maxGap:
		return invalid("track: gap: want 1 ms to 366 days")
	case t.Join < 0 || t.Join > maxGap || t.Join%time.Millisecond != 0:
		return invalid("track: join: want whole milliseconds, up to 366 days")
	}
	return nil
}

// Add takes a result at a moment, in milliseconds since 1970, and returns the span that this ends, if there is one. Results
// of one resource come in order of their time; an earlier one is an error, and nothing is changed.
func (t *Track) Add(resource string, at int64, s meter.State) (e meter.Evidence, ok bool, err error) {
	return t.add(series{t.Source, resource}, at, s)
}

// add is Add of one of several series of a resource.
func (t *Track) add(of series, at int64, s meter.State) (e meter.Evidence, ok bool, err error) {
	if !moments(at) || int(s) >= len(words) {
		return e, false, invalid("track: %.40q: moment %d or state %d is out of range", of.resource, at, s)
	}
	h := t.held[of]
	switch {
	case h == nil:
		return e, false, t.begin(of, at, s)
	case at < h.last:
		return e, false, invalid("track: %.40q: a result at %d after one at %d", of.resource, at, h.last)
	case at == h.last && s <= h.state:
		return e, false, nil
	}
	reach := min(at, h.last+t.Gap.Milliseconds())
	if reach == at && s == h.state && t.slot(at) == t.slot(h.start) {
		h.last = at
		return e, false, nil
	}
	e, ok = h.evidence(of, reach)
	h.start, h.last, h.state = at, at, s
	return e, ok, nil
}

func (t *Track) begin(of series, at int64, s meter.State) error {
	if err := t.Validate(); err != nil {
		return err
	}
	if checkName(of.source) != nil || checkName(of.resource) != nil {
		return invalid("track: resource %.40q of %.40q: %v", of.resource, of.source, errName)
	}
	if len(t.held) == MaxResources {
		return invalid("track: more than %d resources", MaxResources)
	}
	if t.held == nil {
		t.held = map[series]*held{}
	}
	t.held[of] = &held{start: at, last: at, state: s}
	return nil
}

// slot numbers what may be joined; of no Join no two results are in one.
func (t *Track) slot(at int64) int64 { return at / max(t.Join.Milliseconds(), 1) }

func (h *held) evidence(of series, end int64) (meter.Evidence, bool) {
	return meter.Evidence{
		Source: of.source, Seq: uint64(h.start), Resource: of.resource,
		Span: timeline.Span{Start: h.start, End: end}, State: h.state,
	}, h.start < end && h.state != meter.Unknown
}

// End returns the spans that are not over, in order of their resources and sources, and forgets them. They end at a moment, or
// where their last result does not hold any more.
func (t *Track) End(at int64) []meter.Evidence {
	at = min(at, lastMoment)
	order := slices.SortedFunc(maps.Keys(t.held), func(a, b series) int {
		return cmp.Or(strings.Compare(a.resource, b.resource), strings.Compare(a.source, b.source))
	})
	var list []meter.Evidence
	for _, of := range order {
		h := t.held[of]
		if e, ok := h.evidence(of, min(at, h.last+t.Gap.Milliseconds())); ok {
			list = append(list, e)
		}
	}
	t.held = nil
	return list
}
