package dataaccess

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Policy says what is unusual. It is data: JSON by its own methods, validated when it is read, and strict when zero. A
// limit of zero takes its default; nothing says "unlimited", but kinds can be left out by name, in Skip. The defaults of
// volumes are ours: measure your own with [Policy.Norms].
type Policy struct {
	// Duties are the limits of each duty. Those of "" hold for any that is not here.
	Duties map[string]Limits
	// Window is the time within which the customers of an operator are counted. Default: 24 hours.
	Window time.Duration
	// HistoryDays is how many days back an operator's own history goes. Default: 90, at most 366.
	HistoryDays int
	// MinDays is of how many days with an access the history must be. Default: 10.
	MinDays int
	// Deviations is how many median absolute deviations above the median a day may be. Default: 6. The deviation counts
	// as an eighth of the median at least.
	Deviations int
	// PeerFactor is how many times the busiest day of the median peer a day may be. Default: 3.
	PeerFactor int
	// MinPeers is how many operators of a duty the norms must know. Default: 5.
	MinPeers int
	// FloorRecords and FloorBytes are volumes that are never above one's own or the peers'. Defaults: 100, and 1 MiB.
	FloorRecords, FloorBytes uint64
	// Listed is how many references a finding lists at the most. Default: 16, at most 1024.
	Listed int
	// Skip are kinds that are not looked for; Summary.NotTested names them.
	Skip []Kind
}

// Limits are the limits of a duty.
type Limits struct {
	// Hours are when operators of the duty work. Without any, OffHours is not tested.
	Hours *calendar.Policy `json:"hours,omitempty"`
	// Records and Bytes are how much one operator may take for the duty in a day (of UTC), whatever is usual. Defaults:
	// 10,000, and 1 GiB.
	Records uint64 `json:"records,omitempty"`
	Bytes   uint64 `json:"bytes,omitempty"`
	// Customers is from how many customers one operator may take data within Policy.Window. Default: 5, at most 1000.
	Customers int `json:"customers,omitempty"`
}

const (
	maxDuties    = 1024
	maxCustomers = 1000
	maxHistory   = 366
	maxListed    = 1024
	maxFactor    = 1 << 20
)

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (p Policy) Validate() error {
	_, err := p.compile()
	return err
}

// limits are those of a duty, ready for use.
type limits struct {
	Limits
	hours *calendar.Calendar // or nil
}

// compile validates. Of what it returns, the limits of "" are always there.
func (p *Policy) compile() (map[string]*limits, error) {
	d := p.withDefaults()
	for _, f := range []struct {
		name        string
		value, most int
	}{
		{"HistoryDays", d.HistoryDays, maxHistory}, {"MinDays", d.MinDays, d.HistoryDays}, {"Deviations", d.Deviations, maxFactor},
		{"PeerFactor", d.PeerFactor, maxFactor}, {"MinPeers", d.MinPeers, maxFactor}, {"Listed", d.Listed, maxListed},
	} {
		if f.value < 1 || f.value > f.most {
			return nil, fmt.Errorf("dataaccess: policy: %s is %d, want 1 to %d: %w", f.name, f.value, f.most, opsec.ErrInvalid)
		}
	}
	if d.Window < 0 || d.Window > maxHistory*24*time.Hour {
		return nil, fmt.Errorf("dataaccess: policy: Window is %v, want up to %d days, not negative: %w",
			d.Window, maxHistory, opsec.ErrInvalid)
	}
	if len(d.Duties) > maxDuties {
		return nil, fmt.Errorf("dataaccess: policy: %d duties, want at most %d: %w", len(d.Duties), maxDuties, opsec.ErrInvalid)
	}
	for _, k := range d.Skip {
		if !slices.Contains(kinds, k) || k == Untested {
			return nil, fmt.Errorf("dataaccess: policy: Skip: %q is no kind that can be left out: %w", k, opsec.ErrInvalid)
		}
	}
	list := map[string]*limits{"": {Limits: Limits{}.withDefaults()}}
	for duty, given := range d.Duties {
		l := &limits{Limits: given.withDefaults()}
		if len(duty) > maxText || l.Customers < 1 || l.Customers > maxCustomers {
			return nil, fmt.Errorf("dataaccess: policy: Duties[%.40q]: want a name of up to %d bytes, and Customers from 1 to %d: %w",
				duty, maxText, maxCustomers, opsec.ErrInvalid)
		}
		if given.Hours != nil {
			var err error
			if l.hours, err = calendar.New(*given.Hours); err != nil {
				return nil, fmt.Errorf("dataaccess: policy: Duties[%.40q].Hours: %w", duty, err)
			}
		}
		list[duty] = l
	}
	return list, nil
}

func (l Limits) withDefaults() Limits {
	l.Records, l.Bytes = cmp.Or(l.Records, 10_000), cmp.Or(l.Bytes, 1<<30)
	l.Customers = cmp.Or(l.Customers, 5)
	return l
}

func (p Policy) withDefaults() Policy {
	p.Window = cmp.Or(p.Window, 24*time.Hour)
	p.HistoryDays = cmp.Or(p.HistoryDays, 90)
	p.MinDays = cmp.Or(p.MinDays, 10)
	p.Deviations = cmp.Or(p.Deviations, 6)
	p.PeerFactor = cmp.Or(p.PeerFactor, 3)
	p.MinPeers = cmp.Or(p.MinPeers, 5)
	p.FloorRecords, p.FloorBytes = cmp.Or(p.FloorRecords, 100), cmp.Or(p.FloorBytes, 1<<20)
	p.Listed = cmp.Or(p.Listed, 16)
	return p
}

// policyText is a Policy as it stands in a file.
type policyText struct {
	Duties       map[string]Limits   `json:"duties,omitempty"`
	Window       strictjson.Duration `json:"window,omitempty"`
	HistoryDays  int                 `json:"history_days,omitempty"`
	MinDays      int                 `json:"min_days,omitempty"`
	Deviations   int                 `json:"deviations,omitempty"`
	PeerFactor   int                 `json:"peer_factor,omitempty"`
	MinPeers     int                 `json:"min_peers,omitempty"`
	FloorRecords uint64              `json:"floor_records,omitempty"`
	FloorBytes   uint64              `json:"floor_bytes,omitempty"`
	Listed       int                 `json:"listed,omitempty"`
	Skip         []Kind              `json:"skip,omitempty"`
}

// MarshalJSON implements [json.Marshaler]: the window is a text such as "24h0m0s".
func (p Policy) MarshalJSON() ([]byte, error) {
	return json.Marshal(policyText{
		p.Duties, strictjson.Duration(p.Window), p.HistoryDays, p.MinDays, p.Deviations, p.PeerFactor, p.MinPeers,
		p.FloorRecords, p.FloorBytes, p.Listed, p.Skip,
	})
}

// UnmarshalJSON implements [json.Unmarshaler]. It refuses unknown fields, validates, and leaves p as it was when it fails.
func (p *Policy) UnmarshalJSON(data []byte) error {
	var t policyText
	if err := strictjson.Decode(data, &t); err != nil {
		return fmt.Errorf("dataaccess: policy: %w: %w", err, opsec.ErrInvalid)
	}
	read := Policy{
		t.Duties, time.Duration(t.Window), t.HistoryDays, t.MinDays, t.Deviations, t.PeerFactor, t.MinPeers,
		t.FloorRecords, t.FloorBytes, t.Listed, t.Skip,
	}
	if err := read.Validate(); err != nil {
		return err
	}
	*p = read
	return nil
}
