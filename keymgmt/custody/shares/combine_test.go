package shares_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

func TestEveryChangedBitIsNoticed(t *testing.T) {
	set, list := deal(t, root, 3, 5)
	for at := range list[1].Bytes() {
		for bit := range 8 {
			bad, ok := changed(list[1], at, 1<<bit)
			if !ok {
				continue
			}
			require.ErrorIs(t, set.Check(bad), opsec.ErrInvalid)
			require.Equal(t, []int{0}, positions(t, set.Check(bad)))

			_, err := set.Combine([]shares.Share{list[0], bad})
			require.Equal(t, []int{1}, positions(t, err), "the set needs no others")

			secret, err := shares.Combine([]shares.Share{list[0], bad, list[2]})
			require.ErrorIs(t, err, opsec.ErrInvalid, "byte %d", at)
			require.Nil(t, secret)

			secret, err = shares.Combine([]shares.Share{bad, list[0], list[2], list[3]})
			require.Nil(t, secret)
			if twice := new(shares.IndexError); !errors.As(err, &twice) { // it says that it is another, which is there too
				require.Equal(t, []int{0}, positions(t, err), "byte %d", at)
			}
		}
	}
}

func TestBadSharesAreNamedAndTheOthersOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 9).Draw(t, "n")
		k := rapid.IntRange(2, n).Draw(t, "k")
		set, list := deal(t, root, k, n)
		want := slices.Sorted(slices.Values(rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 1, n, rapid.ID).Draw(t, "bad")))
		given := slices.Clone(list)
		for _, at := range want {
			b := rapid.IntRange(7, len(list[at].Bytes())-1).Draw(t, "byte")
			given[at], _ = changed(list[at], b, rapid.ByteRange(1, 255).Draw(t, "flip"))
		}
		good := slices.DeleteFunc(slices.Clone(given), func(s shares.Share) bool { return slices.Contains(want, s.Index()-1) })

		_, err := set.Combine(given)
		require.Equal(t, want, positions(t, err))
		_, err = shares.Combine(given)
		if len(good) >= k {
			require.Equal(t, want, positions(t, err))
			for _, combine := range []func([]shares.Share) ([]byte, error){set.Combine, shares.Combine} {
				secret, err := combine(good)
				require.NoError(t, err)
				require.Equal(t, root, secret)
			}
		} else {
			require.ErrorIs(t, err, opsec.ErrInvalid)
		}
	})
}

func TestAnIndexTwiceIsRefused(t *testing.T) {
	set, list := deal(t, root, 3, 5)
	for _, given := range [][]shares.Share{pick(list, 1, 2, 1), pick(list, 1, 2, 3, 3), pick(list, 4, 4)} {
		for _, combine := range []func([]shares.Share) ([]byte, error){set.Combine, shares.Combine} {
			_, err := combine(given)
			var twice *shares.IndexError
			require.ErrorAs(t, err, &twice)
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Equal(t, given[len(given)-1].Index(), twice.Index)
		}
	}
}

func TestIndexesThatCannotBeAreRefused(t *testing.T) {
	set, list := deal(t, root, 3, 5)
	for _, index := range []byte{0, 6, 255} {
		b := list[0].Bytes()
		b[6] = index
		_, err := shares.ParseShare(b)
		var wrong *shares.IndexError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, int(index), wrong.Index)
	}
	given := []shares.Share{list[0], {}, list[2]}
	_, err := shares.Combine(given)
	require.Equal(t, &shares.IndexError{}, err)
	_, err = set.Combine(given)
	require.Equal(t, []int{1}, positions(t, err))
	cleared := list[4]
	cleared.Clear()
	_, err = shares.Combine([]shares.Share{list[0], list[1], list[2], cleared})
	require.Equal(t, &shares.IndexError{}, err)
}

func TestSharesOfAnotherSetAreNamed(t *testing.T) {
	set, list := deal(t, root, 2, 4)
	_, others := deal(t, root, 2, 4)
	given := []shares.Share{others[0], list[1], list[2]}
	for _, combine := range []func([]shares.Share) ([]byte, error){set.Combine, shares.Combine} {
		_, err := combine(given)
		require.Equal(t, []int{0}, positions(t, err))
	}
	_, err := shares.Combine([]shares.Share{list[0], others[1]})
	require.Empty(t, positions(t, err), "one of each: which is right?")
	_, err = shares.Combine([]shares.Share{list[0], list[1], others[1], others[2]})
	require.Empty(t, positions(t, err), "both open")
	_, err = shares.Combine([]shares.Share{others[0], list[0], others[1], others[2]})
	require.Equal(t, []int{1}, positions(t, err))
	_, err = set.Combine([]shares.Share{list[0], list[1], others[1], others[2], others[3]})
	require.Equal(t, []int{2, 3, 4}, positions(t, err), "the set knows, whatever the majority says")
}

func TestAShareGraftedOnAnotherSetIsNoticed(t *testing.T) {
	set, list := deal(t, root, 2, 3)
	_, others := deal(t, root, 2, 3)
	graft := others[1].Bytes()
	copy(graft[7:39], list[1].Bytes()[7:39]) // the id of the set
	bad, err := shares.ParseShare(graft)
	require.NoError(t, err)
	require.Equal(t, []int{0}, positions(t, set.Check(bad)))
	_, err = shares.Combine([]shares.Share{list[0], bad})
	require.Empty(t, positions(t, err))
	_, err = shares.Combine([]shares.Share{list[0], bad, list[2]})
	require.Equal(t, []int{1}, positions(t, err))
}

func TestAChangedSetIsRefused(t *testing.T) {
	set, list := deal(t, root, 2, 3)
	other, _ := deal(t, root, 2, 3)
	for what, change := range map[string]func(s *shares.Set){
		"label":    func(s *shares.Set) { s.Label = "boot" },
		"previous": func(s *shares.Set) { s.Previous = other.ID },
		"key":      func(s *shares.Set) { s.Key = other.Key },
		"mac":      func(s *shares.Set) { s.MAC[0]++ },
		"digests":  func(s *shares.Set) { s.Digests[2] = other.Digests[2] },
	} {
		s := *set
		s.Digests = slices.Clone(set.Digests)
		change(&s)
		require.NotEqual(t, set.Digest(), s.Digest(), what)
		_, err := s.Combine(list[:2])
		require.ErrorIs(t, err, shares.ErrSet, what)
		_, _, err = s.Refresh(list[:2], shares.Scheme{Threshold: 2, Shares: 2})
		require.ErrorIs(t, err, shares.ErrSet, what)
		_, err = s.Rehearse(list[:2], root, noon)
		require.ErrorIs(t, err, shares.ErrSet, what)
	}
	for what, change := range map[string]func(s *shares.Set){
		"id":        func(s *shares.Set) { s.ID = other.ID },
		"threshold": func(s *shares.Set) { s.Threshold = 3 },
		"size":      func(s *shares.Set) { s.Size++ },
		"digests":   func(s *shares.Set) { s.Digests[0][5]++ },
	} {
		s := *set
		s.Digests = slices.Clone(set.Digests)
		change(&s)
		require.NotEqual(t, set.Digest(), s.Digest(), what)
		_, err := s.Combine(list)
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
	}
}

func TestSetTakesNoNonsense(t *testing.T) {
	set, list := deal(t, root, 2, 3)
	good, err := json.Marshal(set)
	require.NoError(t, err)
	var read shares.Set
	require.NoError(t, json.Unmarshal(good, &read))
	require.Equal(t, *set, read)
	for field, change := range map[string]func(m map[string]any){
		"label":     func(m map[string]any) { m["label"] = string(make([]byte, 300)) },
		"threshold": func(m map[string]any) { m["threshold"] = 1 },
		"shares":    func(m map[string]any) { m["shares"] = 300 },
		"size":      func(m map[string]any) { m["size"] = 0 },
		"digests":   func(m map[string]any) { m["digests"] = []string{} },
		"digest:":   func(m map[string]any) { m["id"] = "00" },
		"lower":     func(m map[string]any) { m["id"] = string(make([]byte, 64)) },
		"previous":  func(m map[string]any) { m["previous"] = m["id"] },
		"unknown":   func(m map[string]any) { m["secret"] = "x" },
	} {
		var m map[string]any
		require.NoError(t, json.Unmarshal(good, &m))
		change(m)
		b, err := json.Marshal(m)
		require.NoError(t, err)
		was := read
		err = json.Unmarshal(b, &read)
		require.ErrorIs(t, err, opsec.ErrInvalid, field)
		require.ErrorContains(t, err, field)
		require.Equal(t, was, read, "unchanged")
	}
	require.ErrorContains(t, read.UnmarshalJSON(make([]byte, 70<<10)), "at most")
	var none shares.Set
	require.ErrorIs(t, none.Check(list[0]), opsec.ErrInvalid)
	_, err = none.Combine(list)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorIs(t, none.VerifyProof(shares.Proof{}, root), opsec.ErrInvalid)
}

func TestRefreshKeepsTheSecretAndPartsTheShares(t *testing.T) {
	set, list := deal(t, root, 3, 5)
	next, fresh, err := set.Refresh(pick(list, 5, 2, 3), shares.Scheme{Label: "root again", Threshold: 2, Shares: 4})
	require.NoError(t, err)
	require.Equal(t, set.ID, next.Previous)
	require.Equal(t, "root again", next.Label)
	secret, err := next.Combine(fresh[2:])
	require.NoError(t, err)
	require.Equal(t, root, secret)

	secret, err = set.Combine(list)
	require.NoError(t, err, "old ones with old ones still do: they are to be destroyed")
	require.Equal(t, root, secret)

	same, again, err := set.Refresh(list[:3], shares.Scheme{Threshold: 3, Shares: 5})
	require.NoError(t, err)
	mixed := []shares.Share{list[0], again[1], list[2]}
	_, err = shares.Combine(mixed)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = same.Combine(mixed)
	require.Equal(t, []int{0, 2}, positions(t, err))
	_, err = set.Combine(mixed)
	require.Equal(t, []int{1}, positions(t, err))

	_, _, err = set.Refresh(list[:2], shares.Scheme{Threshold: 3, Shares: 5})
	require.Equal(t, &shares.TooFewError{Have: 2, Need: 3}, err)
	_, _, err = set.Refresh(list, shares.Scheme{Threshold: 1, Shares: 5})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// With more bad shares than can be sorted out, there is an end to it.
func TestSortingOutEnds(t *testing.T) {
	_, list := deal(t, root, 5, 60)
	_, others := deal(t, root, 5, 60)
	for i := range list {
		if i >= 30 && i%4 != 0 { // no five neighbours are good, and all of the first ones are bad
			continue
		}
		b := list[i].Bytes()
		copy(b[39:], body(others[i])) // all of it: one changed byte alone may cancel out, and then it is found
		list[i], _ = shares.ParseShare(b)
	}
	_, err := shares.Combine(list)
	require.Empty(t, positions(t, err))
}

// TestOneBadShareIsNamedInAnyScheme has all shares of large schemes, one of them bad, wherever it stands.
func TestOneBadShareIsNamedInAnyScheme(t *testing.T) {
	for _, c := range []struct{ k, n, at int }{{10, 20, 0}, {10, 20, 7}, {10, 20, 19}, {2, 255, 0}, {128, 255, 0}, {254, 255, 100}} {
		_, list := deal(t, root, c.k, c.n)
		bad, ok := changed(list[c.at], 60, 1)
		require.True(t, ok)
		list[c.at] = bad
		_, err := shares.Combine(list)
		require.Equal(t, []int{c.at}, positions(t, err), "%+v", c)
	}
}

// TestForgedSharesDoNotUseUpTheSearch puts many shares of a set that was never dealt before the good ones, one of which is bad.
func TestForgedSharesDoNotUseUpTheSearch(t *testing.T) {
	_, forged := deal(t, root, 2, 200)
	for i := range forged {
		bad, ok := changed(forged[i], 60, 1)
		require.True(t, ok)
		forged[i] = bad
	}
	_, list := deal(t, root, 3, 5)
	bad, ok := changed(list[1], 60, 1)
	require.True(t, ok)
	list[1] = bad
	_, err := shares.Combine(append(forged, list...))
	at := positions(t, err)
	require.Len(t, at, 201)
	require.Equal(t, 201, at[200])
}
