package metric

import (
	"time"

	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// Duration is a [time.Duration] that stands in JSON and YAML as a text such as "5m".
type Duration = strictjson.Duration

// Method is how availability is reckoned.
type Method string

// The methods that contracts use.
const (
	// Time is usable time of all time, over all resources: resource-minutes (Azure), or those of one instance.
	Time Method = "time"
	// Slices is good slices of all slices, such as minutes (Google): a slice is bad by its states or its rate of requests, and
	// bad slices count only in runs of at least [Objective.Run].
	Slices Method = "slices"
	// Requests is good requests of all requests in the window. It knows of none that nobody counted: where a counter was
	// broken nothing is unknown, but for a resource without any requests, for which one stands that is.
	Requests Method = "requests"
	// MeanRate is the mean of the rates of good requests of all slices (Amazon S3).
	MeanRate Method = "mean-rate"
)

// Empty is what a slice without requests (or with fewer than [Objective.Least]) is. Of Requests it is what a resource without any
// is: unknown, or left out.
type Empty string

// What an empty slice may be.
const (
	EmptyUnknown Empty = "unknown" // the strict choice, and that of the zero value: no evidence is no evidence
	EmptyGood    Empty = "good"
	EmptySkip    Empty = "skip" // it is left out, as if the window were shorter
)

// Partial is what a slice is of which a part was bad.
type Partial string

// What a slice with a bad part may be.
const (
	PartialBad  Partial = "bad"  // bad when any of it was: the zero value
	PartialGood Partial = "good" // bad only when all of it was (Google drops partial minutes)
)

// Degraded is what counts while a resource works, but worse than agreed.
type Degraded string

// What degraded time may count as.
const (
	DegradedDown Degraded = "down" // the zero value
	DegradedUp   Degraded = "up"
)

// Objective is what was promised of the availability of a service, and how it is reckoned.
type Objective struct {
	ID     string      `json:"id"`                       // unique in an agreement
	Title  string      `json:"title,omitempty"`          //
	Target ratio.Ratio `json:"target"`                   // reached when the figure is at least this
	Method Method      `json:"method"`                   //
	Window Window      `json:"window"`                   //
	Scope  string      `json:"scope,omitempty"`          // what is judged as one: "account", "region", "zone", "instance" or another word
	Slice  Duration    `json:"slice,omitempty"`          // of Slices and MeanRate, and of Requests that come in slices; whole milliseconds that divide a day
	Good   ratio.Ratio `json:"good,omitzero"`            // Slices by requests: a slice is good when its rate of good requests is at least this
	Least  uint64      `json:"minRequests,omitempty"`    // a slice with fewer is empty
	Run    int         `json:"minConsecutive,omitempty"` // Slices: bad ones count only in runs of at least so many; 0 is 1

	Empty    Empty    `json:"empty,omitempty"`
	Partial  Partial  `json:"partial,omitempty"`
	Degraded Degraded `json:"degraded,omitempty"`
}

func (w Window) rolling() time.Duration  { return time.Duration(w.Rolling) }
func (o Objective) slice() time.Duration { return time.Duration(o.Slice) }
