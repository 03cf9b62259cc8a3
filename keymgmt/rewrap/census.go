package rewrap

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Report says how many objects are under which key of a keyset.
type Report struct {
	Set   keymgmt.SetID `json:"set"`
	Parts []Part        `json:"parts"` // in order of their names, each once
}

// Part is the count of one holder of objects.
type Part struct {
	Name    string    `json:"name"`
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended"`
	Of      uint64    `json:"of"`             // objects looked at
	Unknown uint64    `json:"unknown"`        // that name no key: they may be under any
	Keys    []Tally   `json:"keys,omitempty"` // in order of their ids
}

// Tally is what is under one key.
type Tally struct {
	Key     uint32 `json:"key"`
	Objects uint64 `json:"objects"`
	Bytes   uint64 `json:"bytes"`
}

// Count looks at all objects of a holder.
func Count(ctx context.Context, name string, objects Lister, form Form, now func() time.Time) (Part, error) {
	p := Part{Name: name, Began: now().UTC()}
	tallies := map[uint32]*Tally{}
	for o, err := range ordered(ctx, objects, "") {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return Part{}, err
		}
		p.Of++
		key, ok := form.KeyID(o.Wrapped)
		if !ok {
			p.Unknown++
			continue
		}
		t := tallies[key]
		if t == nil {
			if len(tallies) == maxKeys {
				return Part{}, invalid("%s: objects under more than %d keys", name, maxKeys)
			}
			t = &Tally{Key: key}
			tallies[key] = t
		}
		t.Objects++
		t.Bytes += uint64(len(o.Wrapped))
	}
	for _, key := range slices.Sorted(maps.Keys(tallies)) {
		p.Keys = append(p.Keys, *tallies[key])
	}
	p.Ended = now().UTC()
	return p, p.validate()
}

// The bounds of a report.
const (
	maxKeys    = 100_000
	maxParts   = 1000
	maxObjects = 1 << 50  // of a part: so that no sum of parts wraps
	maxReport  = 16 << 20 // bytes of JSON
)

// Census returns what a key's record keeps of the report, for a lifecycle.Manager: what is left on the key with these
// holders, at least one, who must all have been counted. What names no key counts as left. Its time is when the first of
// them was begun with.
func (r Report) Census(key uint32, holders ...string) (keymgmt.Census, error) {
	if err := r.Validate(); err != nil {
		return keymgmt.Census{}, err
	}
	if len(holders) == 0 || key == 0 {
		return keymgmt.Census{}, invalid("census: of no key, or of nobody's objects")
	}
	c := keymgmt.Census{Digest: r.Digest()}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(holders))) {
		i := slices.IndexFunc(r.Parts, func(p Part) bool { return p.Name == name })
		if i < 0 {
			return keymgmt.Census{}, invalid("census: %.64q was not counted", name)
		}
		p := r.Parts[i]
		c.Of += p.Of
		c.Objects += p.Unknown
		for _, t := range p.Keys {
			if t.Key == key {
				c.Objects += t.Objects
			}
		}
		if c.Time.IsZero() || p.Began.Before(c.Time) {
			c.Time = p.Began
		}
	}
	return c, nil
}

// Digest returns what names the report: "sha256:" and 64 hexadecimal digits, of its JSON.
func (r Report) Digest() string {
	b, _ := json.Marshal(r) // of plain fields
	sum := sha256.Sum256(append([]byte("opsec/rewrap/report/v1\n"), b...))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names what does not add up.
func (r Report) Validate() error {
	if r.Set.ID == "" || len(r.Parts) > maxParts {
		return invalid("report: no keyset, or %d parts: want at most %d", len(r.Parts), maxParts)
	}
	for i, p := range r.Parts {
		if i > 0 && p.Name <= r.Parts[i-1].Name {
			return invalid("report.parts[%d]: want order of names, each once", i)
		}
		if err := p.validate(); err != nil {
			return err
		}
	}
	return r.Set.Tenant.Validate()
}

func (p Part) validate() error {
	if !named(p.Name) || p.Began.IsZero() || p.Ended.Before(p.Began) || len(p.Keys) > maxKeys || p.Of > maxObjects {
		return invalid("part: want a name of 1 to 128 bytes of UTF-8, a begin and an end, at most %d keys and 2^50 objects", maxKeys)
	}
	if _, offset := p.Began.Zone(); offset != 0 {
		return invalid("part.began: want UTC")
	}
	rest := p.Of
	for i, t := range append([]Tally{{Objects: p.Unknown}}, p.Keys...) {
		if t.Objects > rest || i > 1 && t.Key <= p.Keys[i-2].Key || i > 0 && t.Objects == 0 {
			return invalid("part %.64q: does not add up, or keys out of order", p.Name)
		}
		rest -= t.Objects
	}
	if rest != 0 {
		return invalid("part %.64q: does not add up", p.Name)
	}
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler]. Unknown names are refused, and what Validate refuses.
func (r *Report) UnmarshalJSON(b []byte) error {
	type plain Report
	var read plain
	if len(b) > maxReport {
		return invalid("report: %d bytes: want at most %d", len(b), maxReport)
	}
	if err := strictjson.Decode(b, &read); err != nil {
		return invalid("report: %v", err)
	}
	if err := Report(read).Validate(); err != nil {
		return err
	}
	*r = Report(read)
	return nil
}
