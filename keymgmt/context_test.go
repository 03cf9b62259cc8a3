package keymgmt_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

func TestContextIsEncodedAsDocumented(t *testing.T) {
	c, err := keymgmt.NewContext("volume", "v1", "bucket", "b", "empty", "")
	require.NoError(t, err)
	require.Equal(t, "\x01"+
		"\x00\x00\x00\x06bucket\x00\x00\x00\x01b"+
		"\x00\x00\x00\x05empty\x00\x00\x00\x00"+
		"\x00\x00\x00\x06volume\x00\x00\x00\x02v1", string(c.Bytes()))

	c, err = keymgmt.NewContext()
	require.NoError(t, err)
	require.Equal(t, []byte{1}, c.Bytes())
	require.Equal(t, []byte{1}, keymgmt.Context{}.Bytes())
}

// parse reads the documented encoding, for the test alone: nothing else ever needs to.
func parse(b []byte) map[string]string {
	next := func() (s string) {
		n := binary.BigEndian.Uint32(b)
		s, b = string(b[4:4+n]), b[4+n:]
		return s
	}
	pairs := map[string]string{}
	for b = b[1:]; len(b) > 0; {
		name := next()
		pairs[name] = next()
	}
	return pairs
}

func TestContextSaysItsPairsAndNothingOfTheirOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringN(1, 12, 24).Filter(func(s string) bool { return !strings.HasPrefix(s, "opsec.") })
		pairs := rapid.MapOfN(name, rapid.StringN(0, 12, 24), 0, 8).Draw(t, "pairs")
		names := rapid.Permutation(slices.Collect(maps.Keys(pairs))).Draw(t, "order")
		var one, other []string
		for _, n := range names {
			one = append(one, n, pairs[n])
		}
		for _, n := range slices.Sorted(maps.Keys(pairs)) {
			other = append(other, n, pairs[n])
		}
		a, err := keymgmt.NewContext(one...)
		require.NoError(t, err)
		b, err := keymgmt.NewContext(other...)
		require.NoError(t, err)
		require.Equal(t, a, b)
		require.Equal(t, pairs, parse(a.Bytes()), "so that different pairs are encoded differently")
	})
}

func TestContextRefusesWhatItCannotHold(t *testing.T) {
	many := func(n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprint(i), "")
		}
		return list
	}
	_, err := keymgmt.NewContext(many(keymgmt.MaxContextNames)...)
	require.NoError(t, err)
	_, err = keymgmt.NewContext("a", strings.Repeat("x", keymgmt.MaxContextBytes-10))
	require.NoError(t, err)
	for why, list := range map[string][]string{
		"in turn":      {"a"},
		"not empty":    {"", "x"},
		"UTF-8":        {"\xff", "x"},
		"and UTF-8":    {"x", "\xff"},
		"twice":        {"a", "1", "b", "2", "a", "1"},
		"reserved":     {"opsec.key", "1"},
		"65 names":     many(keymgmt.MaxContextNames + 1),
		"8193 bytes, ": {"a", strings.Repeat("x", keymgmt.MaxContextBytes-9)},
	} {
		c, err := keymgmt.NewContext(list...)
		require.ErrorIs(t, err, opsec.ErrInvalid, why)
		require.ErrorContains(t, err, why)
		require.Equal(t, keymgmt.Context{}, c)
	}
}

func TestContextDoesNotCopyItsBytes(t *testing.T) {
	c, err := keymgmt.NewContext("volume", "v1")
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(100, func() { c.Bytes() }))
	b := c.Bytes()
	require.Equal(t, len(b), cap(b), "what is appended lands elsewhere")
	b = keymgmt.MaterialContext(subject).Bytes()
	require.Equal(t, len(b), cap(b))
}

func TestMaterialOfEachKeyHasItsOwnContext(t *testing.T) {
	require.Equal(t, map[string]string{"opsec.tenant": "acme", "opsec.keyset": "disks", "opsec.key": "00000007"},
		parse(keymgmt.MaterialContext(subject).Bytes()))
	seen := map[string]bool{}
	for _, ref := range []keymgmt.Ref{
		subject, {Set: subject.Set, Key: 70}, {Set: keymgmt.SetID{Tenant: "acme", ID: "disk"}, Key: 7},
		{Set: keymgmt.SetID{Tenant: "acm", ID: "edisks"}, Key: 7}, {},
	} {
		b := keymgmt.MaterialContext(ref).Bytes()
		require.False(t, seen[string(b)])
		seen[string(b)] = true
	}
}

func FuzzContext(f *testing.F) {
	f.Add("volume", "v1", "bucket", "b")
	f.Add("", "", "", "")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2 string) {
		c, err := keymgmt.NewContext(n1, v1, n2, v2)
		swapped, err2 := keymgmt.NewContext(n2, v2, n1, v1)
		require.Equal(t, err == nil, err2 == nil)
		require.True(t, bytes.Equal(c.Bytes(), swapped.Bytes()))
		if err == nil {
			require.Equal(t, map[string]string{n1: v1, n2: v2}, parse(c.Bytes()))
		}
	})
}

func ExampleNewContext() {
	c, err := keymgmt.NewContext("tenant", "acme", "volume", "v1")
	fmt.Printf("%q %v\n", c.Bytes(), err)
	_, err = keymgmt.NewContext("volume", "v1", "volume", "v2")
	fmt.Println(err)
	// Output:
	// "\x01\x00\x00\x00\x06tenant\x00\x00\x00\x04acme\x00\x00\x00\x06volume\x00\x00\x00\x02v1" <nil>
	// keymgmt: context: a name is there twice: invalid
}

func ExampleMaterialContext() {
	ref := keymgmt.Ref{Set: keymgmt.SetID{Tenant: "acme", ID: "disks"}, Key: 7}
	fmt.Printf("%q\n", keymgmt.MaterialContext(ref).Bytes())
	// Output: "\x01\x00\x00\x00\topsec.key\x00\x00\x00\b00000007\x00\x00\x00\fopsec.keyset\x00\x00\x00\x05disks\x00\x00\x00\fopsec.tenant\x00\x00\x00\x04acme"
}
