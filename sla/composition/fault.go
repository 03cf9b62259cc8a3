package composition

import (
	"fmt"

	"github.com/cloudopsec/opsec"
)

// Fault is one thing that is wrong with a system. It wraps [opsec.ErrInvalid].
type Fault struct {
	Path string `json:"path"` // such as "top.of[1].need"
	Text string `json:"text"` // the rule that it breaks
}

func (f *Fault) Error() string { return fmt.Sprintf("composition: %s: %s", f.Path, f.Text) }

// Unwrap returns [opsec.ErrInvalid].
func (f *Fault) Unwrap() error { return opsec.ErrInvalid }

func fault(path, form string, args ...any) *Fault { return &Fault{path, fmt.Sprintf(form, args...)} }
