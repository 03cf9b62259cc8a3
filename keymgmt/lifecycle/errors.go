package lifecycle

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/keymgmt"
)

// The conditions that callers branch on, beside those of packages opsec and keymgmt.
var (
	// ErrChanged says that a keyset has changed while something was done that takes it as a whole: try again.
	ErrChanged = errors.New("lifecycle: changed meanwhile")
	// ErrConsent says that the policy wants the consent of others first: [Manager.Propose]. It wraps [opsec.ErrDenied].
	ErrConsent = fmt.Errorf("lifecycle: needs the consent of others: %w", opsec.ErrDenied)
)

// PendingError says that a destruction waits for nodes that may still hold the key: call [Manager.Destroy] again, after
// they have had time to beat twice, or have been silent for longer than their fences.
type PendingError struct {
	Ref   keymgmt.Ref
	Nodes []string
}

func (e *PendingError) Error() string {
	return fmt.Sprintf("lifecycle: destruction of key %s waits for %d nodes: %s", e.Ref, len(e.Nodes), strings.Join(e.Nodes, ", "))
}

// denied is an error that wraps [opsec.ErrDenied].
func denied(format string, args ...any) error {
	return fmt.Errorf("lifecycle: "+format+": %w", append(args, opsec.ErrDenied)...)
}

// invalid is an error that wraps [opsec.ErrInvalid].
func invalid(format string, args ...any) error {
	return fmt.Errorf("lifecycle: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

// decode reads one JSON value of at most most bytes, whose objects have known fields alone.
func decode(data []byte, v any, most int) error {
	if len(data) > most {
		return invalid("%d bytes of JSON, want at most %d", len(data), most)
	}
	return strictjson.Decode(data, v)
}

func instant(t time.Time) time.Time { return t.UTC().Round(0) }

// text reports whether s is UTF-8 of at most most bytes without control characters.
func text(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}
