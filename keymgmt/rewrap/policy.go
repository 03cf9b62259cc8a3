package rewrap

import (
	"encoding/json"
	"runtime"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Policy bounds a run. Zero fields are set to what is said; there is no way to say unlimited.
type Policy struct {
	Workers  int `json:"workers,omitempty"`  // that open and seal at once, at most 256; 0: one for each processor
	Batch    int `json:"batch,omitempty"`    // objects in one Swap, at most 1000; 0: 64
	Bytes    int `json:"bytes,omitempty"`    // of them, about; at most 64 MiB; 0: 512 KiB. A larger object goes alone
	Save     int `json:"save,omitempty"`     // objects between two checkpoints; 0: 10,000
	Poisoned int `json:"poisoned,omitempty"` // objects that do not open before a run stops, at most 10,000; 0: 100
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names what is out of bounds.
func (p Policy) Validate() error {
	for _, f := range []struct {
		name        string
		value, most int
	}{
		{"workers", p.Workers, 256}, {"batch", p.Batch, 1000}, {"bytes", p.Bytes, 64 << 20},
		{"save", p.Save, 1 << 30}, {"poisoned", p.Poisoned, 10_000},
	} {
		if f.value < 0 || f.value > f.most {
			return invalid("policy.%s: %d: want 0 to %d", f.name, f.value, f.most)
		}
	}
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler]. Unknown names are refused.
func (p *Policy) UnmarshalJSON(b []byte) error {
	type plain Policy
	var read plain
	if err := strictjson.Decode(b, &read); err != nil {
		return invalid("policy: %v", err)
	}
	if err := Policy(read).Validate(); err != nil {
		return err
	}
	*p = Policy(read)
	return nil
}

var _ json.Unmarshaler = (*Policy)(nil)

func (p Policy) withDefaults() Policy {
	or := func(value *int, otherwise int) {
		if *value == 0 {
			*value = otherwise
		}
	}
	or(&p.Workers, min(runtime.GOMAXPROCS(0), 256))
	or(&p.Batch, 64)
	or(&p.Bytes, 512<<10)
	or(&p.Save, 10_000)
	or(&p.Poisoned, 100)
	return p
}
