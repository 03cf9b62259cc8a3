package audit_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
)

// lines reads what is in text: actions, and "error" for a bad line.
func lines(text string) (list []string, errs []error) {
	for e, err := range audit.Read(strings.NewReader(text)) {
		if err != nil {
			list, errs = append(list, "error"), append(errs, err)
			continue
		}
		list = append(list, strings.TrimPrefix(e.Action, "test."))
	}
	return list, errs
}

func TestReadGoesOnBehindDamage(t *testing.T) {
	r := batch("a", "b", "c")
	a, b, c := string(r[0].JSON)+"\n", string(r[1].JSON)+"\n", string(r[2].JSON)+"\n"
	long := strings.Repeat("x", 3<<20) + "\n"
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"whole":             {a + b + c, []string{"a", "b", "c"}},
		"nothing":           {"", nil},
		"blank line":        {a + "\n" + b, []string{"a", "error", "b"}},
		"not JSON":          {a + "{\n" + b, []string{"a", "error", "b"}},
		"JSON of something": {a + "[1]\n" + b, []string{"a", "error", "b"}},
		"torn and repaired": {a + b[:len(b)/2] + "\n" + c, []string{"a", "error", "c"}},
		"torn at the end":   {a + b[:len(b)-1], []string{"a", "error"}},
		"two in one line":   {a + b[:len(b)-1] + c, []string{"a", "error"}},
		"too long":          {a + long + b, []string{"a", "error", "b"}},
		"too long at last":  {a + long[:len(long)-1], []string{"a", "error"}},
		"zeros":             {a + strings.Repeat("\x00", 5000), []string{"a", "error"}},
		"invalid event":     {a + strings.Replace(b, `"success"`, `"great"`, 1) + c, []string{"a", "error", "c"}},
		"batch again":       {a + b + a + b + c, []string{"a", "b", "c"}},
		"id used again":     {a + strings.Replace(a, "test.a", "test.z", 1) + b, []string{"a", "error", "b"}},
	} {
		got, errs := lines(test.text)
		require.Equal(t, test.want, got, name)
		for _, err := range errs {
			var line *audit.LineError
			require.ErrorAs(t, err, &line, name)
			require.ErrorIs(t, err, opsec.ErrInvalid, name)
			require.Equal(t, 2, line.Line, name)
			require.Less(t, len(err.Error()), 200, name)
		}
	}
}

func TestReadStopsAtAnErrorOfTheReader(t *testing.T) {
	broken := errors.New("disk gone")
	text := string(batch("a")[0].JSON) + "\n"
	n := 0
	for _, err := range audit.Read(io.MultiReader(strings.NewReader(text+"{"), iotest.ErrReader(broken))) {
		if n++; n == 2 {
			require.ErrorIs(t, err, broken)
		}
	}
	require.Equal(t, 2, n)
	for range audit.Read(strings.NewReader(text + text)) {
		break // a reader may leave
	}
	for _, err := range audit.ReadFile(filepath.Join(t.TempDir(), "missing")) {
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
}

func FuzzRead(f *testing.F) {
	r := batch("a", "b")
	f.Add(append(append(append(r[0].JSON, '\n'), r[1].JSON...), '\n'))
	f.Add(append(append(r[0].JSON, '\n'), r[1].JSON[:40]...))
	f.Add([]byte("\n\n{}\n[]\nnull\n\"\"\n{\"id\":1}\n"))
	f.Add([]byte("\x00\x00\xff\n{\"attrs\":[{\"key\":\"k\",\"value\":\"v\",\"mark\":\"secret\"}]}\n"))
	f.Add(bytes.Repeat([]byte("{"), 70_000))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		for e, err := range audit.Read(bytes.NewReader(data)) {
			n++
			if err != nil {
				require.ErrorIs(t, err, opsec.ErrInvalid)
				continue
			}
			require.NoError(t, e.Validate())
			again, errs := lines(string(e.AppendJSON(nil)) + "\n")
			require.Empty(t, errs)
			require.Len(t, again, 1)
		}
		require.LessOrEqual(t, n, bytes.Count(data, []byte("\n"))+1)
	})
}
