package backup_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/trust"
)

// noon is when the manifests of these tests say that they were made, and one is when their files were changed last.
var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	one  = time.Date(2026, 3, 1, 13, 0, 0, 123456789, time.UTC)
)

// signer is somebody with a key, the same on every run.
func signer(t testing.TB, seed byte) trust.Signer {
	s, err := trust.NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)))
	require.NoError(t, err)
	return s
}

// believing is a verifier that trusts the keys of the seeds, each of a person of its own.
func believing(t testing.TB, seeds ...byte) trust.Verifier {
	var v trust.Verifier
	for _, seed := range seeds {
		v.Keys = append(v.Keys, trust.Key{Key: signer(t, seed).PublicKey(), Operator: operator(seed), Person: fmt.Sprint("p-", seed)})
	}
	return v
}

func operator(seed byte) string { return map[byte]string{1: "alice", 2: "bob"}[seed] }

func header() backup.Header {
	return backup.Header{Tenant: "acme", Source: "vol-1", Sequence: 7, Created: noon, Operator: "alice", Tool: "test/1"}
}

// build returns the bytes of a manifest that alice has signed, unless the options say otherwise.
func build(t testing.TB, tree fs.FS, change func(*backup.BuildOptions)) []byte {
	t.Helper()
	o := backup.BuildOptions{Header: header(), Signers: []trust.Signer{signer(t, 1)}}
	if change != nil {
		change(&o)
	}
	var b bytes.Buffer
	_, err := backup.Build(context.Background(), &b, tree, o)
	require.NoError(t, err)
	return b.Bytes()
}

func withChunks(o *backup.BuildOptions) { o.Chunks = true }
func withBoth(o *backup.BuildOptions)   { o.Chunks, o.SHA256 = true, true }
func unsigned(o *backup.BuildOptions)   { o.Signers = nil }

func opened(manifest []byte) (*backup.Manifest, error) {
	return backup.OpenManifest(bytes.NewReader(manifest), int64(len(manifest)))
}

func open(t testing.TB, manifest []byte) *backup.Manifest {
	t.Helper()
	m, err := opened(manifest)
	require.NoError(t, err)
	return m
}

// verify compares a tree with a manifest that alice has signed.
func verify(t testing.TB, manifest []byte, tree fs.FS, b backup.Budget) *backup.Report {
	t.Helper()
	r, err := backup.Verify(context.Background(), open(t, manifest), believing(t, 1), tree, b)
	require.NoError(t, err)
	return r
}

// found is what a report found, by class; empty classes are left out.
func found(t testing.TB, r *backup.Report) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for name, class := range map[string]struct {
		paths []string
		total int64
	}{
		"changed": {r.Changed, r.Totals.Changed}, "missing": {r.Missing, r.Totals.Missing}, "extra": {r.Extra, r.Totals.Extra},
		"unreadable": {r.Unreadable, r.Totals.Unreadable}, "unstable": {r.Unstable, r.Totals.Unstable}, "metadata": {r.Metadata, r.Totals.Metadata},
	} {
		require.NotNil(t, class.paths, "%s: JSON shall show an empty list, not null", name)
		require.EqualValues(t, len(class.paths), class.total, name)
		if len(class.paths) > 0 {
			all[name] = class.paths
		}
	}
	return all
}

func detail(r *backup.Report, path string) backup.Detail {
	for _, d := range r.Details {
		if d.Path == path {
			return d
		}
	}
	return backup.Detail{}
}

func openDir(t testing.TB, name string) *backup.Dir {
	t.Helper()
	d, err := backup.OpenDir(name)
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

// put writes a file with a fixed time, and the directories above it.
func put(t testing.TB, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, content, 0o644))
	require.NoError(t, os.Chtimes(path, one, one))
	return path
}

// pattern is n bytes that repeat nowhere near.
func pattern(n int) []byte {
	b := make([]byte, n)
	d := blake3.New()
	io.ReadFull(d.Digest(), b)
	return b
}

const large = 1<<20 + 200_000 // bytes: above what one worker reads alone, and no multiple of anything

// nasty makes a tree with what trees have, and returns its directory.
func nasty(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "empty", nil)
	put(t, dir, "one", []byte{0})
	put(t, dir, "a/c", []byte("below a"))
	put(t, dir, "a-b", []byte("between a and a/c"))
	put(t, dir, "deep/er/and/deeper", []byte("down here"))
	put(t, dir, "line\nbreak", []byte("newline"))
	put(t, dir, `back\slash`, []byte("backslash"))
	put(t, dir, "tab\there", []byte("tab"))
	put(t, dir, " space ", []byte("space"))
	put(t, dir, "-dash", []byte("dash"))
	put(t, dir, "unicode/日本é\u0301", []byte("unicode"))
	put(t, dir, "bytes-\xff\xfe", []byte("not UTF-8"))
	put(t, dir, "group", pattern(64<<10+1))
	put(t, dir, "large", pattern(large))
	sparse := put(t, dir, "sparse", nil)
	require.NoError(t, os.Truncate(sparse, 3<<20))
	f, err := os.OpenFile(sparse, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("an island"), 2<<20)
	require.NoError(t, errors.Join(err, f.Close(), os.Chtimes(sparse, one, one)))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "nothing in it"), 0o700))
	require.NoError(t, os.Symlink("one", filepath.Join(dir, "link")))
	require.NoError(t, os.Symlink("../../../../etc/passwd", filepath.Join(dir, "leaves")))
	require.NoError(t, os.Symlink("gone\n\xff", filepath.Join(dir, "dangles")))
	return dir
}

// mapFS makes files with a fixed mode and time of paths and contents.
func mapFS(files map[string]string) fstest.MapFS {
	tree := fstest.MapFS{}
	for path, content := range files {
		tree[path] = &fstest.MapFile{Data: []byte(content), Mode: 0o644, ModTime: one}
	}
	return tree
}

// plain hides everything but Open of a file system, and everything but Read of its files.
type plain struct{ fsys fs.FS }

func (p plain) Open(name string) (fs.File, error) {
	f, err := p.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	if d, ok := f.(fs.ReadDirFile); ok {
		return d, nil
	}
	return struct{ fs.File }{f}, nil
}

// failing is a file system of which some files cannot be opened, and some directories not be listed.
type failing struct {
	fstest.MapFS
	fails map[string]error
}

func (f failing) Open(name string) (fs.File, error) {
	if err := f.fails[name]; err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return f.MapFS.Open(name)
}

func (f failing) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := f.fails[name]; err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	return f.MapFS.ReadDir(name)
}

// crafted is a manifest by another hand than the package's: correct in all its checksums, and hostile in what is
// changed.
type crafted struct {
	head      string   // with newline
	lines     []string // of the body, without newline; entries and chunk lines
	header    backup.Header
	payload   func(string) string // changes what gets signed
	envelope  func(string) string // changes the envelope's line
	signers   []trust.Signer
	extraSigs []dsse.Signature
}

func (c crafted) encode(t testing.TB) []byte {
	t.Helper()
	if c.head == "" {
		c.head = "opsec-manifest/v1 blake3\n"
	}
	h := c.header
	if h.Tenant == "" {
		h = header()
	}
	if h.Digests == nil {
		h.Digests = []string{"blake3"}
	}
	body := c.head
	var leaves []string
	var counts backup.Counts
	for _, line := range c.lines {
		body += line + "\n"
		fields := strings.Split(line, "\t")
		if fields[0] == "c" {
			continue
		}
		leaves = append(leaves, line+"\n")
		counts.Entries++
		switch fields[0] {
		case "d":
			counts.Directories++
		case "l":
			counts.Links++
		case "o":
			counts.Specials++
		case "f", "s":
			counts.Files++
			if len(fields) > 3 {
				var n int64
				fmt.Sscan(fields[3], &n)
				counts.Bytes += n
			}
		}
	}
	if h.Counts == (backup.Counts{}) {
		h.Counts = counts
	}
	if h.MerkleRoot.IsZero() {
		h.MerkleRoot = treeHash(leaves)
	}
	h.Body = backup.Body{BLAKE3: blake3.Sum256([]byte(body)), SHA256: sha256.Sum256([]byte(body))}
	payload := jsonText(t, map1("_type", backup.StatementType,
		"subject", []any{map1("name", h.Source, "digest", h.Body)},
		"predicateType", backup.PredicateType, "predicate", h))
	if c.payload != nil {
		payload = c.payload(payload)
	}
	env := &dsse.Envelope{PayloadType: backup.PayloadType, Payload: base64.StdEncoding.EncodeToString([]byte(payload)), Signatures: []dsse.Signature{}}
	if len(c.signers) > 0 {
		require.NoError(t, trust.Sign(context.Background(), env, c.signers...))
	}
	env.Signatures = append(env.Signatures, c.extraSigs...)
	line := jsonText(t, env)
	if c.envelope != nil {
		line = c.envelope(line)
	}
	return sealed(body + line + "\n")
}

// sealed adds the last line: the digest of all before it.
func sealed(rest string) []byte {
	sum := blake3.Sum256([]byte(rest))
	return []byte(rest + hex.EncodeToString(sum[:]) + "\n")
}

// resealed replaces the last line, as whoever changes an unsigned manifest can.
func resealed(manifest []byte) []byte { return sealed(string(manifest[:len(manifest)-65])) }

// ordered is a JSON object whose fields stand in the order given.
type ordered []any

func map1(pairs ...any) ordered { return pairs }

func (o ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i := 0; i < len(o); i += 2 {
		name, _ := json.Marshal(o[i])
		value, err := unescapedJSON(o[i+1])
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, ",%s:%s", name, value)
	}
	return append(append([]byte("{"), b.Bytes()[1:]...), '}'), nil
}

func unescapedJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func jsonText(t testing.TB, v any) string {
	b, err := unescapedJSON(v)
	require.NoError(t, err)
	return string(b)
}

// treeHash is the Merkle tree hash as RFC 9162, section 2.1.1, writes it down.
func treeHash(leaves []string) backup.Digest {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return backup.Digest(tlog.RecordHash([]byte(leaves[0])))
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	left, right := treeHash(leaves[:k]), treeHash(leaves[k:])
	return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
}

// line makes an entry's line of a file with the content given.
func line(path, content string) string {
	sum := blake3.Sum256([]byte(content))
	return fmt.Sprintf("f\t0644\t%d.%09d\t%d\t%x\t%s", one.Unix(), one.Nanosecond(), len(content), sum, path)
}

func dirLine(path string) string {
	return fmt.Sprintf("d\t0755\t%d.%09d\t%s", one.Unix(), one.Nanosecond(), path)
}

func linkLine(target, path string) string {
	return fmt.Sprintf("l\t%d.%09d\t%s\t%s", one.Unix(), one.Nanosecond(), target, path)
}

// need finds a program. Continuous integration has it, or fails.
func need(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

// run runs a program in a directory and returns what it printed.
func run(t testing.TB, dir string, stdin []byte, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(need(t, name), args...)
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %q: %w: %s%s", name, args, err, out, errs.Bytes())
	}
	return string(out), err
}

// leaksNothing fails the test if f leaves goroutines or file descriptors behind.
func leaksNothing(t testing.TB, f func()) {
	t.Helper()
	f() // what is opened once for the process is no leak
	files, routines := openFiles(t), runtime.NumGoroutine()
	f()
	for range 1000 { // goroutines that have returned take a moment to go
		if runtime.NumGoroutine() <= routines {
			break
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), routines, "goroutines")
	require.Equal(t, files, openFiles(t), "file descriptors")
}

func openFiles(t testing.TB) int {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc")
	}
	return len(fds)
}

// allocated is how many bytes the process has ever allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// flip changes one byte of a file and leaves its time as it was.
func flip(t testing.TB, name string, offset int64, mask byte) {
	t.Helper()
	info, err := os.Stat(name)
	require.NoError(t, err)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, offset)
	require.NoError(t, err)
	b[0] ^= mask
	_, err = f.WriteAt(b, offset)
	require.NoError(t, errors.Join(err, os.Chtimes(name, info.ModTime(), info.ModTime())))
}

func mkfifo(t testing.TB, name string) {
	t.Helper()
	require.NoError(t, syscall.Mkfifo(name, 0o600))
}
