package rewrap

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Job is what is to be rewrapped.
type Job struct {
	Set  keymgmt.SetID `json:"set"`
	Name string        `json:"name"`           // of the objects: what a census calls them; 1 to 128 bytes
	From []uint32      `json:"from,omitempty"` // the keys to get away from; none for all but To
	To   uint32        `json:"to"`             // the key that protects now
}

func (j Job) equal(k Job) bool {
	return j.Set == k.Set && j.Name == k.Name && j.To == k.To && slices.Equal(j.From, k.From)
}

func (j Job) validate() error {
	switch {
	case j.Set.ID == "":
		return invalid("job.set.id: empty")
	case !named(j.Name):
		return invalid("job.name: %d bytes: want 1 to 128 of UTF-8", len(j.Name))
	case j.To == 0:
		return invalid("job.to: 0: want a key")
	case len(j.From) > 1000 || slices.Contains(j.From, j.To):
		return invalid("job.from: %d keys: want at most 1000, and not the one to go to", len(j.From))
	}
	return j.Set.Tenant.Validate()
}

func named(s string) bool { return s != "" && len(s) <= 128 && utf8.ValidString(s) }

// Checkpoint is how far a run has come: a plain value, to be kept as JSON. The zero Checkpoint is the beginning.
type Checkpoint struct {
	Job    Job    `json:"job"`
	After  string `json:"after,omitempty"` // all objects up to this id are done with
	Done   bool   `json:"done,omitempty"`
	Counts Counts `json:"counts"`
	Bad    []Bad  `json:"bad,omitempty"` // that were poisoned, as many as the policy lets pass
}

// Counts says what was done with the objects up to a checkpoint. After an interruption, what was rewrapped between the
// checkpoint and the interruption is counted as Current.
type Counts struct {
	Rewrapped uint64 `json:"rewrapped"`
	Current   uint64 `json:"current"`  // were on the key to go to
	Other     uint64 `json:"other"`    // on keys that the job does not name
	Changed   uint64 `json:"changed"`  // by somebody else, again and again; left to the next run
	Poisoned  uint64 `json:"poisoned"` // do not open
}

// Of is the sum.
func (c Counts) Of() uint64 { return c.Rewrapped + c.Current + c.Other + c.Changed + c.Poisoned }

func (c *Counts) add(d Counts) {
	c.Rewrapped += d.Rewrapped
	c.Current += d.Current
	c.Other += d.Other
	c.Changed += d.Changed
	c.Poisoned += d.Poisoned
}

// Bad is an object that does not open.
type Bad struct {
	ID  string `json:"id"`
	Key uint32 `json:"key,omitempty"` // that it says it is under; 0 for none
}

// PoisonedError says that a run met objects that do not open. They are as they were.
type PoisonedError struct {
	Objects uint64 // how many
	Bad     []Bad  // the first of them
	Stopped bool   // the run has not come to its end: there are more than the policy lets pass
}

func (e *PoisonedError) Error() string {
	if e.Stopped {
		return fmt.Sprintf("rewrap: stopped: %d objects do not open, which is more than the policy lets pass", e.Objects)
	}
	return fmt.Sprintf("rewrap: %d objects do not open, and are as they were", e.Objects)
}

const maxCheckpoint = 64 << 20 // bytes of JSON: more than the other bounds let one become, each byte of an id escaped

// UnmarshalJSON implements [json.Unmarshaler]. Unknown names are refused, and what no run could have reached.
func (c *Checkpoint) UnmarshalJSON(b []byte) error {
	type plain Checkpoint
	var read plain
	if len(b) > maxCheckpoint {
		return invalid("checkpoint: %d bytes: want at most %d", len(b), maxCheckpoint)
	}
	if err := strictjson.Decode(b, &read); err != nil {
		return invalid("checkpoint: %v", err)
	}
	if err := Checkpoint(read).validate(); err != nil {
		return err
	}
	*c = Checkpoint(read)
	return nil
}

func (c Checkpoint) validate() error {
	if c.Job.equal(Job{}) && c.After == "" && !c.Done && c.Counts == (Counts{}) && len(c.Bad) == 0 {
		return nil
	}
	switch {
	case len(c.After) > maxID:
		return invalid("checkpoint.after: %d bytes: want at most %d", len(c.After), maxID)
	case uint64(len(c.Bad)) > c.Counts.Poisoned:
		return invalid("checkpoint.bad: more than are counted")
	}
	return c.Job.validate()
}
