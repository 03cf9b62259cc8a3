package catalogue

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
)

// The conditions that callers branch on, beside those of packages opsec, approval and retention.
var (
	// ErrExists says that the source has a point or a recovery test of this id already, or had one: what is entered is never written over.
	ErrExists = fmt.Errorf("catalogue: the source has one of this id already: %w", opsec.ErrInvalid)
	// ErrChanged says that what an order was about is no longer as it was when people were asked.
	ErrChanged = errors.New("catalogue: changed since approval was asked for")
	// ErrEnded says that nothing more comes of an order.
	ErrEnded = fmt.Errorf("catalogue: the order has ended: %w", opsec.ErrDenied)
)

// DelayError says that an order is approved and must still wait. It wraps [opsec.ErrDenied].
type DelayError struct {
	Until time.Time
}

func (e *DelayError) Error() string {
	return fmt.Sprintf("catalogue: not before %s: %v", e.Until.UTC().Format(time.RFC3339), opsec.ErrDenied)
}

func (e *DelayError) Unwrap() error { return opsec.ErrDenied }

// KeptError says why a point stays. It wraps [opsec.ErrDenied].
type KeptError struct {
	Point string `json:"point"`
	Why   Why    `json:"why"`
	What  string `json:"what,omitempty"` // the hold, the time, the child
}

// Why a point stays.
type Why string

// The reasons.
const (
	Held         Why = "held"          // a hold on the point or on its source
	Locked       Why = "locked"        // a copy is under object lock
	NeededBy     Why = "needed-by"     // another point cannot be restored without it
	LastVerified Why = "last-verified" // no other point of the source is known to be whole, with all that it needs
	LastPoint    Why = "last-point"    // no other point of the source has a copy to restore from, with all that it needs
	ByRetention  Why = "by-retention"  // the retention policy keeps it by now
	Ordered      Why = "ordered"       // another order deletes it
)

func (e *KeptError) Error() string {
	what := e.What
	if what != "" {
		what = " (" + what + ")"
	}
	return fmt.Sprintf("catalogue: point %q stays: %s%s: %v", e.Point, e.Why, what, opsec.ErrDenied)
}

func (e *KeptError) Unwrap() error { return opsec.ErrDenied }

func invalid(format string, args ...any) error {
	return fmt.Errorf("catalogue: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

func notFound(what string) error { return fmt.Errorf("catalogue: %s: %w", what, opsec.ErrNotFound) }

// text reports whether s is UTF-8 of least to most bytes without control characters.
func text(s string, least, most int) bool {
	return least <= len(s) && len(s) <= most && utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

func denied(format string, args ...any) error {
	return fmt.Errorf("catalogue: "+format+": %w", append(args, opsec.ErrDenied)...)
}
