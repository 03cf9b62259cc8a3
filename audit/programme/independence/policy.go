package independence

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Policy is what stands in the way of auditing: data, strict when zero.
type Policy struct {
	LookBack  time.Duration // 0: 365 days
	Ignore    []string      // patterns of actions that are no operation, such as "programme.*"
	Approvals []string      // patterns of actions that approve others; none: "approval.approve"
	Levels    int           // of the reporting line, up and down; 0: all

	// SkipUnattributed clears people although there are acts within the scope that could not be laid to anybody.
	SkipUnattributed bool
}

// Validate returns an error wrapping [opsec.ErrInvalid].
func (p Policy) Validate() error { return errors.ErrUnsupported }

// Examine reads what was done, and says what stands against each candidate.
func (p Policy) Examine(ctx context.Context, s Scope, candidates []string, o Organisation, acts iter.Seq2[Act, error], now time.Time) (Clearance, error) {
	return Clearance{}, errors.ErrUnsupported
}
