package responsibility

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec"
)

// Rule names what a [Fault] breaks.
type Rule string

// The rules of a matrix.
const (
	RuleModel   Rule = "model"       // the service model is unknown
	RuleLayer   Rule = "layer"       // the layer is unknown
	RuleParty   Rule = "party"       // it is neither a party nor both
	RuleNote    Rule = "note"        // it is shared, and nothing says how
	RuleNobody  Rule = "nobody"      // no assignment names the layer
	RuleMasters Rule = "two-masters" // more than one does
	RuleKept    Rule = "kept"        // the customer always answers for it, and it was given to the provider alone
	RuleOwed    Rule = "owed"        // the provider answers for it, and it was given to the customer alone
)

// Fault is one thing that is wrong with a matrix. It wraps [opsec.ErrInvalid].
type Fault struct {
	Path  string `json:"path"` // such as "assignments[3].note"
	Rule  Rule   `json:"rule"`
	Layer Layer  `json:"layer,omitempty"`
	Text  string `json:"text"`
}

func (f *Fault) Error() string { return fmt.Sprintf("responsibility: %s: %s", f.Path, f.Text) }

// Unwrap returns [opsec.ErrInvalid].
func (f *Fault) Unwrap() error { return opsec.ErrInvalid }

// Faults returns what [Matrix.Validate] has joined, in its order.
func Faults(err error) []*Fault {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Fault
		for _, e := range joined.Unwrap() {
			all = append(all, Faults(e)...)
		}
		return all
	}
	var f *Fault
	if errors.As(err, &f) {
		return []*Fault{f}
	}
	return nil
}

// most is how many assignments are looked at: more than enough for layers that are each there once.
const most = 1000

// Validate returns nil, or a [*Fault] for each thing that is wrong, joined: assignments in their order, then layers from
// the ground up.
func (m Matrix) Validate() error {
	var errs []error
	fault := func(path string, r Rule, l Layer, form string, args ...any) {
		errs = append(errs, &Fault{path, r, l, fmt.Sprintf(form, args...)})
	}
	if owed(m.Model) == 0 {
		fault("model", RuleModel, "", "want IaaS, PaaS, SaaS or NaaS")
	}
	if len(m.Assignments) > most {
		fault("assignments", RuleLayer, "", "%d assignments, want up to %d", len(m.Assignments), most)
		return errors.Join(errs...)
	}
	at := map[Layer][]int{}
	for i, a := range m.Assignments {
		path := fmt.Sprintf("assignments[%d]", i)
		if !a.Layer.Known() {
			fault(path+".layer", RuleLayer, "", "not a layer of a cloud service")
			continue
		}
		at[a.Layer] = append(at[a.Layer], i)
		if !known(a.Party) {
			fault(path+".party", RuleParty, a.Layer, "want CSP, CSC or both")
		}
		if a.Party == opsec.Both && strings.TrimSpace(a.Note) == "" {
			fault(path+".note", RuleNote, a.Layer, "the %s layer is shared, and nothing says how", a.Layer)
		}
		if a.Party == opsec.CSP && slices.Contains(Kept(m.Model), a.Layer) {
			fault(path+".party", RuleKept, a.Layer, "of %s, clause 7.1 leaves the %s layer to the customer: it may be shared, not given away", m.Model, a.Layer)
		}
		if a.Party == opsec.CSC && slices.Contains(Owed(m.Model), a.Layer) {
			fault(path+".party", RuleOwed, a.Layer, "of %s, clause 7.1 gives the %s layer to the provider: it may be shared, not put off", m.Model, a.Layer)
		}
	}
	for _, l := range Layers() {
		switch n := len(at[l]); {
		case n == 0:
			fault("assignments", RuleNobody, l, "nobody answers for the %s layer", l)
		case n > 1:
			fault(fmt.Sprintf("assignments[%d]", at[l][1]), RuleMasters, l, "%d assignments name the %s layer: say \"both\" in one, and how", n, l)
		}
	}
	return errors.Join(errs...)
}
