package name_test

import (
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/name"
)

func TestNamesOfManyScriptsAreFine(t *testing.T) {
	p := preset(t, "recommendation")
	for _, s := range []string{
		"alice", "alice.miller", "o_brien-2", "Amélie", "Łukasz", "fußball", "ılgaz", "nguyễn",
		"алиса", "дмитрий-2", "αλέξανδρος", "σίσυφος", "אברהם", "דוד2", "محمد", "سارة", "محمد٣", "علی۲", "東京花子", "山田たろう",
		"김철수", "김bob", "alice東京", "अनिल", "สมชาย", "գարիկ", "გიორგი", "l·l.pere",
		"יוסי", "سيما", "ख़ाँ", "ကျော်", "အောင်", "ဖြိုး", "မို့မို့", "mike東一", "ノート", "一太郎", "mikeノート",
	} {
		if s == "l·l.pere" {
			p.Punctuation += "·"
		}
		n, err := p.Check(s, "main")
		require.NoError(t, err, s)
		canonical, err := name.Canonical(s)
		require.NoError(t, err)
		require.Equal(t, name.Name{Canonical: canonical, Skeleton: name.Skeleton(canonical)}, n)
	}
}

func TestAttacksAreRefusedWithTheirReason(t *testing.T) {
	p := preset(t, "recommendation")
	p.Reserved = append(p.Reserved, "paypal")
	for _, c := range []struct {
		text     string
		reason   name.Reason
		rune     rune
		position int
	}{
		{"p\u0430ypal", name.Mixed, 0x430, 1},         // Cyrillic among Latin
		{"g\u03bfogle", name.Mixed, 0x3bf, 1},         // Greek among Latin
		{"\u0430\u0441\u0435", name.Lookalike, 0, -1}, // all Cyrillic, reads as ace
		{"\u0440\u0430\u0443\u0440\u0430\u04cf", name.Lookalike, 0, -1},
		{"paypa1", name.Reserved, 0, -1},                // a digit for a letter
		{"PAYPAI", name.Reserved, 0, -1},                // a capital i is a small one
		{"\uff50\uff41\uff59pal", name.Reserved, 0, -1}, // full width is the name itself
		{"pay.pal", name.Reserved, 0, -1},
		{"adm\u0131n", name.Reserved, 0, -1}, // a dotless i
		{"adm1n", name.Reserved, 0, -1},
		{"admin4team", name.Reserved, 0, -1},
		{"adrnin", name.Reserved, 0, -1},
		{"r00t", name.Reserved, 0, -1},
		{"alice\u202egpj", name.Invisible, 0x202e, 5},           // right-to-left override
		{"al\u200dice", name.Invisible, 0x200d, 2},              // zero-width joiner
		{"al\u200bice", name.Invisible, 0x200b, 2},              // zero-width space
		{"al\u00adice", name.Invisible, 0xad, 2},                // soft hyphen
		{"alice\ufe0f", name.Invisible, 0xfe0f, 5},              // variation selector
		{"alice\U000e0041", name.Invisible, 0xe0041, 5},         // tag
		{"al\u3164ice", name.Invisible, 0x3164, 2},              // Hangul filler
		{"al\u2800ice", name.Invisible, 0x2800, 2},              // empty cell of Braille
		{"al\x00ice", name.Invisible, 0, 2},                     // a control
		{"\u0915\u094d\u200d\u0937", name.Invisible, 0x200d, 2}, // PRECIS lets this joiner be
		{"al ice", name.Disallowed, ' ', 2},
		{"al\u00a0ice", name.Disallowed, 0xa0, 2},
		{"alice\u2122", name.Disallowed, 0x2122, 5},
		{"\U0001d41alice", name.Disallowed, 0x1d41a, 0},     // a mathematical bold a
		{"i\u0307smail", name.Marks, 0x307, 1},              // a dot over the dot
		{"\u0130smail", name.Marks, 0x307, 1},               // what becomes of this capital
		{"x\u0301\u0302\u0303\u0300", name.Marks, 0x300, 4}, // a tower
		{"adm\u0131\u0307n", name.Marks, 0x307, 4},          // a dotless i, and its dot
		{"aml\u0307n", name.Marks, 0x307, 3},                // an l that is an i
		{"a\u4e28ice", name.Lookalike, 0x4e28, 1},           // a stroke for an l, as Han lets stand beside Latin
		{"alice\u4e00bob", name.Lookalike, 0x4e00, 5},       // a one for a hyphen
		{"alice\u30fc\u30fcbob", name.Lookalike, 0x30fc, 5},
		{"alice\u30cebob", name.Lookalike, 0x30ce, 5},    // a slash
		{"alice.\u3093login", name.Lookalike, 0x3093, 6}, // as in false addresses of 2025
		{"alice\u4e36", name.Lookalike, 0x4e36, 5},
		{"\u00e1dmin", name.Reserved, 0, -1},
		{"adm\u00edn", name.Reserved, 0, -1},
		{"a\u0111min", name.Reserved, 0, -1}, // a d with a stroke
		{"aclmin", name.Reserved, 0, -1},
		{"vvebmaster", name.Reserved, 0, -1},
		{"xx\u0301\u0301", name.Marks, 0x301, 3}, // the same twice
		{"\u0301xyz", name.Marks, 0x301, 0},      // on nothing
		{"abc.\u0301x", name.Marks, 0x301, 4},
		{"\u0967\u09e7\u0915\u0916", name.Start, 0x967, 0},
		{"\u0915\u0967\u09e7", name.Digits, 0x9e7, 2}, // Devanagari and Bengali ones
		{"\u0915\u09671", name.Digits, '1', 2},
		{"\u0645\u062d\u06611", name.Direction, 0, -1}, // an Arabic and a European digit
		{"\u05d0bc", name.Direction, 0, -1},            // Hebrew, then Latin
		{"abc\u05d0", name.Direction, 0, -1},
		{"\u05d0\u05d1-", name.Direction, 0, -1},     // the hyphen would jump
		{"\u05d0\u0628\u05d1", name.Mixed, 0x628, 1}, // Hebrew and Arabic
		{"\u6771\u0430\u0434", name.Mixed, 0x430, 1},
		{"\u1d43bc", name.Disallowed, 0x1d43, 0},         // a modifier letter
		{"\u16a0\u16a1\u16a2", name.Uncommon, 0x16a0, 0}, // runes
		{"\ua500\ua501\ua502", name.Uncommon, 0xa500, 0}, // Vai
		{"alice/bob", name.Punctuation, '/', 5},
		{"-alice", name.Punctuation, '-', 0},
		{"alice.", name.Punctuation, '.', 5},
		{"alice..bob", name.Punctuation, '.', 6},
		{"alice.-bob", name.Punctuation, '-', 6},
		{"\u05d0\u05f3\u05d1", name.Punctuation, 0x5f3, 1},
		{"1alice", name.Start, '1', 0},
		{"al", name.TooShort, 0, -1},
		{strings.Repeat("a", 65), name.TooLong, 0, -1},
		{strings.Repeat("a", 2000), name.TooLong, 0, -1},
		{"", name.Empty, 0, -1},
		{"\xff\xfe", name.NotText, 0, -1},
	} {
		_, err := p.Check(c.text, "main")
		r := refused(t, err)
		require.Equal(t, []any{c.reason, c.rune, c.position}, []any{r.Reason, r.Rune, r.Position}, "%+q: %v", c.text, err)
	}
}

func TestReservedBeginningIsFoundWhateverFollowsIt(t *testing.T) {
	p := name.Policy{Min: 1, Max: 20, Reserved: []string{"svc*"}}
	_, err := p.Check("svclogin", "main")
	require.Equal(t, "svc*", refused(t, err).Like)
}

func TestRefusalNamesWhatItResembles(t *testing.T) {
	p := preset(t, "recommendation")
	_, err := p.Check("adm\u0131n-x", "main")
	require.Equal(t, "admin*", refused(t, err).Like)
	require.EqualError(t, err, `name: refused: reserved: "admin*"`)
}

func TestRefusalIsHarmlessInALog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := name.Preset("recommendation")
		require.NoError(t, err)
		if _, err := p.Check(texts(12).Draw(t, "text"), "main"); err != nil {
			for _, r := range err.Error() {
				require.True(t, ' ' <= r && r <= '~', "%+q", err.Error())
			}
		}
	})
}

func TestPolicySaysHowFarScriptsMix(t *testing.T) {
	for level, want := range map[name.Level][]string{
		"":                     {"alice"},
		name.ASCII:             {"alice"},
		name.SingleScript:      {"alice", "аллё", "élan", "東京ア"},
		name.HighlyRestrictive: {"alice", "аллё", "élan", "東京ア", "alice東京ア"},
	} {
		p := name.Policy{Min: 1, Max: 20, Level: level}
		for _, s := range []string{"alice", "аллё", "élan", "東京ア", "alice東京ア", "aliceб"} {
			_, err := p.Check(s, "main")
			ok := false
			for _, one := range want {
				ok = ok || one == s
			}
			require.Equal(t, ok, err == nil, "%s %s %v", level, s, err)
		}
	}
}

func TestPolicyNamesItsScripts(t *testing.T) {
	p := name.Policy{Min: 1, Max: 20, Level: name.HighlyRestrictive, Scripts: []string{"Latn", "Jpan"}}
	for _, s := range []string{"alice", "élan", "東京", "アー", "alice東京"} {
		_, err := p.Check(s, "main")
		require.NoError(t, err, s)
	}
	for _, s := range []string{"аллё", "김", "אב"} {
		_, err := p.Check(s, "main")
		require.Equal(t, name.Foreign, refused(t, err).Reason, s)
	}
}

func TestPolicyMayAllowLookalikes(t *testing.T) {
	p := name.Policy{Min: 1, Max: 20, Level: name.SingleScript, InsecureAllowLookalikes: true}
	n, err := p.Check("сара", "main") // a name, in Cyrillic
	require.NoError(t, err)
	require.Equal(t, "capa", n.Skeleton)
	p.InsecureAllowLookalikes = false
	_, err = p.Check("сара", "main")
	require.Equal(t, name.Lookalike, refused(t, err).Reason)
	p.Reserved, p.InsecureAllowLookalikes = []string{"capa"}, true
	_, err = p.Check("сара", "main")
	require.Equal(t, name.Reserved, refused(t, err).Reason)
}

func TestPolicyCountsCodePoints(t *testing.T) {
	p := name.Policy{Min: 2, Max: 4, Level: name.SingleScript}
	for s, want := range map[string]name.Reason{"é": name.TooShort, "éà": "", "éàèù": "", "éàèùx": name.TooLong, "e\u0301a\u0300e\u0300u\u0300": ""} {
		_, err := p.Check(s, "main")
		if want == "" {
			require.NoError(t, err, s)
			continue
		}
		require.Equal(t, want, refused(t, err).Reason, s)
	}
}

func TestZeroPolicyRefusesEverything(t *testing.T) {
	_, err := name.Policy{}.Check("alice", "main")
	require.ErrorIs(t, err, opsec.ErrInvalid)
	var r *name.Refused
	require.NotErrorAs(t, err, &r)
}

func TestStrictestPolicyHasLettersAndDigits(t *testing.T) {
	p := name.Policy{Min: 1, Max: 9}
	for r := rune(1); r < utf8.RuneSelf; r++ {
		_, err := p.Check("a"+string(r)+"a", "main")
		plain := r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		require.Equal(t, plain, err == nil, "%q", r)
	}
}

func TestAcceptedNamesKeepThePromises(t *testing.T) {
	p := preset(t, "recommendation")
	p.Min = 1
	p.DigitFirst = true
	rapid.Check(t, func(t *rapid.T) {
		n, err := p.Check(texts(5).Draw(t, "text"), "main")
		if err != nil {
			t.Skip()
		}
		again, err := p.Check(n.Canonical, "main")
		require.NoError(t, err)
		require.Equal(t, n, again)
		require.Contains(t, []name.Level{name.ASCII, name.SingleScript, name.HighlyRestrictive}, name.LevelOf(n.Canonical))
		upper, err := p.Check(strings.ToUpper(n.Canonical), "main")
		if err == nil && name.LevelOf(n.Canonical) == name.ASCII {
			require.Equal(t, n, upper)
		}
	})
}

func TestChecksMayRunBesideEachOther(t *testing.T) {
	p := preset(t, "recommendation")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				if n, err := p.Check("\uff21m\u00e9lie\u00c9", "main"); err != nil || n.Canonical != "amélieé" {
					t.Error(n, err)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkCheck(b *testing.B) {
	p, err := name.Preset("recommendation")
	require.NoError(b, err)
	for _, s := range []string{"alice.miller", "алиса"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Check(s, "main"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
