package snapshot

import (
	"fmt"
	"math"
	"time"

	"github.com/cloudopsec/opsec"
)

// FailureModel says how likely an image is to be unreadable when it is needed. Images fail independently of each other: what
// makes several fail together, such as the array that they are on, belongs into the graph as a node that they need.
//
// One copy fails by the probability p, which is either P or 1 - exp(-λ·age), where λ is a yearly rate ([Hazard]) and the age
// is the time since the image was last verified or was created, whichever is later. An image of r copies fails by
//
//	β·p + (1-β)·p^r    where β = 1 - Independence
//
// since its copies share one fate by the chance β, and else have one each. That is never less than β·p + ((1-β)·p)^r, the
// β-factor model of common causes (Fleming 1975; IEC 61508-6, annex D). An image that is known to be broken, missing or in a
// circle fails by 1.
//
// The zero model is refused.
type FailureModel struct {
	P      float64 `json:"p,omitempty"`      // above 0, at most 1; 0: by Hazard
	Hazard *Hazard `json:"hazard,omitempty"` // nil: by P
	// Independence is the chance that copies do not share one fate, from 0 (they fail together, and do not help) to 1.
	Independence float64   `json:"independence,omitempty"`
	Now          time.Time `json:"now,omitzero"` // needed with a Hazard, and to judge ages by a Profile
}

// Hazard is a rate of failure that does not change with age.
type Hazard struct {
	PerYear    float64 `json:"per_year,omitempty"`     // failures of an image in 365.25 days, 0 to 1e6
	PerTiBYear float64 `json:"per_tib_year,omitempty"` // the same for each 2^40 bytes of its size, 0 to 1e6; a size that is not known counts as none
	// Unknown is the age that is taken for images whose times are not known, or lie after Now. It is above 0.
	Unknown Duration `json:"unknown"`
}

// Validate returns an error that wraps [opsec.ErrInvalid] and names the field.
func (m FailureModel) Validate() error {
	bad := func(field string, v any, want string) error {
		return fmt.Errorf("snapshot: failure model: %s %v: want %s: %w", field, v, want, opsec.ErrInvalid)
	}
	within := func(v, low, high float64) bool { return v >= low && v <= high } // false for NaN
	switch h := m.Hazard; {
	case !within(m.P, 0, 1):
		return bad("p", m.P, "above 0, at most 1")
	case m.P == 0 && h == nil:
		return bad("p", m.P, "above 0, or a hazard")
	case m.P > 0 && h != nil:
		return bad("p", m.P, "nothing beside a hazard")
	case !within(m.Independence, 0, 1):
		return bad("independence", m.Independence, "0 to 1")
	case h == nil:
		return nil
	case !within(h.PerYear, 0, 1e6):
		return bad("hazard.per_year", h.PerYear, "0 to 1e6")
	case !within(h.PerTiBYear, 0, 1e6):
		return bad("hazard.per_tib_year", h.PerTiBYear, "0 to 1e6")
	case h.PerYear == 0 && h.PerTiBYear == 0:
		return bad("hazard", 0, "a rate above 0")
	case h.Unknown <= 0:
		return bad("hazard.unknown", time.Duration(h.Unknown), "above 0")
	case micros(m.Now) == 0:
		return bad("now", m.Now, "a time, with a hazard")
	}
	return nil
}

// Of returns the probability that the node itself fails, from 0 to 1, whatever it needs. The model must be valid.
func (m FailureModel) Of(n Node) float64 {
	if n.Broken != "" {
		return 1
	}
	return m.of(micros(n.Created), micros(n.Verified), n.Size, n.Replicas)
}

func (m *FailureModel) of(created, verified, size int64, replicas int) float64 {
	p := m.P
	if h := m.Hazard; h != nil {
		rate := h.PerYear + h.PerTiBYear*float64(size)/(1<<40)
		age, known := ageOf(micros(m.Now), created, verified)
		if !known {
			age = time.Duration(h.Unknown)
		}
		p = -math.Expm1(-rate * age.Seconds() / (365.25 * 24 * 3600))
	}
	if replicas > 1 {
		p = (1-m.Independence)*p + m.Independence*math.Pow(p, float64(replicas))
	}
	return p
}

// ageOf is the time since an image was verified or created, whichever is later; a time that is not known or to come does not count.
func ageOf(now, created, verified int64) (age time.Duration, known bool) {
	last, first := max(created, verified), min(created, verified)
	switch {
	case last != 0 && last <= now:
		return since(now, last), true
	case first != 0 && first <= now:
		return since(now, first), true
	}
	return 0, false
}

// since is the time between two instants, the first not before the second; at most 292 years.
func since(now, at int64) time.Duration {
	if d := uint64(now) - uint64(at); d < math.MaxInt64/1000 {
		return time.Duration(d) * time.Microsecond
	}
	return math.MaxInt64
}
