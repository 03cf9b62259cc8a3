package name_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/identity/name"
)

func TestCanonicalKeepsTheExamplesOfRFC8265(t *testing.T) {
	for given, want := range map[string]string{ // table 1, and what section 3.3 makes of capitals
		"juliet@example.com": "juliet@example.com",
		"fussball":           "fussball",
		"fu\u00dfball":       "fu\u00dfball",
		"\u03c0":             "\u03c0",
		"\u03a3":             "\u03c3",
		"\u03c3":             "\u03c3",
		"\u03c2":             "\u03c2",
	} {
		got, err := name.Canonical(given)
		require.NoError(t, err, "%+q", given)
		require.Equal(t, want, got, "%+q", given)
	}
	for given, want := range map[string]name.Refused{ // table 2
		"":            {Reason: name.Empty, Position: -1},
		"foo bar":     {Reason: name.Disallowed, Rune: ' ', Position: 3},
		"henry\u2163": {Reason: name.Disallowed, Rune: 0x2163, Position: 5},
		"\u265a":      {Reason: name.Disallowed, Rune: 0x265a},
		"\u221e":      {Reason: name.Disallowed, Rune: 0x221e},
	} {
		_, err := name.Canonical(given)
		require.Equal(t, want, *refused(t, err), "%+q", given)
	}
}

func TestCanonicalMakesOneOfWhatIsTyped(t *testing.T) {
	for given, want := range map[string]string{
		"ALICE":                    "alice",
		"\uff21lice":               "alice",         // full width
		"\uff76\uff9e":             "\u30ac",        // half width katakana, with its own mark
		"Ame\u0301lie":             "am\u00e9lie",   // not composed
		"AM\u00c9LIE":              "am\u00e9lie",   // composed
		"\u0130smail":              "i\u0307smail",  // a capital i with its dot
		"\u1e9e":                   "\u00df",        // a capital sharp s
		"\u212bngstrom":            "\u00e5ngstrom", // the sign of a unit, which is that letter
		"l\u00b7l":                 "l\u00b7l",      // Catalan
		"\u0915\u094d\u200d\u0937": "\u0915\u094d\u200d\u0937",
	} {
		got, err := name.Canonical(given)
		require.NoError(t, err, "%+q", given)
		require.Equal(t, want, got, "%+q", given)
	}
}

func TestCanonicalSaysWhatIsWrong(t *testing.T) {
	for given, want := range map[string]name.Refused{
		"a\xffb":                     {Reason: name.NotText, Position: -1},
		strings.Repeat("a", 1025):    {Reason: name.TooLong, Position: -1},
		"al\tice":                    {Reason: name.Disallowed, Rune: '\t', Position: 2},
		"\ufb01n":                    {Reason: name.Disallowed, Rune: 0xfb01},           // a ligature
		"a\u00b7b":                   {Reason: name.Context, Rune: 0xb7, Position: 1},   // a middle dot not between l and l
		"a\u200db":                   {Reason: name.Context, Rune: 0x200d, Position: 1}, // a joiner with nothing to join
		"\u0661\u06f1":               {Reason: name.Context, Rune: 0x661},               // digits of two kinds of Arabic
		"\u05d0b":                    {Reason: name.Direction, Position: -1},            // Hebrew that ends in Latin
		"a\u05d0":                    {Reason: name.Direction, Position: -1},            // and the other way
		"1\u05d0":                    {Reason: name.Direction, Position: -1},            // a digit moves to the other side
		"x\U0001F600":                {Reason: name.Disallowed, Rune: 0x1f600, Position: 1},
		"\u0627\u0628\u0661\u0628_1": {Reason: name.Direction, Position: -1}, // both kinds of digits of the Bidi Rule
	} {
		_, err := name.Canonical(given)
		require.Equal(t, want, *refused(t, err), "%+q", given)
	}
}

func TestCanonicalOfACanonicalNameIsThatName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := texts(8).Draw(t, "text")
		once, err := name.Canonical(s)
		if err != nil {
			return
		}
		twice, err := name.Canonical(once)
		require.NoError(t, err)
		require.Equal(t, once, twice)
	})
}

func TestEveryCharacterAloneIsStableOrRefused(t *testing.T) {
	allowed := 0
	for r := range characters {
		once, err := name.Canonical(string(r))
		if err != nil {
			continue
		}
		allowed++
		if twice, err := name.Canonical(once); err != nil || once != twice {
			t.Errorf("%U: %+q, %+q, %v", r, once, twice, err)
		}
	}
	require.Greater(t, allowed, 100_000)
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"alice", "\uff21", "p\u0430ypal", "a\u202eb", "\u05d0\u05d1", "\u0130", "l\u00b7l", "\xff", "e\u0301", "\u0345\u03b1"} {
		f.Add(s)
	}
	policy, err := name.Preset("recommendation")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, s string) {
		canonical, err := name.Canonical(s)
		if err != nil {
			refused(t, err)
			_, err = policy.Check(s, "main")
			refused(t, err)
			return
		}
		again, err := name.Canonical(canonical)
		require.NoError(t, err)
		require.Equal(t, canonical, again)
		skeleton := name.Skeleton(canonical)
		require.Equal(t, skeleton, name.Skeleton(skeleton))
		n, err := policy.Check(s, "main")
		if err != nil {
			refused(t, err)
			return
		}
		require.Equal(t, name.Name{Canonical: canonical, Skeleton: skeleton}, n)
		same, err := policy.Check(canonical, "main")
		require.NoError(t, err)
		require.Equal(t, n, same)
	})
}
