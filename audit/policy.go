package audit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Policy says how hard a [Trail] tries, and what it holds meanwhile. A zero field stands for its default, so the zero
// Policy is the strict one: a critical event must be in every durable sink. The numbers hold for each sink by itself.
//
// In JSON the durations are texts such as "5s", and unknown names are refused.
type Policy struct {
	// Require is the number of durable sinks that must hold a critical event before Record returns nil. Default: all.
	Require int
	// MaxWait bounds the wait for them, whatever the caller's context allows. Default: 10 s.
	MaxWait time.Duration

	// Queue is the number of events that wait for one sink, 8 to 1<<20. Best-effort events may fill half of it,
	// standard events three quarters. Default: 4096.
	Queue int
	// RecordBytes is the longest JSON of one event, up to 1 MiB; a longer one is refused. Queue times RecordBytes
	// bounds the memory, whatever the number of sinks. Default: 65535, what an entry of a transparency log holds.
	RecordBytes int
	// Remember is the number of latest events known by their ids at least, so that what is delivered twice is written
	// once; not less than Queue. About 250 bytes each, times two. Default: 16384, or Queue if that is more.
	Remember int

	// WriteDeadline is the time for one Write; a sink that takes longer counts as hung. Default: 5 s.
	WriteDeadline time.Duration
	// Failures in a row open the sink's breaker: it gets nothing, and no critical event waits for it. Default: 3.
	Failures int
	// CoolDown is the time from there to the next attempt. Default: 10 s.
	CoolDown time.Duration
	// Drain is the time that Run takes for what is queued when its context ends. Default: 10 s.
	Drain time.Duration
}

const (
	maxRecordBytes = 1 << 20
	maxQueue       = 1 << 20
)

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (p Policy) Validate() error {
	p = p.withDefaults()
	switch {
	case p.Require < 0:
		return outOfBounds("Require", p.Require, "0 (all) or more")
	case p.Queue < 8 || p.Queue > maxQueue:
		return outOfBounds("Queue", p.Queue, "8 to 1048576")
	case p.RecordBytes < 1024 || p.RecordBytes > maxRecordBytes:
		return outOfBounds("RecordBytes", p.RecordBytes, "1024 to 1048576")
	case p.Remember < p.Queue || p.Remember > 16*maxQueue:
		return outOfBounds("Remember", p.Remember, "Queue to 16777216")
	case p.Failures < 0:
		return outOfBounds("Failures", p.Failures, "1 or more")
	case min(p.MaxWait, p.WriteDeadline, p.CoolDown, p.Drain) < 0:
		return fmt.Errorf("audit: policy: a duration is negative: %w", opsec.ErrInvalid)
	}
	return nil
}

func outOfBounds(field string, value int, want string) error {
	return fmt.Errorf("audit: policy: %s is %d, want %s: %w", field, value, want, opsec.ErrInvalid)
}

func (p Policy) withDefaults() Policy {
	return Policy{
		Require:       p.Require,
		MaxWait:       cmp.Or(p.MaxWait, 10*time.Second),
		Queue:         cmp.Or(p.Queue, 4096),
		RecordBytes:   cmp.Or(p.RecordBytes, 65535),
		Remember:      cmp.Or(p.Remember, max(16384, p.Queue)),
		WriteDeadline: cmp.Or(p.WriteDeadline, 5*time.Second),
		Failures:      cmp.Or(p.Failures, 3),
		CoolDown:      cmp.Or(p.CoolDown, 10*time.Second),
		Drain:         cmp.Or(p.Drain, 10*time.Second),
	}
}

// room is how many events may wait for a sink when one of this class comes.
func (p Policy) room(c opsec.Class) int {
	switch c {
	case opsec.Critical:
		return p.Queue
	case opsec.Standard:
		return p.Queue * 3 / 4
	}
	return p.Queue / 2
}

// policyText is a Policy as it stands in a file.
type policyText struct {
	Require       int                 `json:"require,omitempty"`
	MaxWait       strictjson.Duration `json:"max_wait,omitempty"`
	Queue         int                 `json:"queue,omitempty"`
	RecordBytes   int                 `json:"record_bytes,omitempty"`
	Remember      int                 `json:"remember,omitempty"`
	WriteDeadline strictjson.Duration `json:"write_deadline,omitempty"`
	Failures      int                 `json:"failures,omitempty"`
	CoolDown      strictjson.Duration `json:"cool_down,omitempty"`
	Drain         strictjson.Duration `json:"drain,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (p Policy) MarshalJSON() ([]byte, error) {
	return json.Marshal(policyText{
		p.Require, strictjson.Duration(p.MaxWait), p.Queue, p.RecordBytes, p.Remember,
		strictjson.Duration(p.WriteDeadline), p.Failures, strictjson.Duration(p.CoolDown), strictjson.Duration(p.Drain),
	})
}

// UnmarshalJSON implements [json.Unmarshaler]. It validates, and leaves p as it was when it fails.
func (p *Policy) UnmarshalJSON(data []byte) error {
	var t policyText
	if err := strictjson.Decode(data, &t); err != nil {
		return fmt.Errorf("audit: policy: %w: %w", err, opsec.ErrInvalid)
	}
	read := Policy{
		t.Require, time.Duration(t.MaxWait), t.Queue, t.RecordBytes, t.Remember,
		time.Duration(t.WriteDeadline), t.Failures, time.Duration(t.CoolDown), time.Duration(t.Drain),
	}
	if err := read.Validate(); err != nil {
		return err
	}
	*p = read
	return nil
}
