package programme

import (
	"errors"
	"time"
)

// Series is an audit that is repeated (8.11.1-1): every so many months from its first day, or at least.
type Series struct {
	ID     string    `json:"id"`
	Title  string    `json:"title"`
	Months int       `json:"months"` // from 1 to 60
	First  time.Time `json:"first"`  // the day that months are counted from, and its zone
	Lead   Days      `json:"lead"`   // how long before it is due the plan should be there
}

// Turn is one occurrence of a series.
type Turn struct {
	Number int       `json:"number"` // from 0
	Due    time.Time `json:"due"`
	Audit  string    `json:"audit,omitempty"` // the one that serves it
	State  TurnState `json:"state"`
}

// TurnState is how a turn stands.
type TurnState string

// The states of a turn.
const (
	Upcoming TurnState = "upcoming"
	ToPlan   TurnState = "to plan" // within the lead, and no audit is planned
	Running  TurnState = "running"
	Missed   TurnState = "missed" // past its due, and not reported
	Done     TurnState = "done"
)

// Turns returns the turns of the series up to the first that is upcoming.
func (s Series) Turns(audits []Audit, now time.Time) ([]Turn, error) {
	return nil, errors.ErrUnsupported
}
