package shares_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/cryptotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

func TestAnyThresholdGivesTheSecret(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, "secret")
		n := rapid.IntRange(2, 12).Draw(t, "n")
		k := rapid.IntRange(2, n).Draw(t, "k")
		set, list := deal(t, secret, k, n)
		list = rapid.Permutation(list).Draw(t, "order")
		some := list[:rapid.IntRange(0, n).Draw(t, "some")]
		for name, combine := range map[string]func([]shares.Share) ([]byte, error){"set": set.Combine, "paper": shares.Combine} {
			got, err := combine(some)
			if len(some) >= k {
				require.NoError(t, err, name)
				require.Equal(t, secret, got, name)
				continue
			}
			var few *shares.TooFewError
			require.ErrorAs(t, err, &few, name)
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Equal(t, len(some), few.Have)
			require.True(t, few.Need == k || len(some) == 0, name)
			require.Nil(t, got)
		}
	})
}

func TestTheLargestSplit(t *testing.T) {
	secret := bytes.Repeat([]byte{0xff}, 64)
	set, list := deal(t, secret, 255, 255)
	got, err := set.Combine(list)
	require.NoError(t, err)
	require.Equal(t, secret, got)
	for _, s := range []shares.Share{list[0], list[254]} {
		read, err := shares.ParseText(s.Text())
		require.NoError(t, err)
		require.Equal(t, s.Bytes(), read.Bytes())
	}
}

func TestSplitRefuses(t *testing.T) {
	for field, bad := range map[string]struct {
		secret []byte
		scheme shares.Scheme
	}{
		"threshold: 1 of 3":  {root, shares.Scheme{Threshold: 1, Shares: 3}},
		"threshold: 0 of 0":  {root, shares.Scheme{}},
		"threshold: 4 of 3":  {root, shares.Scheme{Threshold: 4, Shares: 3}},
		"threshold: -2 of 3": {root, shares.Scheme{Threshold: -2, Shares: 3}},
		"shares: 256":        {root, shares.Scheme{Threshold: 2, Shares: 256}},
		"secret: 0 bytes":    {nil, shares.Scheme{Threshold: 2, Shares: 3}},
		"secret: 1025 bytes": {make([]byte, 1025), shares.Scheme{Threshold: 2, Shares: 3}},
		"label: 257 bytes":   {root, shares.Scheme{Label: strings.Repeat("x", 257), Threshold: 2, Shares: 3}},
		"label: 1 bytes":     {root, shares.Scheme{Label: "\xff", Threshold: 2, Shares: 3}},
	} {
		set, list, err := shares.Split(bad.secret, bad.scheme)
		require.ErrorIs(t, err, opsec.ErrInvalid, field)
		require.ErrorContains(t, err, field)
		require.Nil(t, set)
		require.Nil(t, list)
	}
}

func TestSplitLeavesTheSecretAlone(t *testing.T) {
	secret := bytes.Clone(root)
	_, list := deal(t, secret, 2, 3)
	require.Equal(t, root, secret)
	list[0].Clear()
	require.Equal(t, root, secret)
	require.NotZero(t, list[1].Index(), "each share clears itself alone")
	require.Zero(t, list[0].Index())
}

// field is GF(2^8) by tables of powers of 3: what FIPS 197 has in section 4.2, written another way than in the package.
type field struct {
	exp [510]byte
	log [256]int
}

func newField() (f field) {
	x := 1
	for i := range 255 {
		f.exp[i], f.exp[i+255], f.log[x] = byte(x), byte(x), i
		x ^= x << 1 // times 3
		if x > 0xff {
			x ^= 0x11b
		}
	}
	return f
}

func (f *field) mul(a, b byte) byte {
	if a == 0 || b == 0 {
		return 0
	}
	return f.exp[f.log[a]+f.log[b]]
}

func (f *field) div(a, b byte) byte {
	if a == 0 {
		return 0
	}
	return f.exp[f.log[a]+255-f.log[b]]
}

// at returns the value at x of the polynomial through the points.
func (f *field) at(x byte, xs, ys []byte) (sum byte) {
	for i := range xs {
		term := ys[i]
		for j := range xs {
			if i != j {
				term = f.div(f.mul(term, xs[j]^x), xs[j]^xs[i])
			}
		}
		sum ^= term
	}
	return sum
}

// body is what of a share is on the polynomials, by the documented form.
func body(s shares.Share) []byte {
	b := s.Bytes()
	return b[7+32 : len(b)-16]
}

func TestSharesLieOnPolynomials(t *testing.T) {
	f := newField()
	require.EqualValues(t, 0xc1, f.mul(0x57, 0x83), "FIPS 197, section 4.2")
	require.EqualValues(t, 0xfe, f.mul(0x57, 0x13), "FIPS 197, section 4.2.1")
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.SliceOfN(rapid.Byte(), 1, 41).Draw(t, "secret")
		n := rapid.OneOf(rapid.IntRange(2, 7), rapid.Just(40)).Draw(t, "n")
		k := rapid.IntRange(2, min(n, 5)).Draw(t, "k")
		_, list := deal(t, secret, k, n)
		for column := range len(secret) + 32 {
			var xs, ys []byte
			for _, s := range list[n-k:] {
				xs, ys = append(xs, byte(s.Index())), append(ys, body(s)[column])
			}
			if column < len(secret) {
				require.Equal(t, secret[column], f.at(0, xs, ys))
			}
			for _, s := range list {
				require.Equal(t, body(s)[column], f.at(byte(s.Index()), xs, ys), "of degree k-1")
			}
		}
	})
}

// The coefficients are uniform, the highest too, and 0 as often as others: otherwise fewer shares would tell something.
func TestCoefficientsAreUniform(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	f := newField()
	const k, rounds = 3, 1024
	var counts [k][256]int
	for range rounds {
		_, list := deal(t, root, k, k)
		for column := range root {
			ys := []byte{body(list[0])[column], body(list[1])[column], body(list[2])[column]}
			// y1, y2, y3 at 1, 2, 3: solve for the coefficients of s + ax + bx^2.
			s := root[column]
			// y1 = s^a^b, y2 = s ^ 2a ^ 4b: b = (2*(y1^s) ^ (y2^s)) / (2^4)
			b := f.div(f.mul(2, ys[0]^s)^ys[1]^s, 2^4)
			a := ys[0] ^ s ^ b
			require.Equal(t, ys[2], s^f.mul(3, a)^f.mul(5, b))
			counts[0][ys[0]]++
			counts[1][a]++
			counts[2][b]++
		}
	}
	const expected = rounds * 32 / 256 // with a deviation of about 11
	for what, row := range counts {
		for value, count := range row {
			require.InDelta(t, expected, count, 70, "%d: %d", what, value)
		}
	}
}

func TestNoTwoSplitsAreAlike(t *testing.T) {
	a, first := deal(t, root, 2, 3)
	b, second := deal(t, root, 2, 3)
	require.NotEqual(t, a.ID, b.ID)
	require.NotEqual(t, a.Key, b.Key)
	require.NotEqual(t, a.Digest(), b.Digest())
	for i := range first {
		require.NotEqual(t, body(first[i]), body(second[i]))
	}
	require.NotContains(t, fmt.Sprintf("%x", first[0].Bytes()), fmt.Sprintf("%x", root[:4]))
}
