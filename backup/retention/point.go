package retention

import "time"

// Point is a restore point as its catalogue knows it.
type Point struct {
	ID       string    `json:"id"`                // once in a list
	Group    string    `json:"group,omitempty"`   // whose points are counted together: a source, a host with its paths
	Claimed  time.Time `json:"claimed"`           // when it was taken, as the host says that was backed up
	Received time.Time `json:"received,omitzero"` // when it came, by the clock of the store, which the host cannot set; zero: not known
	Parents  []string  `json:"parents,omitempty"` // points without which it cannot be restored; none: it is a full one
	Tags     []string  `json:"tags,omitempty"`

	Verified   time.Time `json:"verified,omitzero"`     // when it was last found whole; zero: never
	Replicated bool      `json:"replicated,omitempty"`  // it is wherever the strategy wants it
	Hold       string    `json:"hold,omitempty"`        // why it must stay, whatever the policy says (legal hold); empty: no hold
	Locked     time.Time `json:"locked_until,omitzero"` // until when the store refuses to delete it (object lock)
}
