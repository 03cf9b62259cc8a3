package draft_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/internal/draft"
)

func read(s string) draft.Value { return draft.Value{Payload: []byte(s), Rev: 7} }

func TestWhatIsWrittenHidesWhatWasRead(t *testing.T) {
	var below, d draft.Draft
	require.True(t, below.See("read", read("old")))
	below.Put("written", []byte("below"))
	require.Empty(t, d.LayOn(&below))

	v, ok := d.Find("written")
	require.True(t, ok)
	require.Equal(t, draft.Value{Payload: []byte("below"), Rev: draft.Pending}, v)
	d.Delete("written")
	v, ok = d.Find("written")
	require.True(t, ok)
	require.Zero(t, v)
	v, _ = below.Find("written")
	require.Equal(t, "below", string(v.Payload), "what is below does not change")

	require.False(t, d.See("read", draft.Value{Rev: 8}), "in another state")
	require.True(t, d.See("read", read("old")))
	require.EqualValues(t, 7, d.Rev("read"))
	_, ok = d.Read("written")
	require.False(t, ok)
	_, ok = d.Find("never")
	require.False(t, ok)
}

func TestWhatWasReadBeforeMayBeStale(t *testing.T) {
	var below, d draft.Draft
	below.See("same", read(""))
	below.See("other", read(""))
	below.Put("written", nil)
	d.See("same", read(""))
	d.See("other", draft.Value{})
	d.See("written", read(""))
	d.See("mine", read(""))
	stale := d.LayOn(&below)
	slices.Sort(stale)
	require.Equal(t, []string{"other", "written"}, stale)
	require.Equal(t, []string{"mine"}, d.Among([]string{"mine", "never"}))
	require.Equal(t, []string{"other", "mine", "same", "written"}, d.Reads(), "absent ones first")
}

func TestSizeIsThatOfTheUnion(t *testing.T) {
	seal := func(key string, payload []byte) ([]byte, error) { return append([]byte{0}, payload...), nil }
	member := func(n int) *draft.Draft {
		d := new(draft.Draft)
		d.See("shared", draft.Value{})
		d.See(fmt.Sprint("r", n), draft.Value{})
		d.Put("shared", []byte("12345"))
		d.Put(fmt.Sprint("w", n), []byte("12345"))
		require.NoError(t, d.Seal(seal))
		return d
	}
	var all draft.Draft
	fits := func(size draft.Size) {
		t.Helper()
		require.True(t, all.Fits(new(draft.Draft), size))
		for _, less := range []draft.Size{{size.Reads - 1, size.Writes, size.Bytes}, {size.Reads, size.Writes - 1, size.Bytes}, {size.Reads, size.Writes, size.Bytes - 1}} {
			require.False(t, all.Fits(new(draft.Draft), less))
		}
	}
	all.Merge(member(0))
	fits(draft.Size{Reads: 2, Writes: 2, Bytes: 6 + 2 + 6 + 6 + 2 + 6})
	all.Merge(member(1))
	fits(draft.Size{Reads: 3, Writes: 3, Bytes: 28 + 2 + 2 + 6})
	require.True(t, all.Fits(member(2), draft.Size{Reads: 4, Writes: 4, Bytes: 48}))
	require.False(t, all.Fits(member(2), draft.Size{Reads: 4, Writes: 4, Bytes: 47}))
	require.False(t, all.Full(draft.Size{Reads: 4, Writes: 4, Bytes: 57}))
	require.True(t, all.Full(draft.Size{Reads: 4, Writes: 4, Bytes: 56}))
	shorter := new(draft.Draft)
	shorter.Delete("shared")
	all.Merge(shorter)
	fits(draft.Size{Reads: 3, Writes: 3, Bytes: 32})

	broken := errors.New("broken")
	require.ErrorIs(t, member(3).Seal(func(string, []byte) ([]byte, error) { return nil, broken }), broken)
}

// Drafts that were made one on the other and merged are what one that did it all would be.
func TestMergedDraftsAreOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all, one draft.Draft
		key := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		for range rapid.IntRange(1, 5).Draw(t, "drafts") {
			var d draft.Draft
			require.Empty(t, d.LayOn(&all))
			for range rapid.IntRange(0, 6).Draw(t, "steps") {
				k := key.Draw(t, "key")
				switch rapid.IntRange(0, 3).Draw(t, "step") {
				case 0:
					if _, ok := d.Find(k); !ok {
						require.True(t, d.See(k, read(k)))
						require.True(t, one.See(k, read(k)))
					}
				case 1:
					payload := []byte(rapid.StringN(0, 3, 3).Draw(t, "payload"))
					d.Put(k, payload)
					one.Put(k, payload)
				case 2:
					d.Delete(k)
					one.Delete(k)
				case 3:
					mark := d.Mark()
					d.Put(k, []byte("undone"))
					d.Delete(key.Draw(t, "other"))
					d.Undo(mark)
				}
				for _, k := range []string{"a", "b", "c", "d"} {
					v, ok := d.Find(k)
					v1, ok1 := one.Find(k)
					require.Equal(t, ok1, ok)
					require.Equal(t, v1, v)
				}
				for _, reverse := range []bool{false, true} {
					require.Equal(t, one.Within("b", "d", reverse), d.Within("b", "d", reverse))
					require.Equal(t, one.Within("b", "", reverse), d.Within("b", "", reverse))
				}
			}
			all.Merge(&d)
		}
		require.Equal(t, one.Reads(), all.Reads())
		require.Equal(t, one.Writes(), all.Writes())
		want := map[string]bool{}
		for _, k := range one.Within("", "", false) {
			want[k] = true
		}
		require.Equal(t, slices.Sorted(maps.Keys(want)), one.Writes())
	})
}
