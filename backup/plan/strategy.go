package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// The bounds of a [Strategy].
const (
	MaxPeriod  = 100 * 366 * 24 * time.Hour // of any duration
	MaxPoints  = 1_000_000                  // restore points that are kept
	MaxTargets = 64                         // copies on a side, targets, regions
	maxName    = 256                        // bytes of any name
	maxBytes   = 1 << 20                    // of a document
)

// Strategy is what a customer or a service is owed of its backups (8.10, item 1): what may be lost, how long it may be away, how many
// copies there are and where. In JSON and YAML durations are texts such as "15m" or "720h". What is zero is strict: the zero
// Strategy is not valid, and a limit that is left out is as tight as the one beside it.
type Strategy struct {
	Tenant opsec.TenantID `json:"tenant,omitempty"`
	Source string         `json:"source"` // what is backed up: a machine, a service

	RPO  time.Duration `json:"rpo"`           // the longest span between two consecutive backups, as the Recommendation defines it
	Loss time.Duration `json:"loss,omitzero"` // the most that may ever be lost; at least RPO; 0: RPO
	RTO  time.Duration `json:"rto"`           // from the incident until the service runs again

	SiteRPO  time.Duration `json:"site_rpo,omitzero"` // the same when the site is gone, of what is off-site; not tighter; 0: as above
	SiteLoss time.Duration `json:"site_loss,omitzero"`
	SiteRTO  time.Duration `json:"site_rto,omitzero"`

	System time.Duration `json:"system,omitzero"` // how old an image may be that newer files are laid on; 0: RPO

	Points  int           `json:"points"`         // restore points that can be had at any time: the Recommendation's number of copies
	Reach   time.Duration `json:"reach,omitzero"` // how far back they go at least; 0: as far as Points do
	OnSite  int           `json:"on_site"`        // targets on the site that each hold a whole copy
	OffSite int           `json:"off_site"`       // the same in other places; with OnSite at least 1

	Regions     []string `json:"regions,omitempty"` // where copies may be
	SkipRegions bool     `json:"skip_regions,omitempty"`

	InsecurePlain bool `json:"insecure_plain,omitempty"` // copies need not be encrypted

	VerifyEvery time.Duration `json:"verify_every"` // each copy is compared with its manifest so often
	TestEvery   time.Duration `json:"test_every"`   // a recovery is tested so often (8.10, item 3)
}

// Limits are what a recovery is held against.
type Limits struct {
	Span time.Duration // between two backups: RPO as the Recommendation defines it
	Loss time.Duration // the worst case
	Time time.Duration // until the service runs again
}

// Incident returns the limits when the site still stands.
func (s Strategy) Incident() Limits { return Limits{s.RPO, or(s.Loss, s.RPO), s.RTO} }

// Disaster returns the limits when the site is gone.
func (s Strategy) Disaster() Limits {
	in := s.Incident()
	return Limits{or(s.SiteRPO, in.Span), or(s.SiteLoss, max(in.Loss, s.SiteRPO)), or(s.SiteRTO, in.Time)}
}

// SystemAge returns how old an image may be that newer files are laid on.
func (s Strategy) SystemAge() time.Duration { return or(s.System, s.RPO) }

// Allows reports whether a copy may be in a region.
func (s Strategy) Allows(region string) bool {
	return s.SkipRegions || slices.Contains(s.Regions, region)
}

func or(d, otherwise time.Duration) time.Duration {
	if d != 0 {
		return d
	}
	return otherwise
}

// Validate returns an error that wraps [opsec.ErrInvalid] and names the first field out of bounds.
func (s Strategy) Validate() error {
	if err := name("strategy: source", s.Source); err != nil {
		return err
	}
	if len(s.Tenant) > maxName {
		return invalid("strategy: tenant has %d bytes, want up to %d", len(s.Tenant), maxName)
	}
	for _, d := range s.durations() {
		least := time.Duration(0)
		if d.required {
			least = 1
		}
		if *d.d < least || *d.d > MaxPeriod {
			return invalid("strategy: %s is %v, want %v to %v", d.name, *d.d, least, MaxPeriod)
		}
	}
	in, site := s.Incident(), s.Disaster()
	switch {
	case in.Loss < in.Span:
		return invalid("strategy: loss is %v, want at least rpo, %v: what was written since the last backup is lost", in.Loss, in.Span)
	case site.Span < in.Span:
		return invalid("strategy: site_rpo is %v, want at least rpo, %v", site.Span, in.Span)
	case site.Loss < in.Loss || site.Loss < site.Span:
		return invalid("strategy: site_loss is %v, want at least loss, %v, and site_rpo, %v", site.Loss, in.Loss, site.Span)
	case site.Time < in.Time:
		return invalid("strategy: site_rto is %v, want at least rto, %v", site.Time, in.Time)
	case s.Points < 1 || s.Points > MaxPoints:
		return invalid("strategy: points is %d, want 1 to %d", s.Points, MaxPoints)
	case s.OnSite < 0 || s.OnSite > MaxTargets:
		return invalid("strategy: on_site is %d, want 0 to %d", s.OnSite, MaxTargets)
	case s.OffSite < 0 || s.OffSite > MaxTargets:
		return invalid("strategy: off_site is %d, want 0 to %d", s.OffSite, MaxTargets)
	case s.OnSite+s.OffSite == 0:
		return invalid("strategy: on_site and off_site are 0, want a copy somewhere")
	case s.OffSite == 0 && (s.SiteRPO != 0 || s.SiteLoss != 0 || s.SiteRTO != 0):
		return invalid("strategy: site_rpo, site_loss, site_rto are of copies off-site, of which off_site asks for none")
	case s.SkipRegions == (len(s.Regions) > 0):
		return invalid("strategy: regions: %d, want some, or skip_regions alone for anywhere", len(s.Regions))
	case len(s.Regions) > MaxTargets:
		return invalid("strategy: regions: %d, want up to %d", len(s.Regions), MaxTargets)
	}
	for i, r := range s.Regions {
		if err := name(fmt.Sprintf("strategy: regions[%d]", i), r); err != nil {
			return err
		}
	}
	return nil
}

type durationField struct {
	name     string
	d        *time.Duration
	required bool
}

func (s *Strategy) durations() []durationField {
	return []durationField{
		{"rpo", &s.RPO, true}, {"loss", &s.Loss, false}, {"rto", &s.RTO, true},
		{"site_rpo", &s.SiteRPO, false}, {"site_loss", &s.SiteLoss, false}, {"site_rto", &s.SiteRTO, false},
		{"system", &s.System, false}, {"reach", &s.Reach, false},
		{"verify_every", &s.VerifyEvery, true}, {"test_every", &s.TestEvery, true},
	}
}

type strategyFields Strategy

// strategyText is a Strategy as it stands in a file.
type strategyText struct {
	strategyFields
	RPO         strictjson.Duration `json:"rpo"`
	Loss        strictjson.Duration `json:"loss,omitzero"`
	RTO         strictjson.Duration `json:"rto"`
	SiteRPO     strictjson.Duration `json:"site_rpo,omitzero"`
	SiteLoss    strictjson.Duration `json:"site_loss,omitzero"`
	SiteRTO     strictjson.Duration `json:"site_rto,omitzero"`
	System      strictjson.Duration `json:"system,omitzero"`
	Reach       strictjson.Duration `json:"reach,omitzero"`
	VerifyEvery strictjson.Duration `json:"verify_every"`
	TestEvery   strictjson.Duration `json:"test_every"`
}

// texts are the durations of t, in the order of [Strategy.durations].
func (t *strategyText) texts() []*strictjson.Duration {
	return []*strictjson.Duration{&t.RPO, &t.Loss, &t.RTO, &t.SiteRPO, &t.SiteLoss, &t.SiteRTO, &t.System, &t.Reach, &t.VerifyEvery, &t.TestEvery}
}

// MarshalJSON implements [json.Marshaler].
func (s Strategy) MarshalJSON() ([]byte, error) {
	t := strategyText{strategyFields: strategyFields(s)}
	for i, d := range s.durations() {
		*t.texts()[i] = strictjson.Duration(*d.d)
	}
	return json.Marshal(t)
}

// UnmarshalJSON implements [json.Unmarshaler]. It validates, and leaves s as it was when it fails.
func (s *Strategy) UnmarshalJSON(data []byte) error {
	var t strategyText
	if len(data) > maxBytes {
		return invalid("strategy: %d bytes of JSON, want at most %d", len(data), maxBytes)
	}
	if err := strictjson.Decode(data, &t); err != nil {
		return invalid("strategy: %v", err)
	}
	read := Strategy(t.strategyFields)
	for i, d := range read.durations() {
		*d.d = time.Duration(*t.texts()[i])
	}
	if err := read.Validate(); err != nil {
		return err
	}
	*s = read
	return nil
}

func name(what, s string) error {
	if s == "" || len(s) > maxName {
		return invalid("%s: %d bytes, want 1 to %d", what, len(s), maxName)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("plan: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
