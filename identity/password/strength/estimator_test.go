package strength_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/identity/password/strength"
)

var shared = sync.OnceValue(func() *strength.Estimator {
	e, err := strength.New()
	if err != nil {
		panic(err)
	}
	return e
})

func ExampleEstimator_Estimate() {
	e, err := strength.New()
	if err != nil {
		panic(err)
	}
	for _, text := range []string{"P@ssw0rd1", "tulip-cement-ridge-oboe", "qwertyuiop2026"} {
		g := e.Estimate(text)
		fmt.Println(text, "scores", g.Score())
		for _, p := range g.Pieces {
			fmt.Println("-", p.Kind, text[p.From:p.To])
		}
	}
	// Output:
	// P@ssw0rd1 scores 1
	// - leet P@ssw0rd
	// - bruteforce 1
	// tulip-cement-ridge-oboe scores 4
	// - word tulip
	// - bruteforce -
	// - word cement
	// - bruteforce -ridge-oboe
	// qwertyuiop2026 scores 1
	// - word qwertyuiop
	// - year 2026
}

func ExampleEstimator_MilliLog10() {
	e, err := strength.New()
	if err != nil {
		panic(err)
	}
	fmt.Println(e.MilliLog10("zorbitron42") > e.MilliLog10("zorbitron42", "Zorbitron Ltd"))
	// Output: true
}

func kinds(g strength.Guesses) (list []strength.Kind) {
	for _, p := range g.Pieces {
		list = append(list, p.Kind)
	}
	return list
}

func TestEachWayOfGuessingIsSeen(t *testing.T) {
	for text, want := range map[string][]strength.Kind{
		"dragon":             {strength.Word},
		"emosewa":            {strength.Reversed},
		"p4ssw0rd":           {strength.Leet},
		"4rch1t3ctur3":       {strength.Leet},
		"jkl;'][poi":         {strength.Walk},
		"aoeuidh":            {strength.Walk}, // Dvorak
		"zqzqzqzqzq":         {strength.Repeat},
		"jklmnop":            {strength.Sequence},
		"97531":              {strength.Sequence},
		"1987":               {strength.Year},
		"2026":               {strength.Year},
		"13.5.1876":          {strength.Date},
		"2031-05-13":         {strength.Date},
		"13051876":           {strength.Date},
		"xqzvkw":             {strength.Bruteforce},
		"dragon13.5.1876":    {strength.Word, strength.Date},
		"xqzvkwarchitecture": {strength.Bruteforce, strength.Word},
	} {
		require.Equal(t, want, kinds(shared().Estimate(text)), text)
	}
}

// What the paper counts, by hand.
func TestGuessesAreThoseOfThePaper(t *testing.T) {
	e := shared()
	for text, want := range map[string]int{
		"":             0,
		"123456":       0,    // the most common password
		"x":            1041, // brute force: 11, so that a match of the same length wins
		"xqzvkw":       6000, // 10^6
		"jklmnop":      2260, // 26 * 7
		"ponmlkj":      2561, // twice
		"abcdefghijk":  1643, // an obvious beginning: 4 * 11
		"1987":         1591, // 39 years before 2026
		"2020":         1301, // 20 at least
		"13.5.1876":    5341, // 150 years * 365 days * 4 for the signs
		"zqzqzqzqzq":   2698, // five times 10^2
		"xqzvkwxqzvkw": 6301, // twice 10^6
	} {
		require.InDelta(t, want, e.MilliLog10(text), 1, text)
	}
}

func TestScoreHasTheBordersOfZxcvbn(t *testing.T) {
	for milli, want := range map[int]int{0: 0, 3000: 0, 3001: 1, 6000: 1, 6001: 2, 8000: 2, 8001: 3, 10_000: 3, 10_001: 4, 999_999: 4} {
		require.Equal(t, want, strength.Guesses{MilliLog10: milli}.Score(), "%d", milli)
	}
}

func TestCapitalsAndFiguresAddLittle(t *testing.T) {
	e := shared()
	plain := e.MilliLog10("architecture")
	require.Greater(t, plain, 3000)
	for _, text := range []string{"Architecture", "ARCHITECTURE", "architecturE", "erutcetihcra"} {
		require.InDelta(t, plain+301, e.MilliLog10(text), 1, text) // twice
	}
	require.InDelta(t, e.MilliLog10("jkl;'][poi")+301, e.MilliLog10(`JKL:"}{POI`), 1, "shift held all the while")
	require.InDelta(t, plain+3*301, e.MilliLog10("4rch1tec7ure"), 301, "some of them exchanged")
	require.Greater(t, e.MilliLog10("aRcHiTeCtUrE"), e.MilliLog10("Architecture")+2000)
}

func TestContextWordsAreFirst(t *testing.T) {
	e := shared()
	require.Less(t, e.MilliLog10("Zorbitron", "zorbitron"), 1000)
	require.Less(t, e.MilliLog10("nortibroz", "zorbitron"), 1000)
	require.Less(t, e.MilliLog10("z0rb1tr0n", "info@zorbitron.example"), 2000)
	require.Greater(t, e.MilliLog10("zorbitron"), 6000)
	// more words than are looked at do no harm
	many := make([]string, 10_000)
	for i := range many {
		many[i] = fmt.Sprint("word", i)
	}
	require.Greater(t, e.MilliLog10("zorbitron", many...), 6000)
}

// Hostile texts cost no more than honest ones of the same length, and what is too long is looked at in part.
func TestAnyTextIsEstimated(t *testing.T) {
	e := shared()
	for _, text := range []string{"\xff\xfe", "\x00", "пароль", "密码密码", "🦦🦦🦦", strings.Repeat("1!|7", 200), strings.Repeat("a", 100_000),
		strings.Repeat("11/11/11", 50), strings.Repeat("a1", 60) + "b", "ß", "İstanbul"} {
		g := e.Estimate(text)
		require.GreaterOrEqual(t, g.MilliLog10, 0, "%q", text)
	}
	long := strings.Repeat("k7", strength.Longest)
	require.Equal(t, e.Estimate(long), e.Estimate(long+"more"))
}

func TestPiecesCoverTheTextInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-c1-3A-B!@/ é]{1,30}`).Draw(t, "text")
		g := shared().Estimate(text)
		at := 0
		for _, p := range g.Pieces {
			require.Equal(t, at, p.From)
			require.Greater(t, p.To, p.From)
			at = p.To
		}
		require.Equal(t, len([]rune(text)), at)
	})
}

// Brute force is always open, so no text stands more guesses than its length has figures.
func TestNoTextIsStrongerThanItsLength(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(1, 40, -1).Draw(t, "text")
		require.LessOrEqual(t, shared().MilliLog10(text), max(1042, 1000*len([]rune(text))))
	})
}

func TestAWordMoreInTheContextNeverMakesStronger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`(otter|Zorb|alice|x9)[a-z0-9]{0,8}`).Draw(t, "text")
		word := rapid.SampledFrom([]string{"otter", "zorb", "alice"}).Draw(t, "word")
		require.LessOrEqual(t, shared().MilliLog10(text, word), shared().MilliLog10(text))
	})
}

func FuzzEstimate(f *testing.F) {
	for _, seed := range []string{"P@ssw0rd1", "11/11/11", "aaaaaa", "1!|7", "\xff", "İ"} {
		f.Add(seed, "word")
	}
	f.Fuzz(func(t *testing.T, text, word string) {
		g := shared().Estimate(text, word)
		if g.MilliLog10 < 0 || g.MilliLog10 > 999_999 {
			t.Fatal(g.MilliLog10)
		}
	})
}
