package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/cloudopsec/opsec/audit/accounts"
	"github.com/cloudopsec/opsec/audit/accounts/correlate"
)

// report is what was found.
type report struct {
	Findings    []accounts.Finding `json:"findings"`
	Matches     []correlate.Match  `json:"matches"`     // of events and findings together
	Correlation correlate.Status   `json:"correlation"` // what they are based on, and what was left out
	Summary     accounts.Summary   `json:"summary"`
}

// WriteText writes a line for each finding, match and kind that was not tested.
func (r *report) WriteText(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, f := range r.Findings {
		who := f.Account.String()
		switch {
		case f.Origin.IsValid():
			who = f.Origin.String()
		case f.Account == accounts.Key{}:
			who = fmt.Sprintf("%s, person %q", f.Tenant, f.Person)
		}
		fmt.Fprintf(out, "%-8s %-17s %s: %s%s\n", f.Severity, f.Kind, who, f.Detail, listed(f.Evidence))
	}
	for _, m := range r.Matches {
		fmt.Fprintf(out, "%-8s %s", m.Severity, m.Rule)
		for _, v := range m.By {
			fmt.Fprintf(out, " %s %q", v.Field, v.Value)
		}
		fmt.Fprintf(out, ": %s", m.About)
		for _, s := range m.Steps {
			io.WriteString(out, listed(s.Refs))
		}
		fmt.Fprintln(out)
	}
	for _, n := range r.Summary.NotTested {
		fmt.Fprintf(out, "not tested: %s (%s)\n", n.Kind, n.Why)
	}
	if c := r.Correlation; c.Lost() {
		fmt.Fprintf(out, "not correlated: %d events too late, %d from the future, keys too many for %d rules\n",
			c.Late, c.Ahead, len(c.Evicted))
	}
	fmt.Fprintf(out, "%d findings, %d matches\n", len(r.Findings), len(r.Matches))
	return out.Flush()
}

// listed quotes references, which come from files.
func listed(refs []string) string {
	if len(refs) == 0 {
		return ""
	}
	return fmt.Sprintf(" %q", strings.Join(refs, " "))
}
