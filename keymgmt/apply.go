package keymgmt

import (
	"time"

	"github.com/cloudopsec/opsec"
)

// Verb is what happens to a key or a keyset.
type Verb string

// The verbs on a key, which are those of an [Event].
const (
	Generate      Verb = "generate"
	Expect        Verb = "expect" // material is to be imported
	Import        Verb = "import"
	Link          Verb = "link" // the material is with a third party
	Activate      Verb = "activate"
	Suspend       Verb = "suspend"
	Resume        Verb = "resume"
	Deactivate    Verb = "deactivate"
	Compromise    Verb = "compromise"
	Count         Verb = "count" // a census
	Schedule      Verb = "schedule-destruction"
	Cancel        Verb = "cancel-destruction"
	Fail          Verb = "fail-destruction"
	Destroy       Verb = "destroy"
	ForceDestroy  Verb = "force-destroy" // without a census
	ChangePeriods Verb = "change-periods"
)

// The verbs on a keyset.
const (
	Create  Verb = "create"
	Rotate  Verb = "rotate"
	Update  Verb = "update"
	BackUp  Verb = "back-up"
	Recover Verb = "recover"
	Grant   Verb = "grant"  // of roles
	Reveal  Verb = "export" // of a key's material
)

// Event is one thing that has happened to a key. What is zero does not belong to the verb.
type Event struct {
	Verb     Verb      `json:"verb"`
	Time     time.Time `json:"time"`
	By       string    `json:"by"` // the person
	Reason   string    `json:"reason,omitempty"`
	Approval opsec.ID  `json:"approval,omitempty"`

	Algorithm    Algorithm `json:"algorithm,omitempty"`    // generate, expect, import, link
	Previous     uint32    `json:"previous,omitempty"`     // generate, expect, link
	ProtectUntil time.Time `json:"protect_until,omitzero"` // activate, change-periods
	ProcessUntil time.Time `json:"process_until,omitzero"`
	Since        time.Time `json:"since,omitzero"` // compromise: when it happened
	After        time.Time `json:"after,omitzero"` // schedule: not before
	Census       *Census   `json:"census,omitempty"`
	Receipt      string    `json:"receipt,omitempty"` // destroy: the digest of the receipt
}

// Effect is what must be done outside after an event.
type Effect string

// The effects.
const (
	Purge   Effect = "purge"   // nodes drop the key from their memory
	Publish Effect = "publish" // nodes take the keyset anew
	Taint   Effect = "taint"   // what depends on the key is to be looked at
	Erase   Effect = "erase"   // the material is to be destroyed
	Replace Effect = "replace" // the keyset needs another primary
)
