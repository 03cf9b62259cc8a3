package plan

import (
	"encoding/json"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Level is what a backup is of.
type Level string

// The levels.
const (
	Files Level = "files" // what is in a file system, without the machine
	Image Level = "image" // a whole virtual machine
)

// Site is where a target is, seen from what is backed up.
type Site string

// The sites.
const (
	OnSite  Site = "on-site"
	OffSite Site = "off-site"
)

// Observed is what is known of the backups of one source, as a catalogue shows it at one moment.
type Observed struct {
	Tenant opsec.TenantID  `json:"tenant,omitempty"`
	Source string          `json:"source"`
	At     time.Time       `json:"at"`
	Since  time.Time       `json:"since,omitzero"` // from when on all points are listed, those deleted since included; zero: the first point
	Points []ObservedPoint `json:"points,omitempty"`
	Tests  []ObservedTest  `json:"tests,omitempty"`
}

// ObservedPoint is a restore point.
type ObservedPoint struct {
	ID      string         `json:"id"`
	Level   Level          `json:"level"`
	Taken   time.Time      `json:"taken"`             // what was written before this is in it: when the capture began
	Parents []string       `json:"parents,omitempty"` // points without which it cannot be restored
	Deleted time.Time      `json:"deleted,omitzero"`  // when it went, for history; zero: it is there
	Copies  []ObservedCopy `json:"copies,omitempty"`
}

// ObservedCopy is a copy of a point at one target.
type ObservedCopy struct {
	Target    string    `json:"target"`
	Site      Site      `json:"site"`
	Region    string    `json:"region,omitempty"`
	Durable   time.Time `json:"durable,omitzero"` // since when it outlives the source; zero: it is not there yet
	Encrypted bool      `json:"encrypted,omitempty"`
	Verified  time.Time `json:"verified,omitzero"` // when it was last found whole; zero: never
	Broken    bool      `json:"broken,omitempty"`  // it was found damaged, and not found whole since
}

// ObservedTest is a recovery test.
type ObservedTest struct {
	ID     string        `json:"id"`
	Point  string        `json:"point"`
	Level  Level         `json:"level"`
	Site   Site          `json:"site"` // of the copy that was restored
	At     time.Time     `json:"at"`   // when it ended
	Took   time.Duration `json:"took"` // from the start until the service ran; in JSON a text such as "42m"
	Passed bool          `json:"passed"`
}

type observedTestFields ObservedTest

type observedTestText struct {
	observedTestFields
	Took strictjson.Duration `json:"took"`
}

// MarshalJSON implements [json.Marshaler].
func (t ObservedTest) MarshalJSON() ([]byte, error) {
	return json.Marshal(observedTestText{observedTestFields(t), strictjson.Duration(t.Took)})
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *ObservedTest) UnmarshalJSON(data []byte) error {
	var read observedTestText
	if err := strictjson.Decode(data, &read); err != nil {
		return invalid("observed test: %v", err)
	}
	*t = ObservedTest(read.observedTestFields)
	t.Took = time.Duration(read.Took)
	return nil
}
