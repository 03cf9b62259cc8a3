package rewrap_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/rewrap"
)

func part(name string, began time.Time, of, unknown uint64, keys ...rewrap.Tally) rewrap.Part {
	return rewrap.Part{Name: name, Began: began, Ended: began.Add(time.Minute), Of: of, Unknown: unknown, Keys: keys}
}

func TestCensusCountsWhatIsLeftOnAKeyWithAllHolders(t *testing.T) {
	report := rewrap.Report{Set: set, Parts: []rewrap.Part{
		part("backups", noon, 7, 0, rewrap.Tally{Key: 1, Objects: 5, Bytes: 500}, rewrap.Tally{Key: 3, Objects: 2, Bytes: 10}),
		part("volumes", noon.Add(-time.Hour), 4, 1, rewrap.Tally{Key: 3, Objects: 3, Bytes: 9}),
	}}
	c, err := report.Census(3, "volumes", "backups")
	require.NoError(t, err)
	require.Equal(t, keymgmt.Census{Time: noon.Add(-time.Hour), Objects: 6, Of: 11, Digest: report.Digest()}, c, "who names no key counts, and the time is that of the first begin")
	c, err = report.Census(2, "backups", "backups")
	require.NoError(t, err)
	require.Zero(t, c.Objects)
	require.EqualValues(t, 7, c.Of)
	require.Equal(t, noon, c.Time)

	for _, holders := range [][]string{{}, {"tapes"}, {"volumes", "tapes"}} {
		_, err = report.Census(2, holders...)
		require.ErrorIs(t, err, opsec.ErrInvalid, "who was not counted")
	}
	_, err = report.Census(0, "volumes")
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestDigestTellsReportsApart(t *testing.T) {
	a := rewrap.Report{Set: set, Parts: []rewrap.Part{part("volumes", noon, 1, 0, rewrap.Tally{Key: 1, Objects: 1})}}
	b := rewrap.Report{Set: set, Parts: []rewrap.Part{part("volumes", noon, 1, 0, rewrap.Tally{Key: 2, Objects: 1})}}
	require.NotEqual(t, a.Digest(), b.Digest())
	text, err := json.Marshal(a)
	require.NoError(t, err)
	var read rewrap.Report
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, a.Digest(), read.Digest())
}

func TestReportsThatDoNotAddUpAreRefused(t *testing.T) {
	for name, r := range map[string]rewrap.Report{
		"no keyset":  {Parts: []rewrap.Part{part("a", noon, 0, 0)}},
		"no name":    {Set: set, Parts: []rewrap.Part{part("", noon, 0, 0)}},
		"twice":      {Set: set, Parts: []rewrap.Part{part("a", noon, 0, 0), part("a", noon, 0, 0)}},
		"too few":    {Set: set, Parts: []rewrap.Part{part("a", noon, 3, 1, rewrap.Tally{Key: 1, Objects: 1})}},
		"too many":   {Set: set, Parts: []rewrap.Part{part("a", noon, 3, 1, rewrap.Tally{Key: 1, Objects: 3})}},
		"wraps":      {Set: set, Parts: []rewrap.Part{part("a", noon, 1, 2, rewrap.Tally{Key: 1, Objects: 1<<64 - 1})}},
		"a universe": {Set: set, Parts: []rewrap.Part{part("a", noon, 1<<63, 0, rewrap.Tally{Key: 1, Objects: 1 << 63})}},
		"order":      {Set: set, Parts: []rewrap.Part{part("a", noon, 2, 0, rewrap.Tally{Key: 2, Objects: 1}, rewrap.Tally{Key: 1, Objects: 1})}},
		"empty key":  {Set: set, Parts: []rewrap.Part{part("a", noon, 0, 0, rewrap.Tally{Key: 2})}},
		"no time":    {Set: set, Parts: []rewrap.Part{{Name: "a"}}},
		"ends early": {Set: set, Parts: []rewrap.Part{{Name: "a", Began: noon, Ended: noon.Add(-1)}}},
		"zone":       {Set: set, Parts: []rewrap.Part{part("a", noon.In(time.FixedZone("", 3600)), 0, 0)}},
		"tenant":     {Set: keymgmt.SetID{Tenant: "/", ID: "x"}, Parts: []rewrap.Part{part("a", noon, 0, 0)}},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, r.Validate(), opsec.ErrInvalid)
			_, err := r.Census(1, "a")
			require.ErrorIs(t, err, opsec.ErrInvalid)
			text, err := json.Marshal(r)
			require.NoError(t, err)
			require.Error(t, json.Unmarshal(text, new(rewrap.Report)))
		})
	}
	require.Error(t, json.Unmarshal([]byte(`{"set":{"tenant":"acme","id":"x"},"parts":[],"more":1}`), new(rewrap.Report)))
	require.ErrorIs(t, rewrap.Report{Set: set, Parts: []rewrap.Part{part("a\xff", noon, 0, 0)}}.Validate(), opsec.ErrInvalid, "JSON would change it")
}

// After each step of rewrapping, in any order and by any means, the census is what a look at each object finds.
func TestCensusIsWhatIsThere(t *testing.T) {
	r := newRing(1, 2, 3)
	rapid.Check(t, func(rt *rapid.T) {
		keys := rapid.SliceOfN(rapid.SampledFrom([]uint32{1, 2, 3}), 0, 60).Draw(rt, "keys")
		s, _ := of(t, r, 0)
		want := map[uint32]uint64{}
		for i, key := range keys {
			b, err := r.with(key).Seal(nil, make([]byte, i), keymgmt.Context{})
			require.NoError(rt, err)
			s.put(rewrap.Object{ID: string(rune('A' + i)), Wrapped: b})
			want[key]++
		}
		unknown := rapid.IntRange(0, 3).Draw(rt, "unknown")
		for i := range unknown {
			s.put(rewrap.Object{ID: string(rune(1000 + i)), Wrapped: []byte("old")})
		}
		p, err := rewrap.Count(t.Context(), "volumes", s, rewrap.Ciphertext{}, func() time.Time { return noon })
		require.NoError(rt, err)
		require.EqualValues(rt, len(keys)+unknown, p.Of)
		report := rewrap.Report{Set: set, Parts: []rewrap.Part{p}}
		for key := uint32(1); key <= 4; key++ {
			c, err := report.Census(key, "volumes")
			require.NoError(rt, err)
			require.Equal(rt, want[key]+uint64(unknown), c.Objects)
		}
	})
}

func TestCountEndsWithItsContext(t *testing.T) {
	r := newRing(1)
	s, _ := of(t, r, 10, 1)
	ctx, cancel := contextThatEnds(t)
	s.read = func(o rewrap.Object) {
		if o.ID == "object-000004" {
			cancel()
		}
	}
	_, err := rewrap.Count(ctx, "volumes", s, rewrap.Ciphertext{}, time.Now)
	require.ErrorIs(t, err, ctx.Err())
}

func FuzzReport(f *testing.F) {
	good, err := json.Marshal(rewrap.Report{Set: set, Parts: []rewrap.Part{part("a", noon, 3, 1, rewrap.Tally{Key: 1, Objects: 2, Bytes: 3})}})
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"set":{"tenant":"acme","id":"x"},"parts":[{"name":"a","of":18446744073709551615}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r rewrap.Report
		if json.Unmarshal(b, &r) != nil {
			require.Zero(t, r)
			return
		}
		require.NoError(t, r.Validate())
		again, err := json.Marshal(r)
		require.NoError(t, err)
		var read rewrap.Report
		require.NoError(t, json.Unmarshal(again, &read))
		require.Equal(t, r.Digest(), read.Digest())
	})
}

func FuzzCheckpoint(f *testing.F) {
	good, err := json.Marshal(rewrap.Checkpoint{Job: job(3, 1, 2), After: "x", Counts: rewrap.Counts{Poisoned: 1}, Bad: []rewrap.Bad{{ID: "b", Key: 1}}})
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`{"job":{"set":{"tenant":"","id":""},"name":"","to":0},"counts":{"rewrapped":0,"current":0,"other":0,"changed":0,"poisoned":0}}`))
	f.Add([]byte(`{"job":{"to":1},"done":true}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c rewrap.Checkpoint
		if json.Unmarshal(b, &c) != nil {
			require.Zero(t, c)
			return
		}
		again, err := json.Marshal(c)
		require.NoError(t, err)
		var read rewrap.Checkpoint
		require.NoError(t, json.Unmarshal(again, &read))
		text, err := json.Marshal(read)
		require.NoError(t, err)
		require.Equal(t, string(again), string(text))
	})
}

func FuzzPolicy(f *testing.F) {
	f.Add([]byte(`{"workers":4,"batch":100,"bytes":1000,"save":1,"poisoned":3}`))
	f.Add([]byte(`{"workers":-1}`))
	f.Add([]byte(`{"worker":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p rewrap.Policy
		if json.Unmarshal(b, &p) != nil {
			require.Zero(t, p)
			return
		}
		require.NoError(t, p.Validate())
	})
}
