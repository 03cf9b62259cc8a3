package metric

import (
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// States is what was seen of a resource: where none of the lines is, nothing is known. Where they overlap the worst holds.
type States struct {
	Up       timeline.Line `json:"up,omitempty"`
	Degraded timeline.Line `json:"degraded,omitempty"`
	Down     timeline.Line `json:"down,omitempty"`
}

// Count is the requests that came in a slice of time.
type Count struct {
	Start int64  `json:"start"` // of the slice, in milliseconds since 1970
	Good  uint64 `json:"good"`  // at most Total
	Total uint64 `json:"total"` //
}

// Input is the evidence of one resource.
type Input struct {
	States   States        // for Time, and for Slices without Good
	Counts   []Count       // for the others: in order, each slice once, of the length of the objective's
	Excluded timeline.Line // what valid exclusions cover: see [Objective.Measure]
}

// Tally is how much of a window was what, in units of the method: milliseconds, slices or requests; of MeanRate, 2^-32 of
// a slice. Tallies of resources add up.
type Tally struct {
	Good     uint64 `json:"good"`
	Bad      uint64 `json:"bad"`
	Unknown  uint64 `json:"unknown"`
	Excluded uint64 `json:"excluded"` // bad, or not known, and excluded: it is left out of the figure
	// Blur is by how much Good may be too small, because rates of MeanRate were rounded down.
	Blur uint64 `json:"blur,omitempty"`
}

// Result is a tally without the exclusions and one with them; both are shown.
type Result struct {
	Raw     Tally `json:"raw"`
	Counted Tally `json:"counted"`
}

// Figure is what a report says of an objective.
type Figure struct {
	Availability ratio.Range   `json:"availability"` // with the exclusions
	Raw          ratio.Range   `json:"raw"`          // without
	Verdict      ratio.Verdict `json:"verdict"`
}

// Budget is how much of what may be bad in a window has been used, in the units of the tally. Used may be more than All.
type Budget struct {
	All  uint64 `json:"all"`  // rounded down: bad time that leaves the target reached
	Used uint64 `json:"used"` // bad
	Open uint64 `json:"open"` // unknown: may turn out to be used
}
