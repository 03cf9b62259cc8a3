package erasure_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/erasure"
)

func destroyed(on opsec.Resource) opsec.Event {
	e := *opsec.NewEvent(keymgmt.ActionDestroy, noon)
	e.Tenant, e.Outcome, e.Resource = on.Tenant, opsec.Success, on
	return e
}

func events(list ...opsec.Event) iter.Seq2[opsec.Event, error] {
	return func(yield func(opsec.Event, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func buried(t require.TestingT, s *erasure.Tombstones, r keymgmt.Ref) bool {
	is, err := s.Buried(context.Background(), r)
	require.NoError(t, err)
	return is
}

func TestTombstonesAreReadFromTheAuditLog(t *testing.T) {
	failed, pending, rotated := destroyed(ref("a", 3).Resource()), destroyed(ref("a", 4).Resource()), destroyed(ref("a", 5).Resource())
	failed.Outcome, pending.Outcome, rotated.Action = opsec.Failure, opsec.Pending, keymgmt.ActionRotate
	forced := destroyed(ref("a", 6).Resource())
	forced.Action = keymgmt.ActionForceDestroy
	unlinked := destroyed(ref("a", 10).Resource())
	unlinked.Action = keymgmt.ActionUnlink
	foreign := destroyed(ref("a", 7).Resource())
	foreign.Tenant = "globex" // another tenant's log says so
	odd := destroyed(opsec.Resource{Tenant: "acme", Type: "key", ID: "a/8"})
	whole := destroyed(opsec.Resource{Tenant: "acme", Type: "keyset", ID: "gone"})
	alive := whole // a key is destroyed, never a keyset
	alive.Resource.ID = "alive"
	whole.Action = keymgmt.ActionRetire
	s, err := erasure.NewTombstones(events(destroyed(ref("a", 2).Resource()), failed, pending, rotated, forced, foreign, odd, whole, alive, unlinked,
		destroyed(ref("a/b", 9).Resource())))
	require.NoError(t, err)
	require.Equal(t, 5, s.Len())
	for key, want := range map[uint32]bool{1: false, 2: true, 3: false, 4: false, 5: false, 6: true, 7: false, 8: false, 10: true} {
		require.Equal(t, want, buried(t, s, ref("a", key)), "key %d", key)
	}
	require.True(t, buried(t, s, ref("a/b", 9)))
	require.False(t, buried(t, s, ref("a", 9)))
	require.True(t, buried(t, s, ref("gone", 1)))
	require.True(t, buried(t, s, ref("gone", 77)))
	require.False(t, buried(t, s, ref("alive", 1)))
	require.False(t, buried(t, s, keymgmt.Ref{Set: keymgmt.SetID{Tenant: "globex", ID: "a"}, Key: 2}))
}

func TestALogThatEndsEarlyGivesNoTombstones(t *testing.T) {
	broken := errors.New("broken")
	_, err := erasure.NewTombstones(func(yield func(opsec.Event, error) bool) {
		if yield(destroyed(ref("a", 2).Resource()), nil) {
			yield(opsec.Event{}, broken)
		}
	})
	require.ErrorIs(t, err, broken)
}

func TestTombstonesAreASet(t *testing.T) {
	one := rapid.Custom(func(t *rapid.T) keymgmt.Ref {
		return keymgmt.Ref{
			Set: keymgmt.SetID{
				Tenant: rapid.SampledFrom([]opsec.TenantID{"a", "ab", opsec.Provider}).Draw(t, "tenant"),
				ID:     rapid.SampledFrom([]string{"b", "bc", "c", "c/b"}).Draw(t, "set"),
			},
			Key: rapid.SampledFrom([]uint32{1, 2, 256, 1<<32 - 1}).Draw(t, "key"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		s, err := erasure.NewTombstones(events())
		require.NoError(t, err)
		model := map[keymgmt.Ref]bool{}
		for _, r := range rapid.SliceOf(one).Draw(t, "buried") {
			e := destroyed(r.Resource())
			require.True(t, s.Add(&e))
			model[r] = true
		}
		require.Equal(t, len(model), s.Len())
		for _, r := range rapid.SliceOf(one).Draw(t, "asked") {
			require.Equal(t, model[r], buried(t, s, r))
		}
	})
}

func TestTombstonesAreForManyGoroutines(t *testing.T) {
	s, err := erasure.NewTombstones(events())
	require.NoError(t, err)
	var all sync.WaitGroup
	for n := range uint32(4) {
		all.Go(func() {
			for key := range uint32(100) {
				s.Bury(ref("a", 1+n*100+key))
				buried(t, s, ref("a", key+1))
			}
		})
	}
	all.Wait()
	require.Equal(t, 400, s.Len())
}

func BenchmarkTombstones(b *testing.B) {
	s, err := erasure.NewTombstones(events())
	require.NoError(b, err)
	for key := range uint32(100_000) {
		s.Bury(ref("a", key+1))
	}
	b.ReportAllocs()
	for i := uint32(0); b.Loop(); i++ {
		buried(b, s, ref("a", i%200_000))
	}
}
