package backup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup"
)

// tbLeaping is a clock that leaps by an hour at every look: every deadline has passed as soon as it is set.
func tbLeaping() func() time.Time {
	var n atomic.Int64
	return func() time.Time { return noon.Add(time.Duration(n.Add(1)) * time.Hour) }
}

func TestEverySessionGetsAheadHoweverShort(t *testing.T) {
	tree := mapFS(map[string]string{"a": "1", "b/c": "2", "big": string(pattern(large)), "d": "3"})
	manifest := build(t, tree, nil)
	for _, workers := range []int{1, 4} {
		var r *backup.Report
		for sessions := 0; r == nil || r.Cursor != nil; sessions++ {
			require.Less(t, sessions, 20, "no session gets ahead")
			if r != nil {
				r = reread(t, r)
			}
			r = verify(t, manifest, tree, backup.Budget{Duration: 1, Now: tbLeaping(), Resume: r, Workers: workers})
		}
		require.True(t, r.OK)
		require.EqualValues(t, 4, r.Checked)
	}
}

// A report that says "complete" of what a cancelled context has left out would be the worst of errors.
func TestNothingIsVerifiedOrBuiltInACancelledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tree := mapFS(map[string]string{"a": "1", "b": "2"})
	files, errs := tbSums(t.Context(), tree, nil)
	require.Empty(t, errs)
	for _, tree := range []fs.FS{tree, fstest.MapFS{}, openDir(t, tbWrite(t, map[string]string{"a": "1"}))} {
		manifest := build(t, tree, nil)
		for range 100 { // which of two ready channels is served is left to chance
			r, err := backup.Verify(ctx, open(t, manifest), believing(t, 1), tree, backup.Budget{})
			require.ErrorIs(t, err, context.Canceled)
			require.Nil(t, r)
			h, err := backup.Build(ctx, io.Discard, tree, backup.BuildOptions{Header: header()})
			require.ErrorIs(t, err, context.Canceled)
			require.Nil(t, h)
			r, err = backup.VerifySums(ctx, files, tree, backup.Budget{})
			require.ErrorIs(t, err, context.Canceled)
			require.Nil(t, r)
		}
	}
}

func TestSessionsFindWhatOneRunFindsInAnyTree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		content := rapid.SampledFrom([]string{"", "1", "2", "three", string(pattern(1<<20 + 1))})
		name := rapid.StringMatching(`([a-c]/){0,2}[a-c\-.]{1,2}x`)
		original := mapFS(rapid.MapOfN(name, content, 0, 40).Draw(rt, "files"))
		tree := maps.Clone(original)
		for path, file := range mapFS(rapid.MapOfN(name, content, 0, 6).Draw(rt, "written")) {
			tree[path] = file
		}
		for path := range original {
			switch rapid.IntRange(0, 12).Draw(rt, "edit "+path) {
			case 0:
				delete(tree, path)
			case 1:
				tree[path] = &fstest.MapFile{Data: tree[path].Data, Mode: 0o600, ModTime: one}
			}
		}
		manifest := build(t, original, nil)
		b := backup.Budget{Sample: rapid.Int64Range(0, 20).Draw(rt, "sample"), Seed: backup.Digest{1}, Workers: rapid.IntRange(1, 4).Draw(rt, "workers")}
		once := verify(t, manifest, tree, b)
		// Each goroutine that reads may look once before the first is done with its file.
		got, _, _ := inSessions(t, manifest, tree, rapid.Int64Range(3, 30).Draw(rt, "looks"), b)
		same(t, once, got)
	})
}

func TestPausesWithinALargeFileOfADirectory(t *testing.T) {
	dir := tbWrite(t, map[string]string{"a": "1", "big": string(pattern(20<<20 + 3)), "z": "2"})
	for name, options := range map[string]func(*backup.BuildOptions){"blake3": nil, "both": withBoth} {
		manifest := build(t, openDir(t, dir), options)
		for _, at := range []int64{-1, 0, 10 << 20, 20<<20 + 2} {
			t.Run(fmt.Sprintf("%s, byte %d", name, at), func(t *testing.T) {
				if at >= 0 {
					flip(t, filepath.Join(dir, "big"), at, 1)
					defer flip(t, filepath.Join(dir, "big"), at, 1)
				}
				once := verify(t, manifest, openDir(t, dir), backup.Budget{})
				require.Equal(t, at < 0, once.OK)
				got, _, within := inSessions(t, manifest, openDir(t, dir), 6, backup.Budget{})
				require.GreaterOrEqual(t, within, 2)
				same(t, once, got)
			})
		}
	}
}

func TestPausedFileThatChangesBetweenSessionsIsReadAnew(t *testing.T) {
	content := pattern(12 << 20)
	later := one.Add(time.Nanosecond)
	for name, c := range map[string]struct {
		change func(t *testing.T, file string)
		want   map[string][]string
	}{
		"first byte": {func(t *testing.T, file string) {
			flip(t, file, 0, 1)
			require.NoError(t, os.Chtimes(file, later, later))
		}, map[string][]string{"changed": {"big"}}},
		"touched": {func(t *testing.T, file string) {
			require.NoError(t, os.Chtimes(file, later, later))
		}, map[string][]string{"metadata": {"big"}}},
		"shorter": {func(t *testing.T, file string) {
			require.NoError(t, os.Truncate(file, 6<<20))
			require.NoError(t, os.Chtimes(file, one, one))
		}, map[string][]string{"changed": {"big"}}},
		"longer": {func(t *testing.T, file string) {
			require.NoError(t, os.WriteFile(file, append(bytes.Clone(content), 0), 0o644))
			require.NoError(t, os.Chtimes(file, one, one))
		}, map[string][]string{"changed": {"big"}}},
		"gone": {func(t *testing.T, file string) { require.NoError(t, os.Remove(file)) }, map[string][]string{"missing": {"big"}}},
		"a link": {func(t *testing.T, file string) {
			require.NoError(t, os.Rename(file, file+"2"))
			require.NoError(t, os.Symlink("big2", file))
		}, map[string][]string{"changed": {"big"}, "extra": {"big2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tbWrite(t, map[string]string{"a": "1", "big": string(content), "z": "2"})
			manifest := build(t, openDir(t, dir), nil)
			r := verify(t, manifest, openDir(t, dir), backup.Budget{Duration: 1, Now: ticking(7), Workers: 1})
			require.NotNil(t, r.Cursor)
			require.NotNil(t, r.Cursor.File)
			require.Equal(t, "big", r.Cursor.File.Path)
			require.Equal(t, "a", r.Cursor.After)
			c.change(t, filepath.Join(dir, "big"))
			got := verify(t, manifest, openDir(t, dir), backup.Budget{Resume: reread(t, r)})
			require.Nil(t, got.Cursor)
			require.Equal(t, c.want, found(t, got))
		})
	}
}

func TestResumeBySeedOfAnotherSampleIsRefused(t *testing.T) {
	tree := tbPopulation(30)
	manifest := build(t, tree, nil)
	b := backup.Budget{Sample: 10, Seed: backup.Digest{1}, Duration: 1, Now: ticking(5), Workers: 1}
	stopped := verify(t, manifest, tree, b)
	require.NotNil(t, stopped.Cursor)
	resume := func(seed backup.Digest) error {
		_, err := backup.Verify(t.Context(), open(t, manifest), believing(t, 1), tree, backup.Budget{Sample: 10, Seed: seed, Resume: stopped})
		return err
	}
	require.NoError(t, resume(backup.Digest{1}))
	require.NoError(t, resume(backup.Digest{}), "none given: that of the report")
	require.ErrorIs(t, resume(backup.Digest{2}), opsec.ErrInvalid)
}

func TestOnlyWhatWasReadIsCountedAsChecked(t *testing.T) {
	tree := mapFS(map[string]string{"a": "1", "big": string(pattern(large))})
	manifest := build(t, tree, nil)
	tree["big"].Data = append(tree["big"].Data, 0) // its size tells, so it is not read
	r := verify(t, manifest, tree, backup.Budget{})
	require.Equal(t, []string{"big"}, r.Changed)
	require.EqualValues(t, 1, r.Checked)
	require.EqualValues(t, 1, r.Bytes)
}

func TestReportThatCannotBeIsRefused(t *testing.T) {
	tree := tbPopulation(10)
	r := verify(t, build(t, tree, nil), tree, backup.Budget{Sample: 5, Seed: backup.Digest{1}, Duration: 1, Now: ticking(5), Workers: 1})
	require.NotNil(t, r.Cursor)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	for what, c := range map[string][2]string{
		"negative total":   {`"changed":0`, `"changed":-1`}, // one damaged file would make it none
		"negative entries": {`"entries":`, `"entries":-`},
		"negative checked": {`"checked":`, `"checked":-`},
		"negative bytes":   {`"bytes":`, `"bytes":-`},
		"unknown field":    {`"changed":0`, `"changed":0,"more":1`},
		"text after it":    {`"changed":0`, `"changed":0}}{`},
	} {
		bad := strings.Replace(string(text), c[0], c[1], 1)
		require.NotEqual(t, string(text), bad, what)
		_, err := backup.ParseReport(strings.NewReader(bad))
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
	}
}

func FuzzParseReport(f *testing.F) {
	tree := mapFS(map[string]string{"a": "1", "b": "2", "big": string(pattern(large)), "d/e": "3", "z": ""})
	damaged := maps.Clone(tree)
	damaged["b"] = &fstest.MapFile{Data: []byte("x")}
	damaged["new"] = &fstest.MapFile{}
	delete(damaged, "z")
	manifest := build(f, tree, nil)
	for looks := range int64(9) {
		for _, sample := range []int64{0, 3} {
			text, err := json.Marshal(verify(f, manifest, damaged, backup.Budget{Duration: 1, Now: ticking(looks + 2), Workers: 1, Sample: sample, Seed: backup.Digest{7}}))
			require.NoError(f, err)
			f.Add(text)
		}
	}
	for _, text := range []string{"", "{}", "null", "[]", `{"cursor":{"after":"\\x"}}`, `{"cursor":{"after":"","file":{"path":"big","state":null}}}`, `{"sample":{"files":-1}}`} {
		f.Add([]byte(text))
	}
	m := open(f, manifest)
	believe := believing(f, 1)
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := backup.ParseReport(bytes.NewReader(text))
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		first, err := json.Marshal(r)
		if err != nil {
			return // a time beyond the year 9999 has no JSON
		}
		again, err := backup.ParseReport(bytes.NewReader(first))
		require.NoError(t, err)
		second, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
		require.NoError(t, r.WriteText(io.Discard))
		r.Event()
		got, err := backup.Verify(context.Background(), m, believe, damaged, backup.Budget{Resume: r, Workers: 1})
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		require.Nil(t, got.Cursor, "no limit of time was given")
		require.GreaterOrEqual(t, got.Faults(), r.Faults(), "what was found stays found")
	})
}
