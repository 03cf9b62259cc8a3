package audit

import "time"

// State is how a [Trail] sees one of its sinks.
type State string

// The states of a sink.
const (
	Up      State = "up"
	Failing State = "failing" // the last Write failed; tried again soon
	Open    State = "open"    // the breaker is open: tried again after the cool-down
	Hung    State = "hung"    // a Write has not returned within its deadline
	Closed  State = "closed"  // Run has ended
)

// SinkHealth is the condition of one sink, for a health page or a meter.
type SinkHealth struct {
	Name    string    `json:"name"`
	State   State     `json:"state"`
	Since   time.Time `json:"since"`           // of the state
	Durable bool      `json:"durable"`         // counts towards Policy.Require
	Queued  int       `json:"queued"`          // events waiting, or being written
	Lost    uint64    `json:"lost"`            // events it has not got since New; gap records tell the same
	Error   string    `json:"error,omitempty"` // its last, for operators; empty when it accepts
}

// Health returns the condition of every sink, by name.
func (t *Trail) Health() []SinkHealth {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]SinkHealth, len(t.lanes))
	for i, l := range t.lanes {
		list[i] = SinkHealth{
			Name: l.name, State: l.state, Since: l.since, Durable: l.durable, Queued: l.waiting(), Lost: l.lost,
		}
		if l.err != nil {
			list[i].Error = l.err.Error()
		}
	}
	return list
}
