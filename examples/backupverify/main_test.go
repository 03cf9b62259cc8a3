package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/trust"
	"github.com/cloudopsec/opsec/internal/race"
)

// TestMain lets the test binary be the program, so that what go test has cached is of this program and no older one, and
// the race detector watches it.
func TestMain(m *testing.M) {
	if os.Getenv("BACKUPVERIFY_TEST") == "be the program" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// command is the program with arguments.
func command(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), "BACKUPVERIFY_TEST=be the program", "GORACE=atexit_sleep_ms=0")
	return cmd
}

// need skips a test where a tool is absent; in CI none may be.
func need(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed, and in CI it has to be", tool)
		}
		t.Skipf("%s is not installed", tool)
	}
}

// outcome is what a finished program leaves.
type outcome struct {
	code           int
	stdout, stderr string
}

// place is a directory with a small tree in it, "tree", that tests work in.
type place struct {
	*testing.T
	dir string
}

func newPlace(t *testing.T) place {
	t.Parallel()
	p := place{t, t.TempDir()}
	p.write("tree/a.txt", "first\n")
	p.write("tree/sub/b.bin", strings.Repeat("0123456789abcdef", 10_000))
	p.write("tree/sub/deep/c", "")
	p.write("tree/z.txt", "last\n")
	return p
}

func (p place) path(name string) string { return filepath.Join(p.dir, filepath.FromSlash(name)) }

func (p place) write(name, text string) {
	p.Helper()
	require.NoError(p, os.MkdirAll(filepath.Dir(p.path(name)), 0o755))
	require.NoError(p, os.WriteFile(p.path(name), []byte(text), 0o644))
}

func (p place) read(name string) string {
	p.Helper()
	b, err := os.ReadFile(p.path(name))
	require.NoError(p, err)
	return string(b)
}

// flip flips a bit of a file and keeps its size and time, as silent damage does.
func (p place) flip(name string, at int64) {
	p.Helper()
	info, err := os.Stat(p.path(name))
	require.NoError(p, err)
	b := []byte(p.read(name))
	b[at] ^= 1
	require.NoError(p, os.WriteFile(p.path(name), b, 0o644))
	require.NoError(p, os.Chtimes(p.path(name), info.ModTime(), info.ModTime()))
}

// tool runs a program in the place.
func (p place) tool(stdin, name string, args ...string) outcome {
	p.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return p.finish(ctx, exec.CommandContext(ctx, name, args...), stdin)
}

func (p place) finish(ctx context.Context, cmd *exec.Cmd, stdin string) outcome {
	p.Helper()
	var stdout, stderr strings.Builder
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = p.dir, strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	require.NoError(p, ctx.Err(), "%q hangs", cmd.Args)
	if err != nil {
		require.IsType(p, new(exec.ExitError), err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// run runs the program with arguments in the place, and wants an exit code.
func (p place) run(code int, args ...string) outcome {
	p.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	o := p.finish(ctx, command(ctx, p.T, args...), "")
	require.Equal(p, code, o.code, "exit code of %q\nstdout: %s\nstderr: %s", args, o.stdout, o.stderr)
	if code == 2 {
		require.NotEmpty(p, o.stderr, "%q says what is wrong", args)
		require.NotContains(p, o.stderr, "panic", "%q", args)
	} else if args[len(args)-1] != "-h" {
		require.Empty(p, o.stderr, "standard error of %q", args)
	}
	return o
}

// report is the JSON of verify, as a consumer of the documented keys reads it.
type report struct {
	OK                                  *bool
	Trust, Status, History              string
	Checked, Bytes                      *int64
	Changed, Missing, Extra, Unreadable []string
	Signatures                          []struct {
		Operator, KeyID string
		Valid           bool
	}
	Sample *struct{ Files, Size int64 }
	Cursor *struct{ After string }
}

// verify runs verify -json and reads the one document on standard output.
func (p place) verify(code int, args ...string) (r report) {
	p.Helper()
	o := p.run(code, append([]string{"verify", "-json", "-dir", "tree"}, args...)...)
	dec := json.NewDecoder(strings.NewReader(o.stdout))
	require.NoError(p, dec.Decode(&r), o.stdout)
	_, err := dec.Token()
	require.ErrorIs(p, err, io.EOF, "one document and nothing else: %s", o.stdout)
	require.NotNil(p, r.OK)
	require.False(p, *r.OK && code != 0, "ok, and exit code %d", code)
	return r
}

// signed makes a key and a signed manifest, "m", of the tree.
func (p place) signed(args ...string) place {
	p.Helper()
	if _, err := os.Stat(p.path("key")); err != nil {
		p.run(0, "keygen", "-out", "key")
	}
	p.build("m", append(args, "-key", "key", "-operator", "alice")...)
	return p
}

func (p place) build(out string, args ...string) {
	p.Helper()
	p.run(0, append([]string{"build", "-src", "tree", "-out", out}, args...)...)
}

// names lists what is in a directory of the place.
func (p place) names(dir string) (names []string) {
	p.Helper()
	list, err := os.ReadDir(p.path(dir))
	require.NoError(p, err)
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestKeygenNeverOverwrites(t *testing.T) {
	p := newPlace(t)
	id := strings.TrimSpace(p.run(0, "keygen", "-out", "key").stdout)
	require.Regexp(t, `^SHA256:[A-Za-z0-9+/]{43}$`, id)
	info, err := os.Stat(p.path("key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode(), "a private key is its owner's alone")
	private, public := p.read("key"), p.read("key.pub")

	p.run(2, "keygen", "-out", "key")
	require.Equal(t, private, p.read("key"))
	require.Equal(t, public, p.read("key.pub"))

	// A public key alone that is there is not overwritten either, and no private one is left beside it.
	require.NoError(t, os.Remove(p.path("key")))
	p.run(2, "keygen", "-out", "key")
	require.NoFileExists(t, p.path("key"))
	require.Equal(t, public, p.read("key.pub"))

	need(t, "ssh-keygen")
	o := p.tool("", "ssh-keygen", "-l", "-f", "key.pub")
	require.Contains(t, o.stdout, id, "ssh-keygen names the key by the same fingerprint")
}

func TestSignedBackupVerifies(t *testing.T) {
	p := newPlace(t).signed()
	r := p.verify(0, "-manifest", "m", "-pub", "key.pub")
	require.True(t, *r.OK)
	require.Equal(t, "ok", r.Trust)
	require.EqualValues(t, 4, *r.Checked)
	require.EqualValues(t, 6+160_000+0+5, *r.Bytes)
	require.Len(t, r.Signatures, 1)
	require.Equal(t, "alice", r.Signatures[0].Operator)
	require.True(t, r.Signatures[0].Valid)
	text := p.run(0, "verify", "-manifest", "m", "-dir", "tree", "-pub", "key.pub").stdout
	require.Regexp(t, `^OK: `, text)
	require.Contains(t, text, r.Signatures[0].KeyID)
}

func TestJSONHasTheDocumentedKeys(t *testing.T) {
	p := newPlace(t).signed()
	var raw map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(p.run(0, "verify", "-json", "-manifest", "m", "-dir", "tree", "-pub", "key.pub").stdout), &raw))
	for _, key := range []string{"ok", "trust", "checked", "bytes", "changed", "missing", "extra", "unreadable", "signatures"} {
		require.Contains(t, raw, key)
	}
	for _, key := range []string{"changed", "missing", "extra", "unreadable"} {
		require.Equal(t, "[]", string(raw[key]), "%s is a list also when it is empty", key)
	}
	var signatures []map[string]any
	require.NoError(t, json.Unmarshal(raw["signatures"], &signatures))
	require.Len(t, signatures, 1)
	for _, key := range []string{"operator", "keyid", "valid"} {
		require.Contains(t, signatures[0], key)
	}
}

func TestNobodyVouches(t *testing.T) {
	p := newPlace(t).signed()
	p.build("unsigned")
	for _, m := range []string{"m", "unsigned"} {
		r := p.verify(0, "-manifest", m)
		require.False(t, *r.OK, "never ok without trusted keys")
		require.Equal(t, "untrusted", r.Trust)
		require.Equal(t, "untrusted", r.Status)
		require.EqualValues(t, 4, *r.Checked, "the contents were compared")
	}
	r := p.verify(1, "-manifest", "unsigned", "-pub", "key.pub")
	require.Equal(t, "untrusted", r.Trust, "somebody was to vouch")
	p.write("tree/a.txt", "other\n")
	r = p.verify(1, "-manifest", "m")
	require.Equal(t, []string{"a.txt"}, r.Changed, "damage counts also where nobody vouches")
}

func TestWrongKeyIsAFinding(t *testing.T) {
	p := newPlace(t).signed()
	p.run(0, "keygen", "-out", "other")
	r := p.verify(1, "-manifest", "m", "-pub", "other.pub")
	require.Equal(t, "untrusted", r.Trust)
	require.Len(t, r.Signatures, 1)
	require.False(t, r.Signatures[0].Valid)
	for _, pubs := range [][]string{{"other.pub", "key.pub"}, {"key.pub", "other.pub"}} {
		r = p.verify(0, "-manifest", "m", "-pub", pubs[0], "-pub", pubs[1])
		require.Equal(t, "ok", r.Trust, "-pub may be repeated")
	}
}

func TestDamageIsNamed(t *testing.T) {
	type names struct{ changed, missing, extra []string }
	none := []string{}
	for name, c := range map[string]struct {
		damage func(p place)
		want   names
	}{
		"first bit":     {func(p place) { p.flip("tree/sub/b.bin", 0) }, names{[]string{"sub/b.bin"}, none, none}},
		"last bit":      {func(p place) { p.flip("tree/sub/b.bin", 159_999) }, names{[]string{"sub/b.bin"}, none, none}},
		"longer":        {func(p place) { p.write("tree/sub/deep/c", "x") }, names{[]string{"sub/deep/c"}, none, none}},
		"missing file":  {func(p place) { p.remove("tree/z.txt") }, names{none, []string{"z.txt"}, none}},
		"missing tree":  {func(p place) { p.remove("tree/sub/deep") }, names{none, []string{"sub/deep", "sub/deep/c"}, none}},
		"extra file":    {func(p place) { p.write("tree/sub/new", "") }, names{none, none, []string{"sub/new"}}},
		"file to dir":   {func(p place) { p.remove("tree/a.txt"); p.write("tree/a.txt/x", "") }, names{[]string{"a.txt"}, none, []string{"a.txt/x"}}},
		"file renamed":  {func(p place) { require.NoError(p, os.Rename(p.path("tree/a.txt"), p.path("tree/b.txt"))) }, names{none, []string{"a.txt"}, []string{"b.txt"}}},
		"all at a time": {func(p place) { p.flip("tree/a.txt", 1); p.remove("tree/z.txt"); p.write("tree/y", "") }, names{[]string{"a.txt"}, []string{"z.txt"}, []string{"y"}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t).signed()
			c.damage(p)
			r := p.verify(1, "-manifest", "m", "-pub", "key.pub")
			require.Equal(t, "damaged", r.Status)
			require.Equal(t, "ok", r.Trust, "the manifest is as it was")
			require.Equal(t, c.want, names{r.Changed, r.Missing, r.Extra})
			text := p.run(1, "verify", "-manifest", "m", "-dir", "tree", "-pub", "key.pub").stdout
			for _, path := range append(append(r.Changed, r.Missing...), r.Extra...) {
				require.Contains(t, text, path)
			}
		})
	}
}

func (p place) remove(name string) {
	p.Helper()
	_, err := os.Lstat(p.path(name))
	require.NoError(p, err)
	require.NoError(p, os.RemoveAll(p.path(name)))
}

func TestMetadataIsAFaultOnlyWhenAsked(t *testing.T) {
	p := newPlace(t).signed()
	require.NoError(t, os.Chmod(p.path("tree/a.txt"), 0o600))
	require.True(t, *p.verify(0, "-manifest", "m", "-pub", "key.pub").OK)
	require.Equal(t, "damaged", p.verify(1, "-manifest", "m", "-pub", "key.pub", "-strict").Status)
}

func TestChunksTellWhichRangeIsBad(t *testing.T) {
	p := newPlace(t).signed("-chunks")
	p.flip("tree/sub/b.bin", 70_000)
	text := p.run(1, "verify", "-manifest", "m", "-dir", "tree", "-pub", "key.pub").stdout
	require.Contains(t, text, "sub/b.bin: content differs [65536,131072)\n")
}

func TestDamagedManifestIsNoInput(t *testing.T) {
	p := newPlace(t).signed()
	whole := p.read("m")
	require.Greater(t, len(whole), 1000)
	p.write("bad", whole)
	p.verify(0, "-manifest", "bad", "-pub", "key.pub")
	try := func(text, what string) {
		t.Helper()
		p.write("bad", text)
		o := p.run(2, "verify", "-json", "-manifest", "bad", "-dir", "tree", "-pub", "key.pub")
		require.Empty(t, o.stdout, "no report of a manifest with %s", what)
	}
	step := 1
	if race.Enabled {
		step = 100 // a process each
	}
	for at := 0; at < len(whole); at += step + at%31 {
		b := []byte(whole)
		b[at] ^= 1 << (at % 8)
		try(string(b), fmt.Sprintf("byte %d of %d flipped", at, len(whole)))
	}
	for _, n := range []int{0, 1, 20, len(whole) / 2, len(whole) - 66, len(whole) - 65, len(whole) - 1} {
		try(whole[:n], fmt.Sprintf("its first %d bytes alone", n))
	}
	try(whole+"\n", "a line more")
	try(whole+whole, "itself once more")
	try(whole+"x", "a byte more")
}

func TestWrongUse(t *testing.T) {
	p := newPlace(t).signed()
	p.write("notjson", "{")
	p.write("garbage", "no digest here\n")
	for name, args := range map[string][]string{
		"nothing":               {},
		"unknown command":       {"repair"},
		"flag for a command":    {"-json"},
		"unknown flag":          {"verify", "-repair"},
		"stray argument":        {"verify", "-manifest", "m", "-dir", "tree", "now"},
		"stray after build":     {"build", "-src", "tree", "-out", "x", "tree"},
		"no manifest":           {"verify", "-manifest", "absent", "-dir", "tree"},
		"manifest is a dir":     {"verify", "-manifest", "tree", "-dir", "tree"},
		"garbage manifest":      {"verify", "-manifest", "garbage", "-dir", "tree"},
		"no dir":                {"verify", "-manifest", "m", "-dir", "absent"},
		"dir is a file":         {"verify", "-manifest", "m", "-dir", "m"},
		"no pub":                {"verify", "-manifest", "m", "-dir", "tree", "-pub", "absent.pub"},
		"private key for pub":   {"verify", "-manifest", "m", "-dir", "tree", "-pub", "key"},
		"bad policy":            {"verify", "-manifest", "m", "-dir", "tree", "-trust", "notjson"},
		"no policy":             {"verify", "-manifest", "m", "-dir", "tree", "-trust", "absent"},
		"bad state":             {"verify", "-manifest", "m", "-dir", "tree", "-state", "notjson"},
		"bad resume":            {"verify", "-manifest", "m", "-dir", "tree", "-resume", "notjson"},
		"negative sample":       {"verify", "-manifest", "m", "-dir", "tree", "-sample", "-1"},
		"sample is no number":   {"verify", "-manifest", "m", "-dir", "tree", "-sample", "3%"},
		"negative rate":         {"verify", "-manifest", "m", "-dir", "tree", "-rate", "-1"},
		"negative time":         {"verify", "-manifest", "m", "-dir", "tree", "-for", "-1s"},
		"other digest":          {"build", "-src", "tree", "-out", "x", "-digests", "md5"},
		"sha256 alone":          {"build", "-src", "tree", "-out", "x", "-digests", "sha256"},
		"no digests":            {"build", "-src", "tree", "-out", "x", "-digests", ""},
		"no source":             {"build", "-src", "absent", "-out", "x"},
		"no key":                {"build", "-src", "tree", "-out", "x", "-key", "absent"},
		"public key to sign":    {"build", "-src", "tree", "-out", "x", "-key", "key.pub"},
		"no previous":           {"build", "-src", "tree", "-out", "x", "-previous", "absent"},
		"previous is none":      {"build", "-src", "tree", "-out", "x", "-previous", "garbage"},
		"unprintable operator":  {"build", "-src", "tree", "-out", "x", "-operator", "a\nb"},
		"no tenant":             {"build", "-src", "tree", "-out", "x", "-tenant", ""},
		"out in no directory":   {"build", "-src", "tree", "-out", "absent/x"},
		"unknown export format": {"export", "-manifest", "m", "-format", "md5sum"},
		"export of nothing":     {"export", "-manifest", "absent"},
		"export of check file":  {"export", "-manifest", "garbage"},
	} {
		t.Run(name, func(t *testing.T) {
			p := place{t, p.dir}
			require.Empty(t, p.run(2, args...).stdout)
			require.NoFileExists(t, p.path("x"))
		})
	}
	require.Equal(t, []string{"garbage", "key", "key.pub", "m", "notjson", "tree"}, p.names("."), "nothing was left behind")
}

func TestHelpListsFlags(t *testing.T) {
	p := newPlace(t)
	for _, arg := range []string{"-h", "--help", "help"} {
		require.Contains(t, p.run(0, arg).stdout, "build|export|keygen|verify")
	}
	for verb, flags := range map[string][]string{
		"keygen": {"-out"},
		"build":  {"-src", "-out", "-key", "-operator", "-digests", "-previous", "-tenant", "-source", "-chunks"},
		"verify": {"-manifest", "-dir", "-pub", "-trust", "-state", "-accept-gap", "-sample", "-rate", "-for", "-resume", "-strict", "-json", "-format"},
		"export": {"-manifest", "-format"},
	} {
		o := p.run(0, verb, "-h")
		for _, f := range flags {
			require.Contains(t, o.stdout+o.stderr, "\n  "+f, verb)
		}
	}
	require.Equal(t, []string{"tree"}, p.names("."), "help does nothing")
}

// pause lets the millisecond pass that gives a manifest its sequence.
func pause() { time.Sleep(5 * time.Millisecond) }

func TestRollbackIsFound(t *testing.T) {
	p := newPlace(t).signed()
	require.NoError(t, os.Rename(p.path("m"), p.path("old")))
	pause()
	p.signed()
	verify := func(code int, m string) report {
		t.Helper()
		return p.verify(code, "-manifest", m, "-pub", "key.pub", "-state", "state")
	}
	require.Equal(t, "first", verify(0, "old").History)
	require.Equal(t, "unlinked", verify(0, "m").History)
	require.Equal(t, "newest", verify(0, "m").History)
	seen := p.read("state")
	r := verify(1, "old")
	require.Equal(t, "older", r.History)
	require.Equal(t, "suspect", r.Status)
	require.False(t, *r.OK)
	require.Equal(t, seen, p.read("state"), "what is refused is not remembered")

	p.verify(0, "-manifest", "old", "-pub", "key.pub") // without a state a rollback cannot be seen
	p.verify(1, "-manifest", "old", "-pub", "key.pub", "-state", "state", "-accept-gap")
}

func TestDamagedBackupIsNotRemembered(t *testing.T) {
	p := newPlace(t).signed()
	p.write("tree/a.txt", "other\n")
	p.verify(1, "-manifest", "m", "-pub", "key.pub", "-state", "state")
	require.NoFileExists(t, p.path("state"))
	p.run(0, "keygen", "-out", "other")
	p.write("tree/a.txt", "first\n")
	p.verify(1, "-manifest", "m", "-pub", "other.pub", "-state", "state")
	require.NoFileExists(t, p.path("state"))
	p.verify(0, "-manifest", "m", "-pub", "key.pub", "-state", "state")
	require.FileExists(t, p.path("state"))
}

func TestOmissionIsFound(t *testing.T) {
	p := newPlace(t).signed()
	for i, previous := range []string{"m", "m1", "m2", "m3"} {
		p.build(fmt.Sprintf("m%d", i+1), "-key", "key", "-previous", previous)
	}
	verify := func(code int, args ...string) report {
		t.Helper()
		return p.verify(code, append(args, "-pub", "key.pub", "-state", "state")...)
	}
	require.Equal(t, "first", verify(0, "-manifest", "m").History)
	require.Equal(t, "next", verify(0, "-manifest", "m1").History)
	r := verify(1, "-manifest", "m3")
	require.Equal(t, "missing", r.History)
	require.Equal(t, "suspect", r.Status)
	require.Equal(t, "missing", verify(1, "-manifest", "m3").History, "it was not remembered")
	require.Equal(t, "next", verify(0, "-manifest", "m2").History, "what was left out is still welcome")

	require.Equal(t, "missing", verify(1, "-manifest", "m4").History)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p.finish(ctx, command(ctx, t, "verify", "-manifest", "m4", "-dir", "tree", "-pub", "key.pub", "-state", "state", "-accept-gap"), "")
	require.Equal(t, "newest", verify(0, "-manifest", "m4").History, "the gap was accepted")
	require.Equal(t, "older", verify(1, "-manifest", "m3").History)
}

func TestSampleIsReported(t *testing.T) {
	p := newPlace(t)
	for i := range 20 {
		p.write(fmt.Sprintf("tree/many/%02d", i), fmt.Sprint("text ", i))
	}
	p.signed()
	r := p.verify(0, "-manifest", "m", "-pub", "key.pub", "-sample", "3")
	require.EqualValues(t, 3, *r.Checked)
	require.NotNil(t, r.Sample)
	require.EqualValues(t, 3, r.Sample.Size)
	require.EqualValues(t, 24, r.Sample.Files)
	require.Contains(t, p.run(0, "verify", "-manifest", "m", "-dir", "tree", "-pub", "key.pub", "-sample", "3").stdout, "sample: 3 of 24 files")
	require.Nil(t, p.verify(0, "-manifest", "m", "-pub", "key.pub").Sample)
	p.remove("tree/many/11")
	require.Equal(t, []string{"many/11"}, p.verify(1, "-manifest", "m", "-pub", "key.pub", "-sample", "1").Missing, "what is there is looked at in full")
}

func TestBudgetStopsAndResumes(t *testing.T) {
	p := newPlace(t).signed()
	flags := []string{"-manifest", "m", "-pub", "key.pub", "-state", "state", "-resume", "left"}
	for range 2 {
		r := p.verify(0, append(flags, "-for", "1ns")...)
		require.Equal(t, "incomplete", r.Status)
		require.False(t, *r.OK, "what is not finished is not ok")
		require.NotNil(t, r.Cursor)
		require.FileExists(t, p.path("left"))
		require.NoFileExists(t, p.path("state"), "what is not finished is not remembered")
	}
	p.build("other")
	p.run(2, "verify", "-manifest", "other", "-dir", "tree", "-resume", "left")
	require.FileExists(t, p.path("left"))

	r := p.verify(0, flags...)
	require.True(t, *r.OK)
	require.EqualValues(t, 4, *r.Checked)
	require.NoFileExists(t, p.path("left"))
	require.FileExists(t, p.path("state"))
}

func TestB3sumAcceptsOurCheckFile(t *testing.T) {
	need(t, "b3sum")
	p := newPlace(t)
	p.write("tree/new\nline \\ and more", "odd name")
	p.write("tree/ü", "a name beyond ASCII")
	p.signed()
	p.write("sums", p.run(0, "export", "-manifest", "m", "-format", "b3sum").stdout)
	check := func() outcome { return (place{t, p.path("tree")}).tool("", "b3sum", "--check", "../sums") }
	o := check()
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, 6, strings.Count(o.stdout, ": OK\n"))
	p.flip("tree/sub/b.bin", 100_000)
	o = check()
	require.Equal(t, 1, o.code)
	require.Contains(t, o.stdout, "sub/b.bin: FAILED")
}

func TestSha256sumAcceptsOurCheckFile(t *testing.T) {
	need(t, "sha256sum")
	p := newPlace(t)
	p.write("tree/new\nline \\ and \r", "odd name")
	p.build("plain")
	p.build("both", "-digests", "blake3,sha256")
	o := p.run(2, "export", "-manifest", "plain", "-format", "sha256sum")
	require.Empty(t, o.stdout)
	require.Contains(t, o.stderr, "SHA-256")
	p.write("sums", p.run(0, "export", "-manifest", "both", "-format", "sha256sum").stdout)
	check := func() outcome {
		return (place{t, p.path("tree")}).tool("", "sha256sum", "--check", "--strict", "../sums")
	}
	o = check()
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, 5, strings.Count(o.stdout, ": OK\n"))
	p.flip("tree/a.txt", 0)
	require.Equal(t, 1, check().code)
	p.flip("tree/a.txt", 0)
	require.Contains(t, p.run(2, "export", "-manifest", "both", "-format", "b3sum").stderr, "carriage return")
}

func TestCheckFilesOfRealToolsVerify(t *testing.T) {
	for _, c := range []struct{ tool, tag string }{{"b3sum", ""}, {"b3sum", "--tag"}, {"sha256sum", ""}, {"sha256sum", "--tag"}} {
		t.Run(c.tool+c.tag, func(t *testing.T) {
			need(t, c.tool)
			p := newPlace(t)
			p.write("tree/new\nline \\ and \r", "odd name")
			args := []string{"./a.txt", "sub/b.bin", "sub/deep/c", "z.txt", "new\nline \\ and \r"}
			if c.tag != "" {
				args = append([]string{c.tag}, args...)
			}
			o := (place{t, p.path("tree")}).tool("", c.tool, args...)
			if c.tag != "" && o.code != 0 && strings.Contains(o.stderr, "--tag") {
				t.Skip("this version of the tool has no --tag")
			}
			require.Zero(t, o.code, o.stderr)
			p.write("sums", o.stdout)
			flags := []string{"-manifest", "sums", "-format", c.tool}
			r := p.verify(0, flags...)
			require.EqualValues(t, 5, *r.Checked)
			require.False(t, *r.OK, "nobody vouches for a check file")
			require.Equal(t, "untrusted", r.Trust)
			require.NotNil(t, r.Signatures)

			p.flip("tree/sub/b.bin", 70_000)
			require.Equal(t, []string{"sub/b.bin"}, p.verify(1, flags...).Changed)
			p.flip("tree/sub/b.bin", 70_000)
			p.verify(0, flags...)
			p.remove("tree/z.txt")
			p.write("tree/y", "")
			r = p.verify(1, flags...)
			require.Equal(t, []string{"z.txt"}, r.Missing)
			require.Equal(t, []string{"y"}, r.Extra)
		})
	}
}

func TestCheckFileCannotLeadOutside(t *testing.T) {
	p := newPlace(t)
	sum := strings.Repeat("ab", 32)
	for _, path := range []string{"../m", "/etc/passwd", "sub/../../m", "sub//c", ""} {
		p.write("sums", sum+"  "+path+"\n")
		require.Empty(t, p.run(2, "verify", "-json", "-manifest", "sums", "-dir", "tree").stdout, path)
	}
	p.write("sums", sum+"  a.txt\n"+strings.ToUpper(sum)+"  z.txt\n")
	p.run(2, "verify", "-manifest", "sums", "-dir", "tree", "-format", "md5sum")
}

func TestSSHKeygenAcceptsTheSignature(t *testing.T) {
	need(t, "ssh-keygen")
	p := newPlace(t).signed()
	for _, format := range []string{"signed", "sshsig"} {
		p.write(format, p.run(0, "export", "-manifest", "m", "-format", format).stdout)
	}
	p.write("allowed", "alice "+p.read("key.pub"))
	verify := func(message, namespace string) outcome {
		return p.tool(message, "ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "alice", "-n", namespace, "-s", "sshsig")
	}
	o := verify(p.read("signed"), "opsec-backup-manifest")
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stdout, "Good")
	require.NotZero(t, verify(p.read("signed"), "file").code)
	require.NotZero(t, verify(p.read("signed")+" ", "opsec-backup-manifest").code)

	var envelope struct {
		PayloadType string
		Signatures  []json.RawMessage
	}
	require.NoError(t, json.Unmarshal([]byte(p.run(0, "export", "-manifest", "m", "-format", "dsse").stdout), &envelope))
	require.Equal(t, backup.PayloadType, envelope.PayloadType)
	require.NotEmpty(t, envelope.Signatures)

	p.build("unsigned")
	p.run(2, "export", "-manifest", "unsigned", "-format", "sshsig")
}

func TestKeysOfSSHKeygenSign(t *testing.T) {
	need(t, "ssh-keygen")
	p := newPlace(t)
	make := func(name, passphrase string, kind ...string) {
		o := p.tool("", "ssh-keygen", append([]string{"-q", "-N", passphrase, "-C", "alice@example.org", "-f", name, "-t"}, kind...)...)
		require.Zero(t, o.code, o.stderr)
	}
	make("key", "", "ed25519")
	p.signed()
	require.True(t, *p.verify(0, "-manifest", "m", "-pub", "key.pub").OK)

	make("locked", "secret", "ed25519")
	make("ecdsa", "", "ecdsa")
	for _, key := range []string{"locked", "ecdsa"} {
		p.run(2, "build", "-src", "tree", "-out", "x", "-key", key)
		require.NoFileExists(t, p.path("x"))
	}
	p.run(2, "verify", "-manifest", "m", "-dir", "tree", "-pub", "ecdsa.pub")
}

func TestPolicyCountsPersons(t *testing.T) {
	p := newPlace(t).signed()
	p.run(0, "keygen", "-out", "bob")
	policy := func(name string, threshold int, person string) {
		var keys []map[string]string
		for file, who := range map[string]string{"key.pub": "alice", "bob.pub": person} {
			keys = append(keys, map[string]string{"key": strings.TrimSpace(p.read(file)), "operator": who, "person": "p-" + who})
		}
		b, err := json.Marshal(map[string]any{"threshold": threshold, "keys": keys})
		require.NoError(t, err)
		p.write(name, string(b))
	}
	policy("one", 1, "bob")
	policy("two", 2, "bob")
	require.True(t, *p.verify(0, "-manifest", "m", "-trust", "one").OK)
	r := p.verify(1, "-manifest", "m", "-trust", "two")
	require.Equal(t, "untrusted", r.Trust)
	require.Len(t, r.Signatures, 1)
	require.True(t, r.Signatures[0].Valid, "the one signature is good; one is not enough")

	// The second person signs through the library.
	m, err := backup.OpenManifestFile(p.path("m"))
	require.NoError(t, err)
	defer m.Close()
	bob, err := trust.LoadPrivateKey(p.path("bob"), nil)
	require.NoError(t, err)
	var both bytes.Buffer
	require.NoError(t, m.CoSign(context.Background(), &both, bob))
	p.write("both", both.String())
	r = p.verify(0, "-manifest", "both", "-trust", "two")
	require.Equal(t, "ok", r.Trust)
	require.Len(t, r.Signatures, 2)

	policy("same", 2, "alice")
	p.run(2, "verify", "-manifest", "both", "-dir", "tree", "-trust", "same")
}

func TestFailedBuildLeavesNothing(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no interrupts here")
	}
	p := newPlace(t)
	p.write("out/m", "what was there before")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// A file that nobody reads through in a minute: a hole as large as the file system allows, with a digest that cannot
	// skip it.
	huge := p.path("tree/huge")
	for size := int64(1) << 50; ; size >>= 1 {
		p.write("tree/huge", "")
		if os.Truncate(huge, size) == nil {
			break
		}
		require.Greater(t, size, int64(1)<<36, "no large file can be made here")
	}
	cmd := command(ctx, t, "build", "-src", "tree", "-out", "out/m", "-digests", "blake3,sha256")
	cmd.Dir = p.dir
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { return len(p.names("out")) == 2 }, 30*time.Second, time.Millisecond, "it begins to write")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	require.NoError(t, ctx.Err(), "an interrupt ends it at once")
	require.Equal(t, 2, cmd.ProcessState.ExitCode())
	require.Equal(t, []string{"m"}, p.names("out"))
	require.Equal(t, "what was there before", p.read("out/m"))
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	defer full.Close()
	p := newPlace(t).signed()
	p.run(2, "build", "-src", "tree", "-out", "/dev/full")
	for _, args := range [][]string{
		{"verify", "-manifest", "m", "-dir", "tree", "-pub", "key.pub"},
		{"verify", "-manifest", "m", "-dir", "tree", "-pub", "key.pub", "-json"},
		{"export", "-manifest", "m"},
		{"export", "-manifest", "m", "-format", "dsse"},
	} {
		cmd := command(t.Context(), t, args...)
		cmd.Dir, cmd.Stdout = p.dir, full
		require.Error(t, cmd.Run(), "%q", args)
		require.Equal(t, 2, cmd.ProcessState.ExitCode(), "%q: what was not written was not reported", args)
	}
	p.run(2, "verify", "-manifest", "m", "-dir", "tree", "-for", "1ns", "-resume", "/dev/full")
}

func TestNamesAreBytes(t *testing.T) {
	p := newPlace(t)
	p.write("tree/new\nline", "1")
	p.write("tree/\x1b[31mred", "2")
	if err := os.WriteFile(p.path("tree/no\xffutf8"), []byte("3"), 0o644); err != nil && runtime.GOOS != "linux" {
		t.Skip("this system's names are not bytes: ", err)
	} else {
		require.NoError(t, err)
	}
	p.signed("-digests", "blake3,sha256")
	r := p.verify(0, "-manifest", "m", "-pub", "key.pub")
	require.True(t, *r.OK)
	require.EqualValues(t, 7, *r.Checked)
	for _, name := range []string{"new\nline", "no\xffutf8", "\x1b[31mred"} {
		p.flip("tree/"+name, 0)
	}
	r = p.verify(1, "-manifest", "m", "-pub", "key.pub")
	require.ElementsMatch(t, []string{`new\x0aline`, `no\xffutf8`, `\x1b[31mred`}, r.Changed)
	text := p.run(1, "verify", "-manifest", "m", "-dir", "tree", "-pub", "key.pub").stdout
	require.NotContains(t, text, "\x1b", "a name cannot steer the terminal")
	require.Contains(t, text, `no\xffutf8`)

	p.run(2, "export", "-manifest", "m", "-format", "b3sum") // b3sum reads UTF-8 alone
	need(t, "sha256sum")
	for _, name := range []string{"new\nline", "no\xffutf8", "\x1b[31mred"} {
		p.flip("tree/"+name, 0)
	}
	p.write("sums", p.run(0, "export", "-manifest", "m", "-format", "sha256sum").stdout)
	o := (place{t, p.path("tree")}).tool("", "sha256sum", "--check", "--strict", "--quiet", "../sums")
	require.Zero(t, o.code, o.stdout+o.stderr)
}

func TestLinksAndPipesAreNotFollowed(t *testing.T) {
	need(t, "mkfifo")
	p := newPlace(t)
	p.write("secret", "outside of the tree")
	require.NoError(t, os.Symlink("../secret", p.path("tree/out")))
	require.NoError(t, os.Symlink("..", p.path("tree/up")))
	require.NoError(t, os.Symlink("nowhere", p.path("tree/dangling")))
	require.Zero(t, p.tool("", "mkfifo", "tree/pipe").code)
	p.signed()
	require.True(t, *p.verify(0, "-manifest", "m", "-pub", "key.pub").OK)
	exported := p.run(0, "export", "-manifest", "m").stdout
	require.Equal(t, 4, strings.Count(exported, "\n"), "only files have digests: %s", exported)

	p.write("secret", "changed") // does not matter: it is outside
	require.True(t, *p.verify(0, "-manifest", "m", "-pub", "key.pub").OK)

	p.remove("tree/out")
	require.NoError(t, os.Symlink("../m", p.path("tree/out")))
	p.remove("tree/a.txt")
	require.Zero(t, p.tool("", "mkfifo", "tree/a.txt").code)
	p.remove("tree/z.txt")
	p.write("last", "last\n")
	require.NoError(t, os.Symlink("../last", p.path("tree/z.txt")))
	r := p.verify(1, "-manifest", "m", "-pub", "key.pub")
	require.Equal(t, []string{"a.txt", "out", "z.txt"}, r.Changed, "another kind, another target, and a link to the right content")

	// A pipe in the place of an input is refused and not waited on.
	require.Zero(t, p.tool("", "mkfifo", "pipe").code)
	p.run(2, "verify", "-manifest", "pipe", "-dir", "tree")
	p.run(2, "export", "-manifest", "pipe")
}

func TestRollbackIsAFindingAlsoWhereNobodyVouches(t *testing.T) {
	p := newPlace(t)
	p.build("old")
	pause()
	p.build("m")
	p.verify(0, "-manifest", "old", "-state", "state")
	p.verify(0, "-manifest", "m", "-state", "state")
	r := p.verify(1, "-manifest", "old", "-state", "state")
	require.Equal(t, "older", r.History)
}

func TestManifestIsNoPartOfWhatItDescribes(t *testing.T) {
	p := newPlace(t)
	require.NoError(t, os.Symlink("tree/sub", p.path("alias")))
	for _, out := range []string{"tree/m", "tree/sub/m", "tree/../tree/m", "alias/m", p.path("tree/m")} {
		p.run(2, "build", "-src", "tree", "-out", out)
		p.run(2, "build", "-src", p.path("tree"), "-out", out)
	}
	(place{t, p.path("tree")}).run(2, "build")
	require.Equal(t, []string{"a.txt", "sub", "z.txt"}, p.names("tree"))
	p.build("treetop") // beside it, and the name begins alike
}

func TestLeftoverOfMoreThanOneReportIsRefused(t *testing.T) {
	p := newPlace(t).signed()
	p.verify(0, "-manifest", "m", "-pub", "key.pub", "-for", "1ns", "-resume", "left")
	left := p.read("left")
	for _, more := range []string{"}", "]", "{}", "x"} {
		p.write("left", left+more)
		p.run(2, "verify", "-manifest", "m", "-dir", "tree", "-resume", "left")
	}
}

func TestAcceptedGapIsNoFinding(t *testing.T) {
	p := newPlace(t).signed()
	for i, previous := range []string{"m", "m1"} {
		p.build(fmt.Sprintf("m%d", i+1), "-key", "key", "-previous", previous)
	}
	flags := []string{"-pub", "key.pub", "-state", "state"}
	p.verify(0, append(flags, "-manifest", "m")...)
	p.verify(1, append(flags, "-manifest", "m2")...)
	p.verify(0, append(flags, "-manifest", "m2", "-accept-gap")...)
}

func TestDirectoryThatIsAPipeIsNotWaitedOn(t *testing.T) {
	need(t, "mkfifo")
	p := newPlace(t).signed()
	require.Zero(t, p.tool("", "mkfifo", "pipe").code)
	p.run(2, "verify", "-manifest", "m", "-dir", "pipe")
	p.run(2, "build", "-src", "pipe", "-out", "x")
}

func TestCheckFilesOfOddNames(t *testing.T) {
	p := newPlace(t)
	p.write("tree/-", "not standard input")
	p.write("tree/a\rb", "CR")
	for format, digests := range map[string]string{"b3sum": "blake3", "sha256sum": "blake3,sha256"} {
		need(t, format)
		p.build(format, "-digests", digests)
		p.write("sums", p.run(0, "export", "-manifest", format, "-format", format).stdout)
		o := (place{t, p.path("tree")}).tool("from standard input", format, "--check", "../sums")
		require.Zero(t, o.code, o.stdout+o.stderr)
		require.EqualValues(t, 6, *p.verify(0, "-manifest", "sums", "-format", format).Checked)
	}
	p.write("tree/\ufffd", "")
	p.build("lossy")
	p.run(2, "export", "-manifest", "lossy") // b3sum refuses the replacement character
}
