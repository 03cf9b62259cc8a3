package openslo

import (
	"fmt"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
)

// Version is the apiVersion that this package reads and writes.
const Version = "openslo/v1"

// The bounds of what is read.
const (
	MaxSize       = 1 << 20 // bytes
	MaxDocuments  = 1_000   // in a stream
	MaxObjectives = 10_000  // in a stream
	MaxSpecs      = 4 << 20 // bytes of indicators, which several objectives may share
)

// depth is how deep values may be nested.
const depth = 32

// Document is services with their objectives, and where the figures come from.
type Document struct {
	Services []sla.Service     `json:"services"`
	Sources  map[string]Source `json:"sources,omitempty"` // by the ids of objectives
}

// Source is how a monitoring system gets the figures of an objective. It is kept as it stands, and not looked at.
type Source struct {
	Indicator string `json:"indicator"`       // name of the SLI
	Spec      string `json:"spec,omitempty"`  // its spec, in YAML; empty: it is defined elsewhere
	Op        string `json:"op,omitempty"`    // of a threshold: "lte", "gte", "lt" or "gt"
	Value     string `json:"value,omitempty"` // that the metric is compared with, as it stands
}

// Loss is something that was not carried over.
type Loss struct {
	Path  string `json:"path"`            // such as "SLO/main-page.spec.alertPolicies"
	Text  string `json:"text"`            //
	Whole bool   `json:"whole,omitempty"` // nothing of what the path leads to was taken, because it would have meant something else
}

// String returns the loss as a line.
func (l Loss) String() string {
	if l.Whole {
		return l.Path + ": not taken: " + l.Text
	}
	return l.Path + ": " + l.Text
}

func invalid(form string, args ...any) error {
	return fmt.Errorf("openslo: "+form+": %w", append(args, opsec.ErrInvalid)...)
}
