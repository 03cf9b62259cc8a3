package dr

import "time"

// Status is what a replicator saw at one moment. All times are by one clock, that of the primary site.
type Status struct {
	At          time.Time `json:"at"`
	Newest      time.Time `json:"newest,omitzero"` // when the newest write was acknowledged at the primary; zero: none ever
	Safe        time.Time `json:"safe,omitzero"`   // when the newest write was acknowledged that is on the other site with nothing missing before it; zero: none
	Behind      int64     `json:"behind"`          // bytes that are not there yet; -1: not known
	Connected   bool      `json:"connected"`
	Synchronous bool      `json:"synchronous"` // at this moment, acknowledged means durable on both sites
}

// Exposure returns what would be lost if the primary site were gone at s.At: nothing when all that was acknowledged is on the other
// site, else the time since the newest write there that has nothing missing before it. It is false when that is not known.
func (s Status) Exposure() (time.Duration, bool) {
	switch {
	case s.At.IsZero() || s.Newest.After(s.At):
		return 0, false
	case !s.Safe.Before(s.Newest):
		return 0, true
	case s.Safe.IsZero(): // since ever
		return 0, false
	}
	return s.At.Sub(s.Safe), true
}
