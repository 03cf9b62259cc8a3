package recovery_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/recovery"
)

func run(t *testing.T, p recovery.Point, test recovery.Test) (recovery.Result, []opsec.Event) {
	trail := new(recorder)
	parent := t.TempDir()
	if test.Target == nil {
		test.Target = recovery.In(parent)
	}
	if test.Checks == nil {
		test.Checks = []recovery.Check{says{}}
	}
	r, err := recovery.Run(bg, p, test, &recovery.Options{Recorder: trail, Actor: ada})
	require.NoError(t, err)
	left, err := os.ReadDir(parent)
	require.NoError(t, err)
	require.Empty(t, left)
	return r, trail.events
}

func TestAGoodBackupPassesAndLeavesNothing(t *testing.T) {
	dir, manifest := original(t)
	sealed := mask(7).seal(archived(t, dir))
	encrypted := point
	encrypted.Key = &recovery.KeyRef{Name: "backups", Version: 3}
	for name, c := range map[string]struct {
		point   recovery.Point
		restore recovery.Restorer
	}{
		"tree":      {point, recovery.Tree{Open: func(context.Context, recovery.Point) (fs.FS, error) { return os.DirFS(dir), nil }}},
		"archive":   {point, from(archived(t, dir))},
		"encrypted": {encrypted, from(sealed)},
	} {
		t.Run(name, func(t *testing.T) {
			r, events := run(t, c.point, recovery.Test{
				Restore: c.restore, Keys: keys{{Name: "backups", Version: 3}: 7}, Checks: []recovery.Check{manifest, says{}},
			})
			require.True(t, r.Passed, r.Failure)
			require.True(t, r.Cleaned)
			require.EqualValues(t, 160_000, r.Bytes)
			require.EqualValues(t, 5, r.Files)
			require.Len(t, r.Checks, 2)
			require.Regexp(t, "^sha256:[0-9a-f]{64}$", r.Checks[0].Digest)
			require.Len(t, events, 2)
			require.Equal(t, opsec.Pending, events[0].Outcome)
			require.Equal(t, opsec.Success, events[1].Outcome)
			require.Equal(t, r.ID, events[1].Intent)
			var took recovery.Duration
			for _, p := range r.Phases[:len(r.Phases)-1] {
				took += p.Took
			}
			require.Equal(t, took, r.Took)
			require.Positive(t, r.Took)
			require.Equal(t, recovery.Clean, r.Phases[len(r.Phases)-1].Name)
		})
	}
}

// tarOf is an archive of entries as somebody might forge it.
func tarOf(t *testing.T, entries ...tar.Header) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		h.Mode, h.Size = 0o644, 0
		if h.Typeflag == tar.TypeReg {
			h.Size = 3
		}
		require.NoError(t, w.WriteHeader(&h))
		if h.Size > 0 {
			_, err := w.Write([]byte("bad"))
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestWhatFailsIsAResultThatSaysWhere(t *testing.T) {
	dir, manifest := original(t)
	whole := archived(t, dir)
	changed := bytes.Clone(whole)
	changed[bytes.Index(changed, []byte("one gin"))] ^= 1
	encrypted := point
	encrypted.Key = &recovery.KeyRef{Name: "backups", Version: 3}
	for name, c := range map[string]struct {
		point recovery.Point
		test  recovery.Test
		want  string
	}{
		"nobody has the key":    {encrypted, recovery.Test{Restore: from(whole)}, "unlock: the point is encrypted"},
		"the key is destroyed":  {encrypted, recovery.Test{Restore: from(whole), Keys: keys{}}, "unlock: destroyed"},
		"it cannot be fetched":  {point, recovery.Test{Restore: recovery.Tree{Open: func(context.Context, recovery.Point) (fs.FS, error) { return nil, fs.ErrNotExist }}}, "restore: file does not exist"},
		"the archive is cut":    {point, recovery.Test{Restore: from(whole[:len(whole)/2])}, "restore: unexpected EOF"},
		"the ciphertext is cut": {encrypted, recovery.Test{Restore: from(mask(7).seal(whole)[:len(whole)-9]), Keys: keys{*encrypted.Key: 7}}, "cut off"},
		"one bit is another":    {point, recovery.Test{Restore: from(changed), Checks: []recovery.Check{manifest}}, "verify: manifest \"orders\": damaged"},
		"something is missing":  {point, recovery.Test{Restore: from(tarOf(t)), Checks: []recovery.Check{manifest}}, "verify: manifest"},
		"a check fails":         {point, recovery.Test{Restore: from(whole), Checks: []recovery.Check{says{}, says{errors.New("no orders")}, says{}}}, "verify: own \"says\": no orders"},
		"too many bytes":        {point, recovery.Test{Restore: from(whole), Most: recovery.Limits{Bytes: 159_999}}, "restore: more than 159999 bytes"},
		"too many files":        {point, recovery.Test{Restore: from(whole), Most: recovery.Limits{Files: 4}}, "restore: more than 4 files"},
		"it takes too long":     {point, recovery.Test{Restore: from(whole), Most: recovery.Limits{Time: 1}}, "restore: it took more than 1ns"},
		"a name leads outside":  {point, recovery.Test{Restore: from(tarOf(t, tar.Header{Name: "../out", Typeflag: tar.TypeReg}))}, "leads outside"},
		"an absolute name":      {point, recovery.Test{Restore: from(tarOf(t, tar.Header{Name: "/out", Typeflag: tar.TypeReg}))}, "leads outside"},
		"a hard link":           {point, recovery.Test{Restore: from(tarOf(t, tar.Header{Name: "l", Linkname: "/etc/passwd", Typeflag: tar.TypeLink}))}, "neither"},
		"a device":              {point, recovery.Test{Restore: from(tarOf(t, tar.Header{Name: "d", Typeflag: tar.TypeChar}))}, "neither"},
		"a name twice":          {point, recovery.Test{Restore: from(tarOf(t, tar.Header{Name: "f", Typeflag: tar.TypeReg}, tar.Header{Name: "f", Typeflag: tar.TypeReg}))}, "file exists"},
		"it is encrypted as no tree is": {encrypted, recovery.Test{
			Restore: recovery.Tree{Open: func(context.Context, recovery.Point) (fs.FS, error) { return fstest.MapFS{}, nil }}, Keys: keys{*encrypted.Key: 7},
		}, "not encrypted as a whole"},
		"a FIFO in a tree": {point, recovery.Test{Restore: recovery.Tree{Open: func(context.Context, recovery.Point) (fs.FS, error) {
			return fstest.MapFS{"f": {Mode: fs.ModeNamedPipe}}, nil
		}}}, "neither"},
	} {
		t.Run(name, func(t *testing.T) {
			r, events := run(t, c.point, c.test)
			require.False(t, r.Passed)
			require.Contains(t, r.Failure, c.want)
			require.True(t, r.Cleaned)
			require.Equal(t, opsec.Failure, events[1].Outcome)
		})
	}
}

func TestAllChecksAreMadeAlsoWhenOneFails(t *testing.T) {
	r, _ := run(t, point, recovery.Test{Restore: from(tarOf(t)), Checks: []recovery.Check{says{errors.New("first")}, says{}, says{errors.New("third")}}})
	require.Len(t, r.Checks, 3)
	require.Equal(t, []bool{false, true, false}, []bool{r.Checks[0].Passed, r.Checks[1].Passed, r.Checks[2].Passed})
	require.Contains(t, r.Failure, "first")
}

func TestNothingIsWrittenThroughALinkOfAnArchive(t *testing.T) {
	outside := t.TempDir()
	for _, entries := range [][]tar.Header{
		{{Name: "l", Linkname: outside, Typeflag: tar.TypeSymlink}, {Name: "l/f", Typeflag: tar.TypeReg}},
		{{Name: "l/g", Typeflag: tar.TypeReg}, {Name: "l", Linkname: outside, Typeflag: tar.TypeSymlink}},
		{{Name: "l", Linkname: outside, Typeflag: tar.TypeSymlink}, {Name: "m/../l/f", Typeflag: tar.TypeReg}},
	} {
		r, _ := run(t, point, recovery.Test{Restore: from(tarOf(t, entries...))})
		require.False(t, r.Passed)
		list, err := os.ReadDir(outside)
		require.NoError(t, err)
		require.Empty(t, list)
	}
}

// sticky is a target that leaves something behind.
type sticky struct{ *recovery.Directory }

func (s sticky) Clean(ctx context.Context) error {
	return errors.Join(errors.New("a volume is still attached"), s.Directory.Clean(ctx))
}

func TestATestThatLeavesSomethingHasFailed(t *testing.T) {
	r, _ := run(t, point, recovery.Test{Restore: from(tarOf(t)), Target: sticky{recovery.In(t.TempDir())}})
	require.False(t, r.Passed)
	require.False(t, r.Cleaned)
	require.Equal(t, "clean: a volume is still attached", r.Failure)
}

// untouched fails the test when it is asked for anything.
type untouched struct{ t *testing.T }

func (u untouched) Prepare(context.Context) (string, string, error) {
	u.t.Fatal("touched")
	return "", "", nil
}
func (u untouched) Clean(context.Context) error { u.t.Fatal("touched"); return nil }

func TestNothingIsTouchedThatIsNotOnRecord(t *testing.T) {
	test := recovery.Test{Target: untouched{t}, Restore: from(nil), Checks: []recovery.Check{says{}}}
	_, err := recovery.Run(bg, point, test, &recovery.Options{Recorder: &recorder{refuse: true}, Actor: ada})
	require.ErrorContains(t, err, "not begun: ")
	for name, c := range map[string]struct {
		point recovery.Point
		edit  func(*recovery.Test)
		o     *recovery.Options
	}{
		"recorder":  {point, func(*recovery.Test) {}, &recovery.Options{Actor: ada}},
		"options":   {point, func(*recovery.Test) {}, nil},
		"checks":    {point, func(t *recovery.Test) { t.Checks = nil }, &recovery.Options{Recorder: new(recorder)}},
		"checks[0]": {point, func(t *recovery.Test) { t.Checks = []recovery.Check{nil} }, &recovery.Options{Recorder: new(recorder)}},
		"restore":   {point, func(t *recovery.Test) { t.Restore = nil }, &recovery.Options{Recorder: new(recorder)}},
		"most":      {point, func(t *recovery.Test) { t.Most.Files = -1 }, &recovery.Options{Recorder: new(recorder)}},
		"key":       {recovery.Point{Tenant: "acme", Source: "s", ID: "p", Key: &recovery.KeyRef{Name: "k"}}, func(*recovery.Test) {}, &recovery.Options{Recorder: new(recorder)}},
		"id":        {recovery.Point{Tenant: "acme", Source: "s"}, func(*recovery.Test) {}, &recovery.Options{Recorder: new(recorder)}},
	} {
		broken := test
		c.edit(&broken)
		_, err := recovery.Run(bg, c.point, broken, c.o)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		require.ErrorContains(t, err, name)
	}
}

func TestATestIsCleanedUpAfterItsContextHasEnded(t *testing.T) {
	parent := t.TempDir()
	ctx, cancel := context.WithCancel(bg)
	trail := new(recorder)
	r, err := recovery.Run(ctx, point, recovery.Test{
		Target: recovery.In(parent), Restore: from(tarOf(t, tar.Header{Name: "f", Typeflag: tar.TypeReg})),
		Checks: []recovery.Check{ends{cancel}},
	}, &recovery.Options{Recorder: trail, Actor: ada})
	require.NoError(t, err)
	require.False(t, r.Passed)
	require.True(t, r.Cleaned)
	require.Len(t, trail.events, 2)
	left, err := os.ReadDir(parent)
	require.NoError(t, err)
	require.Empty(t, left)
}

type ends struct{ cancel func() }

func (ends) About() (kind, name string) { return "own", "ends" }
func (e ends) Check(ctx context.Context, _ string) (string, error) {
	e.cancel()
	<-ctx.Done()
	return "", ctx.Err()
}

func TestADirectoryIsOneTestsOwn(t *testing.T) {
	d := recovery.In(t.TempDir())
	path, proof, err := d.Prepare(bg)
	require.NoError(t, err)
	require.True(t, filepath.IsAbs(path))
	require.Contains(t, proof, path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	_, _, err = d.Prepare(bg)
	require.Error(t, err)
	require.NoError(t, os.MkdirAll(path+"/a/b", 0o700))
	require.NoError(t, os.Chmod(path+"/a", 0o500))
	require.NoError(t, d.Clean(bg))
	require.NoDirExists(t, path)
	require.NoError(t, d.Clean(bg))
}

func TestAResultIsReadableAndBounded(t *testing.T) {
	r, _ := run(t, point, recovery.Test{Restore: from(tarOf(t)), Checks: []recovery.Check{says{errors.New(strings.Repeat("\x1b[2J\xff", 5000))}}})
	require.Less(t, len(r.Failure), 5000)
	var text strings.Builder
	require.NoError(t, r.WriteText(&text))
	require.NotContains(t, text.String(), "\x1b")
	require.Contains(t, text.String(), "FAILED")
	require.WithinDuration(t, time.Now(), r.Ended, time.Minute)
}
