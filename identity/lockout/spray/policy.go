package spray

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Policy is what is too much, and how much memory it takes to see it. It is data; in JSON durations are texts such as "1h". A zero
// takes the default; nothing says "unlimited".
type Policy struct {
	// Window is the span in which things are counted; windows begin at multiples of it since 1970. 1m to 48h. Default: 1h.
	Window time.Duration
	// Accounts is how many different accounts one source may fail at: 3 to 100,000. Default: 20.
	Accounts int
	// Wide is the same of a /24 or /48, from 3 sources in it on. Default: 3 * Accounts, at most 100,000.
	Wide int
	// Honest is how many in a hundred of the accounts that a source tries must let it in, for it to be taken as an office or a
	// carrier whose people mistype: 1 to 99. Default: 50.
	Honest int
	// Shared is how many different accounts one wrong secret may be tried at: 3 to 100,000. Default: 30.
	Shared int
	// Invented is how many different names that do not exist one source may try, and InventedShare how many in a hundred of all
	// accounts that it tries they must be. 3 to 100,000, default 10; 1 to 99, default 25.
	Invented, InventedShare int
	// Surge is how many times the usual share of failures is a surge, and SurgeLeast from how many failures in a twelfth of the window
	// on. 2 to 100, default 3; 10 to 1,000,000, default 100.
	Surge, SurgeLeast int
	// Sources is how many sources are followed at once on each of the four levels, and Tags how many secrets: 1.4 KB each. 16 to
	// 65,536, rounded up to a multiple of 16. Defaults: 1024.
	Sources, Tags int
	// Counters is the width of the sketches that choose what is followed: a power of two from 1024 to 2^22, 80 bytes each. Default: 2^15.
	Counters int
}

const (
	maxLimit  = 100_000
	maxPolicy = 4 << 10 // bytes of JSON
)

func (p Policy) withDefaults() Policy {
	p.Window = cmp.Or(p.Window, time.Hour)
	p.Accounts = cmp.Or(p.Accounts, 20)
	p.Wide = cmp.Or(p.Wide, min(3*p.Accounts, maxLimit))
	p.Honest = cmp.Or(p.Honest, 50)
	p.Shared = cmp.Or(p.Shared, 30)
	p.Invented, p.InventedShare = cmp.Or(p.Invented, 10), cmp.Or(p.InventedShare, 25)
	p.Surge, p.SurgeLeast = cmp.Or(p.Surge, 3), cmp.Or(p.SurgeLeast, 100)
	p.Sources, p.Tags, p.Counters = cmp.Or(p.Sources, 1024), cmp.Or(p.Tags, 1024), cmp.Or(p.Counters, 1<<15)
	return p
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (p Policy) Validate() error {
	p = p.withDefaults()
	for _, f := range []struct {
		name               string
		value, least, most int
	}{
		{"Accounts", p.Accounts, 3, maxLimit}, {"Wide", p.Wide, 3, maxLimit}, {"Honest", p.Honest, 1, 99},
		{"Shared", p.Shared, 3, maxLimit}, {"Invented", p.Invented, 3, maxLimit}, {"InventedShare", p.InventedShare, 1, 99},
		{"Surge", p.Surge, 2, 100}, {"SurgeLeast", p.SurgeLeast, 10, 1_000_000},
		{"Sources", p.Sources, ways, 1 << 16}, {"Tags", p.Tags, ways, 1 << 16}, {"Counters", p.Counters, 1 << 10, 1 << 22},
	} {
		if f.value < f.least || f.value > f.most {
			return invalid("policy: %s is %d, want %d to %d", f.name, f.value, f.least, f.most)
		}
	}
	if p.Window < time.Minute || p.Window > 48*time.Hour || p.Window%(slotsOfWindow*time.Millisecond) != 0 {
		return invalid("policy: Window is %v, want 1m to 48h, in multiples of 12ms", p.Window)
	}
	if p.Counters&(p.Counters-1) != 0 {
		return invalid("policy: Counters is %d, want a power of two", p.Counters)
	}
	return nil
}

// policyText is a Policy as it stands in a file.
type policyText struct {
	Window        strictjson.Duration `json:"window,omitempty"`
	Accounts      int                 `json:"accounts,omitempty"`
	Wide          int                 `json:"wide,omitempty"`
	Honest        int                 `json:"honest,omitempty"`
	Shared        int                 `json:"shared,omitempty"`
	Invented      int                 `json:"invented,omitempty"`
	InventedShare int                 `json:"invented_share,omitempty"`
	Surge         int                 `json:"surge,omitempty"`
	SurgeLeast    int                 `json:"surge_least,omitempty"`
	Sources       int                 `json:"sources,omitempty"`
	Tags          int                 `json:"tags,omitempty"`
	Counters      int                 `json:"counters,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (p Policy) MarshalJSON() ([]byte, error) {
	return json.Marshal(policyText{
		strictjson.Duration(p.Window), p.Accounts, p.Wide, p.Honest, p.Shared, p.Invented, p.InventedShare, p.Surge, p.SurgeLeast,
		p.Sources, p.Tags, p.Counters,
	})
}

// UnmarshalJSON implements [json.Unmarshaler]. It validates, and leaves p as it was when it fails.
func (p *Policy) UnmarshalJSON(data []byte) error {
	var t policyText
	if len(data) > maxPolicy {
		return invalid("policy: %d bytes of JSON, want at most %d", len(data), maxPolicy)
	}
	if err := strictjson.Decode(data, &t); err != nil {
		return invalid("policy: %v", err)
	}
	read := Policy{
		time.Duration(t.Window), t.Accounts, t.Wide, t.Honest, t.Shared, t.Invented, t.InventedShare, t.Surge, t.SurgeLeast,
		t.Sources, t.Tags, t.Counters,
	}
	if err := read.Validate(); err != nil {
		return err
	}
	*p = read
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("spray: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
