package snapshot

import (
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// Duration is a [time.Duration] whose JSON is a text such as "36h" or "15m".
type Duration = strictjson.Duration

// Profile says what is too much. A field that is zero is a matter on which the profile's source is silent: nothing is judged by
// it. A profile with no limit at all is refused.
type Profile struct {
	Name   string `json:"name"`
	Source string `json:"source,omitempty"` // where the limits come from
	// Snapshots above the root of a chain: a chain of depth 1 has none. Beyond the advised number, and beyond the most.
	SnapshotsAdvised int `json:"snapshots_advised,omitempty"`
	SnapshotsMax     int `json:"snapshots_max,omitempty"`
	// Since a snapshot was created, for whatever is a difference to something else, or inside of it.
	AgeAdvised Duration `json:"age_advised,omitempty"`
	AgeMax     Duration `json:"age_max,omitempty"`
	// Since an image was verified or was created, whichever is later. One whose times are not known is overdue.
	VerifiedMax Duration `json:"verified_max,omitempty"`
	UsableMin   float64  `json:"usable_min,omitempty"` // of each restore point; above 0, below 1
	BlastMax    int      `json:"blast_max,omitempty"`  // restore points that one image takes with it
	// How far ahead growth is told; zero: 30 days.
	Horizon Duration `json:"horizon,omitempty"`
}

// Profiles returns the profiles that this package knows: "vmware", "beta9" and "opsec".
//
// That of VMware is its knowledge base article 1025279, which allows 32 snapshots in a chain, advises two to three, and no
// snapshot older than 24 to 72 hours. That of beta9 is what its issue 1856 (August 2026) settled on for layers of sandboxes:
// flattened at 16, refused beyond 64. The last one is ours: at one chance in a hundred that an image is bad, a chain of 7 loses
// 0.27 points of its 7 and its tip holds in 93 of 100 cases; one of 30 loses 4.2, and its tip holds in 74.
func Profiles() []Profile {
	const day = 24 * time.Hour
	return []Profile{
		{
			Name: "vmware", Source: "VMware KB 1025279", SnapshotsAdvised: 3, SnapshotsMax: 32,
			AgeAdvised: Duration(day), AgeMax: Duration(3 * day),
		},
		{Name: "beta9", Source: "beam-cloud/beta9 issue 1856", SnapshotsAdvised: 16, SnapshotsMax: 64},
		{
			Name: "opsec", Source: "package snapshot", SnapshotsAdvised: 7, SnapshotsMax: 30,
			VerifiedMax: Duration(30 * day), UsableMin: 0.95,
		},
	}
}

// ProfileNamed returns one of [Profiles], and whether there is one of that name.
func ProfileNamed(name string) (Profile, bool) {
	for _, p := range Profiles() {
		if p.Name == name {
			return p, true
		}
	}
	return Profile{}, false
}

// Validate returns an error that wraps [opsec.ErrInvalid] and names the field.
func (p Profile) Validate() error {
	bad := func(field string, v any, want string) error {
		return fmt.Errorf("snapshot: profile: %s %v: want %s: %w", field, v, want, opsec.ErrInvalid)
	}
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"snapshots_advised", int64(p.SnapshotsAdvised)}, {"snapshots_max", int64(p.SnapshotsMax)},
		{"age_advised", int64(p.AgeAdvised)}, {"age_max", int64(p.AgeMax)}, {"verified_max", int64(p.VerifiedMax)},
		{"blast_max", int64(p.BlastMax)}, {"horizon", int64(p.Horizon)},
	} {
		if f.value < 0 {
			return bad(f.name, f.value, "0 or more")
		}
	}
	switch {
	case !(p.UsableMin >= 0 && p.UsableMin < 1):
		return bad("usable_min", p.UsableMin, "0 to below 1")
	case p.SnapshotsMax > 0 && p.SnapshotsAdvised > p.SnapshotsMax:
		return bad("snapshots_advised", p.SnapshotsAdvised, "at most snapshots_max")
	case p.AgeMax > 0 && p.AgeAdvised > p.AgeMax:
		return bad("age_advised", time.Duration(p.AgeAdvised), "at most age_max")
	case p.SnapshotsAdvised == 0 && p.SnapshotsMax == 0 && p.AgeAdvised == 0 && p.AgeMax == 0 && p.VerifiedMax == 0 &&
		p.UsableMin == 0 && p.BlastMax == 0:
		return fmt.Errorf("snapshot: profile: no limit: %w", opsec.ErrInvalid)
	}
	return nil
}

// timed says whether the profile needs to know what time it is.
func (p *Profile) timed() bool { return p.AgeAdvised > 0 || p.AgeMax > 0 || p.VerifiedMax > 0 }
