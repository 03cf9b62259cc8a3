package backup_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/trust"
)

// small is a tree with every kind of line in its manifest.
func small() fstest.MapFS {
	tree := mapFS(map[string]string{"a/c": "below", "a-b": "between", "empty": "", "group": string(pattern(64<<10 + 5))})
	tree["link"] = &fstest.MapFile{Data: []byte("a/c"), Mode: fs.ModeSymlink | 0o777, ModTime: one}
	tree["fifo"] = &fstest.MapFile{Mode: fs.ModeNamedPipe | 0o600, ModTime: one}
	return tree
}

func entries(t testing.TB, m *backup.Manifest) (all []*backup.Entry) {
	for e, err := range m.Entries() {
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

// bodyOf is everything before the envelope's line.
func bodyOf(manifest []byte) []byte {
	lines := bytes.SplitAfter(manifest, []byte("\n"))
	return bytes.Join(lines[:len(lines)-3], nil)
}

func TestManifestTellsWhatIsInTheTree(t *testing.T) {
	dir := nasty(t)
	mkfifo(t, filepath.Join(dir, "pipe"))
	require.NoError(t, os.Chmod(filepath.Join(dir, "one"), 0o711|fs.ModeSetuid|fs.ModeSetgid))
	require.NoError(t, os.Chmod(filepath.Join(dir, "nothing in it"), fs.ModeSticky|0o777))
	whole := build(t, openDir(t, dir), withBoth)
	m, body := open(t, whole), bodyOf(whole)
	require.Equal(t, backup.Body{BLAKE3: blake3.Sum256(body), SHA256: sha256.Sum256(body)}, m.Header.Body)

	all, counts := map[string]*backup.Entry{}, backup.Counts{}
	for _, e := range entries(t, m) {
		all[e.Path] = e
		counts.Entries++
		info, err := os.Lstat(filepath.Join(dir, e.Path))
		require.NoError(t, err)
		require.True(t, info.ModTime().Equal(e.ModTime), e.Path)
		switch e.Kind {
		case backup.File, backup.Sparse:
			content, err := os.ReadFile(filepath.Join(dir, e.Path))
			require.NoError(t, err)
			require.Equal(t, backup.Sums{Size: int64(len(content)), BLAKE3: blake3.Sum256(content), SHA256: sha256.Sum256(content)}, e.Sums, e.Path)
			require.Equal(t, info.Mode(), e.Mode)
			counts.Files++
			counts.Bytes += e.Sums.Size
		case backup.Link:
			target, err := os.Readlink(filepath.Join(dir, e.Path))
			require.NoError(t, err)
			require.Equal(t, target, e.Target)
			counts.Links++
		case backup.Directory:
			counts.Directories++
		default:
			counts.Specials++
		}
	}
	require.Equal(t, counts, m.Header.Counts)
	require.Equal(t, backup.File, all["large"].Kind)
	require.Equal(t, backup.Sparse, all["sparse"].Kind)
	require.Equal(t, fs.ModeSticky|0o777, all["nothing in it"].Mode)
	require.Equal(t, fs.ModeNamedPipe|0o600, all["pipe"].Mode)
	require.Contains(t, all, "bytes-\xff\xfe")
	require.Contains(t, all, "line\nbreak")
}

func TestEntriesOfDirectoriesStandWhereTheirPathsSort(t *testing.T) {
	var paths []string
	for _, e := range entries(t, open(t, build(t, mapFS(map[string]string{"a/c": "", "a-b": "", "a0": "", "a.b/x": "", "a/b/c": "", "b": ""}), nil))) {
		paths = append(paths, e.Path)
	}
	require.Equal(t, []string{"a", "a-b", "a.b", "a.b/x", "a/b", "a/b/c", "a/c", "a0", "b"}, paths)
}

func TestMerkleRootOfAnyNumberOfEntries(t *testing.T) {
	for n := range 18 {
		files := map[string]string{}
		for i := range n {
			files[fmt.Sprintf("%02d", i)] = fmt.Sprint(i)
		}
		whole := build(t, mapFS(files), nil)
		m := open(t, whole)
		var lines []string
		for line := range strings.Lines(string(bodyOf(whole))) {
			lines = append(lines, line)
		}
		require.Equal(t, treeHash(lines[1:]), m.Header.MerkleRoot, "%d entries", n)
		require.Len(t, entries(t, m), n)
	}
}

func TestManifestByAnotherHandIsTheSame(t *testing.T) {
	tree := mapFS(map[string]string{"a-b": "x", "a/c": "y"})
	tree["a"] = &fstest.MapFile{Mode: fs.ModeDir | 0o755, ModTime: one}
	tree["l"] = &fstest.MapFile{Data: []byte("a/c"), Mode: fs.ModeSymlink, ModTime: one}
	c := crafted{lines: []string{dirLine("a"), line("a-b", "x"), line("a/c", "y"), linkLine("a/c", "l")}, signers: []trust.Signer{signer(t, 1)}}
	require.Equal(t, string(c.encode(t)), string(build(t, tree, nil)))
}

func TestSwappedLinesAreRefused(t *testing.T) {
	whole := build(t, small(), withChunks)
	lines := strings.SplitAfter(string(whole), "\n")
	for i := range len(lines) - 2 {
		for k := i + 1; k < len(lines)-1; k++ {
			lines[i], lines[k] = lines[k], lines[i]
			bad := []byte(strings.Join(lines, ""))
			lines[i], lines[k] = lines[k], lines[i]
			_, err := opened(bad)
			require.ErrorIs(t, err, opsec.ErrInvalid, "lines %d and %d", i, k)
			_, err = opened(resealed(bad))
			require.ErrorIs(t, err, opsec.ErrInvalid, "lines %d and %d, resealed", i, k)
		}
	}
	other := build(t, mapFS(map[string]string{"x": "y"}), nil)
	_, err := opened(resealed(append(bytes.Clone(whole), other...)))
	require.ErrorIs(t, err, opsec.ErrInvalid, "two manifests in one")
	_, err = backup.OpenManifest(bytes.NewReader(whole), int64(len(whole))+1)
	require.Error(t, err, "a size that the reader does not have")
}

func TestSizeThatIsNoneIsAnError(t *testing.T) {
	whole := build(t, small(), nil)
	for _, size := range []int64{-1, -1 << 63, 0, 1, 17} {
		require.NotPanics(t, func() {
			_, err := backup.OpenManifest(bytes.NewReader(whole), size)
			require.ErrorIs(t, err, opsec.ErrInvalid, "size %d", size)
		}, "size %d", size)
	}
}

func TestTwoPersonsSignOneManifest(t *testing.T) {
	whole := build(t, small(), withChunks)
	m := open(t, whole)
	var b bytes.Buffer
	require.NoError(t, m.CoSign(context.Background(), &b, signer(t, 2)))
	both := open(t, b.Bytes())
	require.Equal(t, bodyOf(whole), bodyOf(b.Bytes()))
	require.Len(t, m.Envelope.Signatures, 2, "the manifest in hand is as it was")
	require.Len(t, both.Envelope.Signatures, 4)
	two := believing(t, 1, 2)
	two.Threshold = 2
	for manifest, want := range map[*backup.Manifest]string{m: trust.Untrusted, both: trust.Trusted} {
		j, err := two.Judge(manifest.Claim(), noon)
		require.NoError(t, err)
		require.Equal(t, want, j.Trust)
	}
	b.Reset()
	require.ErrorIs(t, both.CoSign(context.Background(), &b, signer(t, 1)), opsec.ErrInvalid, "alice has signed")
	require.Zero(t, b.Len())
	whole[30] ^= 1
	require.ErrorIs(t, m.CoSign(context.Background(), new(bytes.Buffer), signer(t, 2)), opsec.ErrInvalid, "what m reads has changed")
}

func TestHistoryTellsRollbackAndOmission(t *testing.T) {
	first := open(t, build(t, small(), nil))
	second := open(t, build(t, small(), func(o *backup.BuildOptions) { o.Previous = first; o.Header.Sequence = 0 }))
	third := open(t, build(t, small(), func(o *backup.BuildOptions) { o.Previous = second; o.Header.Sequence = 100 }))
	require.EqualValues(t, 8, second.Header.Sequence)
	require.EqualValues(t, 100, third.Header.Sequence)
	v := believing(t, 1)
	v.State = new(trust.State)
	for _, step := range []struct {
		m    *backup.Manifest
		want trust.History
	}{{first, trust.First}, {third, trust.Missing}, {second, trust.Next}, {third, trust.Next}, {second, trust.Older}, {first, trust.Older}, {third, trust.Newest}} {
		r, err := backup.Verify(context.Background(), step.m, v, small(), backup.Budget{})
		require.NoError(t, err)
		require.Equal(t, step.want, r.History)
		require.Equal(t, !step.want.Suspect(), r.OK)
		if step.want.Suspect() {
			require.Equal(t, backup.StatusSuspect, r.Status)
		}
		accepted, err := r.Accept(step.m, &v, noon, false)
		require.NoError(t, err)
		require.Equal(t, r.OK, accepted)
	}
}

func TestOnlyWhatIsInOrderIsRemembered(t *testing.T) {
	m := open(t, build(t, small(), nil))
	check := func(tree fs.FS, v trust.Verifier, b backup.Budget) bool {
		v.State = new(trust.State)
		r, err := backup.Verify(context.Background(), m, v, tree, b)
		require.NoError(t, err)
		accepted, err := r.Accept(m, &v, noon, false)
		require.NoError(t, err)
		require.Equal(t, accepted, len(v.State.Sources) == 1)
		return accepted
	}
	require.True(t, check(small(), believing(t, 1), backup.Budget{}))
	require.True(t, check(small(), trust.Verifier{}, backup.Budget{}), "without keys, as untrusted")
	require.False(t, check(small(), believing(t, 2), backup.Budget{}), "untrusted")
	require.False(t, check(fstest.MapFS{}, believing(t, 1), backup.Budget{}), "damaged")
	require.False(t, check(small(), believing(t, 1), backup.Budget{Duration: 1, Now: ticking(2)}), "not finished")
}

func TestBuildRefusesHeadersThatSayTooLittleOrTooMuch(t *testing.T) {
	for name, change := range map[string]func(*backup.Header){
		"no tenant":          func(h *backup.Header) { h.Tenant = "" },
		"tenant":             func(h *backup.Header) { h.Tenant = "a b" },
		"no source":          func(h *backup.Header) { h.Source = "" },
		"long source":        func(h *backup.Header) { h.Source = strings.Repeat("x", 4*backup.MaxPathLen+1) },
		"source":             func(h *backup.Header) { h.Source = "a\nb" },
		"operator":           func(h *backup.Header) { h.Operator = "\xff" },
		"tool":               func(h *backup.Header) { h.Tool = `back\slash` },
		"encryption key":     func(h *backup.Header) { h.EncryptionKeyID = "\x7f" },
		"no time":            func(h *backup.Header) { h.Created = time.Time{} },
		"time far away":      func(h *backup.Header) { h.Created = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"time of no clock":   func(h *backup.Header) { h.Created = time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC) },
		"many chain parents": func(h *backup.Header) { h.ChainParents = make([]backup.Digest, 1025) },
	} {
		t.Run(name, func(t *testing.T) {
			h := header()
			change(&h)
			var b bytes.Buffer
			_, err := backup.Build(context.Background(), &b, small(), backup.BuildOptions{Header: h})
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Zero(t, b.Len(), "nothing was written")
		})
	}
	_, err := backup.Build(context.Background(), new(bytes.Buffer), nil, backup.BuildOptions{Header: header()})
	require.ErrorIs(t, err, opsec.ErrInvalid, "no tree")
}

// What Build writes, OpenManifest reads and Verify confirms, whatever the tree.
func TestBuildRoundTripsAnyTree(t *testing.T) {
	types := []fs.FileMode{fs.ModeNamedPipe, fs.ModeSocket, fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice, fs.ModeIrregular}
	name := rapid.StringMatching(`[a-c\-. \t\\é]{1,3}`).Filter(func(s string) bool { return s != "." && s != ".." })
	rapid.Check(t, func(rt *rapid.T) {
		tree := fstest.MapFS{}
		for i := range rapid.IntRange(0, 8).Draw(rt, "files") {
			path := strings.Join(rapid.SliceOfN(name, 1, 3).Draw(rt, "path"), "/")
			f := &fstest.MapFile{ModTime: time.Unix(rapid.Int64Range(-1e11, 1e11).Draw(rt, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(rt, "nanoseconds"))}
			switch rapid.IntRange(0, 3).Draw(rt, "kind") {
			case 0:
				f.Mode, f.Data = fs.ModeSymlink|0o777, []byte(fmt.Sprint("target", i))
			case 1:
				f.Mode = rapid.SampledFrom(types).Draw(rt, "type") | 0o600
			default:
				f.Mode = fs.FileMode(rapid.IntRange(0, 0o777).Draw(rt, "mode"))
				f.Data = rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(rt, "content")
			}
			tree[path] = f
		}
		for path := range tree {
			for other := range tree {
				if strings.HasPrefix(other, path+"/") {
					return // below a file
				}
			}
		}
		options := rapid.SampledFrom([]func(*backup.BuildOptions){nil, withChunks, withBoth, unsigned}).Draw(rt, "options")
		r := verify(t, build(t, tree, options), tree, backup.Budget{StrictMetadata: true})
		require.Empty(rt, found(t, r))
		require.Zero(rt, r.Faults())
		require.Equal(rt, r.Trust == trust.Trusted, r.OK)
	})
}

func TestFileThatCannotBeReadIsNamedAndLeavesNoManifest(t *testing.T) {
	tree := failing{mapFS(map[string]string{"a": "1", "b": "2", "c/d": "3", "e": "4"}), map[string]error{"b": fs.ErrPermission, "c": errors.New("disk on fire")}}
	name := filepath.Join(t.TempDir(), "m")
	_, err := backup.BuildFile(context.Background(), name, tree, backup.BuildOptions{Header: header()})
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "backup: b: ")
	require.ErrorContains(t, err, "disk on fire")
	left, err := os.ReadDir(filepath.Dir(name))
	require.NoError(t, err)
	require.Empty(t, left)

	many := failing{fstest.MapFS{}, map[string]error{}}
	for i := range 100 {
		path := fmt.Sprintf("%03d", i)
		many.MapFS[path], many.fails[path] = &fstest.MapFile{}, errors.New("no")
	}
	var b bytes.Buffer
	_, err = backup.Build(context.Background(), &b, many, backup.BuildOptions{Header: header()})
	require.ErrorContains(t, err, "009")
	require.NotContains(t, err.Error(), "010", "ten are enough")
}

func TestManifestFileIsPrivateAndReplacedAsAWhole(t *testing.T) {
	name := filepath.Join(t.TempDir(), "m")
	require.NoError(t, os.WriteFile(name, []byte("old"), 0o644))
	_, err := backup.BuildFile(context.Background(), name, failing{small(), map[string]error{"a": fs.ErrPermission}}, backup.BuildOptions{Header: header()})
	require.Error(t, err)
	old, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "old", string(old))
	h, err := backup.BuildFile(context.Background(), name, small(), backup.BuildOptions{Header: header()})
	require.NoError(t, err)
	info, err := os.Stat(name)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode())
	m, err := backup.OpenManifestFile(name)
	require.NoError(t, err)
	require.Equal(t, h.Counts, m.Header.Counts)
	require.Equal(t, h.MerkleRoot, m.Header.MerkleRoot)
	require.NoError(t, m.Close())
}

func TestWriterThatFailsIsAnError(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full")
	}
	defer full.Close()
	files := map[string]string{}
	for i := range 2000 {
		files[fmt.Sprintf("%04d", i)] = "x"
	}
	for _, tree := range []fstest.MapFS{small(), mapFS(files)} {
		_, err = backup.Build(context.Background(), full, tree, backup.BuildOptions{Header: header(), Chunks: true})
		require.ErrorContains(t, err, "no space")
	}
	require.ErrorContains(t, open(t, build(t, small(), nil)).CoSign(context.Background(), full, signer(t, 2)), "no space")
}

func TestManifestIsNotReadFromAFIFO(t *testing.T) {
	dir := t.TempDir()
	mkfifo(t, filepath.Join(dir, "fifo")) // would hang
	_, err := backup.OpenManifestFile(filepath.Join(dir, "fifo"))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = backup.OpenManifestFile(filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	bad := put(t, dir, "bad", []byte("opsec-manifest/v1 blake3\n"))
	leaksNothing(t, func() {
		_, err := backup.OpenManifestFile(bad)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	})
}

// Whatever Build can be told by a file system must be something that OpenManifest accepts, or an error.
func TestBuildNeverWritesWhatCannotBeOpened(t *testing.T) {
	for name, file := range map[string]*fstest.MapFile{
		"a type that is none":    {Mode: fs.ModeCharDevice | 0o600},
		"two types at once":      {Mode: fs.ModeNamedPipe | fs.ModeSocket},
		"a link with a NUL":      {Mode: fs.ModeSymlink, Data: []byte("a\x00b")},
		"a link to nothing":      {Mode: fs.ModeSymlink},
		"a link that is long":    {Mode: fs.ModeSymlink, Data: make([]byte, 5000)},
		"the beginning of time":  {ModTime: time.Time{}},
		"before that":            {ModTime: time.Unix(-1<<62, 5)},
		"all permissions":        {Mode: fs.ModePerm | fs.ModeSticky | fs.ModeSetuid | fs.ModeSetgid},
		"modes that are not any": {Mode: fs.ModeTemporary | fs.ModeAppend | fs.ModeExclusive},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			_, err := backup.Build(context.Background(), &b, fstest.MapFS{"f": file}, backup.BuildOptions{Header: header()})
			if err != nil {
				require.ErrorIs(t, err, opsec.ErrInvalid)
				return
			}
			open(t, b.Bytes())
		})
	}
	long := strings.Repeat("x", backup.MaxPathLen+1)
	_, err := backup.Build(context.Background(), new(bytes.Buffer), fstest.MapFS{long: {}}, backup.BuildOptions{Header: header()})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// The rule that paths obey, written down once more and in the simplest way: sorted, each once, each in a directory.
func isTree(lines []string) bool {
	directories, last := map[string]bool{"": true}, ""
	for _, line := range lines {
		fields := strings.Split(line, "\t")
		path := fields[len(fields)-1]
		parent, _ := filepath.Split(path)
		if path <= last || !directories[strings.TrimSuffix(parent, "/")] {
			return false
		}
		directories[path], last = fields[0] == "d", path
	}
	return true
}

func TestManifestIsATreeOrIsRefused(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "a-", "a.", "a0", "b", "-", "aa", "é"})
	accepted, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		byPath := map[string]string{}
		for range rapid.IntRange(0, 6).Draw(rt, "entries") {
			parts := rapid.SliceOfN(name, 1, 3).Draw(rt, "path")
			path := strings.Join(parts, "/")
			byPath[path] = rapid.SampledFrom([]string{line(path, "x"), linkLine("a", path), dirLine(path)}).Draw(rt, "line")
			for i := range parts[1:] {
				parent := strings.Join(parts[:i+1], "/")
				byPath[parent] = dirLine(parent)
			}
		}
		var lines []string
		for _, path := range slices.Sorted(maps.Keys(byPath)) {
			lines = append(lines, byPath[path])
		}
		if n := len(lines); n > 0 && rapid.Bool().Draw(rt, "break it") {
			i, k := rapid.IntRange(0, n-1).Draw(rt, "i"), rapid.IntRange(0, n-1).Draw(rt, "k")
			switch rapid.IntRange(0, 3).Draw(rt, "how") {
			case 0:
				lines[i], lines[k] = lines[k], lines[i]
			case 1:
				lines = slices.Insert(lines, i, lines[k])
			case 2:
				lines = slices.Delete(lines, i, i+1)
			case 3:
				fields := strings.Split(lines[i], "\t")
				lines[i] = linkLine("x", fields[len(fields)-1])
			}
		}
		_, err := opened(crafted{lines: lines}.encode(t))
		if !isTree(lines) {
			require.ErrorIs(rt, err, opsec.ErrInvalid)
			refused++
			return
		}
		require.NoError(rt, err)
		accepted += len(lines)
	})
	require.NotZero(t, accepted)
	require.NotZero(t, refused)
}
