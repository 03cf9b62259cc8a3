package dr

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Mode is how a mirror stands. The empty mode is that of a mirror that nothing has been heard of.
type Mode string

// The modes.
const (
	Synchronous  Mode = "synchronous"  // acknowledged means durable on both sites; nothing acknowledged can be lost with one
	Asynchronous Mode = "asynchronous" // the other site follows within the bound that was accepted
	Degraded     Mode = "degraded"     // less than was wanted, by decision: writes go on, and what would be lost grows
	Resyncing    Mode = "resyncing"    // the other site is catching up
	FailedOver   Mode = "failed-over"  // the other site has taken over; this one may not write
)

// Loss says what is done when a mirror can no longer keep what its policy wants.
type Loss string

// What may be done. The empty Loss is Stop.
const (
	Stop    Loss = "stop"    // writes are held until the mirror is back
	Degrade Loss = "degrade" // after Patience, writes go on without it
	Ask     Loss = "ask"     // writes are held until somebody decides by [Event].Degrade
)

// Duration is a [time.Duration] that is written as text, such as "30s", in JSON.
type Duration = strictjson.Duration

// Policy says what a mirror is to keep. The zero Policy is refused.
type Policy struct {
	Want     Mode     `json:"want"`              // Synchronous or Asynchronous
	OnLoss   Loss     `json:"on_loss,omitempty"` // empty: Stop
	Patience Duration `json:"patience"`          // how long less than was wanted is borne before OnLoss is done; at most a day
	Bound    Duration `json:"bound,omitempty"`   // the largest exposure that is borne; needed for Asynchronous, none for Synchronous
	Stale    Duration `json:"stale"`             // a status older than this says nothing; more than 0, at most a day
}

// Validate returns an error that wraps [opsec.ErrInvalid] and names each field that breaks its rule.
func (p Policy) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, invalid("policy: "+format, args...)) }
	day := Duration(24 * time.Hour)
	if p.Want != Synchronous && p.Want != Asynchronous {
		bad("want %q: want synchronous or asynchronous", p.Want)
	}
	if p.OnLoss != "" && p.OnLoss != Stop && p.OnLoss != Degrade && p.OnLoss != Ask {
		bad("on_loss %q: want stop, degrade or ask", p.OnLoss)
	}
	if p.Patience < 0 || p.Patience > day {
		bad("patience %v: want 0 to 24h", time.Duration(p.Patience))
	}
	if p.Stale <= 0 || p.Stale > day {
		bad("stale %v: want more than 0, at most 24h", time.Duration(p.Stale))
	}
	if p.Want == Asynchronous && p.Bound <= 0 || p.Want == Synchronous && p.Bound != 0 || p.Bound < 0 {
		bad("bound %v: an asynchronous mirror needs one, a synchronous one has none", time.Duration(p.Bound))
	}
	return errors.Join(errs...)
}

// RiskEvaluation is the decision that clause 8.4 asks for before data is mirrored asynchronously: somebody has found what may be
// lost, and bears it, for a while.
type RiskEvaluation struct {
	ID       string      `json:"id"`                      // of the document
	Exposure Duration    `json:"exposure"`                // the largest exposure that is accepted; more than 0
	Loss     string      `json:"loss"`                    // what that loss would mean, in words; at most 4 KiB
	By       opsec.Actor `json:"by"`                      // who accepts it; a person
	At       time.Time   `json:"at"`                      // when
	Until    time.Time   `json:"until"`                   // until when; at most two years after At
	Degraded Duration    `json:"degraded_most,omitempty"` // the largest exposure accepted while degraded; 0: Exposure
}

// longest is how long an evaluation may hold.
const longest = 2 * 366 * 24 * time.Hour

// Validate returns an error that wraps [opsec.ErrInvalid] and names each field that breaks its rule.
func (r RiskEvaluation) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, invalid("risk evaluation: "+format, args...)) }
	if r.ID == "" || len(r.ID) > 256 {
		bad("id of %d bytes: want 1 to 256", len(r.ID))
	}
	if r.Exposure <= 0 || r.Degraded < 0 || r.Degraded != 0 && r.Degraded < r.Exposure {
		bad("exposure %v, degraded_most %v: want more than 0, and the second not less than the first",
			time.Duration(r.Exposure), time.Duration(r.Degraded))
	}
	if r.Loss == "" || len(r.Loss) > 4096 {
		bad("loss of %d bytes: want 1 to 4096: what would be lost", len(r.Loss))
	}
	if r.By.Person == "" {
		bad("by: no person: somebody has to accept it")
	}
	if r.At.IsZero() || !r.Until.After(r.At) || r.Until.Sub(r.At) > longest {
		bad("at %s, until %s: want a span of at most two years", r.At.Format(time.RFC3339), r.Until.Format(time.RFC3339))
	}
	return errors.Join(errs...)
}

// holds reports whether r is in force at now.
func (r *RiskEvaluation) holds(now time.Time) bool {
	return r != nil && !now.Before(r.At) && now.Before(r.Until)
}

// most is the largest exposure accepted while degraded.
func (r *RiskEvaluation) most() time.Duration { return time.Duration(max(r.Degraded, r.Exposure)) }

func invalid(format string, args ...any) error {
	return fmt.Errorf("dr: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
