package catalogue

import (
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/backup/retention"
)

// The bounds of what a [Point] holds.
const (
	MaxName    = 128  // bytes of a source's or a point's id, of a location, a tag, a key's name, a manifest's digest
	MaxParents = 16   // of a point
	MaxCopies  = 16   // of a point
	MaxTags    = 16   // of a point
	MaxHolds   = 32   // on a point, and on a source
	MaxDepth   = 1000 // points of the longest way from a point to one that needs no other
)

// skew is how far the clocks of those who report may be ahead of the catalogue's.
const skew = 5 * time.Minute

// Key names what a copy is encrypted with: a key and its version, in the words of whoever manages keys. The zero Key says that it
// is not encrypted.
type Key struct {
	Name    string `json:"name,omitempty"`
	Version int64  `json:"version,omitempty"` // from 1
}

// Copy is where a point lies. The last three fields are for the catalogue to fill in.
type Copy struct {
	Location    string    `json:"location"`              // a store, in the provider's words; once in a point
	Site        plan.Site `json:"site"`                  // seen from the source
	Region      string    `json:"region,omitempty"`      // where the law looks for it
	Key         Key       `json:"key,omitzero"`          // under which it is encrypted
	Durable     time.Time `json:"durable,omitzero"`      // when it was safe there; zero: not yet
	LockedUntil time.Time `json:"locked_until,omitzero"` // until when the store refuses to delete it (object lock)

	Verified time.Time `json:"verified,omitzero"` // when it was last found whole, or restored in a test
	Damaged  time.Time `json:"damaged,omitzero"`  // when it was found not to be; zero once it is found whole again
	Gone     time.Time `json:"gone,omitzero"`     // when the catalogue had it deleted
}

// whole reports whether the copy was found whole, and not damaged since.
func (c *Copy) whole() bool { return c.Gone.IsZero() && !c.Verified.IsZero() && c.Damaged.IsZero() }

// Registration is what is told of a new backup.
type Registration struct {
	Source   string     `json:"source"`            // what was backed up: a volume, a host with its paths
	ID       string     `json:"id"`                // unique within its source, for ever
	Level    plan.Level `json:"level"`             // what it takes
	Claimed  time.Time  `json:"claimed"`           // when the capture began, as the host says that was backed up
	Bytes    int64      `json:"bytes,omitempty"`   // of the point alone, without its parents
	Parents  []string   `json:"parents,omitempty"` // points of the same source without which it cannot be restored; none: a full one
	Tags     []string   `json:"tags,omitempty"`
	Manifest string     `json:"manifest,omitempty"` // digest of its signed manifest (package backup)
	Copies   []Copy     `json:"copies,omitempty"`
}

// State is where a point stands.
type State string

// The states. They follow one another, and none comes back.
const (
	Present  State = "present"
	Deleting State = "deleting" // by an order; some of its copies may be gone
	Deleted  State = "deleted"  // what remains is the record that it was there
)

// Hold keeps a point, or all points of a source, whatever any policy says.
type Hold struct {
	ID     opsec.ID    `json:"id"`
	By     opsec.Actor `json:"by"`
	Time   time.Time   `json:"time"`
	Reason string      `json:"reason"`
}

// Point is a backup as the catalogue knows it.
type Point struct {
	Registration
	Received time.Time   `json:"received"` // when it was registered, by the catalogue's clock
	By       opsec.Actor `json:"by"`       // who registered it
	Depth    int         `json:"depth"`    // points of the longest way to one that needs no other, itself included

	Holds []Hold `json:"holds,omitempty"`

	State State     `json:"state"`
	Order opsec.ID  `json:"order,omitempty"` // that deletes it
	Ended time.Time `json:"ended,omitzero"`  // when its deletion began
}

// Full reports whether the point needs no other.
func (p *Point) Full() bool { return len(p.Parents) == 0 }

// Captured returns when the point was taken: what the host claims, but not later than it was received.
func (p *Point) Captured() time.Time {
	if p.Claimed.After(p.Received) {
		return p.Received
	}
	return p.Claimed
}

// Durable returns when the first copy was safe, or the first one off-site. It is false when none is.
func (p *Point) Durable(offSite bool) (at time.Time, ok bool) {
	for _, c := range p.Copies {
		if !c.Durable.IsZero() && c.Gone.IsZero() && (c.Site == plan.OffSite || !offSite) && (!ok || c.Durable.Before(at)) {
			at, ok = c.Durable, true
		}
	}
	return at, ok
}

// LockedUntil returns the latest end of an object lock; zero when there is none.
func (p *Point) LockedUntil() (until time.Time) {
	for _, c := range p.Copies {
		if c.Gone.IsZero() && c.LockedUntil.After(until) {
			until = c.LockedUntil
		}
	}
	return until
}

// KeptFor returns how long the point has been kept, until now or until its deletion began.
func (p *Point) KeptFor(now time.Time) time.Duration {
	if !p.Ended.IsZero() {
		now = p.Ended
	}
	return max(0, now.Sub(p.Received))
}

// Verified returns when a copy was last found whole that has not been found damaged since; zero when there is none.
func (p *Point) Verified() (at time.Time) {
	for _, c := range p.Copies {
		if c.whole() && c.Verified.After(at) {
			at = c.Verified
		}
	}
	return at
}

// Broken reports whether every copy there is was found damaged.
func (p *Point) Broken() bool {
	n, broken := 0, 0
	for _, c := range p.Copies {
		if c.Gone.IsZero() {
			n++
			if !c.Damaged.IsZero() {
				broken++
			}
		}
	}
	return n > 0 && n == broken
}

// Under reports whether a copy that is there is encrypted under key, and whether all of them are: then the point is gone with it.
func (p *Point) Under(key Key) (some, all bool) {
	n, under := 0, 0
	for _, c := range p.Copies {
		if c.Gone.IsZero() {
			n++
			if c.Key == key {
				under++
			}
		}
	}
	return under > 0, n > 0 && n == under
}

// usable reports whether there is a copy to restore from: safe where it lies, or found whole, and not found damaged since.
func (p *Point) usable() bool {
	return slices.ContainsFunc(p.Copies, func(c Copy) bool {
		return c.Gone.IsZero() && c.Damaged.IsZero() && !(c.Durable.IsZero() && c.Verified.IsZero())
	})
}

// whole reports whether the point, looked at alone, is known to be whole.
func (p *Point) whole() bool { return p.State == Present && !p.Verified().IsZero() }

// retained is the point in the words of package retention. sound is whether all that it needs is whole.
func (p *Point) retained(held []Hold, sound bool) retention.Point {
	out := retention.Point{ID: p.ID, Group: p.Source, Claimed: p.Claimed, Received: p.Received, Parents: p.Parents, Tags: p.Tags,
		Locked: p.LockedUntil()}
	if sound && p.whole() {
		out.Verified = p.Verified()
	}
	_, out.Replicated = p.Durable(true)
	for _, list := range [][]Hold{held, p.Holds} {
		if len(list) > 0 {
			out.Hold = list[0].Reason
		}
	}
	return out
}

func (r *Registration) validate(now time.Time) error {
	switch {
	case !text(r.Source, 1, MaxName) || !text(r.ID, 1, MaxName):
		return invalid("registration: source, id: want 1 to %d bytes of each, without control characters", MaxName)
	case r.Level != plan.Files && r.Level != plan.Image:
		return invalid("registration: level: want files or image")
	case r.Claimed.IsZero() || r.Claimed.UTC().Year() < 1970 || r.Claimed.UTC().Year() > 9999:
		return invalid("registration: claimed: want a time of the years 1970 to 9999")
	case r.Bytes < 0:
		return invalid("registration: bytes: %d, want 0 or more", r.Bytes)
	case len(r.Parents) > MaxParents || len(r.Tags) > MaxTags || len(r.Copies) > MaxCopies:
		return invalid("registration: %d parents, %d tags, %d copies: want at most %d, %d, %d",
			len(r.Parents), len(r.Tags), len(r.Copies), MaxParents, MaxTags, MaxCopies)
	case !text(r.Manifest, 0, MaxName):
		return invalid("registration: manifest: want at most %d bytes without control characters", MaxName)
	}
	for i, p := range r.Parents {
		if !text(p, 1, MaxName) || p == r.ID || slices.Contains(r.Parents[:i], p) {
			return invalid("registration: parents[%d]: want an id of another point, once", i)
		}
	}
	for i, t := range r.Tags {
		if !text(t, 1, MaxName) {
			return invalid("registration: tags[%d]: want 1 to %d bytes without control characters", i, MaxName)
		}
	}
	for i, c := range r.Copies {
		if err := c.validate(now); err != nil {
			return invalid("registration: copies[%d]: %v", i, err)
		}
		if slices.ContainsFunc(r.Copies[:i], func(o Copy) bool { return o.Location == c.Location }) {
			return invalid("registration: copies[%d]: a second one at its location", i)
		}
	}
	return nil
}

func (k Key) validate() error {
	if !text(k.Name, 0, MaxName) || (k.Name == "") != (k.Version == 0) || k.Version < 0 {
		return invalid("key: want a name of up to %d bytes and a version from 1, or neither", MaxName)
	}
	return nil
}

func (c *Copy) validate(now time.Time) error {
	switch {
	case !text(c.Location, 1, MaxName):
		return invalid("location: want 1 to %d bytes without control characters", MaxName)
	case c.Site != plan.OnSite && c.Site != plan.OffSite:
		return invalid("site: want on-site or off-site")
	case !text(c.Region, 0, MaxName):
		return invalid("region: want at most %d bytes without control characters", MaxName)
	case !c.Verified.IsZero() || !c.Damaged.IsZero() || !c.Gone.IsZero():
		return invalid("verified, damaged, gone: are for the catalogue to say")
	case c.Durable.After(now.Add(skew)):
		return invalid("durable: a time that has not come")
	case !ours(c.Durable) || !ours(c.LockedUntil):
		return invalid("durable, locked_until: want times of the years 1970 to 9999")
	}
	return c.Key.validate()
}

// clone returns a registration that shares nothing with r, its times without zone and clock reading.
func (r *Registration) clone() Registration {
	out := *r
	out.Claimed = plain(r.Claimed)
	out.Parents, out.Tags, out.Copies = slices.Clone(r.Parents), slices.Clone(r.Tags), slices.Clone(r.Copies)
	for i := range out.Copies {
		c := &out.Copies[i]
		c.Durable, c.LockedUntil = plain(c.Durable), plain(c.LockedUntil)
	}
	return out
}

// ours reports whether a time that may be zero is of years that every store and log can hold.
func ours(t time.Time) bool { return t.IsZero() || 1970 <= t.UTC().Year() && t.UTC().Year() <= 9999 }

func plain(t time.Time) time.Time { return t.UTC().Round(0) }
