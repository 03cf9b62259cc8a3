package translog

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Policy says whose signatures make a checkpoint of the log, and how it runs. A zero field but Trust stands for its
// default. In JSON the durations are texts such as "5s", Trust is the text of a C2SP tlog-policy, and unknown names are
// refused.
type Policy struct {
	// Trust names the log by its one key, the witnesses, and how many of them must have seen a checkpoint before it is
	// published. It has no zero value: without a log key nothing can be believed.
	Trust checkpoint.Policy

	// CheckpointEvery is how often a log that has grown signs a checkpoint, 10 ms or more. Default: 1 s.
	CheckpointEvery time.Duration
	// EpochEvery is how often the ends of all tenants' chains are bound by an entry of their own, 10 ms or more. A
	// tenant can prove completeness up to the last one. Default: 10 s.
	EpochEvery time.Duration
	// WitnessWait bounds one round of questions to the witnesses. Default: 10 s.
	WitnessWait time.Duration

	// SegmentBytes is the size of a file of the journal, 64 KiB to 1 GiB: what is preallocated, replayed after a crash,
	// and removed at a time by [Log.Prune]. Default: 64 MiB.
	SegmentBytes int64
	// ReserveBytes is kept free on the disk for tiles and a last checkpoint when it is full, 64 KiB to 1 GiB.
	// Default: 16 MiB.
	ReserveBytes int64
	// Remember is the number of latest events known by their ids at least, so that what is delivered twice is written
	// once: 1 to 1<<20. About 100 bytes each, times two. Default: 65536.
	Remember int
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (p Policy) Validate() error {
	if err := p.Trust.Validate(); err != nil {
		return fmt.Errorf("translog: policy: Trust: %w", err)
	}
	if len(p.Trust.Logs) != 1 {
		return invalid("policy: Trust names %d log keys, want the one of this log", len(p.Trust.Logs))
	}
	q := p.withDefaults()
	const shortest = 10 * time.Millisecond
	switch {
	case min(q.CheckpointEvery, q.EpochEvery, q.WitnessWait) < shortest:
		return invalid("policy: CheckpointEvery, EpochEvery or WitnessWait is below %s", shortest)
	case q.SegmentBytes < 64<<10 || q.SegmentBytes > 1<<30:
		return invalid("policy: SegmentBytes is %d, want 65536 to 1073741824", q.SegmentBytes)
	case q.ReserveBytes < 64<<10 || q.ReserveBytes > 1<<30:
		return invalid("policy: ReserveBytes is %d, want 65536 to 1073741824", q.ReserveBytes)
	case q.Remember < 1 || q.Remember > 1<<20:
		return invalid("policy: Remember is %d, want 1 to 1048576", q.Remember)
	}
	return nil
}

// names reports whether the log's key is the signer's.
func (p Policy) names(s note.Signer) bool {
	id := fmt.Sprintf("%s+%08x+", s.Name(), s.KeyHash())
	return strings.HasPrefix(p.Trust.Logs[0].Key, id)
}

func (p Policy) withDefaults() Policy {
	p.CheckpointEvery = cmp.Or(p.CheckpointEvery, time.Second)
	p.EpochEvery = cmp.Or(p.EpochEvery, 10*time.Second)
	p.WitnessWait = cmp.Or(p.WitnessWait, 10*time.Second)
	p.SegmentBytes = cmp.Or(p.SegmentBytes, 64<<20)
	p.ReserveBytes = cmp.Or(p.ReserveBytes, 16<<20)
	p.Remember = cmp.Or(p.Remember, 65536)
	return p
}

// policyText is a Policy as it stands in a file.
type policyText struct {
	Trust           checkpoint.Policy   `json:"trust"`
	CheckpointEvery strictjson.Duration `json:"checkpoint_every,omitempty"`
	EpochEvery      strictjson.Duration `json:"epoch_every,omitempty"`
	WitnessWait     strictjson.Duration `json:"witness_wait,omitempty"`
	SegmentBytes    int64               `json:"segment_bytes,omitempty"`
	ReserveBytes    int64               `json:"reserve_bytes,omitempty"`
	Remember        int                 `json:"remember,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (p Policy) MarshalJSON() ([]byte, error) {
	return json.Marshal(policyText{
		p.Trust, strictjson.Duration(p.CheckpointEvery), strictjson.Duration(p.EpochEvery),
		strictjson.Duration(p.WitnessWait), p.SegmentBytes, p.ReserveBytes, p.Remember,
	})
}

// UnmarshalJSON implements [json.Unmarshaler]. It validates, and leaves p as it was when it fails.
func (p *Policy) UnmarshalJSON(data []byte) error {
	var t policyText
	if err := strictjson.Decode(data, &t); err != nil {
		return invalid("policy: %w", err)
	}
	read := Policy{
		t.Trust, time.Duration(t.CheckpointEvery), time.Duration(t.EpochEvery),
		time.Duration(t.WitnessWait), t.SegmentBytes, t.ReserveBytes, t.Remember,
	}
	if err := read.Validate(); err != nil {
		return err
	}
	*p = read
	return nil
}

// invalid returns an error that wraps opsec.ErrInvalid.
func invalid(format string, args ...any) error {
	return fmt.Errorf("translog: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
