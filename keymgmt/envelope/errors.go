package envelope

import (
	"fmt"

	"github.com/cloudopsec/opsec"
)

// ErrOpen says that something is not what was encrypted under this key and context: it has been changed, cut, put in
// another order, or belongs elsewhere. It wraps [opsec.ErrInvalid]. Errors of the [Wrapper], which may be a service that
// does not answer, are passed on as they are.
var ErrOpen = fmt.Errorf("envelope: does not open: changed, cut, or of another key or context: %w", opsec.ErrInvalid)

func invalid(format string, args ...any) error {
	return fmt.Errorf("envelope: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
