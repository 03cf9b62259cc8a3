package competence

import "time"

// Policy says what duties need, and how early to warn. It is data; in JSON durations are texts such as "2160h".
type Policy struct {
	Duties map[string][]Need `json:"duties"` // by duty, all that it needs; one without needs is not valid
	Warn   []time.Duration   `json:"warn"`   // before an end: the stages of warning, the longest first: 90, 30, 7 days
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (p Policy) Validate() error { return nil }

// Staff is somebody, and what they do.
type Staff struct {
	Person string   `json:"person"`
	Duties []string `json:"duties"`
}

// Trouble is what is wrong, or soon will be, with the competence of staff.
type Trouble string

// The troubles, each for one person, duty and need.
const (
	NeverTrained Trouble = "never trained" // no record of the subject
	Unqualified  Trouble = "unqualified"   // records of the subject, but none of the kind that is needed, or not yet
	Expired      Trouble = "expired"       // the last that met the need is too old or has run out
	Revoked      Trouble = "revoked"       // the last that met the need was revoked
	Expiring     Trouble = "expiring"      // it is met, but not for long
	UnknownDuty  Trouble = "unknown duty"  // the policy does not know the duty: nobody is qualified for it
)

// Finding is one trouble.
type Finding struct {
	Person  string        `json:"person"`
	Duty    string        `json:"duty"`
	Need    Need          `json:"need,omitzero"`
	Trouble Trouble       `json:"trouble"`
	Record  string        `json:"record,omitempty"` // [Record.Ref] of the one it is about
	End     time.Time     `json:"end,omitzero"`     // when it stopped counting, or will
	Stage   time.Duration `json:"stage,omitempty"`  // of the warning that has been reached: the shortest
}

// Examine returns all troubles of staff, by person, duty and need. A record that takes over in time ends no warning too
// early: what counts is the end of all that follow each other without a gap.
func (p Policy) Examine(staff []Staff, records []Record, at time.Time) ([]Finding, error) {
	return nil, nil
}

// NextFinding returns the first instant after at before which Examine says the same as it does at that time, or zero when
// it will for ever.
func (p Policy) NextFinding(staff []Staff, records []Record, at time.Time) (time.Time, error) {
	return time.Time{}, nil
}
