package evidence

import (
	"maps"
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
// last part, which nobody read, is lost. So no request counts twice, and none is invented.
//
// The number of its evidence is when the span begins, in milliseconds. A span counts whole in the slice in which it begins: readings come more often than slices, or with them.
type Counters struct {
	Source string
	// Gap is how long a span is at most. Of requests that came in a longer one nobody knows when they came: they are left out.
	Gap time.Duration
	// FromZero is for counters that come into being with the first request that they count, such as one for each status. One
	// that was not read within Gap, of a resource that was, began at 0 since. Without it, and as in Prometheus, what it
	// counted at its first reading is left out; with it, one that is old and new to the reader counts all it ever counted.
	FromZero bool

	resources map[string]*counted
	series    int
}

// counted is the last reading of a resource.
type counted struct {
	at     int64
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
// is an error, and nothing is changed. If more failed than came at all, because the counters were not read at one moment,
// as many failed as came.
func (c *Counters) Add(resource string, at int64, readings []Reading) (e meter.Evidence, ok bool, err error) {
	r := c.resources[resource]
	switch {
	case !moments(at):
		return e, false, invalid("counters: %.40q: moment %d is out of range", resource, at)
	case r == nil:
		if r, err = c.begin(resource); err != nil {
			return e, false, err
		}
	case r.at >= at:
		return e, false, invalid("counters: %.40q: a reading at %d after one at %d", resource, at, r.at)
	}
	known := r.at >= 0 && at-r.at <= c.Gap.Milliseconds()
	fresh := 0
	sums := map[bool]uint64{}
	now := make(map[seriesKey]point, len(readings))
	for _, x := range readings {
		key := seriesKey{x.Series, x.Bad}
		if _, twice := now[key]; twice {
			return e, false, invalid("counters: %.40q: series %.40q is there twice", resource, x.Series)
		}
		now[key] = point{at, x.Value}
		last, old := r.series[key]
		if !old {
			fresh++
		}
		old = old && at-last.at <= c.Gap.Milliseconds()
		var more uint64
		switch {
		case old && x.Value >= last.value:
			more = x.Value - last.value
		case old || c.FromZero && known:
			more = x.Value
		}
		if sums[x.Bad] += more; sums[x.Bad] < more {
			return e, false, invalid("counters: %.40q: more than 2^64 requests", resource)
		}
	}
	if c.series += fresh; c.series > MaxResources {
		c.series -= fresh
		return e, false, invalid("counters: more than %d series", MaxResources)
	}
	maps.Copy(r.series, now)
	total := sums[false]
	e = meter.Evidence{
		Source: c.Source, Seq: uint64(r.at), Resource: resource,
		Span: timeline.Span{Start: r.at, End: at}, Good: total - min(sums[true], total), Total: total,
	}
	r.at = at
	if total == 0 { // also where there is no reading to compare with
		return meter.Evidence{}, false, nil
	}
	return e, true, nil
}

func (c *Counters) begin(resource string) (*counted, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := checkName(resource); err != nil {
		return nil, invalid("counters: resource %.40q: %v", resource, err)
	}
	if len(c.resources) == MaxResources {
		return nil, invalid("counters: more than %d resources", MaxResources)
	}
	r := &counted{at: -1, series: map[seriesKey]point{}}
	if c.resources == nil {
		c.resources = map[string]*counted{}
	}
	c.resources[resource] = r
	return r, nil
}
