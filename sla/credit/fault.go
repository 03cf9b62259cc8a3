package credit

import (
	"fmt"

	"github.com/cloudopsec/opsec"
)

// Fault is one thing that is wrong with a table, or with what a credit is reckoned from. It wraps [opsec.ErrInvalid].
type Fault struct {
	Path string `json:"path"` // of the field, such as "bands[1].below", or what was handed in, such as "fee"
	Text string `json:"text"` // the rule that it breaks
}

func (f *Fault) Error() string { return fmt.Sprintf("credit: %s: %s", f.Path, f.Text) }

// Unwrap returns [opsec.ErrInvalid].
func (f *Fault) Unwrap() error { return opsec.ErrInvalid }

func fault(path, form string, args ...any) *Fault { return &Fault{path, fmt.Sprintf(form, args...)} }
