package plan

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

// The bounds of a [Problem].
const (
	MaxOptions = 256
	MaxChoices = 64            // intervals of an option, and lengths of chains
	MaxEvery   = 1000          // points of a chain
	MaxBytes   = 1 << 50       // of a workload, and bytes a second: a PiB
	MaxPrice   = 1_000_000_000 // of any unit, in millionths: a thousand
	MaxWays    = 500_000       // ways to back up, all targets together
	MaxTests   = 1000          // measured restores of an option
)

// Problem is a strategy, what is to be backed up under it, and what can be bought for it.
type Problem struct {
	Strategy Strategy `json:"strategy"`
	Workload Workload `json:"workload"`
	Targets  []Target `json:"targets"`
	Options  []Option `json:"options"`
	Budget   int64    `json:"budget,omitempty"` // what a month may cost, in millionths of the currency; 0: as little as it takes
}

// Workload is what is backed up, and what a recovery takes that no backup changes. In JSON durations are texts.
type Workload struct {
	Files       Data          `json:"files,omitzero"`
	Image       Data          `json:"image,omitzero"`
	SingleFiles bool          `json:"single_files,omitempty"` // single files must be restorable, without the machine around them
	Detect      time.Duration `json:"detect,omitzero"`        // until the incident is known
	Decide      time.Duration `json:"decide,omitzero"`        // until somebody says: restore
	Provision   time.Duration `json:"provision,omitzero"`     // until there is a place to restore to
	Rebuild     time.Duration `json:"rebuild,omitzero"`       // until there is a machine without an image of it; 0: there can be none
	Replay      time.Duration `json:"replay,omitzero"`        // of logs, once the data is back
	Verify      time.Duration `json:"verify,omitzero"`        // until it is known to be right
}

// Data is how much there is, and how much of it changes.
type Data struct {
	Bytes int64 `json:"bytes"`         // 0: there is nothing of this level
	Daily int64 `json:"daily"`         // bytes that differ after a day, or are new
	Hot   int64 `json:"hot,omitempty"` // of which no more differ however long it takes, 1 to Bytes; 0: all of it
}

// changed returns how many bytes differ after d, rounded up.
func (d Data) changed(after time.Duration) int64 {
	hot := d.Hot
	if hot == 0 {
		hot = d.Bytes
	}
	return min(hot, mulDiv(d.Daily, int64(after), int64(day)))
}

// Target is a place that keeps copies.
type Target struct {
	ID        string `json:"id"`
	Site      Site   `json:"site"`
	Region    string `json:"region,omitempty"`
	Encrypted bool   `json:"encrypted,omitempty"` // what it keeps is encrypted
}

// Chain is how the points of a stream need each other.
type Chain string

// The chains.
const (
	Incremental  Chain = "incremental"  // each point has what changed since the one before, and needs all back to the full one
	Differential Chain = "differential" // each has what changed since the full one, and needs that
	Dedup        Chain = "dedup"        // each stands alone in a store of chunks, and brings it what changed
)

// Option is a way to back up one level to one target. Prices are in millionths of the currency; a month has 30 days, a GiB 2^30 bytes.
type Option struct {
	ID        string          `json:"id"`
	Level     Level           `json:"level"`
	Target    string          `json:"target"`
	Chain     Chain           `json:"chain"`
	Browse    bool            `json:"browse,omitempty"` // of an image: single files can be restored from it
	Intervals []time.Duration `json:"intervals"`        // to choose from
	Every     []int           `json:"every,omitempty"`  // every how many points one is full, to choose from; none for dedup
	Ratio     int             `json:"ratio"`            // bytes that are sent and stored of 1000 of the source: 1 to 10000
	Backup    int64           `json:"backup"`           // bytes of the source that are read a second
	Restore   int64           `json:"restore"`          // bytes of the source that are restored a second; Tests count more
	Skew      time.Duration   `json:"skew,omitzero"`    // how much older the first byte of a point may be than its stamp
	Lag       time.Duration   `json:"lag,omitzero"`     // from the end of a run until its copy outlives the source
	Price     Price           `json:"price"`
	Tests     []Test          `json:"tests,omitempty"` // measured restores; the slowest rate among them is what is counted with
}

// Price is what an option costs.
type Price struct {
	Month int64 `json:"month,omitempty"` // a month, used or not
	Run   int64 `json:"run,omitempty"`   // each run
	Store int64 `json:"store,omitempty"` // a GiB kept for a month
	Write int64 `json:"write,omitempty"` // a GiB sent
	Read  int64 `json:"read,omitempty"`  // a GiB fetched, as recovery tests do
}

// Test is a restore that was measured.
type Test struct {
	Bytes int64         `json:"bytes"` // of the source, that came back
	Took  time.Duration `json:"took"`  // until they were there; what [Workload] counts apart left out
}

// Validate returns an error that wraps [opsec.ErrInvalid] and names the first field out of bounds.
func (p Problem) Validate() error {
	if err := p.Strategy.Validate(); err != nil {
		return err
	}
	if err := p.Workload.validate(); err != nil {
		return err
	}
	if p.Budget < 0 || p.Budget > MaxCost {
		return invalid("budget is %d, want 0 to %d", p.Budget, int64(MaxCost))
	}
	if len(p.Targets) > MaxTargets || len(p.Options) > MaxOptions {
		return invalid("targets, options: %d and %d, want up to %d and %d", len(p.Targets), len(p.Options), MaxTargets, MaxOptions)
	}
	targets := map[string]bool{}
	for i, t := range p.Targets {
		if err := name(fmt.Sprintf("targets[%d]: id", i), t.ID); err != nil {
			return err
		}
		switch {
		case targets[t.ID]:
			return invalid("targets[%d]: id: there is another %q", i, t.ID)
		case t.Site != OnSite && t.Site != OffSite:
			return invalid("targets[%d]: site: %q, want %q or %q", i, t.Site, OnSite, OffSite)
		case len(t.Region) > maxName:
			return invalid("targets[%d]: region: %d bytes, want up to %d", i, len(t.Region), maxName)
		}
		targets[t.ID] = true
	}
	options := map[string]bool{}
	for i, o := range p.Options {
		if err := o.validate(p.Workload, targets); err != nil {
			return fmt.Errorf("options[%d]: %w", i, err)
		}
		if options[o.ID] {
			return invalid("options[%d]: id: there is another %q", i, o.ID)
		}
		options[o.ID] = true
	}
	return nil
}

func (w Workload) validate() error {
	for _, d := range []struct {
		name string
		Data
	}{{"files", w.Files}, {"image", w.Image}} {
		if d.Bytes < 0 || d.Bytes > MaxBytes || d.Daily < 0 || d.Daily > MaxBytes || d.Hot < 0 || d.Hot > d.Bytes {
			return invalid("workload: %s: bytes %d, daily %d, hot %d, want 0 to %d, and hot up to bytes", d.name, d.Bytes, d.Daily, d.Hot, MaxBytes)
		}
	}
	if w.Files.Bytes == 0 && w.Image.Bytes == 0 {
		return invalid("workload: files, image: nothing is to be backed up")
	}
	for _, d := range w.durations() {
		if *d.d < 0 || *d.d > MaxPeriod {
			return invalid("workload: %s is %v, want 0 to %v", d.name, *d.d, MaxPeriod)
		}
	}
	return nil
}

func (o Option) validate(w Workload, targets map[string]bool) error {
	if err := name("id", o.ID); err != nil {
		return err
	}
	switch {
	case o.Level != Files && o.Level != Image:
		return invalid("level: %q, want %q or %q", o.Level, Files, Image)
	case o.data(w).Bytes == 0:
		return invalid("level: %q, of which the workload has nothing", o.Level)
	case !targets[o.Target]:
		return invalid("target: there is no %q", o.Target)
	case o.Chain != Incremental && o.Chain != Differential && o.Chain != Dedup:
		return invalid("chain: %q, want %q, %q or %q", o.Chain, Incremental, Differential, Dedup)
	case len(o.Intervals) < 1 || len(o.Intervals) > MaxChoices:
		return invalid("intervals: %d, want 1 to %d", len(o.Intervals), MaxChoices)
	case o.Chain == Dedup && len(o.Every) > 0:
		return invalid("every: points of a %s store are of no chain", Dedup)
	case o.Chain != Dedup && (len(o.Every) < 1 || len(o.Every) > MaxChoices):
		return invalid("every: %d, want 1 to %d", len(o.Every), MaxChoices)
	case o.Ratio < 1 || o.Ratio > 10_000:
		return invalid("ratio is %d, want 1 to 10000", o.Ratio)
	case o.Backup < 1 || o.Backup > MaxBytes || o.Restore < 1 || o.Restore > MaxBytes:
		return invalid("backup, restore: %d and %d bytes a second, want 1 to %d", o.Backup, o.Restore, MaxBytes)
	case o.Skew < 0 || o.Skew > MaxPeriod || o.Lag < 0 || o.Lag > MaxPeriod:
		return invalid("skew, lag: %v and %v, want 0 to %v", o.Skew, o.Lag, MaxPeriod)
	case len(o.Tests) > MaxTests:
		return invalid("tests: %d, want up to %d", len(o.Tests), MaxTests)
	}
	for i, d := range o.Intervals {
		if d < time.Second || d > MaxPeriod {
			return invalid("intervals[%d] is %v, want 1s to %v", i, d, MaxPeriod)
		}
	}
	for i, k := range o.Every {
		if k < 1 || k > MaxEvery {
			return invalid("every[%d] is %d, want 1 to %d", i, k, MaxEvery)
		}
	}
	for i, t := range o.Tests {
		if t.Bytes < 1 || t.Bytes > MaxBytes || t.Took < 1 || t.Took > MaxPeriod {
			return invalid("tests[%d]: %d bytes in %v, want 1 to %d in 1ns to %v", i, t.Bytes, t.Took, MaxBytes, MaxPeriod)
		}
	}
	for _, c := range []int64{o.Price.Month, o.Price.Run, o.Price.Store, o.Price.Write, o.Price.Read} {
		if c < 0 || c > MaxPrice {
			return invalid("price: %d, want 0 to %d", c, MaxPrice)
		}
	}
	return nil
}

func (o Option) data(w Workload) Data {
	if o.Level == Image {
		return w.Image
	}
	return w.Files
}

func (w *Workload) durations() []durationField {
	return []durationField{
		{"detect", &w.Detect, false}, {"decide", &w.Decide, false}, {"provision", &w.Provision, false},
		{"rebuild", &w.Rebuild, false}, {"replay", &w.Replay, false}, {"verify", &w.Verify, false},
	}
}

type workloadFields Workload

type workloadText struct {
	workloadFields
	Detect    strictjson.Duration `json:"detect,omitzero"`
	Decide    strictjson.Duration `json:"decide,omitzero"`
	Provision strictjson.Duration `json:"provision,omitzero"`
	Rebuild   strictjson.Duration `json:"rebuild,omitzero"`
	Replay    strictjson.Duration `json:"replay,omitzero"`
	Verify    strictjson.Duration `json:"verify,omitzero"`
}

func (t *workloadText) texts() []*strictjson.Duration {
	return []*strictjson.Duration{&t.Detect, &t.Decide, &t.Provision, &t.Rebuild, &t.Replay, &t.Verify}
}

// MarshalJSON implements [json.Marshaler].
func (w Workload) MarshalJSON() ([]byte, error) {
	t := workloadText{workloadFields: workloadFields(w)}
	for i, d := range w.durations() {
		*t.texts()[i] = strictjson.Duration(*d.d)
	}
	return json.Marshal(t)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (w *Workload) UnmarshalJSON(data []byte) error {
	var t workloadText
	if err := strictjson.Decode(data, &t); err != nil {
		return invalid("workload: %v", err)
	}
	read := Workload(t.workloadFields)
	for i, d := range read.durations() {
		*d.d = time.Duration(*t.texts()[i])
	}
	*w = read
	return nil
}

type optionFields Option

type optionText struct {
	optionFields
	Intervals []strictjson.Duration `json:"intervals"`
	Skew      strictjson.Duration   `json:"skew,omitzero"`
	Lag       strictjson.Duration   `json:"lag,omitzero"`
}

// MarshalJSON implements [json.Marshaler].
func (o Option) MarshalJSON() ([]byte, error) {
	t := optionText{optionFields: optionFields(o), Skew: strictjson.Duration(o.Skew), Lag: strictjson.Duration(o.Lag)}
	for _, d := range o.Intervals {
		t.Intervals = append(t.Intervals, strictjson.Duration(d))
	}
	return json.Marshal(t)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (o *Option) UnmarshalJSON(data []byte) error {
	var t optionText
	if err := strictjson.Decode(data, &t); err != nil {
		return invalid("option: %v", err)
	}
	read := Option(t.optionFields)
	read.Intervals, read.Skew, read.Lag = nil, time.Duration(t.Skew), time.Duration(t.Lag)
	for _, d := range t.Intervals {
		read.Intervals = append(read.Intervals, time.Duration(d))
	}
	*o = read
	return nil
}

type testText struct {
	Bytes int64               `json:"bytes"`
	Took  strictjson.Duration `json:"took"`
}

// MarshalJSON implements [json.Marshaler].
func (t Test) MarshalJSON() ([]byte, error) {
	return json.Marshal(testText{t.Bytes, strictjson.Duration(t.Took)})
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Test) UnmarshalJSON(data []byte) error {
	var read testText
	if err := strictjson.Decode(data, &read); err != nil {
		return invalid("test: %v", err)
	}
	*t = Test{read.Bytes, time.Duration(read.Took)}
	return nil
}
