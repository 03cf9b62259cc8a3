package meter

import (
	"github.com/cloudopsec/opsec/sla/metric"
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

// Evidence is what a source has seen of a resource: a state over a span, or requests in a slice.
type Evidence struct {
	Source   string        // who saw it
	Seq      uint64        // its number at the source, which identifies it there
	Resource string        //
	Span     timeline.Span // of a state; of requests it is the slice
	State    State         // of evidence without requests
	Good     uint64        // requests
	Total    uint64        // requests; 0: this is a state
}

// Reader hands out evidence of a period, resource by resource in order of their names.
type Reader interface {
	// Resources calls yield for each resource with evidence in the period until it returns false.
	Resources(period timeline.Span, yield func(resource string, in metric.Input) bool)
	// Digest returns the digest of all evidence in a period: "sha256:" and 64 hexadecimal digits.
	Digest(period timeline.Span) string
}
