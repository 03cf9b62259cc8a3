package budget

import (
	"errors"
	"fmt"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// What a [Ring] cannot take.
var (
	ErrLate  = errors.New("budget: older than the ring keeps")
	ErrAhead = errors.New("budget: later than the ring has come")
)

// Fault is one thing that is wrong with what was given. It wraps [opsec.ErrInvalid].
type Fault struct {
	Path string `json:"path"` // of the field, such as "rules[2].share"
	Text string `json:"text"` // the rule that it breaks
}

func (f *Fault) Error() string { return fmt.Sprintf("budget: %s: %s", f.Path, f.Text) }

// Unwrap returns [opsec.ErrInvalid].
func (f *Fault) Unwrap() error { return opsec.ErrInvalid }

func fault(path, form string, args ...any) *Fault { return &Fault{path, fmt.Sprintf(form, args...)} }

// UnreachableError is a rule that can never fire, because not even a total outage burns the budget that fast. It wraps
// [opsec.ErrInvalid].
type UnreachableError struct {
	Rule   string      `json:"rule"`
	Factor ratio.Ratio `json:"factor"` // above which the rule would fire
	Most   ratio.Ratio `json:"most"`   // the burn rate of a total outage
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("budget: rule %s never fires: a total outage burns %s times the budget, and the rule wants more than %s",
		e.Rule, times(e.Most), times(e.Factor))
}

// Unwrap returns [opsec.ErrInvalid].
func (e *UnreachableError) Unwrap() error { return opsec.ErrInvalid }

// times writes a number with up to six decimals.
func times(r ratio.Ratio) string { return trim(r.Rat().FloatString(6)) }
