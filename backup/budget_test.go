package backup_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/internal/race"
)

// ticking is a clock that stands still for so many looks and is past every deadline then.
func ticking(looks int64) func() time.Time {
	var n atomic.Int64
	return func() time.Time {
		if n.Add(1) > looks {
			return noon.Add(time.Hour)
		}
		return noon
	}
}

// reread sends a report through its JSON.
func reread(t testing.TB, r *backup.Report) *backup.Report {
	t.Helper()
	text, err := json.MarshalIndent(r, "", "  ")
	require.NoError(t, err)
	again, err := backup.ParseReport(bytes.NewReader(text))
	require.NoError(t, err)
	return again
}

// inSessions verifies with a clock that ends each session after so many looks, and returns the last report and how
// many sessions it took, and how often one stopped within a file.
func inSessions(t testing.TB, manifest []byte, tree fs.FS, looks int64, b backup.Budget) (r *backup.Report, sessions, within int) {
	t.Helper()
	for {
		session := b
		session.Resume, session.Duration, session.Now = r, time.Minute, ticking(looks)
		r = verify(t, manifest, tree, session)
		sessions++
		if r.Cursor == nil {
			return r, sessions, within
		}
		require.False(t, r.OK)
		require.NotEqual(t, backup.StatusOK, r.Status)
		if r.Cursor.File != nil {
			within++
		}
		require.Less(t, sessions, 400, "no session gets ahead: %+v", r.Cursor)
		r = reread(t, r)
	}
}

// same compares what two reports found, whichever way they got there.
func same(t testing.TB, want, got *backup.Report) {
	t.Helper()
	want, got = reread(t, want), reread(t, got)
	want.Started, want.Took, got.Started, got.Took = time.Time{}, 0, time.Time{}, 0
	require.Equal(t, want, got)
}

func TestResumedVerificationFindsTheSameAsOne(t *testing.T) {
	original := mapFS(map[string]string{"a": "1", "b": "2", "d/x": "3", "d/y/z": "4", "d-x": "5", "e": "6", "gone/too": "7", "z": "8"})
	for i := range 150 { // more than a batch
		original[fmt.Sprintf("many/%03d", i)] = &fstest.MapFile{Data: []byte{byte(i)}, ModTime: one}
	}
	damaged := maps.Clone(original)
	damaged["b"] = &fstest.MapFile{Data: []byte("X"), ModTime: one}
	damaged["d/x"] = &fstest.MapFile{Data: []byte("three"), ModTime: one}
	damaged["d/new"] = &fstest.MapFile{ModTime: one}
	damaged["many/077"] = &fstest.MapFile{Data: []byte{78}, ModTime: one}
	damaged["many/099"] = &fstest.MapFile{Data: []byte{99}, ModTime: one, Mode: 0o600}
	delete(damaged, "gone/too")
	strange := maps.Clone(damaged)
	strange["new/x"], strange["new-x"] = &fstest.MapFile{}, &fstest.MapFile{} // the second stands between "new" and "new/x"
	manifest := build(t, original, nil)
	for name, tree := range map[string]fs.FS{
		"untouched":                              original,
		"damaged":                                damaged,
		"a file that cannot be read":             failing{damaged, map[string]error{"e": fs.ErrPermission}},
		"a directory that cannot be listed":      failing{damaged, map[string]error{"d": fs.ErrPermission}},
		"a new directory that cannot be":         failing{strange, map[string]error{"new": syscall.EIO}},
		"a whole tree that cannot be":            failing{damaged, map[string]error{".": syscall.EIO}},
		"without the last":                       mapFS(map[string]string{"a": "1"}),
		"without anything":                       fstest.MapFS{},
		"a directory in the place of all of d/y": mapFS(map[string]string{"d/y/z/q": ""}),
	} {
		for _, sample := range []int64{0, 40} {
			t.Run(fmt.Sprintf("%s, sample %d", name, sample), func(t *testing.T) {
				b := backup.Budget{Sample: sample, Seed: backup.Digest{1}, Workers: 1}
				once := verify(t, manifest, tree, b)
				stops := []int64{3, 4, 5, 9, 30}
				if race.Enabled {
					stops = stops[2:3] // one worker: nothing to race with
				}
				for _, looks := range stops {
					got, _, _ := inSessions(t, manifest, tree, looks, b)
					same(t, once, got)
				}
			})
		}
	}
	_, sessions, _ := inSessions(t, manifest, original, 4, backup.Budget{Workers: 1})
	require.Greater(t, sessions, 50, "they were many")
}

func TestPauseWithinAFileGoesOnThere(t *testing.T) {
	content := pattern(13<<20 + 5)
	original := mapFS(map[string]string{"a": "1", "big": string(content), "z": "2"})
	bad := bytes.Clone(content)
	bad[12<<20] ^= 1
	damaged := mapFS(map[string]string{"a": "1", "big": string(bad), "z": "2"})
	for name, options := range map[string]func(*backup.BuildOptions){"blake3": nil, "with chunks": withChunks, "with both": withBoth} {
		if race.Enabled && name != "with both" {
			continue
		}
		for what, tree := range map[string]fs.FS{"sound": original, "damaged": damaged, "without ReaderAt": zipOf(t, damaged)} {
			t.Run(name+", "+what, func(t *testing.T) {
				manifest := build(t, original, options)
				b := backup.Budget{Workers: 2}
				once := verify(t, manifest, tree, b)
				got, sessions, within := inSessions(t, manifest, tree, 6, b)
				require.GreaterOrEqual(t, within, 1)
				require.GreaterOrEqual(t, sessions, 2)
				same(t, once, got)
			})
		}
	}
	t.Run("unless the file is another by then", func(t *testing.T) {
		manifest := build(t, original, nil)
		r := verify(t, manifest, original, backup.Budget{Workers: 1, Duration: 1, Now: ticking(6)})
		require.NotNil(t, r.Cursor.File)
		touched := mapFS(map[string]string{"a": "1", "big": string(bad), "z": "2"})
		touched["big"].ModTime = one.Add(1)
		got := verify(t, manifest, touched, backup.Budget{Resume: reread(t, r)})
		require.Equal(t, []string{"big"}, got.Changed)
		touched["big"].Data = bytes.Clone(content)
		got = verify(t, manifest, touched, backup.Budget{Resume: reread(t, r)})
		require.Equal(t, map[string][]string{"metadata": {"big"}}, found(t, got))
	})
}

func zipOf(t testing.TB, tree fs.FS) fs.FS {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	require.NoError(t, errors.Join(w.AddFS(tree), w.Close()))
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	return r
}

func TestOnlyAnUnfinishedReportOfThisManifestIsResumed(t *testing.T) {
	tree := small()
	manifest := build(t, tree, nil)
	stopped := verify(t, manifest, tree, backup.Budget{Duration: 1, Now: ticking(4), Workers: 1})
	require.NotNil(t, stopped.Cursor)
	require.Equal(t, backup.StatusIncomplete, stopped.Status)
	refused := func(what string, m []byte, b backup.Budget) {
		_, err := backup.Verify(context.Background(), open(t, m), believing(t, 1), tree, b)
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
	}
	other := build(t, tree, func(o *backup.BuildOptions) { o.Header.Sequence++ })
	refused("another manifest", other, backup.Budget{Resume: stopped})
	refused("finished", manifest, backup.Budget{Resume: verify(t, manifest, tree, backup.Budget{})})
	refused("a sample of what was none", manifest, backup.Budget{Resume: stopped, Sample: 2})
	sampled := verify(t, manifest, tree, backup.Budget{Sample: 2, Duration: 1, Now: ticking(3), Workers: 1})
	require.NotNil(t, sampled.Cursor)
	refused("a sample of another size", manifest, backup.Budget{Resume: sampled, Sample: 3})
	forged := reread(t, sampled)
	forged.Sample.Files = 1
	refused("a sample of other files", manifest, backup.Budget{Resume: forged})
	forged = reread(t, sampled)
	forged.Sample.Size = -1
	refused("a sample of less than nothing", manifest, backup.Budget{Resume: forged})
	forged = reread(t, stopped)
	forged.Cursor.After = `\x`
	refused("a path that is none", manifest, backup.Budget{Resume: forged})
	for _, b := range []backup.Budget{{BytesPerSecond: -1}, {Duration: -1}, {Sample: -1}, {MaxFindings: -1}} {
		refused(fmt.Sprintf("%+v", b), manifest, b)
	}
	before := reread(t, stopped)
	verify(t, manifest, tree, backup.Budget{Resume: stopped})
	require.Equal(t, before, reread(t, stopped), "the report resumed is as it was")
}

// The lists that two check files are must not be mixed up either.
func TestOnlyAnUnfinishedReportOfTheseDigestsIsResumed(t *testing.T) {
	tree := mapFS(map[string]string{"a": "1", "b": "2", "c": "3"})
	var files []backup.FileSums
	for f, err := range backup.SumFS(context.Background(), tree, nil) {
		require.NoError(t, err)
		files = append(files, f)
	}
	stopped, err := backup.VerifySums(context.Background(), files, tree, backup.Budget{Duration: 1, Now: ticking(2), Workers: 1})
	require.NoError(t, err)
	require.NotNil(t, stopped.Cursor)
	whole, err := backup.VerifySums(context.Background(), files, tree, backup.Budget{Resume: stopped})
	require.NoError(t, err)
	require.EqualValues(t, 3, whole.Checked)
	_, err = backup.VerifySums(context.Background(), files[:2], tree, backup.Budget{Resume: stopped})
	require.ErrorIs(t, err, opsec.ErrInvalid, "another list of digests")
}

func TestSampleIsDrawnAgainByItsSeed(t *testing.T) {
	tree := fstest.MapFS{}
	for i := range 300 {
		tree[fmt.Sprintf("%03d", i)] = &fstest.MapFile{Data: make([]byte, i), ModTime: one}
	}
	manifest := build(t, tree, nil)
	read := func(b backup.Budget) (*backup.Report, []string) {
		seen := &opens{FS: tree}
		r := verify(t, manifest, seen, b)
		require.True(t, r.OK)
		return r, seen.files()
	}
	first, drawn := read(backup.Budget{Sample: 20})
	require.Len(t, drawn, 20)
	require.EqualValues(t, 20, first.Checked)
	require.EqualValues(t, 300, first.Entries, "all else is looked at in every file")
	require.False(t, first.Sample.Seed.IsZero())
	again, drawnAgain := read(backup.Budget{Sample: 20, Seed: first.Sample.Seed, Workers: 1})
	require.Equal(t, drawn, drawnAgain)
	require.Equal(t, first.Sample, again.Sample)
	_, others := read(backup.Budget{Sample: 20})
	require.NotEqual(t, drawn, others, "a fresh seed draws others (but once in 10^31)")
	all, drawn := read(backup.Budget{Sample: 5000})
	require.Len(t, drawn, 300)
	require.EqualValues(t, 300, all.Sample.Size)
	require.EqualValues(t, 1, all.Sample.OneFile)
	require.EqualValues(t, 1, all.Sample.Fewer95)
}

// opens remembers which files were opened.
type opens struct {
	fs.FS
	names  [1000]atomic.Pointer[string]
	number atomic.Int64
}

func (o *opens) Open(name string) (fs.File, error) {
	if name != "." {
		o.names[o.number.Add(1)-1].Store(&name)
	}
	return o.FS.Open(name)
}

func (o *opens) Lstat(name string) (fs.FileInfo, error)     { return fs.Lstat(o.FS, name) }
func (o *opens) ReadLink(name string) (string, error)       { return fs.ReadLink(o.FS, name) }
func (o *opens) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(o.FS, name) }

func (o *opens) files() (all []string) {
	for i := range o.number.Load() {
		all = append(all, *o.names[i].Load())
	}
	slices.Sort(all)
	return all
}

func TestEveryFileIsDrawnEquallyOften(t *testing.T) {
	tree := fstest.MapFS{}
	for i := range 10 {
		tree[fmt.Sprint(i)] = &fstest.MapFile{ModTime: one}
	}
	manifest := build(t, tree, nil)
	times := map[string]int{}
	for seed := range 1000 {
		seen := &opens{FS: tree}
		verify(t, manifest, seen, backup.Budget{Sample: 3, Seed: backup.Digest{1, byte(seed), byte(seed >> 8)}})
		for _, name := range seen.files() {
			times[name]++
		}
	}
	for name, n := range times { // 300 expected, with a standard deviation of 14.5; the seeds are fixed
		require.InDelta(t, 300, n, 60, "file %s", name)
	}
}

// exactly is the hypergeometric chance to meet damage, without rounding.
func exactly(files, damaged, sampled int64) float64 {
	miss := new(big.Rat).SetFrac(new(big.Int).Binomial(files-damaged, sampled), new(big.Int).Binomial(files, sampled))
	if files-damaged < sampled {
		miss.SetInt64(0)
	}
	p, _ := new(big.Rat).Sub(big.NewRat(1, 1), miss).Float64()
	return p
}

func TestDetectionProbabilityIsTheHypergeometricOne(t *testing.T) {
	for files := range int64(25) {
		for damaged := range files + 1 {
			for sampled := range files + 1 {
				want := exactly(files, damaged, sampled)
				require.InDelta(t, want, float64(backup.DetectionProbability(files, damaged, sampled)), 1e-12, "%d of %d, %d sampled", damaged, files, sampled)
			}
		}
	}
	for _, c := range [][3]int64{{1000, 10, 258}, {100_000, 100, 2950}, {20_000, 1, 200}, {1 << 20, 1 << 10, 1 << 10}, {5000, 2500, 12}, {300_000, 70_000, 5}} {
		want := exactly(c[0], c[1], c[2])
		require.InEpsilon(t, want, float64(backup.DetectionProbability(c[0], c[1], c[2])), 1e-9, "%v", c)
	}
	// Both above 2^16, where the product is not computed any more: 1 - exp(-65537²/2^32), nearly.
	require.InDelta(t, 1-math.Exp(-65_537.0*65_537/(1<<32)), float64(backup.DetectionProbability(1<<32, 65_537, 65_537)), 1e-4)
	// One file in a hundred of many is met by 299 samples with 95 %.
	require.InDelta(t, 0.95, float64(backup.DetectionProbability(10_000_000, 100_000, 299)), 0.001)
	for _, c := range [][3]int64{{-5, 1, 1}, {0, 0, 0}, {10, -1, 5}, {10, 5, -1}, {10, 0, 10}} {
		require.Zero(t, backup.DetectionProbability(c[0], c[1], c[2]), "%v", c)
	}
	for _, c := range [][3]int64{{10, 99, 1}, {10, 1, 99}, {10, 6, 5}, {1, 1, 1}} {
		require.EqualValues(t, 1, backup.DetectionProbability(c[0], c[1], c[2]), "%v", c)
	}
}

func TestLargerSamplesDetectMore(t *testing.T) {
	const slack = 1e-6 // of logarithms of the gamma function, above 2^16 damaged files
	rapid.Check(t, func(t *rapid.T) {
		files := rapid.Int64Range(1, 1<<32).Draw(t, "files")
		damaged, sampled := rapid.Int64Range(0, files).Draw(t, "damaged"), rapid.Int64Range(0, files).Draw(t, "sampled")
		p := backup.DetectionProbability(files, damaged, sampled)
		require.True(t, p >= 0 && p <= 1, "%v", p)
		require.GreaterOrEqual(t, float64(backup.DetectionProbability(files, damaged, sampled+1)), float64(p)-slack)
		require.GreaterOrEqual(t, float64(backup.DetectionProbability(files, damaged+1, sampled)), float64(p)-slack)
		require.InDelta(t, float64(p), float64(backup.DetectionProbability(files, sampled, damaged)), slack, "who is drawn and who is damaged can be exchanged")
	})
}

func TestSampleStatesWhatItCanSay(t *testing.T) {
	tree := fstest.MapFS{}
	for i := range 500 {
		tree[fmt.Sprintf("%03d", i)] = &fstest.MapFile{ModTime: one}
	}
	manifest := build(t, tree, nil)
	for _, size := range []int64{1, 20, 95, 250, 499} {
		s := verify(t, manifest, tree, backup.Budget{Sample: size}).Sample
		require.EqualValues(t, 500, s.Files)
		require.EqualValues(t, size, s.Size)
		require.InDelta(t, exactly(500, 1, size), float64(s.OneFile), 1e-12)
		require.InDelta(t, exactly(500, 5, size), float64(s.Percent1), 1e-12)
		require.GreaterOrEqual(t, exactly(500, s.Fewer95, size), 0.95)
		require.Less(t, exactly(500, s.Fewer95-1, size), 0.95)
	}
	none := verify(t, build(t, fstest.MapFS{}, nil), fstest.MapFS{}, backup.Budget{Sample: 5})
	require.True(t, none.OK)
	require.Zero(t, none.Sample.Size)
}

func TestListsAreCutAndTotalsAreNot(t *testing.T) {
	tree := fstest.MapFS{}
	for i := range 100 {
		tree[fmt.Sprintf("%03d", i)] = &fstest.MapFile{ModTime: one}
	}
	manifest := build(t, tree, nil)
	bad := fstest.MapFS{}
	for i := range 100 {
		switch name := fmt.Sprintf("%03d", i); i % 4 {
		case 0:
			bad[name] = &fstest.MapFile{Data: []byte("x"), ModTime: one}
		case 1:
			bad[name] = &fstest.MapFile{Mode: 0o7, ModTime: one}
		case 2:
			bad[name+"!"] = &fstest.MapFile{}
		}
	}
	b := backup.Budget{MaxFindings: 3, Workers: 1}
	once := verify(t, manifest, bad, b)
	require.Equal(t, backup.Totals{Changed: 25, Metadata: 25, Missing: 50, Extra: 25}, once.Totals)
	require.EqualValues(t, 100, once.Faults())
	require.Equal(t, []string{"000", "004", "008"}, once.Changed)
	require.Equal(t, []string{"001", "005", "009"}, once.Metadata)
	require.Equal(t, []string{"002", "003", "006"}, once.Missing)
	require.Equal(t, []string{"002!", "006!", "010!"}, once.Extra)
	require.Len(t, once.Details, 6)
	got, sessions, _ := inSessions(t, manifest, bad, 7, b)
	require.Greater(t, sessions, 3)
	same(t, once, got)
	var text strings.Builder
	require.NoError(t, once.WriteText(&text))
	require.Contains(t, text.String(), "and 22 more")
}

func TestProgressTellsHowFarItIs(t *testing.T) {
	tree := mapFS(map[string]string{"a": "12345", "b\n": "678", "c": ""})
	delete(tree, "b\n")
	tree["d/e"] = &fstest.MapFile{Data: []byte("9")}
	var seen []backup.Progress
	manifest := build(t, tree, func(o *backup.BuildOptions) { o.Progress = func(p backup.Progress) { seen = append(seen, p) } })
	require.Equal(t, backup.Progress{Path: "d/e", Files: 3, Bytes: 6}, seen[len(seen)-1])
	seen = nil
	verify(t, manifest, tree, backup.Budget{Progress: func(p backup.Progress) { seen = append(seen, p) }})
	require.Equal(t, backup.Progress{Path: "d/e", Files: 3, Bytes: 6, AllFiles: 3, AllBytes: 6}, seen[len(seen)-1])
	for i := range seen[1:] {
		require.Less(t, seen[i].Path, seen[i+1].Path)
		require.LessOrEqual(t, seen[i].Bytes, seen[i+1].Bytes)
	}
}

func TestReadingIsNoFasterThanItsLimit(t *testing.T) {
	const kib = 1 << 10
	for name, tree := range map[string]fstest.MapFS{
		"many small": mapFS(map[string]string{"a": string(pattern(100 * kib)), "b": string(pattern(100 * kib)), "c": string(pattern(100 * kib)), "d": "1"}),
		"one large":  mapFS(map[string]string{"a": string(pattern(3 << 20)), "b": "1"}),
	} {
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s, %d workers", name, workers), func(t *testing.T) {
				manifest := build(t, tree, nil)
				var all int64
				for _, f := range tree {
					all += int64(len(f.Data))
				}
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					r := verify(t, manifest, tree, backup.Budget{BytesPerSecond: 10 * kib, Workers: workers})
					require.Empty(t, found(t, r))
					// The last bytes are granted when those before them are due.
					took := time.Since(start).Seconds() * 10 * kib
					require.LessOrEqual(t, took, float64(all)+1)
					require.GreaterOrEqual(t, took, float64(all)-512*kib)
					require.Greater(t, took, float64(all)/2)
					require.Equal(t, time.Since(start), r.Took)
				})
			})
		}
	}
}

func TestLimitOfTimeHoldsBesideALimitOfSpeed(t *testing.T) {
	tree := fstest.MapFS{}
	for i := range 10 {
		tree[fmt.Sprint(i)] = &fstest.MapFile{Data: pattern(100 << 10), ModTime: one}
	}
	manifest := build(t, tree, nil)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r := verify(t, manifest, tree, backup.Budget{BytesPerSecond: 1 << 10, Duration: 10 * time.Second, Workers: 4})
		require.NotNil(t, r.Cursor)
		require.LessOrEqual(t, time.Since(start), time.Minute, "a wait for the pace is not cut by the deadline")
	})
}

func TestCancelledVerificationEndsAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	for i := range 500 {
		put(t, dir, fmt.Sprintf("%d/%d", i%7, i), pattern(i))
	}
	put(t, dir, "large", pattern(9<<20))
	manifest := build(t, openDir(t, dir), withChunks)
	tree := openDir(t, dir)
	for _, after := range []int64{1, 100, 300, 506} {
		leaksNothing(t, func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var n int64
			stop := func(backup.Progress) {
				if n++; n == after {
					cancel()
				}
			}
			r, err := backup.Verify(ctx, open(t, manifest), believing(t, 1), tree, backup.Budget{Progress: stop})
			require.ErrorIs(t, err, context.Canceled)
			require.Nil(t, r)
			require.Equal(t, after, n, "nothing is done after it")
			n = 0
			ctx, cancel = context.WithCancel(context.Background())
			defer cancel()
			var b bytes.Buffer
			_, err = backup.Build(ctx, &b, tree, backup.BuildOptions{Header: header(), Progress: func(p backup.Progress) { n++; cancel() }})
			require.ErrorIs(t, err, context.Canceled)
		})
	}
	synctest.Test(t, func(t *testing.T) { // also while it waits for its pace
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := backup.Verify(ctx, open(t, manifest), believing(t, 1), tree, backup.Budget{BytesPerSecond: 1})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
	})
}

func TestVerifyLeavesNothingOpen(t *testing.T) {
	dir := nasty(t)
	manifest := build(t, openDir(t, dir), withChunks)
	flip(t, dir+"/large", 5, 1)
	tree := openDir(t, dir)
	leaksNothing(t, func() {
		require.Equal(t, []string{"large"}, verify(t, manifest, tree, backup.Budget{}).Changed)
	})
	leaksNothing(t, func() {
		inSessions(t, manifest, tree, 5, backup.Budget{Workers: 3})
	})
}

func TestClockThatGoesBackStillMakesAnEvent(t *testing.T) {
	clock := noon.Add(time.Hour)
	back := func() time.Time { clock = clock.Add(-time.Second); return clock }
	r := verify(t, build(t, small(), nil), small(), backup.Budget{Workers: 1, Now: back})
	require.True(t, r.OK)
	require.GreaterOrEqual(t, r.Took, time.Duration(0))
	require.NoError(t, r.Event().Validate())
}
