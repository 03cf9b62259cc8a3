package dr

import (
	"time"

	"github.com/cloudopsec/opsec"
)

// State is what is remembered of a mirror. The zero State is that of a new one. It is plain data, to be kept as JSON.
type State struct {
	Mode    Mode            `json:"mode,omitempty"`
	Since   time.Time       `json:"since,omitzero"`    // when the mode began
	Now     time.Time       `json:"now,omitzero"`      // the latest time that a step has seen: a clock that goes back is not believed
	Last    Status          `json:"last,omitzero"`     // the newest status
	Lost    time.Time       `json:"lost,omitzero"`     // since when the mirror keeps less than was wanted; zero: it does not
	Asked   bool            `json:"asked,omitempty"`   // patience has ended and writes are held; with Ask, until somebody decides
	Open    bool            `json:"open,omitempty"`    // writes go on without what was wanted: by policy, or somebody has decided it
	Over    bool            `json:"over,omitempty"`    // exposure beyond what was accepted, or not known, has been reported
	Risk    *RiskEvaluation `json:"risk,omitempty"`    // the evaluation that was accepted last
	Expired bool            `json:"expired,omitempty"` // that Risk has ended was reported
	Reason  string          `json:"reason,omitempty"`  // why the mode is what it is
}

// Event is what happens to a mirror: exactly one field is set.
type Event struct {
	Status   *Status         // a replicator has looked
	Tick     bool            // time has passed, and nothing was heard
	Accept   *RiskEvaluation // a risk evaluation is accepted
	Degrade  *Decision       // somebody decides to go on without the mirror
	FailOver *Takeover       // the other site takes over
	FailBack *Decision       // the divergence is settled, and this site follows the other one, or leads again
}

// Decision is who decides something, and why.
type Decision struct {
	By     opsec.Actor `json:"by"`
	Reason string      `json:"reason"`
}

// Takeover is a [Decision] that the other site shall write from now on.
type Takeover struct {
	Decision
	AcceptLoss bool `json:"accept_loss,omitempty"` // what is not on the other site may be lost; needed unless the mirror is synchronous and writes still wait
}

// Writes says what the primary site may do with a write.
type Writes string

// What may be done. The empty value is Refuse.
const (
	Refuse    Writes = "refuse"     // this site is not the one that writes
	Hold      Writes = "hold"       // not acknowledged for now: it would not be on both sites, and nobody has accepted that
	BothSites Writes = "both-sites" // acknowledged when it is durable on both sites
	OnPrimary Writes = "primary"    // acknowledged when it is durable on the primary site
)

// Verdict is what a step has decided.
type Verdict struct {
	Writes        Writes        // what the data path has to do from now on
	Exposure      time.Duration // what would be lost if the primary site were gone now
	ExposureKnown bool
	Notices       []Notice // what must not go unseen, in order
	Refused       error    // why the event was not accepted; then nothing but the time has changed; wraps opsec.ErrDenied or ErrInvalid
}

// Notice is a change that is recorded, and that people are told of.
type Notice struct {
	Action   string // one of the Action constants
	From, To Mode
	Severity opsec.Severity
	Reason   string
	By       opsec.Actor // who decided it, when somebody did
}

// The actions of events.
const (
	ActionSynchronous  = "dr.synchronous"   // the mirror is synchronous
	ActionAsynchronous = "dr.asynchronous"  // the mirror is asynchronous, within its bound
	ActionDegraded     = "dr.degraded"      // the mirror keeps less than was wanted, and writes go on
	ActionResyncing    = "dr.resyncing"     // the other site is catching up
	ActionFailedOver   = "dr.failed_over"   // the other site has taken over
	ActionFailedBack   = "dr.failed_back"   // the divergence is settled
	ActionHeld         = "dr.held"          // writes are held
	ActionAsked        = "dr.asked"         // writes are held until somebody decides
	ActionBreached     = "dr.breached"      // exposure is larger than what was accepted, or not known
	ActionRiskAccepted = "dr.risk_accepted" // a risk evaluation is accepted
	ActionRiskExpired  = "dr.risk_expired"  // the accepted risk evaluation has ended
)
