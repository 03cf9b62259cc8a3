package backup_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/trust"
)

// formats with the programs that write and check them.
var formats = []backup.CheckFormat{backup.B3Sum, backup.SHA256Sum}

// readable is nasty without what b3sum does not read: names that are not UTF-8.
func readable(t testing.TB) string {
	dir := nasty(t)
	require.NoError(t, os.Remove(filepath.Join(dir, "bytes-\xff\xfe")))
	for _, name := range []string{"*star", "#hash", `\`, `\\n`, "trailing\n", "\nleading", "  two", "a  b", "SHA256 (x) = y", "BLAKE3 (x)", "dir\n/in\\side"} {
		put(t, dir, name, []byte(name))
	}
	return dir
}

// regular are the paths of a tree's files.
func regular(t testing.TB, dir string) (all []string) {
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d.Type().IsRegular() {
			rel, _ := filepath.Rel(dir, path)
			all = append(all, rel)
		}
		return err
	}))
	slices.Sort(all)
	return all
}

func checkFile(t testing.TB, m *backup.Manifest, format backup.CheckFormat) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, m.WriteCheckFile(&b, format))
	var again bytes.Buffer
	require.NoError(t, m.Export(&again, string(format)))
	require.Equal(t, b.String(), again.String())
	return b.Bytes()
}

func TestOtherProgramsAcceptOurCheckFiles(t *testing.T) {
	for _, format := range formats {
		t.Run(string(format), func(t *testing.T) {
			need(t, string(format))
			dir := readable(t)
			if format == backup.SHA256Sum {
				put(t, dir, "bytes-\xff\xfe", []byte("not UTF-8"))
				put(t, dir, "carriage\rreturn", []byte("CR"))
			}
			list := filepath.Join(t.TempDir(), "list")
			m := open(t, build(t, openDir(t, dir), withBoth))
			require.NoError(t, os.WriteFile(list, checkFile(t, m, format), 0o600))
			out, err := run(t, dir, nil, string(format), "--check", list)
			require.NoError(t, err)
			require.EqualValues(t, m.Header.Counts.Files, strings.Count(out, ": OK\n"))
			for _, name := range []string{"one", "line\nbreak", `back\slash`, "-dash", "large"} {
				flip(t, filepath.Join(dir, name), 0, 1)
				_, err = run(t, dir, nil, string(format), "--check", list)
				require.ErrorContains(t, err, "FAILED", "%q", name)
				flip(t, filepath.Join(dir, name), 0, 1)
			}
		})
	}
}

// b3sum 1.2 neither writes nor reads "\r", so that a name with a carriage return must be in its check file as it is.
func TestB3sumAcceptsOurCheckFileOfACarriageReturn(t *testing.T) {
	need(t, "b3sum")
	for _, name := range []string{"carriage\rreturn", "both\r\n\\"} {
		dir := t.TempDir()
		put(t, dir, name, []byte("CR"))
		list := filepath.Join(t.TempDir(), "list")
		require.NoError(t, os.WriteFile(list, checkFile(t, open(t, build(t, openDir(t, dir), nil)), backup.B3Sum), 0o600))
		_, err := run(t, dir, nil, "b3sum", "--check", list)
		require.NoError(t, err, "%q", name)
	}
}

// A name with U+FFFD is UTF-8, but b3sum takes it for one that was not; of a carriage return at the end its versions
// think differently.
func TestNamesThatB3sumCannotCheckAreErrors(t *testing.T) {
	for _, name := range []string{"\xff", "\ufffd", "at the end\r"} {
		dir := t.TempDir()
		put(t, dir, "a", nil)
		put(t, dir, name, nil)
		m := open(t, build(t, openDir(t, dir), withBoth))
		require.ErrorIs(t, m.WriteCheckFile(io.Discard, backup.B3Sum), opsec.ErrInvalid, "%q", name)
		require.NoError(t, m.WriteCheckFile(io.Discard, backup.SHA256Sum), "%q", name)
	}
}

func TestWhatOtherProgramsWroteIsVerified(t *testing.T) {
	styles := map[string]struct {
		format backup.CheckFormat
		args   []string
		prefix string
	}{
		"b3sum":             {backup.B3Sum, nil, ""},
		"b3sum, from find":  {backup.B3Sum, nil, "./"},
		"sha256sum":         {backup.SHA256Sum, nil, ""},
		"sha256sum, find":   {backup.SHA256Sum, nil, "./"},
		"sha256sum, binary": {backup.SHA256Sum, []string{"--binary"}, ""},
		"sha256sum, tagged": {backup.SHA256Sum, []string{"--tag"}, "./"},
	}
	for name, style := range styles {
		t.Run(name, func(t *testing.T) {
			need(t, string(style.format))
			dir := readable(t)
			put(t, dir, "carriage\rreturn", []byte("CR"))
			if style.format == backup.SHA256Sum {
				put(t, dir, "bytes-\xff", []byte("not UTF-8"))
			}
			paths := regular(t, dir)
			args := append(slices.Clone(style.args), "--")
			for _, p := range paths {
				args = append(args, style.prefix+p)
			}
			out, err := run(t, dir, nil, string(style.format), args...)
			require.NoError(t, err)
			files, err := backup.ParseCheckFile(strings.NewReader(out), style.format)
			require.NoError(t, err)
			var got []string
			for _, f := range files {
				got = append(got, f.Path)
				require.EqualValues(t, -1, f.Size)
			}
			require.Equal(t, paths, got)

			check := func() *backup.Report {
				r, err := backup.VerifySums(context.Background(), files, openDir(t, dir), backup.Budget{})
				require.NoError(t, err)
				return r
			}
			r := check()
			require.Empty(t, found(t, r), "links and directories are not looked at")
			require.Equal(t, backup.StatusUntrusted, r.Status)
			require.False(t, r.OK)
			require.EqualValues(t, len(paths), r.Checked)
			for _, path := range []string{"one", "line\nbreak", "large", "sparse", "dir\n/in\\side"} {
				flip(t, filepath.Join(dir, path), 0, 0x40)
				r := check()
				require.Equal(t, map[string][]string{"changed": {backup.Quote(path)}}, found(t, r))
				require.Equal(t, backup.StatusDamaged, r.Status)
				flip(t, filepath.Join(dir, path), 0, 0x40)
			}
			put(t, dir, "zz/new", nil)
			require.NoError(t, os.Remove(filepath.Join(dir, "one")))
			require.NoError(t, os.Remove(filepath.Join(dir, "empty")))
			mkfifo(t, filepath.Join(dir, "empty"))
			require.Equal(t, map[string][]string{"changed": {"empty"}, "missing": {"one"}, "extra": {"zz/new"}}, found(t, check()))
		})
	}
}

func TestCheckFileOfADigestThatTheManifestLacksIsAnError(t *testing.T) {
	m := open(t, build(t, small(), nil))
	var b bytes.Buffer
	require.ErrorIs(t, m.WriteCheckFile(&b, backup.SHA256Sum), opsec.ErrInvalid)
	require.ErrorIs(t, m.WriteCheckFile(&b, "md5sum"), opsec.ErrInvalid)
	require.ErrorIs(t, m.WriteCheckFile(&b, ""), opsec.ErrInvalid)
	require.Zero(t, b.Len())
	_, err := backup.ParseCheckFile(strings.NewReader(""), "md5sum")
	require.ErrorIs(t, err, opsec.ErrInvalid)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err == nil {
		require.ErrorContains(t, m.WriteCheckFile(full, backup.B3Sum), "no space")
		full.Close()
	}
}

func TestCheckFilesThatAreNoneAreRefused(t *testing.T) {
	sum := fmt.Sprintf("%x", blake3.Sum256(nil))
	other := strings.Repeat("1", 64)
	for name, text := range map[string]string{
		"nothing":                  "",
		"an empty line":            "\n",
		"no end":                   sum + "  a",
		"no path":                  sum + "  \n",
		"one space":                sum + " a\n",
		"a tab":                    sum + "\ta\n",
		"a short digest":           sum[1:] + "  a\n",
		"upper case":               strings.ToUpper(sum) + "  a\n",
		"no hex":                   "g" + sum[1:] + "  a\n",
		"an absolute path":         sum + "  /etc/passwd\n",
		"a path above":             sum + "  ../a\n",
		"a path above, inside":     sum + "  a/../../b\n",
		"above after ./":           sum + "  ./../a\n",
		"only ./":                  sum + "  ./\n",
		"an empty part":            sum + "  a//b\n",
		"a directory":              sum + "  a/\n",
		"a NUL":                    sum + "  a\x00b\n",
		"a long path":              sum + "  " + strings.Repeat("a", 5000) + "\n",
		"a long line":              sum + "  " + strings.Repeat("a", 60_000) + "\n",
		"an unknown escape":        `\` + sum + `  a\tb` + "\n",
		"half an escape":           `\` + sum + `  a\` + "\n",
		"an escaped path above":    `\` + sum + `  ..` + "\n",
		"an escaped NUL":           `\` + sum + "  a\\\\\x00\n",
		"two digests of one":       sum + "  a\n" + other + "  a\n",
		"the same by ./":           sum + "  a\n" + other + "  ./a\n",
		"the tag of another":       "SHA256 (a) = " + sum + "\n",
		"a tag without path":       "BLAKE3 () = " + sum + "\n",
		"a tag and more":           "BLAKE3 (a) = " + sum + " \n",
		"a manifest":               "opsec-manifest/v1 blake3\n",
		"a comment":                "# " + sum + "  a\n",
		"a blank line at the end":  sum + "  a\n\n",
		"a byte order mark":        "\xef\xbb\xbf" + sum + "  a\n",
		"no file of that name":     "b3sum: a: No such file or directory\n",
		"zeros, which mean no sum": strings.Repeat("0", 64) + "  a\n",
	} {
		t.Run(name, func(t *testing.T) {
			files, err := backup.ParseCheckFile(strings.NewReader(text), backup.B3Sum)
			if err == nil { // what cannot be told before must come out here
				_, err = backup.VerifySums(context.Background(), files, fstest.MapFS{}, backup.Budget{})
			}
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Less(t, len(err.Error()), 17_000)
		})
	}
	_, err := backup.ParseCheckFile(io.MultiReader(strings.NewReader(sum+"  a\n"), broken{}), backup.B3Sum)
	require.Error(t, err)
	require.NotErrorIs(t, err, opsec.ErrInvalid, "a reader's error is not the file's")
}

func TestCheckFileMayRepeatItself(t *testing.T) {
	sum := fmt.Sprintf("%x", blake3.Sum256(nil))
	files, err := backup.ParseCheckFile(strings.NewReader(sum+"  b\n"+sum+" *a\nBLAKE3 (b) = "+sum+"\n"+sum+"  ././b\n"+sum+"  .b\n"), backup.B3Sum)
	require.NoError(t, err)
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	require.Equal(t, []string{".b", "a", "b"}, paths)
}

func TestCheckFileKeepsAnyName(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tree := fstest.MapFS{}
		for range rapid.IntRange(1, 6).Draw(rt, "files") {
			name := rapid.StringMatching(`[a\\ \n\r\t*()=./-]{1,6}`).Filter(func(name string) bool {
				return fs.ValidPath(name) && !strings.HasSuffix(name, "\r") // which b3sum cannot check
			}).Draw(rt, "name")
			tree[name] = &fstest.MapFile{Data: rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(rt, "content")}
		}
		var want []string
		for path := range tree {
			for other := range tree {
				if path == "." || strings.HasPrefix(other, path+"/") {
					return
				}
			}
			want = append(want, path)
		}
		slices.Sort(want)
		m := open(t, build(t, tree, withBoth))
		for _, format := range formats {
			files, err := backup.ParseCheckFile(bytes.NewReader(checkFile(t, m, format)), format)
			require.NoError(rt, err)
			var got []string
			for _, f := range files {
				got = append(got, f.Path)
			}
			require.Equal(rt, want, got)
			r, err := backup.VerifySums(context.Background(), files, tree, backup.Budget{})
			require.NoError(rt, err)
			require.Empty(rt, found(t, r))
		}
	})
}

func TestDigestsToVerifyAreSortedAndComplete(t *testing.T) {
	sum := func(path string) backup.FileSums {
		return backup.FileSums{Path: path, Sums: backup.Sums{Size: -1, BLAKE3: blake3.Sum256(nil)}}
	}
	for name, files := range map[string][]backup.FileSums{
		"out of order": {sum("b"), sum("a")}, "twice": {sum("a"), sum("a")}, "no digest": {{Path: "a"}},
		"a path above": {sum("../a")}, "an absolute path": {sum("/a")}, "no path": {sum("")},
	} {
		_, err := backup.VerifySums(context.Background(), files, fstest.MapFS{}, backup.Budget{})
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
}

func TestSumsOfATreeVerifyIt(t *testing.T) {
	dir := nasty(t)
	var files []backup.FileSums
	for f, err := range backup.SumFS(context.Background(), openDir(t, dir), &backup.SumOptions{SHA256: true}) {
		require.NoError(t, err)
		files = append(files, f)
	}
	r, err := backup.VerifySums(context.Background(), files, openDir(t, dir), backup.Budget{Sample: 5})
	require.NoError(t, err)
	require.Empty(t, found(t, r))
	require.EqualValues(t, 5, r.Checked)
	require.Equal(t, trust.Untrusted, r.Trust)
	require.NoError(t, os.Truncate(filepath.Join(dir, "large"), 5))
	r, err = backup.VerifySums(context.Background(), files, openDir(t, dir), backup.Budget{})
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"changed": {"large"}}, found(t, r))
	require.Equal(t, fmt.Sprintf("was %d bytes, is 5", large), detail(r, "large").What)
}

func TestVerificationOfACheckFileIsAnEventToo(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list")
	require.NoError(t, os.WriteFile(list, []byte(fmt.Sprintf("%x  a\n", blake3.Sum256([]byte("x")))), 0o600))
	r, err := backup.VerifyCheckFile(context.Background(), list, backup.B3Sum, mapFS(map[string]string{"a": "x"}), backup.Budget{})
	require.NoError(t, err)
	require.Empty(t, found(t, r))
	e := r.Event()
	require.Equal(t, opsec.Failure, e.Outcome)
	require.NoError(t, e.Validate())
	_, err = backup.VerifyCheckFile(context.Background(), list+"x", backup.B3Sum, fstest.MapFS{}, backup.Budget{})
	require.ErrorIs(t, err, fs.ErrNotExist)
}
