package backup

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
)

func FuzzParseEntry(f *testing.F) {
	sum := strings.Repeat("0123456789abcdef", 4)
	for _, line := range []string{
		"d\t0755\t1772370000.123456789\ta\n", "l\t-1.000000000\t../x\tb\n", "o\t0600\t0.000000000\tfifo\tc\n", "o\t0600\t0.000000000\tother\tc\n",
		"f\t7777\t1.000000001\t0\t" + sum + "\td/e\n", "s\t0644\t1.000000001\t1099511627776\t" + sum + "\t" + `\x5c\x0a\xff` + "\n",
		"f\t0644\t1.000000001\t5\t" + sum + "\t" + sum + "\td/e\n",
		"f\t0644\t1.0\t5\t" + sum + "\td\n", "f\t0644\t1.000000000\t05\t" + sum + "\td\n", "d\t0755\t1.000000000\t../a\n", "d\t0755\t1.000000000\t/a\n",
		"d\t0755\t1.000000000\t\\xFF\n", "d\t0755\t1.000000000\t\\x41\n", "d\t0755\t+1.000000000\ta\n", "", "\n", "d", "x\t\t\t\n", "d\t0755\t9223372036854775807.999999999\ta\n",
	} {
		f.Add([]byte(line), false)
		f.Add([]byte(line), true)
	}
	f.Fuzz(func(t *testing.T, line []byte, sha bool) {
		e, err := parseEntry(line, sha)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Nil(t, e)
			return
		}
		require.Equal(t, string(line), string(e.appendLine(nil, sha)))
		require.Equal(t, 1, bytes.Count(line, []byte("\n")))
		require.True(t, utf8.Valid(line))
		require.NoError(t, checkPath(e.Path))
		require.LessOrEqual(t, len(line), maxLineLen)
		require.Equal(t, sha && e.content(), !e.Sums.SHA256.IsZero())
		require.GreaterOrEqual(t, e.Sums.Size, int64(0))
		require.Equal(t, e.Kind == Link, e.Target != "")
	})
}

func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "a", `\`, `\x0a`, "\n", "\x00", "\x7f", "\xff\xfe", "é", "e\u0301", "日本", "\u2028", "\u0085", "\ufffd", "\xef\xbf", "\xed\xa0\x80", "a\tb", "🏴\U000e0067"} {
		f.Add(s, s+"x")
	}
	f.Fuzz(func(t *testing.T, s, other string) {
		q := Quote(s)
		back, err := unquote(q)
		require.NoError(t, err)
		require.Equal(t, s, back)
		require.Equal(t, s == other, q == Quote(other))
		require.True(t, utf8.ValidString(q))
		for _, r := range q {
			require.False(t, unicode.IsControl(r) || r == '\u2028' || r == '\u2029', "%q", q)
		}
		if strings.IndexByte(s, '\\') < 0 && q == s {
			require.Equal(t, q, Quote(q), "what needs no quoting stays as it is")
		}
	})
}

func TestQuoteShowsWhatTerminalsHide(t *testing.T) {
	for s, want := range map[string]string{
		"plain ~!": "plain ~!", "a\nb": `a\x0ab`, "tab\t": `tab\x09`, `\`: `\x5c`, `\x41`: `\x5cx41`, "\x1b[2J": `\x1b[2J`, "\x7f": `\x7f`,
		"\u0085": `\xc2\x85`, "\u009b": `\xc2\x9b`, "\u00a0": "\u00a0", "\u2028\u2029": `\xe2\x80\xa8\xe2\x80\xa9`,
		"\xff": `\xff`, "é\xc3": `é\xc3`, "日本": "日本", "\xed\xa0\x80": `\xed\xa0\x80`, "\xc0\xaf": `\xc0\xaf`, "\ufffd": "\ufffd",
	} {
		require.Equal(t, want, Quote(s), "%q", s)
	}
}

func TestUnquoteRefusesHalfAnEscape(t *testing.T) {
	for _, s := range []string{`\`, `a\x`, `a\x1`, `\n`, `\\`, `\X41`, `\xg0`, `\x+1`, `\x 1`} {
		_, err := unquote(s)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%s", s)
	}
}

func TestEveryModeHasOneSpelling(t *testing.T) {
	seen := map[fs.FileMode]bool{}
	for n := range 1 << 12 {
		text := fmt.Sprintf("%04o", n)
		m, err := parseMode(text)
		require.NoError(t, err)
		require.Equal(t, text, string(appendMode(nil, m)))
		require.Zero(t, m&^permissions)
		seen[m] = true
	}
	require.Len(t, seen, 1<<12)
	for _, text := range []string{"", "644", "00644", "0648", "-644", "+644", "0o44", "10000", "064_", " 644"} {
		_, err := parseMode(text)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%q", text)
	}
}

func TestEveryTimeHasOneSpelling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64().Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
		text := appendTime(nil, at)
		back, err := parseTime(string(text))
		require.NoError(t, err)
		require.True(t, at.Equal(back))
		require.Equal(t, time.UTC, back.Location())
		require.Equal(t, string(text), string(appendTime(nil, back)))
	})
	for _, text := range []string{"", "1", "1.", ".000000000", "1.00000000", "1.0000000000", "1.-00000000", "1.+00000000", "1e3.000000000", "0x1.000000000", "9223372036854775808.000000000", "1.000000000.0"} {
		_, err := parseTime(text)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%q", text)
	}
}

// Any entry that Build can make is one that OpenManifest reads.
func TestEntriesRoundTrip(t *testing.T) {
	part := rapid.StringMatching(`[a-z .\\\n\t\x00-\x1féü]{1,5}`).Filter(func(s string) bool { return s != "." && s != ".." && strings.IndexByte(s, 0) < 0 })
	rapid.Check(t, func(t *rapid.T) {
		sha := rapid.Bool().Draw(t, "sha256")
		e := &Entry{
			Path: strings.Join(rapid.SliceOfN(part, 1, 4).Draw(t, "path"), "/"),
			Kind: rapid.SampledFrom([]Kind{Directory, File, Sparse, Link, Special}).Draw(t, "kind"),
			Mode: fs.FileMode(rapid.Uint32Range(0, 0o777).Draw(t, "mode")), ModTime: time.Unix(rapid.Int64().Draw(t, "time"), 7).UTC(),
		}
		switch e.Kind {
		case File, Sparse:
			e.Sums = Sums{Size: rapid.Int64Range(0, 1<<62).Draw(t, "size"), BLAKE3: Digest{1}}
			if sha {
				e.Sums.SHA256 = Digest{2}
			}
		case Link:
			e.Target, e.Mode = string(append(rapid.SliceOfN(rapid.ByteRange(1, 255), 0, 20).Draw(t, "target"), 'x')), 0
		case Special:
			e.Mode |= rapid.SampledFrom(specials).Draw(t, "type").mode
		}
		line := e.appendLine(nil, sha)
		back, err := parseEntry(line, sha)
		require.NoError(t, err, "%q", line)
		require.Equal(t, e, back)
		_, err = parseEntry(line, !sha)
		require.Equal(t, e.content(), err != nil, "the digests are as many as the manifest has")
	})
}

func TestLongestLineFits(t *testing.T) {
	worst := strings.Repeat("\xff", MaxPathLen)
	e := &Entry{Path: worst, Kind: Link, Target: worst, ModTime: time.Unix(-1<<63, 999_999_999).UTC()}
	line := e.appendLine(nil, true)
	require.Less(t, len(line), maxLineLen)
	back, err := parseEntry(line, true)
	require.NoError(t, err)
	require.Equal(t, e, back)
	cvs := make([]Digest, groupsPerLine)
	require.Less(t, len(appendGroups(nil, cvs)), maxLineLen)
}
