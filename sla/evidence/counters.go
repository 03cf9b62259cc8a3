package evidence

import (
	"slices"
	"time"

	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// Reading is what a counter of requests says that goes up only, and begins again at 0 with its process.
type Reading struct {
	Series string // which counter of the resource it is; may be empty
	Bad    bool   // it counts those that failed, which another one counts with all; else it counts all
	Value  uint64
}

// Counters makes requests in spans of readings of counters. What the counters went up from one reading of a resource to the
// next came in the span between them. A counter that is lower than before began again: of what it counted before that, the
// last part, which nobody read, is lost. So no request counts twice, and none is invented. Nor is one good that failed: where
// a counter of failures that is not one of all is new, or may have begun again with one of all, the span is left out.
//
// The number of its evidence is when the span begins, in milliseconds: nothing else of its source has numbers of that kind. A
// span counts whole in the slice in which it begins: readings come more often than slices, or with them.
type Counters struct {
	Source string
	// Gap is how long a span is at most. Of requests that came in a longer one nobody knows when they came: they are left out.
	Gap time.Duration
	// FromZero is for counters that come into being with the first request that they count, such as one for each status. One
	// that was not read within Gap, beside one that was, began at 0 since: readings are of one process then. And where no
	// counter of failures is, none failed.
	//
	// Without it, and as in Prometheus, what a counter says at first is left out; and a reading without a counter of failures
	// does not tell how many failed: it is left out.
	FromZero bool

	resources map[string]*counted
	series    int
}

// counted are the last readings of a resource.
type counted struct {
	last   int64 // also of those that were left out; -1: there is none
	at     int64 // of the last that counts; -1: there is none
	series map[seriesKey]point
}

type seriesKey struct {
	name string
	bad  bool
}

type point struct {
	at    int64
	value uint64
}

// Validate checks the fields.
func (c *Counters) Validate() error {
	switch {
	case checkName(c.Source) != nil:
		return invalid("counters: source: %v", errName)
	case c.Gap < time.Millisecond || c.Gap > maxGap:
		return invalid("counters: gap: want 1 ms to 366 days")
	}
	return nil
}

// Add takes what the counters of a resource said at a moment, in milliseconds since 1970, and returns the requests since the
// last reading, if there were any. Readings of one resource come in order of their time; one that is not later than the last
// is an error, as are failures without a counter of all, and nothing is changed. If more failed than came at all, because the
// counters were not read at one moment, as many failed as came.
func (c *Counters) Add(resource string, at int64, readings []Reading) (e meter.Evidence, ok bool, err error) {
	r, err := c.of(resource)
	switch {
	case err != nil:
		return e, false, err
	case !moments(at):
		return e, false, invalid("counters: %.40q: moment %d is out of range", resource, at)
	case r.last >= at:
		return e, false, invalid("counters: %.40q: a reading at %d after one at %d", resource, at, r.last)
	}
	now := make(map[seriesKey]point, len(readings))
	all, failures, again, over := false, false, false, false
	sums, fresh := map[bool]uint64{}, []Reading(nil)
	came := func(x Reading, n uint64) {
		sums[x.Bad] += n
		over = over || sums[x.Bad] < n
	}
	for _, x := range readings {
		key := seriesKey{x.Series, x.Bad}
		if _, twice := now[key]; twice {
			return e, false, invalid("counters: %.40q: series %.40q is there twice", resource, x.Series)
		}
		now[key] = point{at, x.Value}
		all, failures = all || !x.Bad, failures || x.Bad
		switch last, old := c.known(r, key, at); {
		case !old:
			fresh = append(fresh, x)
		case x.Value >= last.value:
			came(x, x.Value-last.value)
		default:
			came(x, x.Value)
			again = again || !x.Bad
		}
	}
	if failures && !all {
		return e, false, invalid("counters: %.40q: failures at %d without a counter of all: read both at one moment", resource, at)
	}
	if !failures && !c.FromZero {
		r.last, c.resources[resource] = at, r
		return e, false, nil
	}
	if c.FromZero && len(fresh) < len(readings) {
		for _, x := range fresh {
			came(x, x.Value)
		}
	}
	if over {
		return e, false, invalid("counters: %.40q: more than 2^64 requests", resource)
	}
	if slices.ContainsFunc(readings, func(x Reading) bool { return x.Bad && c.doubtful(r, x, now, again) }) {
		clear(sums)
	}
	for key, last := range r.series {
		_, read := now[key]
		if _, old := c.known(r, key, at); old && !read {
			now[key] = last
		}
	}
	more := len(now) - len(r.series)
	if c.series+more > MaxResources {
		return e, false, invalid("counters: more than %d series", MaxResources)
	}
	c.series += more
	total := sums[false]
	e = meter.Evidence{
		Source: c.Source, Seq: uint64(r.at), Resource: resource,
		Span: timeline.Span{Start: r.at, End: at}, Good: total - min(sums[true], total), Total: total,
	}
	r.last, r.at, r.series, c.resources[resource] = at, at, now, r
	if total == 0 { // also where nothing is known
		return meter.Evidence{}, false, nil
	}
	return e, true, nil
}

// known returns what a counter said, within Gap before a moment.
func (c *Counters) known(r *counted, key seriesKey, at int64) (point, bool) {
	p, ok := r.series[key]
	return p, ok && at-p.at <= c.Gap.Milliseconds()
}

// doubtful reports whether nobody knows how far a counter of failures went up: it is new, or a process began again.
func (c *Counters) doubtful(r *counted, x Reading, now map[seriesKey]point, again bool) bool {
	failures, all := seriesKey{x.Series, true}, seriesKey{x.Series, false}
	at := now[failures].at
	last, old := c.known(r, failures, at)
	was, known := c.known(r, all, at)
	if went, ok := now[all]; ok && known == old && (!old || went.value >= was.value) {
		return false // it counts as one of all as well, which did the same
	}
	if !old {
		return !c.FromZero && x.Value > 0
	}
	return again && last.value > 0 && x.Value >= last.value
}

// of returns a resource, which is new unless it is held.
func (c *Counters) of(resource string) (*counted, error) {
	if r := c.resources[resource]; r != nil {
		return r, nil
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := checkName(resource); err != nil {
		return nil, invalid("counters: resource %.40q: %v", resource, err)
	}
	if len(c.resources) == MaxResources {
		return nil, invalid("counters: more than %d resources", MaxResources)
	}
	if c.resources == nil {
		c.resources = map[string]*counted{}
	}
	return &counted{last: -1, at: -1}, nil
}
