package tuple_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store/tuple"
)

// The examples of design/tuple.md of apple/foundationdb, and what its rules give for the limits.
func TestEncodingIsThatOfTheTupleLayer(t *testing.T) {
	for want, k := range map[string]tuple.Key{
		"\x01foo\x00\xffbar\x00":                 tuple.Key{}.Bytes([]byte("foo\x00bar")),
		"\x02F\xc3\x94O\x00\xffbar\x00":          tuple.Text("F\u00d4O\x00bar"),
		"\x11\x4a\x8d\x16":                       tuple.Key{}.Int(-11891433),
		"\x14":                                   tuple.Key{}.Int(0),
		"\x15\x01":                               tuple.Key{}.Int(1),
		"\x13\xfe":                               tuple.Key{}.Int(-1),
		"\x15\xff":                               tuple.Key{}.Int(255),
		"\x13\x00":                               tuple.Key{}.Int(-255),
		"\x16\x01\x00":                           tuple.Key{}.Int(256),
		"\x12\xfe\xff":                           tuple.Key{}.Int(-256),
		"\x1c\xff\xff\xff\xff\xff\xff\xff\xff":   tuple.Key{}.Uint(math.MaxUint64),
		"\x0c\x7f\xff\xff\xff\xff\xff\xff\xff":   tuple.Key{}.Int(math.MinInt64),
		"\x26\x27":                               tuple.Key{}.Bool(false).Bool(true),
		"\x05\x01foo\x00\xffbar\x00\x05\x00\x00": tuple.Key{}.Tuple(tuple.Key{}.Bytes([]byte("foo\x00bar")).Tuple(tuple.Key{})),
	} {
		require.Equal(t, []byte(want), []byte(k.Encode()))
		back, err := tuple.Parse(want)
		require.NoError(t, err)
		require.Equal(t, k, back)
	}
}

// component draws a part and how to append it.
var component = rapid.OneOf(
	rapid.Map(rapid.Int64(), func(n int64) any { return n }),
	rapid.Map(rapid.SampledFrom([]int64{0, 1, -1, 255, 256, -255, -256, math.MaxInt64, math.MinInt64}), func(n int64) any { return n }),
	rapid.Map(rapid.SampledFrom([]string{"", "a", "a\x00", "a\x00b", "a\xff", "ab", "\x00", "\xff"}), func(s string) any { return s }),
	rapid.Map(rapid.String(), func(s string) any { return s }),
	rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 4), func(b []byte) any { return b }),
	rapid.Map(rapid.Bool(), func(b bool) any { return b }),
)

func keyOf(parts []any) (k tuple.Key) {
	for _, p := range parts {
		switch p := p.(type) {
		case int64:
			k = k.Int(p)
		case string:
			k = k.Text(p)
		case []byte:
			k = k.Bytes(p)
		case bool:
			k = k.Bool(p)
		}
	}
	return k
}

func rankOf(p any) int {
	switch p.(type) {
	case []byte:
		return 1
	case string:
		return 2
	case int64:
		return 3
	}
	return 4
}

func compareParts(a, b []any) int {
	return slices.CompareFunc(a, b, func(x, y any) int {
		if c := cmp.Compare(rankOf(x), rankOf(y)); c != 0 {
			return c
		}
		switch x := x.(type) {
		case int64:
			return cmp.Compare(x, y.(int64))
		case string:
			return cmp.Compare(x, y.(string))
		case []byte:
			return bytes.Compare(x, y.([]byte))
		}
		switch {
		case x == y:
			return 0
		case y.(bool):
			return -1
		}
		return 1
	})
}

func TestKeysSortAsTheirTuples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(component, 0, 4).Draw(t, "a")
		b := rapid.SliceOfN(component, 0, 4).Draw(t, "b")
		if rapid.Bool().Draw(t, "common") {
			b = append(slices.Clone(a[:len(a)/2]), b...)
		}
		x, y := keyOf(a), keyOf(b)
		require.Equal(t, compareParts(a, b), sign(x.Compare(y)), "%v %v", x, y)
		require.Equal(t, compareParts(a, b) == 0, x == y)
		// and the same inside a tuple, with something behind it
		require.Equal(t, sign(compareParts(a, b)), sign(tuple.Key{}.Tuple(x).Int(1).Compare(tuple.Key{}.Tuple(y).Int(1))))
		require.Equal(t, x.HasPrefix(y), len(b) <= len(a) && compareParts(a[:min(len(b), len(a))], b) == 0)
		in, open := tuple.Key{}.Tuple(x).Encode(), tuple.Key{}.Open(y)
		require.Equal(t, x.HasPrefix(y), open <= in && in < open+"\xff")
	})
}

func sign(n int) int { return cmp.Compare(n, 0) }

func TestKeysReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(component, 1, 5).Draw(t, "parts")
		k := keyOf(parts)
		back, err := tuple.Parse(k.Encode())
		require.NoError(t, err)
		require.Equal(t, k, back)
		require.Zero(t, compareParts(parts, back.Parts()))
		inner, rest, err := tuple.CutTuple(tuple.Key{}.Tuple(k).Text("rest").Encode())
		require.NoError(t, err)
		require.Equal(t, k, inner)
		require.Equal(t, tuple.Text("rest").Encode(), rest)
	})
}

func TestTimesSort(t *testing.T) {
	times := []time.Time{{}, time.Unix(-5, 1), time.Unix(0, 0), time.Unix(0, 7), time.Unix(1, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
	require.True(t, slices.IsSortedFunc(times, func(a, b time.Time) int {
		return tuple.Key{}.Time(a).Compare(tuple.Key{}.Time(b))
	}))
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	for name, enc := range map[string]string{
		"unknown type":    "\x33",
		"text cut":        "\x02abc",
		"text cut in esc": "\x02abc\x00\xff",
		"integer cut":     "\x17\x01\x02",
		"integer padded":  "\x16\x00\x01",
		"negative padded": "\x12\xff\xfe",
		"below int64":     "\x0c\x00\x00\x00\x00\x00\x00\x00\x00",
		"tuple cut":       "\x05\x15\x01",
		"end":             "\x00",
		"too deep":        strings.Repeat("\x05", 100) + strings.Repeat("\x00", 100),
	} {
		_, err := tuple.Parse(enc)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(tuple.Text("a\x00b").Int(-7).Bool(true).Tuple(tuple.Text("x").Uint(1 << 63)).Encode())
	f.Add("\x0c\x7f\xff\xff\xff\xff\xff\xff\xff")
	f.Add(strings.Repeat("\x05", 20))
	f.Fuzz(func(t *testing.T, enc string) {
		k, err := tuple.Parse(enc)
		if err != nil {
			return
		}
		if k.Encode() != enc {
			t.Fatal("does not encode back")
		}
		_ = k.String()
		var again tuple.Key
		for _, p := range k.Parts() {
			switch p := p.(type) {
			case uint64:
				again = again.Uint(p)
			case tuple.Key:
				again = again.Tuple(p)
			default:
				again = again.Join(keyOf([]any{p}))
			}
		}
		if again != k {
			t.Fatalf("%q has parts %v, which encode as %q", enc, k.Parts(), again.Encode())
		}
	})
}

func Example() {
	a := tuple.Text("acme").Int(-1)
	b := tuple.Text("acme").Int(7).Time(time.Unix(1_800_000_000, 0))
	c := tuple.Text("acme corp")
	fmt.Println(a.Compare(b) < 0, b.Compare(c) < 0, b.HasPrefix(tuple.Text("acme")))
	fmt.Println(b)
	// Output:
	// true true true
	// ("acme", 7, 1800000000, 0)
}
