package password_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/password"
)

// set is a blocklist of whole passwords.
type set map[string]bool

func (s set) Contains(text string) bool { return s[text] }

// byLength estimates a power of ten for each byte, and nothing for a context word.
type byLength struct{}

func (byLength) MilliLog10(text string, words ...string) int {
	for _, w := range words {
		if w == text {
			return 0
		}
	}
	return 1000 * len(text)
}

func checker(t testing.TB, p password.Profile) *password.Checker {
	c, err := password.New(p, &password.Options{Blocklist: set{"password": true}, Strength: byLength{}, Words: []string{"Example Cloud"}})
	require.NoError(t, err)
	return c
}

// broken returns the rules that an error names.
func broken(err error) (list []password.Rule) {
	for _, v := range password.Violations(err) {
		list = append(list, v.Rule)
	}
	return list
}

func ExampleChecker_Check() {
	p, _ := password.Preset(password.Recommendation)
	c, err := password.New(p, &password.Options{Blocklist: set{"password": true}, Words: []string{"Example Cloud"}})
	if err != nil {
		panic(err)
	}
	err = c.Check([]byte("Ex4mple-cloud"), password.Context{Words: []string{"alice"}})
	for _, v := range password.Violations(err) {
		fmt.Println(v.Reason())
	}
	fmt.Println(c.Check([]byte("seven otters knit quietly"), password.Context{MFA: true}))
	fmt.Println(c.Check([]byte("7 otters knit quietly"), password.Context{MFA: true}))
	// Output:
	// it has 13 characters, and at least 15 are needed
	// it must not be built on your name, your account or the name of the service
	// password: it needs at least one digit: invalid
	// <nil>
}

func ExamplePrepare() {
	// The same keys, from an input method that writes full-width letters.
	a, _ := password.Prepare([]byte("ｏｔｔｅｒ ７"))
	fmt.Printf("%q\n", a)
	_, err := password.Prepare([]byte("otter\x00"))
	fmt.Println(err)
	// Output:
	// "otter 7"
	// password: it must not be empty, or hold characters that cannot be seen or are unknown: invalid
}

func ExampleProfile_Due() {
	p, _ := password.Preset(password.PCI)
	changed := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	fmt.Println(p.Due(changed, false))
	_, ok := p.Due(changed, true)
	fmt.Println(ok)
	// Output:
	// 2026-05-30 09:00:00 +0000 UTC true
	// false
}

func TestLengthCountsPreparedCodePoints(t *testing.T) {
	p := password.Profile{Name: "p", Length: 4, LengthMFA: 2, Longest: 6, SkipBlocklist: true, Words: password.SkipWords}
	c := checker(t, p)
	for text, want := range map[string][]password.Rule{
		"äöü":              {password.RuleLength},
		"äöüß":             nil,
		"密码密码":             nil,
		"a\u0308o\u0308uu": nil,                   // composed: four
		"ﬃx":               nil,                   // the ligature is three letters
		"１２３":              {password.RuleLength}, // full-width figures are figures
		"abcdefg":          {password.RuleLongest},
		"🦦🦦🦦🦦🦦🦦":           nil,
	} {
		require.Equal(t, want, broken(c.Check([]byte(text), password.Context{})), "%q", text)
	}
	require.NoError(t, c.Check([]byte("ab"), password.Context{MFA: true}))
	require.Equal(t, []password.Rule{password.RuleLength}, broken(c.Check([]byte("a"), password.Context{MFA: true})))
	require.Equal(t, 4, password.Profile{Length: 4}.AtLeast(true))
}

func TestWhatCannotBeTypedOrSeenIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "control": "abc\ndef", "not utf-8": "abc\xff", "zero width space": "abc\u200bdef", "unassigned": "abc\U000e0080", "right to left override": "abc\u202e",
		"zero width joiner": "👩\u200d👩", "soft hyphen": "ab\u00adc", "private use": "\ue000abc",
	} {
		_, err := password.Prepare([]byte(text))
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		require.Equal(t, []password.Rule{password.RuleCharacters}, broken(err), name)
	}
	for _, text := range []string{" leading and trailing ", "密码", "пароль", "كلمة السر", "🦦", "~!@#$%^&*()"} {
		got, err := password.Prepare([]byte(text))
		require.NoError(t, err, "%q", text)
		require.Equal(t, text, string(got))
	}
	got, err := password.Prepare([]byte("no\u00a0break\u3000wide"))
	require.NoError(t, err)
	require.Equal(t, "no break wide", string(got))
}

func TestPrepareIsBounded(t *testing.T) {
	_, err := password.Prepare([]byte(strings.Repeat("a", password.MaxBytes+1)))
	require.Equal(t, []password.Rule{password.RuleLongest}, broken(err))
	_, err = password.Prepare([]byte(strings.Repeat("\ufdfa", password.MaxBytes/3))) // each becomes eighteen
	require.Equal(t, []password.Rule{password.RuleLongest}, broken(err))
}

func TestPrepareIsIdempotentAndHasMemoryOfItsOwn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(rapid.String().Draw(t, "text"))
		once, err := password.Prepare(text)
		if err != nil {
			return
		}
		twice, err := password.Prepare(once)
		require.NoError(t, err)
		require.Equal(t, once, twice)
		kept := string(once)
		clear(text)
		require.Equal(t, kept, string(once))
	})
}

func TestCompositionCountsClassesOfAnyScript(t *testing.T) {
	p := password.Profile{Name: "p", Length: 1, Longest: 64, SkipBlocklist: true, Words: password.SkipWords,
		Require: []password.Class{password.Letter, password.Digit}, Classes: 3}
	c := checker(t, p)
	require.NoError(t, c.Check([]byte("Ж1ж"), password.Context{}))
	require.NoError(t, c.Check([]byte("密1a"), password.Context{}))
	err := c.Check([]byte("ab"), password.Context{})
	require.Equal(t, []password.Rule{password.RuleComposition, password.RuleComposition}, broken(err))
	require.Equal(t, []password.Class{password.Digit}, password.Violations(err)[0].Classes)
	require.ErrorContains(t, err, "one digit")
	require.ErrorContains(t, err, "3 of")
	p.Classes, p.Require = 0, []password.Class{password.Lower, password.Upper, password.Sign}
	require.Equal(t, []password.Class{password.Lower, password.Upper, password.Sign}, password.Violations(checker(t, p).Check([]byte("12"), password.Context{}))[0].Classes)
	require.NoError(t, checker(t, p).Check([]byte("aB "), password.Context{}))
}

func TestContextWordsAreSeenThroughDisguise(t *testing.T) {
	p := password.Profile{Name: "p", Length: 1, Longest: 64, SkipBlocklist: true}
	within := checker(t, p)
	p.Words = password.Whole
	whole := checker(t, p)
	p.Words = password.SkipWords
	skip := checker(t, p)
	about := password.Context{Words: []string{"alice.smith87@example.org", "Bo", "Ångström", "Ｗｉｄｅ"}}
	for text, want := range map[string]struct{ within, whole bool }{
		"xxALICExx":            {true, false},
		"4l1c3":                {true, true},
		"Alice2026!":           {true, true},
		"2026-alice":           {true, true},
		"ecila":                {true, true},
		"the smith's hammer":   {true, false},
		"ex@mp1e":              {true, true},
		"Example-Cloud 1":      {true, true},
		"al-ic-e":              {true, true},
		"examplecloud":         {true, true}, // of the service
		"åNGSTRÖM9":            {true, true},
		"a\u030angstro\u0308m": {true, true},
		"wide open":            {true, false},
		"bo bo bo":             {false, false}, // too short to count
		"org chart":            {false, false},
		"otter":                {false, false},
	} {
		require.Equal(t, want.within, len(broken(within.Check([]byte(text), about))) > 0, "within: %q", text)
		require.Equal(t, want.whole, len(broken(whole.Check([]byte(text), about))) > 0, "whole: %q", text)
		require.NoError(t, skip.Check([]byte(text), about))
	}
	err := within.Check([]byte("xxalicexx"), about)
	require.NotContains(t, err.Error(), "alice")
	for _, words := range [][]string{make([]string, password.MaxWords+1), {strings.Repeat("a", password.MaxBytes+1)}} {
		require.ErrorIs(t, within.Check([]byte("otter"), password.Context{Words: words}), opsec.ErrInvalid)
		_, err := password.New(p, &password.Options{Blocklist: set{}, Words: words})
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestSimilarityCountsEdits(t *testing.T) {
	p := password.Profile{Name: "p", Length: 1, Longest: 64, SkipBlocklist: true, Similarity: 3}
	c := checker(t, p)
	for text, want := range map[string]bool{
		"Winter-2025": false, "winter-2026": false, "WINTER-25": false, "Winter-2025ab": false,
		"Winter-2025abc": true, "Summer-2025": true, "something else": true,
	} {
		err := c.Check([]byte(text), password.Context{Previous: []byte("Winter-2025")})
		require.Equal(t, want, err == nil, text)
		require.NoError(t, c.Check([]byte(text), password.Context{}))
	}
	require.NoError(t, c.Check([]byte("otter"), password.Context{Previous: []byte("\x00")}))
}

func TestRepeatsBlocklistStrengthAndBytes(t *testing.T) {
	p := password.Profile{Name: "p", Length: 1, Longest: 64, Repeats: 2, Strength: 5000, LongestBytes: 12}
	c := checker(t, p)
	for text, want := range map[string][]password.Rule{
		"aabbcc":   nil,
		"aaabbcc":  {password.RuleRepeats},
		"password": {password.RuleBlocklist},
		"ｐａｓｓｗｏｒｄ": {password.RuleBlocklist},
		"abcd":     {password.RuleStrength},
		"密码密码密":    {password.RuleTruncation},
		"aaab":     {password.RuleRepeats, password.RuleStrength},
		"private":  nil,
	} {
		require.Equal(t, want, broken(c.Check([]byte(text), password.Context{})), text)
	}
	require.Equal(t, []password.Rule{password.RuleWords, password.RuleStrength}, broken(c.Check([]byte("private"), password.Context{Words: []string{"private"}})))
}

func TestNewRefusesWhatIsNotWired(t *testing.T) {
	p := password.Profile{Name: "p", Length: 8, Longest: 64}
	_, err := password.New(p, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, "blocklist")
	p.SkipBlocklist, p.Strength = true, 1
	_, err = password.New(p, nil)
	require.ErrorContains(t, err, "strength")
	_, err = password.New(password.Profile{}, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	p.Strength = 0
	c, err := password.New(p, nil)
	require.NoError(t, err)
	require.Equal(t, p, c.Profile())
}

func TestAges(t *testing.T) {
	changed := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	p := password.Profile{MinimumAge: 24 * time.Hour, Cycle: 240 * time.Hour, CycleMFA: 480 * time.Hour}
	err := p.MayChange(changed, changed.Add(24*time.Hour-1))
	require.ErrorIs(t, err, opsec.ErrDenied)
	var v *password.Violation
	require.True(t, errors.As(err, &v))
	require.Equal(t, password.RuleMinimumAge, v.Rule)
	require.Equal(t, changed.Add(24*time.Hour), v.From)
	require.NoError(t, p.MayChange(changed, changed.Add(24*time.Hour)))
	require.Error(t, p.MayChange(changed, changed.Add(-time.Hour)), "a clock that went back")
	due, ok := p.Due(changed, true)
	require.True(t, ok)
	require.Equal(t, changed.Add(480*time.Hour), due)
	_, ok = password.Profile{}.Due(changed, false)
	require.False(t, ok)
	require.NoError(t, password.Profile{}.MayChange(changed, changed))
}

// No text of a violation, and no text of an error, holds the password.
func TestErrorsHoldNoPassword(t *testing.T) {
	p, err := password.Preset(password.Recommendation)
	require.NoError(t, err)
	p.Similarity, p.Repeats, p.Strength, p.Classes = 5, 1, 30_000, 4
	c := checker(t, p)
	err = c.Check([]byte("qqzorbqq"), password.Context{Words: []string{"zorb"}, Previous: []byte("qqzorbqq")})
	require.Equal(t, []password.Rule{password.RuleLength, password.RuleComposition, password.RuleComposition, password.RuleRepeats, password.RuleWords,
		password.RuleSimilarity, password.RuleStrength}, broken(err))
	require.NotContains(t, fmt.Sprintf("%v %+v", err, err), "zorb")
	require.Empty(t, password.Violations(nil))
	require.Empty(t, password.Violations(errors.New("other")))
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"otter", "4l1c3", "\xff", "a\u0308", "\ufdfa", "👩\u200d👩"} {
		f.Add([]byte(seed), seed)
	}
	p := password.Profile{Name: "p", Length: 8, Longest: 64, Repeats: 2, Classes: 3, Similarity: 2, Strength: 9000}
	c := checker(f, p)
	f.Fuzz(func(t *testing.T, text []byte, word string) {
		err := c.Check(text, password.Context{Words: []string{word}, Previous: []byte(word)})
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
		}
	})
}
