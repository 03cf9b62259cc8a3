package sample

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

// MaxDossier is how long a dossier may be as JSON, in bytes.
const MaxDossier = 64 << 20

// Dossier is what a provider publishes so that a sample can be drawn again. As JSON it is the bytes that an outsider gets.
type Dossier struct {
	Freeze     Freeze           `json:"freeze"`
	Anchor     Anchor           `json:"anchor"`
	Leaf       []byte           `json:"leaf"`             // the log's entry that records the freeze
	Inclusion  []tlog.Hash      `json:"inclusion"`        // of the entry, under the checkpoint (RFC 6962, section 2.1.1)
	Checkpoint string           `json:"checkpoint"`       // the signed note
	Samples    map[string][]int `json:"samples"`          // by procedure: positions, ascending
	Frames     []Frame          `json:"frames,omitempty"` // those that may be shown whole, and have no Blind
	Proofs     []Shown          `json:"proofs,omitempty"` // of items that were drawn, where frames are not shown
}

// Shown is an item of a procedure's frame with its proof.
type Shown struct {
	Procedure string `json:"procedure"`
	Proof
}

// ParseDossier reads a dossier in JSON: one value of [MaxDossier] at most, with known fields alone, each once and in lower
// case, so that any other reader finds the same in it. An error wraps [opsec.ErrInvalid]. What it says is for [Recompute] to
// judge.
func ParseDossier(b []byte) (Dossier, error) {
	var d Dossier
	if len(b) > MaxDossier {
		return d, invalid("dossier of %d bytes: want at most %d", len(b), MaxDossier)
	}
	if err := strictjson.Decode(b, &d); err != nil {
		return Dossier{}, invalid("dossier: %w", err)
	}
	if err := plain(json.NewDecoder(bytes.NewReader(b)), false); err != nil {
		return Dossier{}, invalid("dossier: %w", err)
	}
	return d, nil
}

// plain returns an error when a field of the next value stands twice, or, unless its names are free, is not in lower case.
func plain(dec *json.Decoder, free bool) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	delim, _ := token.(json.Delim)
	if delim == 0 {
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		name := ""
		if delim == '{' {
			if token, err = dec.Token(); err != nil {
				return err
			}
			name, _ = token.(string)
			if seen[name] || !free && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
				return fmt.Errorf("field %.40q: want it once, in lower case", name)
			}
			seen[name] = true
		}
		if err := plain(dec, name == "samples"); err != nil {
			return err
		}
	}
	_, err = dec.Token() // the end
	return err
}

// Recompute verifies a dossier and returns its seed. It takes nobody's word but that of the keys in the verifier:
//
//   - holds returns nil when the log's entry records exactly one freeze, the one with this digest: that is for who knows
//     how the log writes its entries, and it must be set;
//   - the entry is in the log at the anchor, under the checkpoint, so that the freeze was there before;
//   - the checkpoint is one that [Derive] takes;
//   - each sample is what is drawn from its frame, no smaller than the frame's commitment says; every frame that says so
//     has one;
//   - a frame that is shown is the one that was frozen, and an item that is shown was drawn, and stands where it should;
//     those of one frame ascend. What is not shown may be anything: see whether all that was drawn is; whether a population
//     was complete, and no more than that, is for the audit to find out.
//
// What comes out otherwise wraps [ErrMismatch], what is not signed or not in the log [ErrUnproven]; further errors are those
// of [Derive].
func Recompute(d Dossier, v CheckpointVerifier, holds func(leaf []byte, freeze Digest) error) (Seed, error) {
	if holds == nil {
		return Seed{}, invalid("nothing says what an entry of the log holds")
	}
	digest, err := d.Freeze.Digest()
	if err != nil {
		return Seed{}, err
	}
	s, h, err := derive(d.Freeze, d.Anchor, []byte(d.Checkpoint), v)
	if err != nil {
		return Seed{}, err
	}
	err = tlog.CheckRecord(d.Inclusion, int64(h.size), h.root, int64(d.Anchor.Index), tlog.RecordHash(d.Leaf))
	if err != nil {
		return Seed{}, unproven("the entry is not number %d of the log", d.Anchor.Index)
	}
	if err := holds(d.Leaf, digest); err != nil {
		return Seed{}, unproven("entry %d is not the record of the freeze: %w", d.Anchor.Index, err)
	}
	if err := d.samples(s); err != nil {
		return Seed{}, err
	}
	return s, d.shown()
}

// samples draws again.
func (d Dossier) samples(s Seed) error {
	for procedure := range d.Samples {
		if _, ok := d.Freeze.Frame(procedure); !ok {
			return mismatch("%s: a sample of a frame that was not frozen", procedure)
		}
	}
	for _, c := range d.Freeze.Frames {
		got := d.Samples[c.Procedure]
		if len(got) < c.Sample {
			return mismatch("%s: a sample of %d, where %d were to be drawn", c.Procedure, len(got), c.Sample)
		}
		if len(got) > c.Size {
			return mismatch("%s: a sample of %d from %d", c.Procedure, len(got), c.Size)
		}
		want, err := s.Draw(c, len(got))
		if err != nil {
			return err
		}
		if !slices.Equal(want, got) {
			return mismatch("%s: a sample of %d is another", c.Procedure, len(got))
		}
	}
	return nil
}

// shown verifies frames and items against their commitments.
func (d Dossier) shown() error {
	for _, f := range d.Frames {
		c, err := f.Commit()
		if err != nil {
			return err
		}
		frozen, ok := d.Freeze.Frame(f.Procedure)
		if !ok || c.Size != frozen.Size || c.Digest != frozen.Digest {
			return mismatch("%s: the frame is not the one that was frozen", f.Procedure)
		}
	}
	for _, p := range d.Proofs {
		c, ok := d.Freeze.Frame(p.Procedure)
		if !ok {
			return mismatch("%s: an item of a frame that was not frozen", p.Procedure)
		}
		if err := c.Verify(p.Proof); err != nil {
			return err
		}
		if _, drawn := slices.BinarySearch(d.Samples[p.Procedure], p.Index); !drawn {
			return mismatch("%s: item at position %d was not drawn", p.Procedure, p.Index)
		}
	}
	inOrder := slices.SortedFunc(slices.Values(d.Proofs), func(a, b Shown) int {
		return cmp.Or(strings.Compare(a.Procedure, b.Procedure), cmp.Compare(a.Index, b.Index))
	})
	for i, p := range inOrder {
		if i == 0 || inOrder[i-1].Procedure != p.Procedure || inOrder[i-1].Index == p.Index {
			continue
		}
		if inOrder[i-1].Item >= p.Item {
			return mismatch("%s: items at positions %d and %d do not ascend: no frame", p.Procedure, inOrder[i-1].Index, p.Index)
		}
	}
	return nil
}
