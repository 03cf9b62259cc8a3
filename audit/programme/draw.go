package programme

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

func hexadecimal(d sample.Digest) string { return "sha256:" + hex.EncodeToString(d[:]) }

// drawn is how many items of a population the procedure looks at.
func (x *Procedure) drawn(size int) int {
	if x.Sample == 0 {
		return size
	}
	return min(x.Sample, size)
}

func (s Fix) apply(t *taking) error {
	again := checkText("freeze: reason", s.Reason, min(len(t.Freezes), 1), maxReason)
	if err := first(t.at(Approved, Frozen), t.byLead(), again); err != nil {
		return err
	}
	t.reason = s.Reason
	frames, err := t.frames(s.Frames)
	if err != nil {
		return err
	}
	f := sample.Freeze{
		Audit: t.ID, Attempt: len(t.Freezes) + 1, Scope: t.Plan.Digest(), Frames: frames, NotBefore: at(s.NotBefore), NotAfter: at(s.NotAfter),
	}
	if f.NotBefore.IsZero() {
		f.NotBefore = t.by.Time.Add(time.Second - 1).Truncate(time.Second)
	}
	if f.NotBefore.Before(t.by.Time) {
		return invalid("freeze: not before: a time that has passed")
	}
	if f.Attempt > maxList {
		return invalid("freeze: more than %d attempts", maxList)
	}
	digest, err := f.Digest()
	if err != nil {
		return err
	}
	t.note(opsec.Public, "freeze", hexadecimal(digest), "attempt", strconv.Itoa(f.Attempt),
		"not_before", f.NotBefore.Format(time.RFC3339))
	t.Freezes, t.Stage = append(t.Freezes, Freeze{Freeze: f, Event: t.by.Event}), Frozen
	return nil
}

// frames returns the commitments in order, one for each procedure, with how many are to be drawn.
func (t *taking) frames(given []sample.Commitment) ([]sample.Commitment, error) {
	frames := slices.Clone(given)
	slices.SortFunc(frames, func(a, b sample.Commitment) int { return strings.Compare(a.Procedure, b.Procedure) })
	for i := range frames {
		c := &frames[i]
		x := t.Plan.procedure(c.Procedure)
		if x == nil || i > 0 && frames[i-1].Procedure == c.Procedure {
			return nil, invalid("freeze: frame number %d in order: of no procedure of the plan, or a second one", i)
		}
		if n := x.drawn(c.Size); c.Sample != 0 && c.Sample != n {
			return nil, invalid("freeze: procedure %s: sample of %d, and %d by the plan", x.ID, c.Sample, n)
		}
		c.Sample = x.drawn(c.Size)
	}
	for _, x := range t.Plan.Procedures {
		if !slices.ContainsFunc(frames, func(c sample.Commitment) bool { return c.Procedure == x.ID }) {
			return nil, invalid("freeze: procedure %s: its population is not committed to", x.ID)
		}
	}
	return frames, nil
}

func (s Seed) apply(t *taking) error {
	if err := first(t.at(Frozen), t.byAny()); err != nil {
		return err
	}
	freeze := t.Freezes[len(t.Freezes)-1].Freeze
	seed, err := sample.Derive(freeze, s.Anchor, s.Checkpoint, s.Verifier)
	if err != nil {
		return err
	}
	d := &Draw{Anchor: s.Anchor, Checkpoint: string(s.Checkpoint), Samples: map[string][]int{}, Items: map[string][]string{}}
	for _, c := range freeze.Frames {
		items, err := population(c, s.Frames)
		if err != nil {
			return err
		}
		positions, err := seed.Draw(c, c.Sample)
		if err != nil {
			return err
		}
		d.Samples[c.Procedure], d.Items[c.Procedure] = append([]int{}, positions...), make([]string, len(positions))
		for i, p := range positions {
			d.Items[c.Procedure][i] = items[p]
		}
	}
	if _, err := own("draw: sample", *d, maxPlan); err != nil {
		return err
	}
	t.note(opsec.Public, "log", s.Anchor.Log, "index", strconv.FormatUint(s.Anchor.Index, 10),
		"checkpoint", digestOf(s.Checkpoint))
	t.Draw, t.Stage = d, Fieldwork
	return nil
}

// population returns the items that were committed to.
func population(c sample.Commitment, frames []sample.Frame) ([]string, error) {
	for _, f := range frames {
		if f.Procedure != c.Procedure {
			continue
		}
		got, err := f.Commit()
		if err != nil {
			return nil, err
		}
		if got.Size != c.Size || got.Digest != c.Digest {
			return nil, invalid("draw: procedure %s: the population is not the one that was frozen", c.Procedure)
		}
		return f.Items, nil
	}
	return nil, invalid("draw: procedure %s: no population", c.Procedure)
}

// isDrawn reports whether the procedure looks at the item.
func (a *Audit) isDrawn(procedure, item string) bool {
	return a.Draw != nil && slices.Contains(a.Draw.Items[procedure], item)
}
