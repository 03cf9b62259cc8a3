package backup_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/trust"
)

func encoded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

const plainHead = "opsec-manifest/v1 blake3\n"

// lineOfFile returns the line of a file of the size given.
func lineOfFile(size, path string) string {
	return "f\t0644\t1700000000.000000000\t" + size + "\t" + strings.Repeat("ab", 32) + "\t" + path + "\n"
}

func lineOfDir(path string) string { return "d\t0755\t1700000000.000000000\t" + path + "\n" }

// counted is the count of one file of n bytes.
func counted(n int64) backup.Counts { return backup.Counts{Entries: 1, Files: 1, Bytes: n} }

func TestForgedManifestsOpenWhereNothingIsWrong(t *testing.T) {
	_, err := parsed(forged(t, plainHead, []string{lineOfFile("5", "a")}, counted(5), nil))
	require.NoError(t, err)
	_, err = parsed(forged(t, plainHead, []string{lineOfDir("a"), lineOfFile("5", "a/b")}, backup.Counts{Entries: 2, Files: 1, Directories: 1, Bytes: 5}, nil))
	require.NoError(t, err)
	_, err = parsed(forged(t, plainHead, nil, backup.Counts{}, nil))
	require.NoError(t, err)
	_, err = parsed(forged(t, "opsec-manifest/v1 blake3 groups=65536\n", []string{lineOfFile("5", "a")}, counted(5), nil))
	require.NoError(t, err)
}

func TestHostileLinesAreRefused(t *testing.T) {
	good := strings.Repeat("ab", 32)
	two := backup.Counts{Entries: 2, Files: 2, Bytes: 10}
	for name, c := range map[string]struct {
		lines  []string
		counts backup.Counts
	}{
		"parent":              {[]string{lineOfFile("5", "../a")}, counted(5)},
		"parent inside":       {[]string{lineOfFile("5", "a/../../b")}, counted(5)},
		"absolute":            {[]string{lineOfFile("5", "/etc/passwd")}, counted(5)},
		"dot":                 {[]string{lineOfFile("5", "./a")}, counted(5)},
		"empty part":          {[]string{lineOfFile("5", "a//b")}, counted(5)},
		"trailing slash":      {[]string{lineOfFile("5", "a/")}, counted(5)},
		"empty path":          {[]string{lineOfFile("5", "")}, counted(5)},
		"NUL":                 {[]string{lineOfFile("5", `a\x00b`)}, counted(5)},
		"long path":           {[]string{lineOfFile("5", strings.Repeat("a", 5000))}, counted(5)},
		"long line":           {[]string{lineOfFile("5", strings.Repeat("a", 60_000))}, counted(5)},
		"duplicate":           {[]string{lineOfFile("5", "a"), lineOfFile("5", "a")}, two},
		"out of order":        {[]string{lineOfFile("5", "b"), lineOfFile("5", "a")}, two},
		"no directory":        {[]string{lineOfFile("5", "a/b")}, counted(5)},
		"file as directory":   {[]string{lineOfFile("5", "a"), lineOfFile("5", "a/b")}, two},
		"link as directory":   {[]string{"l\t1.000000000\t/etc\ta\n", lineOfFile("5", "a/b")}, backup.Counts{Entries: 2, Files: 1, Links: 1, Bytes: 5}},
		"needless escape":     {[]string{lineOfFile("5", `\x61`)}, counted(5)},
		"upper-case escape":   {[]string{lineOfFile("5", `\xFF`)}, counted(5)},
		"bare backslash":      {[]string{lineOfFile("5", `a\b`)}, counted(5)},
		"raw bad UTF-8":       {[]string{lineOfFile("5", "a\xff")}, counted(5)},
		"raw control":         {[]string{lineOfFile("5", "a\x1b[2J")}, counted(5)},
		"CRLF":                {[]string{strings.Replace(lineOfFile("5", "a"), "\n", "\r\n", 1)}, counted(5)},
		"negative size":       {[]string{lineOfFile("-5", "a")}, counted(-5)},
		"plus":                {[]string{lineOfFile("+5", "a")}, counted(5)},
		"leading zero":        {[]string{lineOfFile("05", "a")}, counted(5)},
		"hex size":            {[]string{lineOfFile("0x5", "a")}, counted(5)},
		"size above int64":    {[]string{lineOfFile("9223372036854775808", "a")}, counted(5)},
		"sizes overflow":      {[]string{lineOfFile("9223372036854775807", "a"), lineOfFile("9223372036854775807", "b")}, backup.Counts{Entries: 2, Files: 2, Bytes: -2}},
		"zero digest":         {[]string{strings.Replace(lineOfFile("5", "a"), good, strings.Repeat("00", 32), 1)}, counted(5)},
		"short digest":        {[]string{strings.Replace(lineOfFile("5", "a"), good, good[:62], 1)}, counted(5)},
		"upper-case digest":   {[]string{strings.Replace(lineOfFile("5", "a"), good, strings.ToUpper(good), 1)}, counted(5)},
		"mode":                {[]string{strings.Replace(lineOfFile("5", "a"), "0644", "644", 1)}, counted(5)},
		"mode above":          {[]string{strings.Replace(lineOfFile("5", "a"), "0644", "9999", 1)}, counted(5)},
		"time":                {[]string{strings.Replace(lineOfFile("5", "a"), ".000000000", ".0", 1)}, counted(5)},
		"time padded":         {[]string{strings.Replace(lineOfFile("5", "a"), "1700000000", "01700000000", 1)}, counted(5)},
		"unknown kind":        {[]string{"x" + lineOfFile("5", "a")[1:]}, counted(5)},
		"unknown special":     {[]string{"o\t0644\t1.000000000\tdoor\ta\n"}, backup.Counts{Entries: 1, Specials: 1}},
		"two fields too many": {[]string{strings.Replace(lineOfFile("5", "a"), "\ta\n", "\tb\tc\ta\n", 1)}, counted(5)},
		"no fields":           {[]string{"\n"}, counted(5)},
		"empty link":          {[]string{"l\t1.000000000\t\ta\n"}, backup.Counts{Entries: 1, Links: 1}},
		"chunks without head": {[]string{"c\t" + good + "\n", lineOfFile("5", "a")}, counted(5)},
		"counts that lie":     {[]string{lineOfFile("5", "a")}, counted(6)},
		"an entry too few":    {[]string{lineOfFile("5", "a")}, two},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parsed(forged(t, plainHead, c.lines, c.counts, nil))
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.NotErrorIs(t, err, backup.ErrNotManifest)
			require.Less(t, len(err.Error()), 300, "an error does not repeat the whole of what is wrong")
			switch name {
			case "counts that lie", "an entry too few":
				require.ErrorContains(t, err, "the body holds")
			case "sizes overflow":
				require.ErrorContains(t, err, "above the bounds")
			default:
				require.ErrorContains(t, err, "manifest: line ", "refused for what the line is, and not for what follows from it")
			}
		})
	}
}

func TestHostileChunkLinesAreRefused(t *testing.T) {
	const head = "opsec-manifest/v1 blake3 groups=65536\n"
	cv := strings.Repeat("cd", 32)
	for name, lines := range map[string][]string{
		"none":          {lineOfFile("70000", "a")},
		"too few":       {"c\t" + cv + "\n", lineOfFile("70000", "a")},
		"too many":      {"c\t" + cv + cv + cv + "\n", lineOfFile("70000", "a")},
		"wrong ones":    {"c\t" + cv + cv + "\n", lineOfFile("70000", "a")},
		"for a small":   {"c\t" + cv + "\n", lineOfFile("5", "a")},
		"not full":      {"c\t" + cv + "\n", "c\t" + cv + "\n", lineOfFile("70000", "a")},
		"long line":     {"c\t" + strings.Repeat(cv, 65) + "\n", lineOfFile("70000", "a")},
		"odd length":    {"c\t" + cv[1:] + "\n", lineOfFile("70000", "a")},
		"no values":     {"c\t\n", lineOfFile("70000", "a")},
		"without file":  {lineOfFile("5", "a"), "c\t" + cv + "\n"},
		"before a link": {"c\t" + cv + "\n", "l\t1.000000000\tx\ta\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parsed(forged(t, head, lines, counted(70000), nil))
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Regexp(t, "chunk|truncated", err.Error(), "refused for the chunk lines, and not for what follows from them")
		})
	}
}

func TestHostileHeadersAreRefused(t *testing.T) {
	swap := func(old, by string) func(string) string {
		return func(p string) string {
			if !strings.Contains(p, old) {
				panic(old)
			}
			return strings.Replace(p, old, by, 1)
		}
	}
	for name, change := range map[string]func(string) string{
		"predicate type":   swap("backup-manifest/v1", "other/v1"),
		"statement type":   swap("Statement/v1", "Statement/v0"),
		"two subjects":     swap(`}],"predicateType`, `},{"name":"data","digest":{"blake3":"`+strings.Repeat("ab", 32)+`","sha256":"`+strings.Repeat("ab", 32)+`"}}],"predicateType`),
		"unknown field":    swap(`"tenant"`, `"more":1,"tenant"`),
		"duplicate field":  swap(`"tenant":"acme"`, `"tenant":"acme","tenant":"acme"`),
		"other case":       swap(`"tenant"`, `"Tenant"`),
		"white space":      swap(`"tenant":`, `"tenant": `),
		"trailing":         func(p string) string { return p + " " },
		"two values":       func(p string) string { return p + p },
		"escaped letter":   swap("acme", `\u0061cme`),
		"time zone":        swap("12:00:00Z", "12:00:00+00:00"),
		"time fraction":    swap("12:00:00Z", "12:00:00.000Z"),
		"sequence 0":       swap(`"sequence":1`, `"sequence":0`),
		"sequence float":   swap(`"sequence":1`, `"sequence":1.0`),
		"tenant":           swap("acme", "../acme"),
		"source":           swap(`"source":"data"`, `"source":""`),
		"other subject":    swap(`"name":"data"`, `"name":"date"`),
		"body digest":      swap(`"blake3":"`, `"blake3":"00`),
		"null counts":      swap(`"counts":{`, `"counts":null,"x":{`),
		"sha without body": swap(`["blake3"]`, `["blake3","sha256"]`),
		"unknown digest":   swap(`["blake3"]`, `["md5"]`),
		"no digest":        swap(`["blake3"]`, `[]`),
		"group size":       swap(`"merkleRoot"`, `"groupSize":1,"merkleRoot"`),
		"deep nesting":     func(string) string { return strings.Repeat("[", 100_000) },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parsed(forged(t, plainHead, []string{lineOfFile("5", "a")}, counted(5), change))
			require.ErrorIs(t, err, opsec.ErrInvalid)
		})
	}
}

func TestHostileEnvelopesAreRefused(t *testing.T) {
	good := string(forged(t, plainHead, nil, backup.Counts{}, nil))
	start := strings.Index(good, `{"payloadType"`)
	line := good[start : len(good)-66]
	sealed := func(env string) []byte {
		return sealedAnew([]byte(good[:start] + env + "\n" + strings.Repeat("0", 64) + "\n"))
	}
	_, err := parsed(sealed(line))
	require.NoError(t, err)
	sig := `{"keyid":"k","sig":"AAAA"},`
	for name, env := range map[string]string{
		"a million signatures":  strings.Replace(line, "[]", "["+strings.Repeat(sig, 1_000_000)+`{"keyid":"k","sig":"AAAA"}]`, 1),
		"257 signatures":        strings.Replace(line, "[]", "["+strings.Repeat(sig, 256)+`{"keyid":"k","sig":"AAAA"}]`, 1),
		"null signatures":       strings.Replace(line, "[]", "null", 1),
		"signature base64":      strings.Replace(line, "[]", `[{"keyid":"k","sig":"A"}]`, 1),
		"loose base64":          strings.Replace(line, "[]", `[{"keyid":"k","sig":"AB=="}]`, 1),
		"URL base64":            strings.Replace(line, "[]", `[{"keyid":"k","sig":"-_8="}]`, 1),
		"payload type":          strings.Replace(line, "in-toto", "out-toto", 1),
		"unknown field":         strings.Replace(line, "{", `{"x":1,`, 1),
		"field order":           `{"payload":"","payloadType":"application/vnd.in-toto+json","signatures":[]}`,
		"empty":                 "",
		"no JSON":               "hello",
		"payload of two values": strings.Replace(line, `"payload":"`, `"payload":"AAAA`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parsed(sealed(env))
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Less(t, len(err.Error()), 300)
		})
	}
}

func TestOtherFilesAreNotManifests(t *testing.T) {
	for _, text := range []string{"", "x", "\xef\xbb\xbf" + plainHead, strings.Repeat("ab", 32) + "  a\n", "opsec-manifest/v2 blake3\n"} {
		_, err := parsed([]byte(text))
		require.ErrorIs(t, err, backup.ErrNotManifest, "%.40q", text)
	}
	_, err := backup.OpenManifestFile(t.TempDir())
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = backup.OpenManifestFile("/dev/zero")
	require.ErrorIs(t, err, opsec.ErrInvalid, "and does not read it")
}

// TestClaimOfATebibyteCostsNothing verifies a manifest that says a small file has 1 TiB.
func TestClaimOfATebibyteCostsNothing(t *testing.T) {
	m := mustOpen(t, forged(t, plainHead, []string{lineOfFile(fmt.Sprint(int64(1)<<40), "a")}, counted(1<<40), nil))
	r, err := backup.Verify(context.Background(), m, trust.Verifier{}, fstest.MapFS{"a": {Data: []byte("small")}}, backup.Budget{})
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, r.Changed)
	require.Equal(t, int64(5), r.Bytes)
}

// TestManifestThatChangesUnderVerifyIsNoticed swaps the body after it was opened.
func TestManifestThatChangesUnderVerifyIsNoticed(t *testing.T) {
	b := forged(t, plainHead, []string{lineOfFile("5", "a")}, counted(5), nil)
	m := mustOpen(t, b)
	copy(b[bytes.IndexByte(b, 'a'):], "b")
	i := bytes.Index(b, []byte("1700000000"))
	b[i] = '2'
	_, err := backup.Verify(context.Background(), m, trust.Verifier{}, fstest.MapFS{}, backup.Budget{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func FuzzOpenManifest(f *testing.F) {
	f.Add(forged(f, plainHead, []string{lineOfFile("5", "a")}, counted(5), nil))
	f.Add(forged(f, "opsec-manifest/v1 blake3,sha256 groups=65536\n", nil, backup.Counts{}, nil))
	f.Add([]byte(plainHead))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 65 { // let the fuzzer past the last line's digest
			sum := blake3.Sum256(b[:len(b)-65])
			b = append(bytes.Clone(b[:len(b)-65]), fmt.Sprintf("%x\n", sum)...)
		}
		m, err := parsed(b)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		again := mustOpen(t, b)
		require.Equal(t, m.ID(), again.ID())
		r, err := backup.Verify(context.Background(), m, trust.Verifier{}, fstest.MapFS{}, backup.Budget{})
		require.NoError(t, err)
		require.Equal(t, m.Header.Counts.Entries, r.Totals.Missing)
		require.False(t, r.OK)
	})
}
