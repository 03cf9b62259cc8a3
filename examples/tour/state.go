package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/cloudopsec/opsec/audit"
	"github.com/cloudopsec/opsec/examples/internal/script"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
)

// item is what the store keeps of a file.
type item struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
	Held string `json:"held,omitempty"` // who must not delete it, and why
}

var inventory = store.NewCollection(store.Schema[item]{
	Name: "inventory", Guarded: true,
	ID:      func(f *item) store.Key { return store.Text(f.Path) },
	Indexes: []store.Index[item]{{Name: "size", Keys: func(f *item) []store.Key { return []store.Key{store.Key{}.Int(f.Size)} }}},
})

// sealer is an AEAD of the standard library with a key for this visit; a provider takes one of Tink, from its custodian.
type sealer struct{ cipher.AEAD }

func (s sealer) Encrypt(plaintext, ad []byte) ([]byte, error) {
	return s.Seal(nil, nil, plaintext, ad), nil
}

func (s sealer) Decrypt(ciphertext, ad []byte) ([]byte, error) {
	return s.Open(nil, nil, ciphertext, ad)
}

func sealedOptions() *store.Options {
	key := make([]byte, 64)
	rand.Read(key)
	block, err := aes.NewCipher(key[:32])
	check(err)
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	check(err)
	return &store.Options{Sealer: sealer{gcm}, PRF: script.PRF(key[32:]), Node: "tour"}
}

// filesOf yields what there is below a directory, as far as a key has room for its path.
func filesOf(dir string) iter.Seq2[*item, error] {
	return func(yield func(*item, error) bool) {
		err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || len(path) > 512 {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			if !yield(&item{Path: path, Size: info.Size()}, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(nil, err)
		}
	}
}

// backupAndRestore streams a backup of the open store into another file, verified on its way.
func backupAndRestore(ctx context.Context, t *tour, engine *bolt.Driver, path string) {
	stream, err := os.Create(path + ".backup")
	check(err)
	defer stream.Close()
	_, err = engine.Backup(ctx, stream)
	check(err)
	_, err = stream.Seek(0, 0)
	check(err)
	sum, err := bolt.Restore(ctx, stream, path)
	check(err)
	t.say("   backed up while open, and restored: %d values, SHA-256 %x...", sum.Records, sum.SHA256[:6])
}

// examine lists what is wrong with a store, beside the audit trail.
func (t *tour) examine(ctx context.Context, what string, db *store.DB) (found []string) {
	o := &store.CheckOptions{Trail: audit.ReadFile(filepath.Join(t.work, "audit.jsonl"))}
	for p, err := range db.Check(ctx, o, inventory) {
		check(err)
		found = append(found, p.String())
		t.say("     %s", p)
	}
	t.say("   %s, beside the trail: %d problems", what, len(found))
	return found
}
