package thirdparty

import (
	"context"
	"fmt"

	"github.com/cloudopsec/opsec"
)

const maxReason = 2 << 10

// ErrJustification says that a call has no justification, or one that is not complete. It wraps [opsec.ErrDenied].
var ErrJustification = fmt.Errorf("thirdparty: no justification: want a person or a system, and a reason of 1 to %d bytes: %w", maxReason, opsec.ErrDenied)

// Justification is why the party is asked, and for whom.
type Justification struct {
	By     opsec.Actor
	Reason string // 2 KiB at most
}

type justificationKey struct{}

// WithJustification returns a context that carries it to the party.
func WithJustification(ctx context.Context, j Justification) context.Context {
	return context.WithValue(ctx, justificationKey{}, j)
}

// JustificationOf returns what the context carries: for a custodian that passes it on to the party.
func JustificationOf(ctx context.Context) (j Justification, ok bool) {
	j, ok = ctx.Value(justificationKey{}).(Justification)
	return j, ok
}

func (j *Justification) complete() bool {
	return j.Reason != "" && len(j.Reason) <= maxReason && (j.By.Person != "" || j.By.Account != "" || j.By.Kind == opsec.System)
}
