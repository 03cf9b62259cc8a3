package comparison

import (
	"github.com/cloudopsec/opsec/sla"
)

// Difference is one thing in which two agreements differ.
type Difference struct {
	// Path is where it stands in a, or in b if a has nothing there, such as "clause.data.backup.rpo" or
	// "services[id=compute].objectives[id=region].target".
	Path    string  `json:"path"`
	Clause  string  `json:"clause"` // of X.1642, such as "7.2.2.2"
	Verdict Verdict `json:"verdict"`
	A       string  `json:"a,omitempty"` // what a says; empty: nothing
	B       string  `json:"b,omitempty"` // what b says
	Reason  string  `json:"reason"`
}

// Compare returns how b differs from a, clause by clause: none if they promise the same.
func Compare(a, b *sla.Agreement) []Difference { return nil }
