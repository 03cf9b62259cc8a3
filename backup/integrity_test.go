package backup_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/trust"
)

var madeAt = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// keyOf returns an operator's key that is the same in every run.
func keyOf(t testing.TB, name string) trust.Signer {
	seed := sha256.Sum256([]byte(name))
	s, err := trust.NewSigner(ed25519.NewKeyFromSeed(seed[:]))
	require.NoError(t, err)
	return s
}

// trusting trusts the keys of the operators named, each a person of their own.
func trusting(t testing.TB, names ...string) trust.Verifier {
	v := trust.Verifier{Policy: trust.Policy{Threshold: len(names)}}
	for _, n := range names {
		v.Keys = append(v.Keys, trust.Key{Key: keyOf(t, n).PublicKey(), Operator: n, Person: n})
	}
	return v
}

// nastyTree makes a directory with what trips careless programs, and returns its path.
func nastyTree(t testing.TB) string {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a/b/c":           "deep",
		"a-b":             "sorts between a and a/b",
		"empty":           "",
		"new\nline":       "x",
		"tab\tand space ": "y",
		`back\slash`:      "z",
		"-dash":           "w",
		"é\u202e":         "u",
		"raw\xff\xfe":     "not UTF-8",
		"group":           strings.Repeat("0123456789abcdef", 5000),
	} {
		name = filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(content), 0o640))
	}
	large := make([]byte, 1<<20+70_000)
	rng := rand.NewChaCha8([32]byte{1})
	rng.Read(large)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "large"), large, 0o600))
	require.NoError(t, os.Symlink("../../../../etc/passwd", filepath.Join(dir, "out")))
	require.NoError(t, os.Symlink("dangling", filepath.Join(dir, "a", "link")))
	return dir
}

func dirAt(t testing.TB, dir string) *backup.Dir {
	d, err := backup.OpenDir(dir)
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

func headed(o backup.BuildOptions) backup.BuildOptions {
	o.Header = backup.Header{Tenant: "acme", Source: "data", Sequence: 7, Created: madeAt, Operator: o.Header.Operator}
	return o
}

// manifestOf returns the bytes of a manifest.
func manifestOf(t testing.TB, dir string, o backup.BuildOptions) []byte {
	var b bytes.Buffer
	_, err := backup.Build(context.Background(), &b, dirAt(t, dir), headed(o))
	require.NoError(t, err)
	return b.Bytes()
}

func parsed(b []byte) (*backup.Manifest, error) {
	return backup.OpenManifest(bytes.NewReader(b), int64(len(b)))
}

func mustOpen(t testing.TB, b []byte) *backup.Manifest {
	m, err := parsed(b)
	require.NoError(t, err)
	return m
}

func compareWith(t testing.TB, m *backup.Manifest, v trust.Verifier, dir string, b backup.Budget) *backup.Report {
	if b.Now == nil {
		b.Now = func() time.Time { return madeAt }
	}
	r, err := backup.Verify(context.Background(), m, v, dirAt(t, dir), b)
	require.NoError(t, err)
	return r
}

func TestSignedManifestOfANastyTreeVerifies(t *testing.T) {
	dir := nastyTree(t)
	for _, o := range []backup.BuildOptions{{}, {SHA256: true}, {Chunks: true}, {SHA256: true, Chunks: true}} {
		o.Signers = []trust.Signer{keyOf(t, "alice")}
		o.Header.Operator = "alice"
		b := manifestOf(t, dir, o)
		r := compareWith(t, mustOpen(t, b), trusting(t, "alice"), dir, backup.Budget{StrictMetadata: true})
		require.True(t, r.OK, "%+v", r)
		require.Equal(t, int64(11), r.Checked)
		require.Equal(t, backup.StatusOK, r.Status)

		for _, workers := range []int{1, 2, 5} {
			o.Workers = workers
			require.Equal(t, b, manifestOf(t, dir, o), "the same tree gives the same bytes, whatever the workers")
		}
	}
}

func TestEntriesComeInTheByteOrderOfPaths(t *testing.T) {
	m := mustOpen(t, manifestOf(t, nastyTree(t), backup.BuildOptions{}))
	var got []string
	for e, err := range m.Entries() {
		require.NoError(t, err)
		got = append(got, e.Path)
	}
	require.IsIncreasing(t, got)
	require.Equal(t, int64(len(got)), m.Header.Counts.Entries)
}

// TestMerkleRootIsThatOfRFC9162 computes the root anew, by the definition, from the lines of the file.
func TestMerkleRootIsThatOfRFC9162(t *testing.T) {
	b := manifestOf(t, nastyTree(t), backup.BuildOptions{Chunks: true})
	var leaves [][]byte
	for i, line := range strings.SplitAfter(string(b), "\n") {
		if i > 0 && len(line) > 2 && line[1] == '\t' && line[0] != 'c' {
			leaves = append(leaves, []byte(line))
		}
	}
	var root func([][]byte) tlog.Hash
	root = func(l [][]byte) tlog.Hash {
		if len(l) == 1 {
			return tlog.RecordHash(l[0])
		}
		k := 1
		for k*2 < len(l) {
			k *= 2
		}
		return tlog.NodeHash(root(l[:k]), root(l[k:]))
	}
	m := mustOpen(t, b)
	require.Equal(t, m.Header.Counts.Entries, int64(len(leaves)))
	require.Equal(t, backup.Digest(root(leaves)), m.Header.MerkleRoot)
}

func TestEmptyTreeHasAManifest(t *testing.T) {
	dir := t.TempDir()
	m := mustOpen(t, manifestOf(t, dir, backup.BuildOptions{}))
	require.Zero(t, m.Header.Counts)
	require.Zero(t, compareWith(t, m, trust.Verifier{}, dir, backup.Budget{}).Faults())
}

// TestNoByteOfAManifestIsIdle flips bits in every byte of small manifests, signed and not.
func TestNoByteOfAManifestIsIdle(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), []byte("content"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "g"), make([]byte, 70_000), 0o600))
	for name, signers := range map[string][]trust.Signer{"unsigned": nil, "signed": {keyOf(t, "alice")}} {
		b := manifestOf(t, dir, backup.BuildOptions{SHA256: true, Chunks: true, Signers: signers})
		for i := range b {
			for _, mask := range []byte{0x01, 0x20, 0x80} {
				b[i] ^= mask
				_, err := parsed(b)
				require.ErrorIs(t, err, opsec.ErrInvalid, "%s: byte %d of %d ^ %#x", name, i, len(b), mask)
				b[i] ^= mask
			}
		}
		for n := range b {
			_, err := parsed(b[:n])
			require.ErrorIs(t, err, opsec.ErrInvalid, "%s: the first %d bytes", name, n)
		}
		for _, tail := range []string{"\n", "x", "\x00", string(b)} {
			_, err := parsed(append(bytes.Clone(b), tail...))
			require.ErrorIs(t, err, opsec.ErrInvalid)
		}
	}
}

// sealedAnew computes the last line anew, as an attacker would.
func sealedAnew(b []byte) []byte {
	b = b[:len(b)-65]
	sum := blake3.Sum256(b)
	return append(bytes.Clone(b), hex.EncodeToString(sum[:])+"\n"...)
}

// TestResealedDamageOfASignedManifestShows flips every byte of a signed manifest and repairs the digest of its
// last line: whatever then still opens has a signature that is not valid, and shows it.
func TestResealedDamageOfASignedManifestShows(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), []byte("content"), 0o600))
	b := manifestOf(t, dir, backup.BuildOptions{Signers: []trust.Signer{keyOf(t, "alice")}})
	opened := 0
	for i := range b[:len(b)-65] {
		for _, mask := range []byte{0x01, 0x02, 0x40} {
			b[i] ^= mask
			if m, err := parsed(sealedAnew(b)); err == nil {
				opened++
				r := compareWith(t, m, trusting(t, "alice"), dir, backup.Budget{})
				lame := slices.ContainsFunc(r.Signatures, func(s trust.SignatureReport) bool { return !s.Valid })
				require.True(t, lame, "byte %d ^ %#x", i, mask)
				if r.OK { // one of alice's two signatures now carries the id of a key that nobody knows
					require.Len(t, r.Signatures, 2)
				}
			}
			b[i] ^= mask
		}
	}
	require.NotZero(t, opened, "a changed signature or key id is a well-formed manifest")
	require.True(t, compareWith(t, mustOpen(t, sealedAnew(b)), trusting(t, "alice"), dir, backup.Budget{}).OK)
}

func TestCoSignatureKeepsTheIdentity(t *testing.T) {
	dir := nastyTree(t)
	m := mustOpen(t, manifestOf(t, dir, backup.BuildOptions{Signers: []trust.Signer{keyOf(t, "alice")}}))
	both := trusting(t, "alice", "bob")
	require.Equal(t, trust.Untrusted, compareWith(t, m, both, dir, backup.Budget{}).Trust)
	var b bytes.Buffer
	require.NoError(t, m.CoSign(context.Background(), &b, keyOf(t, "bob")))
	again := mustOpen(t, b.Bytes())
	require.Equal(t, m.ID(), again.ID())
	require.True(t, compareWith(t, again, both, dir, backup.Budget{}).OK)
	require.ErrorIs(t, again.CoSign(context.Background(), io.Discard, keyOf(t, "bob")), opsec.ErrInvalid)
}

func TestPreviousManifestIsChained(t *testing.T) {
	dir := t.TempDir()
	first := mustOpen(t, manifestOf(t, dir, backup.BuildOptions{}))
	second := mustOpen(t, manifestOf(t, dir, backup.BuildOptions{Previous: first}))
	require.Equal(t, first.ID(), second.Header.Previous)
	require.Equal(t, uint64(8), second.Header.Sequence)
}

// forged returns a manifest whose body has the lines given and whose digests, root and counts are right for it, so that
// only the lines themselves can be what is wrong.
func forged(t testing.TB, head string, lines []string, counts backup.Counts, change func(payload string) string) []byte {
	body := head + strings.Join(lines, "")
	hashes := []tlog.Hash{}
	for _, l := range lines {
		if !strings.HasPrefix(l, "c\t") {
			hashes = append(hashes, tlog.RecordHash([]byte(l)))
		}
	}
	root := sha256.Sum256(nil)
	if len(hashes) > 0 {
		for len(hashes) > 1 {
			k := 1
			for k*2 < len(hashes) {
				k *= 2
			}
			right := hashes[k:]
			for len(right) > 1 { // only small and simple shapes are forged here
				right = []tlog.Hash{tlog.NodeHash(right[0], right[1])}
			}
			left := hashes[:k]
			for len(left) > 1 {
				left = []tlog.Hash{tlog.NodeHash(left[0], left[1])}
			}
			hashes = []tlog.Hash{tlog.NodeHash(left[0], right[0])}
		}
		root = hashes[0]
	}
	b3, s2 := blake3.Sum256([]byte(body)), sha256.Sum256([]byte(body))
	digests, group := `["blake3"]`, ""
	if strings.Contains(head, "sha256") {
		digests = `["blake3","sha256"]`
	}
	if strings.Contains(head, "groups") {
		group = `"groupSize":65536,`
	}
	payload := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"data","digest":{"blake3":"%x","sha256":"%x"}}],`+
		`"predicateType":"https://github.com/cloudopsec/opsec/backup-manifest/v1","predicate":{"tenant":"acme","source":"data",`+
		`"sequence":1,"created":"2026-11-24T12:00:00Z","digests":%s,%s"merkleRoot":"%x","counts":{"entries":%d,"files":%d,`+
		`"directories":%d,"links":%d,"specials":%d,"bytes":%d}}}`,
		b3, s2, digests, group, root, counts.Entries, counts.Files, counts.Directories, counts.Links, counts.Specials, counts.Bytes)
	if change != nil {
		payload = change(payload)
	}
	env := `{"payloadType":"application/vnd.in-toto+json","payload":"` + encoded(payload) + `","signatures":[]}`
	return sealedAnew([]byte(body + env + "\n" + strings.Repeat("0", 64) + "\n"))
}

// A context that ends while a large file is being read at the end of the time means that there is no report.
func TestCancellationGoesBeforeAPause(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "large"), make([]byte, 8<<20), 0o600))
	m := mustOpen(t, manifestOf(t, dir, backup.BuildOptions{}))
	ctx, cancel := context.WithCancel(t.Context())
	looks := 0
	clock := func() time.Time {
		if looks++; looks <= 2 { // for the judgement, and for the start
			return madeAt
		}
		cancel()
		return madeAt.Add(time.Hour)
	}
	_, err := backup.Verify(ctx, m, trust.Verifier{}, dirAt(t, dir), backup.Budget{Duration: time.Minute, Workers: 1, Now: clock})
	require.ErrorIs(t, err, context.Canceled)
}
