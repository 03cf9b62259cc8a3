package programme

import "time"

// Grant is leave to use an audit tool (8.11.1-3): for one person, on some things, for a time, so many times.
type Grant struct {
	ID      string    `json:"id"`
	Tool    string    `json:"tool"`
	Person  string    `json:"person"`
	Targets []string  `json:"targets"` // what it may be used on: "type/id", where either may be "*"
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"`
	Uses    int       `json:"uses"` // how many there may be
	Used    int       `json:"used,omitempty"`
	Writes  bool      `json:"writes,omitempty"` // it may change what it is used on
	Revoked time.Time `json:"revoked,omitzero"`
}
