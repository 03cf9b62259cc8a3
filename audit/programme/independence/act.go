package independence

import (
	"time"

	"github.com/cloudopsec/opsec"
)

// Act is something that somebody did, as the log has it.
type Act struct {
	Time       time.Time
	Tenant     opsec.TenantID // whose record it is
	Action     string
	Approves   string // the action that this is a decision about, when it is one
	Outcome    opsec.Outcome
	System     string
	Actor      opsec.Actor
	OnBehalfOf *opsec.Actor
	Resource   opsec.Resource
	Ref        string // where the record is: evidence
}

// ActOf returns what an event tells. Decisions of the approval room are about the action and resource that they approve.
func ActOf(e *opsec.Event, ref string) Act { return Act{} }
