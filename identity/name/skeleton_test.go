package name_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/identity/name"
)

// vector is what another implementation, ICU 72.1, says: testdata/icu.c wrote it.
type vector struct{ text, skeleton, level string }

func vectors(t *testing.T) []vector {
	t.Helper()
	file, err := os.ReadFile("testdata/uts39.txt")
	require.NoError(t, err)
	var all []vector
	for line := range strings.Lines(string(file)) {
		fields := strings.Split(strings.TrimSpace(line), " ; ")
		require.Len(t, fields, 3)
		all = append(all, vector{points(t, fields[0]), points(t, fields[1]), fields[2]})
	}
	require.Len(t, all, 1200)
	return all
}

func points(t *testing.T, hex string) string {
	t.Helper()
	var out strings.Builder
	for _, one := range strings.Fields(hex) {
		r, err := strconv.ParseUint(one, 16, 21)
		require.NoError(t, err)
		out.WriteRune(rune(r))
	}
	return out.String()
}

func TestSkeletonAgreesWithICU(t *testing.T) {
	same := 0
	for _, v := range vectors(t) {
		got := name.Skeleton(v.text)
		require.Equal(t, name.Skeleton(v.skeleton), got, "%+q", v.text)
		if stable := name.Skeleton(v.skeleton) == v.skeleton; stable {
			same++
			require.Equal(t, v.skeleton, got, "%+q", v.text)
		}
	}
	require.Greater(t, same, 700, "texts whose skeleton needed neither lower case nor a second round")
}

func TestLevelAgreesWithICU(t *testing.T) {
	for _, v := range vectors(t) {
		require.Equal(t, v.level, string(name.LevelOf(v.text)), "%+q", v.text)
	}
}

func TestLookalikesHaveOneSkeleton(t *testing.T) {
	for _, pair := range [][2]string{
		{"paypal", "p\u0430yp\u0430l"},            // Cyrillic
		{"paypal", "paypa1"},                      // a digit
		{"microsoft", "rnicrosoft"},               // r and n
		{"google", "g\u03bf\u03bfgle"},            // Greek
		{"google", "g00gle"},                      // noughts
		{"admin", "adm\u0131n"},                   // a dotless i
		{"ismail", "i\u0307smail"},                // a dot over a dot
		{"jan", "j\u0307an"},                      // likewise
		{"\u0456van", "ivan"},                     // Ukrainian i
		{"alice", "al\u200dice"},                  // a joiner
		{"alice", "ali\u00adce"},                  // a soft hyphen
		{"\u00e9lan", "e\u0301lan"},               // not composed
		{"\u0627\u0661", "\u0627\u06f1"},          // digits of two systems that are drawn alike
		{"\u0578\u0578", "nn"},                    // Armenian
		{"\u13a0lice", "dlice"},                   // Cherokee, which lower case leaves as it is or not
		{"m\u00e5rs", "ma\u030ars"},               // a ring
		{"b\u00f6b", "bo\u0308b"},                 // two dots
		{"\u0440\u0430\u0443\u0440", "\u0440ayp"}, // half Cyrillic
	} {
		require.Equal(t, name.Skeleton(pair[0]), name.Skeleton(pair[1]), "%+q %+q", pair[0], pair[1])
	}
}

func TestWhatDoesNotLookAlikeHasTwoSkeletons(t *testing.T) {
	for _, pair := range [][2]string{
		{"alice", "alicia"}, {"anna", "ana"}, {"fussball", "fu\u00dfball"}, {"\u03c3", "\u03c2"}, {"u", "\u00fc"},
		{"e", "\u00e9"}, {"\u0434\u0430", "\u0434\u0443"}, {"\u6771", "\u4eac"}, {"i", "l"}, {"i\u0301\u0307", "i\u0301"},
	} {
		require.NotEqual(t, name.Skeleton(pair[0]), name.Skeleton(pair[1]), "%+q %+q", pair[0], pair[1])
	}
}

func TestSkeletonOfASkeletonIsThatSkeleton(t *testing.T) {
	for r := range characters {
		if s := name.Skeleton(string(r)); s != name.Skeleton(s) {
			t.Errorf("%U: %+q", r, s)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := name.Skeleton(texts(16).Draw(t, "text"))
		require.Equal(t, s, name.Skeleton(s))
	})
}

func TestSkeletonDoesNotDependOnComposition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := strings.ToValidUTF8(texts(8).Draw(t, "text"), "")
		require.Equal(t, name.Skeleton(norm.NFD.String(s)), name.Skeleton(norm.NFC.String(s)))
	})
}

func BenchmarkSkeleton(b *testing.B) {
	for _, s := range []string{"alice.miller", "алиса"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				name.Skeleton(s)
			}
		})
	}
}

// What is of ASCII takes a short way, which a letter beyond it bars.
func TestShortWayIsTheLongOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[ -~]{0,12}`).Draw(t, "text")
		long, found := strings.CutSuffix(name.Skeleton(s+"\u6771"), "\u6771")
		require.True(t, found)
		require.Equal(t, long, name.Skeleton(s))
		if canonical, err := name.Canonical(s + "\u6771"); err == nil && s != "" {
			short, err := name.Canonical(s)
			require.NoError(t, err)
			require.Equal(t, canonical, short+"\u6771")
		}
	})
}

func TestSmallLettersLookLikeThemselves(t *testing.T) {
	for r := 'a'; r <= 'z'; r++ {
		want := string(r)
		if r == 'm' {
			want = "rn"
		}
		require.Equal(t, want, name.Skeleton(string(r)))
	}
}
