package programme_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

func TestFixCommitsToAllPopulations(t *testing.T) {
	h := approved(t)
	all := commitments(t)
	h.refuses(opsec.ErrDenied, "tom", programme.Fix{Frames: all}, "lead")
	h.refuses(opsec.ErrInvalid, "lea", programme.Fix{Frames: all[:1]}, "procedure rotation")
	h.refuses(opsec.ErrInvalid, "lea", programme.Fix{Frames: append(all, all[0])}, "second one")
	h.refuses(opsec.ErrInvalid, "lea", programme.Fix{Frames: append(all, sample.Commitment{Procedure: "x"})}, "no procedure")
	h.refuses(opsec.ErrInvalid, "lea", programme.Fix{Frames: all, NotBefore: h.now.Truncate(time.Second)}, "has passed")
	h.refuses(opsec.ErrInvalid, "lea", programme.Fix{Frames: all, NotBefore: h.now.Add(day + time.Millisecond)}, "whole seconds")
	h.refuses(opsec.ErrInvalid, "lea", programme.Fix{Frames: all, NotBefore: h.now.Add(day), NotAfter: h.now}, "not after")
	wrong := slices.Clone(all)
	wrong[0].Sample = 2
	h.refuses(opsec.ErrInvalid, "lea", programme.Fix{Frames: wrong}, "3 by the plan")

	slices.Reverse(all)
	e := h.take("lea", programme.Fix{Frames: all, NotBefore: h.now.Add(day), NotAfter: h.now.Add(2 * day)})
	require.Equal(t, programme.Frozen, h.audit.Stage)
	f := h.freeze()
	require.Equal(t, e.ID, f.Event)
	require.Equal(t, 1, f.Attempt)
	require.Equal(t, []int{3, 2}, []int{f.Frames[0].Sample, f.Frames[1].Sample}, "by the plan; without a sample, all")
	require.Equal(t, h.audit.Plan.Digest(), f.Scope)
	d, err := f.Digest()
	require.NoError(t, err)
	require.Contains(t, e.Attrs, opsec.Attr{Key: "freeze", Value: digestText(d), Mark: opsec.Public}, "the log holds what an outsider looks for")
}

func digestText(d sample.Digest) string { return "sha256:" + strings.TrimPrefix(d.String(), "sha256:") }

func TestFixAgainHasAReasonAndIsCounted(t *testing.T) {
	h := frozen(t)
	h.refuses(opsec.ErrInvalid, "lea", programme.Fix{Frames: commitments(t)}, "reason")
	first := h.freeze()
	e := h.take("lea", programme.Fix{Frames: commitments(t), Reason: "A volume was forgotten."})
	require.Equal(t, "A volume was forgotten.", e.Reason)
	require.Len(t, h.audit.Freezes, 2)
	require.Equal(t, first, h.audit.Freezes[0], "what there was stays")
	require.Equal(t, 2, h.freeze().Attempt)

	stale := h.ledger.signed(h.now)
	h.ledger.add(e)
	s := h.seed()
	s.Checkpoint = stale
	require.ErrorIs(t, h.try("tom", s), sample.ErrTooEarly)
	h.take("tom", h.seed())
	h.refuses(programme.ErrStage, "lea", programme.Fix{Frames: commitments(t), Reason: "x"}, "fieldwork")
}

func TestSeedIsByACheckpointOfAfterTheFreeze(t *testing.T) {
	h := approved(t)
	before := h.ledger.signed(h.now)
	h.ledger.add(h.take("lea", programme.Fix{Frames: commitments(t)}))
	good := h.seed()

	s := good
	s.Checkpoint = before
	require.ErrorIs(t, h.try("tom", s), sample.ErrTooEarly, "it does not have the freeze")
	s.Checkpoint = h.ledger.signed(h.freeze().NotBefore.Add(-time.Second))
	require.ErrorIs(t, h.try("tom", s), sample.ErrTooEarly, "it was signed before")
	s.Checkpoint = h.ledger.signed(h.freeze().NotBefore.Add(25 * time.Hour))
	require.ErrorIs(t, h.try("tom", s), sample.ErrTooLate)
	s = good
	s.Anchor.Log = "log.example/other"
	h.refuses(opsec.ErrInvalid, "tom", s, "other")
	s = good
	s.Verifier = sample.CheckpointVerifier{}
	require.Error(t, h.try("tom", s))
	s = good
	s.Checkpoint = append(slices.Clone(good.Checkpoint), good.Checkpoint...)
	require.Error(t, h.try("tom", s))

	s = good
	s.Frames = populations()
	s.Frames[0].Items[3] = "vol-03x"
	h.refuses(opsec.ErrInvalid, "tom", s, "not the one that was frozen")
	s.Frames = populations()[:1]
	h.refuses(opsec.ErrInvalid, "tom", s, "procedure rotation: no population")
	h.refuses(opsec.ErrDenied, "olaf", good, "member")

	h.take("tom", good)
	require.Equal(t, programme.Fieldwork, h.audit.Stage)
	h.refuses(programme.ErrStage, "tom", h.seed(), "fieldwork")
	for _, procedure := range []string{"restore", "rotation"} {
		d, all := h.audit.Draw, populations()[0].Items
		if procedure == "rotation" {
			all = populations()[1].Items
		}
		for i, at := range d.Samples[procedure] {
			require.Equal(t, all[at], d.Items[procedure][i])
		}
	}
	require.Len(t, h.audit.Draw.Items["restore"], 3)
	require.Equal(t, []string{"key-1", "key-2"}, h.audit.Draw.Items["rotation"], "without a sample, all")
}

// An outsider who has the freeze, the log's entry and the checkpoint comes to the same sample.
func TestSampleCanBeRecomputed(t *testing.T) {
	h := fieldwork(t)
	f, d := h.freeze(), h.audit.Draw
	proof, err := tlog.ProveRecord(int64(len(h.ledger.events)), int64(d.Anchor.Index), h.ledger)
	require.NoError(t, err)
	dossier := sample.Dossier{
		Freeze: f.Freeze, Anchor: d.Anchor, Leaf: h.ledger.events[d.Anchor.Index].AppendJSON(nil), Inclusion: proof,
		Checkpoint: d.Checkpoint, Samples: d.Samples, Frames: populations(),
	}
	holds := func(leaf []byte, freeze sample.Digest) error {
		require.Contains(t, string(leaf), digestText(freeze))
		return nil
	}
	_, err = sample.Recompute(dossier, verifier(t), holds)
	require.NoError(t, err)
	dossier.Samples["restore"][0] = (dossier.Samples["restore"][0] + 1) % dossier.Samples["restore"][1]
	_, err = sample.Recompute(dossier, verifier(t), holds)
	require.Error(t, err)
}

// A population that is empty, or smaller than the sample, is drawn whole.
func TestSmallPopulations(t *testing.T) {
	h := approved(t)
	frames := []sample.Frame{{Procedure: "restore", Items: []string{"vol-1", "vol-2"}}, {Procedure: "rotation"}}
	var list []sample.Commitment
	for _, f := range frames {
		c, err := f.Commit()
		require.NoError(t, err)
		list = append(list, c)
	}
	h.ledger.add(h.take("lea", programme.Fix{Frames: list}))
	s := h.seed()
	s.Frames = frames
	h.take("tom", s)
	require.Equal(t, map[string][]string{"restore": {"vol-1", "vol-2"}, "rotation": {}}, h.audit.Draw.Items)
	require.Equal(t, map[string][]int{"restore": {0, 1}, "rotation": {}}, h.audit.Draw.Samples)
}
