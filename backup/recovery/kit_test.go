package recovery_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/recovery"
	"github.com/cloudopsec/opsec/backup/trust"
)

var (
	bg    = context.Background()
	ada   = opsec.Actor{Tenant: "acme", Account: "ada", Person: "p-1", Kind: opsec.Human}
	point = recovery.Point{Tenant: "acme", Source: "orders", ID: "2026-03-01"}
)

type recorder struct {
	mu     sync.Mutex
	events []opsec.Event
	refuse bool
}

func (r *recorder) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse {
		return opsec.Receipt{}, errors.New("disk full")
	}
	r.events = append(r.events, *e)
	return opsec.Receipt{Event: e.ID, Time: e.Time, Durable: true}, e.Validate()
}

// original is a folder as somebody would back it up, and its signed manifest.
func original(t *testing.T) (dir string, check recovery.Manifest) {
	dir = t.TempDir()
	require.NoError(t, os.MkdirAll(dir+"/data/empty", 0o755))
	require.NoError(t, os.WriteFile(dir+"/data/rows", bytes.Repeat([]byte("one gin, no ice\n"), 10_000), 0o640))
	require.NoError(t, os.WriteFile(dir+"/readme", nil, 0o444))
	require.NoError(t, os.Symlink("data/rows", dir+"/latest"))
	key := filepath.Join(t.TempDir(), "key")
	public, err := trust.GenerateKeyFiles(key, "")
	require.NoError(t, err)
	signer, err := trust.LoadPrivateKey(key, nil)
	require.NoError(t, err)
	tree, err := backup.OpenDir(dir)
	require.NoError(t, err)
	defer tree.Close()
	name := key + ".manifest"
	_, err = backup.BuildFile(bg, name, tree, backup.BuildOptions{
		Header:  backup.Header{Tenant: "acme", Source: "orders", Sequence: 1, Created: time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC), Operator: "ada"},
		Signers: []trust.Signer{signer},
	})
	require.NoError(t, err)
	return dir, recovery.Manifest{
		Name: "orders", Open: func(context.Context) (*backup.Manifest, error) { return backup.OpenManifestFile(name) },
		Believe: trust.Verifier{Policy: trust.Policy{Keys: []trust.Key{{Key: public, Operator: "ada"}}}},
	}
}

// archived returns a folder as a tar.
func archived(t *testing.T, dir string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	require.NoError(t, w.AddFS(os.DirFS(dir)))
	require.NoError(t, w.Close())
	return b.Bytes()
}

// mask is a cipher as far as a test needs one: it changes every byte, and notices what is cut off.
type mask byte

func (m mask) seal(p []byte) []byte {
	out := append(bytes.Clone(p), "end"...)
	for i := range out {
		out[i] ^= byte(m)
	}
	return out
}

func (m mask) NewDecryptingReader(r io.Reader, with []byte) (io.Reader, error) {
	if string(with) != "2026-03-01" {
		return nil, errors.New("another context")
	}
	all, err := io.ReadAll(r)
	for i := range all {
		all[i] ^= byte(m)
	}
	rest, whole := bytes.CutSuffix(all, []byte("end"))
	if err == nil && !whole {
		return io.MultiReader(bytes.NewReader(rest), broken{}), nil
	}
	return bytes.NewReader(rest), err
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the ciphertext is cut off") }

type keys map[recovery.KeyRef]mask

func (k keys) Key(_ context.Context, p recovery.Point) (recovery.Decrypter, error) {
	if m, ok := k[*p.Key]; ok {
		return m, nil
	}
	return nil, errors.New("destroyed")
}

func from(content []byte) recovery.Archive {
	return recovery.Archive{
		Open: func(context.Context, recovery.Point) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(content)), nil
		},
		Context: func(p recovery.Point) []byte { return []byte(p.ID) },
	}
}

// says is a check that passes or not.
type says struct{ err error }

func (says) About() (kind, name string)                      { return "own", "says" }
func (s says) Check(context.Context, string) (string, error) { return "looked", s.err }
