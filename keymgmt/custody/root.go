package custody

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Root is a custodian in software. Its key-encryption keys are Tink keysets, each in a document of its own, encrypted
// under one root key of 32 bytes, which is in memory from unsealing to sealing. Sealed, it does nothing, and returns
// [keymgmt.ErrSealed].
type Root struct {
	blobs Blobs
	name  string
	now   func() time.Time

	mu  sync.RWMutex // held while the key is used, so that Seal can clear it
	key []byte       // nil when sealed

	deriving sync.Mutex // one derivation at a time: each takes the memory of its Cost
}

var _ keymgmt.Custodian = (*Root)(nil)

// RootOptions are optional.
type RootOptions struct {
	Name string           // in evidence; "software root" when empty
	Now  func() time.Time // time.Now when nil
}

const rootName = "root"

// rootDocument is what is kept of the root key.
type rootDocument struct {
	Version    int    `json:"version"`
	Check      []byte `json:"check"` // nothing, encrypted under the root key: tells the right one from a wrong one
	Passphrase *slot  `json:"passphrase,omitempty"`
}

// opens returns an error unless root is the root key of this document.
func (d *rootDocument) opens(root tink.AEAD) error {
	if _, err := root.Decrypt(d.Check, bound("check", "")); err != nil {
		return wrongKey("root key")
	}
	return nil
}

// NewRoot returns a custodian that is sealed.
func NewRoot(blobs Blobs, o *RootOptions) (*Root, error) {
	if blobs == nil {
		return nil, invalid("blobs: nil")
	}
	r := &Root{blobs: blobs, name: "software root", now: time.Now}
	if o != nil && o.Name != "" {
		r.name = o.Name
	}
	if o != nil && o.Now != nil {
		r.now = o.Now
	}
	return r, nil
}

// NewRootKey returns a new root key for [Root.Create]. The caller splits or stores it, and clears it.
func NewRootKey() []byte {
	key := make([]byte, rootKeySize)
	rand.Read(key)
	return key
}

// Create makes a new root with a key that is kept elsewhere, in shares for instance, and unseals it. It copies the key.
// Where there is a root already it returns [keymgmt.ErrExists] and changes nothing.
func (r *Root) Create(ctx context.Context, key []byte) error { return r.create(ctx, key, nil) }

func (r *Root) create(ctx context.Context, key []byte, s *slot) error {
	root, err := aeadOf(key)
	if err != nil {
		return err
	}
	check, err := root.Encrypt(nil, bound("check", ""))
	if err != nil {
		return fmt.Errorf("custody: root key: %w", err)
	}
	b, err := json.Marshal(rootDocument{documentFormat, check, s})
	if err != nil {
		return err
	}
	made, err := r.blobs.Create(ctx, rootName, b)
	if err != nil {
		return unavailable("root document", err)
	}
	if !made {
		return fmt.Errorf("custody: root: %w", keymgmt.ErrExists)
	}
	r.unsealed(key)
	return nil
}

// Unseal takes the root key, which it copies: what a ceremony has put together. A wrong one is [keymgmt.ErrUnwrap],
// where there is no root yet [opsec.ErrNotFound].
func (r *Root) Unseal(ctx context.Context, key []byte) error {
	root, err := aeadOf(key)
	if err != nil {
		return err
	}
	doc, err := r.document(ctx)
	if err != nil {
		return err
	}
	if err := doc.opens(root); err != nil {
		return err
	}
	r.unsealed(key)
	return nil
}

func (r *Root) replace(ctx context.Context, doc rootDocument) error {
	b, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	if err := r.blobs.Replace(ctx, rootName, b); err != nil {
		return unavailable("root document", err)
	}
	return nil
}

// Seal clears the root key from memory. What Go has copied meanwhile stays until the memory is used again.
func (r *Root) Seal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.key)
	r.key = nil
}

// Sealed reports whether the custodian waits for its key.
func (r *Root) Sealed() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.key == nil
}

func (r *Root) unsealed(key []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.key)
	r.key = bytes.Clone(key)
}

// Format implements [fmt.Formatter]: its name under every verb.
func (r *Root) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "custody.Root(%s)", r.name) }

// withRoot lends the root key to fn, which must be quick.
func (r *Root) withRoot(fn func(root tink.AEAD, key []byte) error) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.key == nil {
		return keymgmt.ErrSealed
	}
	root, err := aeadOf(r.key)
	if err != nil {
		return err
	}
	return fn(root, r.key)
}

func (r *Root) document(ctx context.Context) (doc rootDocument, err error) {
	b, err := r.blobs.Get(ctx, rootName)
	if err != nil {
		return doc, unavailable("root document", err)
	}
	if b == nil {
		return doc, fmt.Errorf("custody: root document: %w", opsec.ErrNotFound)
	}
	if err := strictjson.Decode(b, &doc); err != nil {
		return doc, invalid("root document: not the JSON that it should be")
	}
	if doc.Version != documentFormat {
		return doc, invalid("root document: version %d, want %d", doc.Version, documentFormat)
	}
	if doc.Passphrase != nil {
		err = doc.Passphrase.validate()
	}
	return doc, err
}

// Generate implements [keymgmt.Custodian], with a new key of Tink's AES256_GCM.
func (r *Root) Generate(ctx context.Context, handle string) error {
	if err := r.ready(ctx, handle); err != nil {
		return err
	}
	if _, err := r.keyOf(ctx, handle); !errors.Is(err, opsec.ErrNotFound) {
		return err
	}
	key, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("custody: a new key: %w", err)
	}
	var document bytes.Buffer
	err = r.withRoot(func(root tink.AEAD, _ []byte) error {
		return key.WriteWithAssociatedData(keyset.NewJSONWriter(&document), root, bound("handle", handle))
	})
	if err != nil {
		return err
	}
	// Another may have been quicker: then the key is theirs.
	if _, err := r.blobs.Create(ctx, blobName(handle), document.Bytes()); err != nil {
		return unavailable("key of a handle", err)
	}
	return nil
}

// Wrap implements [keymgmt.Custodian]: what it returns is a ciphertext of Tink's AES-GCM, prefix included.
func (r *Root) Wrap(ctx context.Context, handle string, material, associatedData []byte) ([]byte, error) {
	if err := errors.Join(validMaterial("material", material), validAssociated(associatedData)); err != nil {
		return nil, err
	}
	key, err := r.open(ctx, handle)
	if err != nil {
		return nil, err
	}
	return key.Encrypt(material, associatedData)
}

// Unwrap implements [keymgmt.Custodian].
func (r *Root) Unwrap(ctx context.Context, handle string, wrapped, associatedData []byte) ([]byte, error) {
	if err := validAssociated(associatedData); err != nil {
		return nil, err
	}
	key, err := r.open(ctx, handle)
	if err != nil {
		return nil, err
	}
	material, err := key.Decrypt(wrapped, associatedData)
	if err != nil {
		return nil, keymgmt.ErrUnwrap
	}
	return material, nil
}

// Destroy implements [keymgmt.Custodian]. The key of a handle is destroyed also when it is damaged.
func (r *Root) Destroy(ctx context.Context, handle string) (keymgmt.Evidence, error) {
	if err := r.ready(ctx, handle); err != nil {
		return keymgmt.Evidence{}, err
	}
	_, err := r.blob(ctx, handle)
	if err != nil && !errors.Is(err, opsec.ErrNotFound) {
		return keymgmt.Evidence{}, err
	}
	// Without a key, too: an erasure that failed half-way has remains.
	e, err := r.blobs.Erase(ctx, blobName(handle))
	if err != nil {
		return keymgmt.Evidence{}, unavailable("erasing the key of a handle", err)
	}
	if len(e.Copies) == 0 {
		e.Method = "none: no key"
	}
	e.Custodian, e.Handle, e.Time = r.name, handle, r.now().UTC()
	return e, nil
}

func (r *Root) ready(ctx context.Context, handle string) error {
	if err := errors.Join(ctx.Err(), validHandle(handle)); err != nil {
		return err
	}
	if r.Sealed() {
		return keymgmt.ErrSealed
	}
	return nil
}

// open reads a key each time, so that one which another process has destroyed opens nothing here.
func (r *Root) open(ctx context.Context, handle string) (tink.AEAD, error) {
	if err := r.ready(ctx, handle); err != nil {
		return nil, err
	}
	return r.keyOf(ctx, handle)
}

// keyOf returns the key of a handle. One that does not open may just have been overwritten: then it is gone when looked at
// again.
func (r *Root) keyOf(ctx context.Context, handle string) (tink.AEAD, error) {
	var before []byte
	for {
		b, err := r.blob(ctx, handle)
		if err != nil {
			return nil, err
		}
		var key *keyset.Handle
		damaged := false
		err = r.withRoot(func(root tink.AEAD, _ []byte) error {
			key, err = keyset.ReadWithAssociatedData(keyset.NewJSONReader(bytes.NewReader(b)), root, bound("handle", handle))
			damaged = err != nil
			return nil
		})
		switch {
		case err != nil:
			return nil, err
		case !damaged:
			primitive, err := aead.New(key)
			if err != nil {
				return nil, fmt.Errorf("custody: the key of handle %q: %w", handle, err)
			}
			return primitive, nil
		case bytes.Equal(before, b):
			return nil, fmt.Errorf("custody: the key of handle %q is damaged, or another root's: %w", handle, keymgmt.ErrUnwrap)
		}
		before = b
	}
}

// blob returns the document of a handle. A place that has lost everything, such as a directory that is not mounted, is not
// one where a single key is missing: the root document tells them apart.
func (r *Root) blob(ctx context.Context, handle string) ([]byte, error) {
	for range 2 {
		b, err := r.blobs.Get(ctx, blobName(handle))
		if err != nil {
			return nil, unavailable("key of a handle", err)
		}
		if b != nil {
			return b, nil
		}
		if root, err := r.blobs.Get(ctx, rootName); err != nil {
			return nil, unavailable("root document", err)
		} else if root == nil {
			return nil, unavailable("root document", errors.New("gone"))
		}
	}
	return nil, fmt.Errorf("custody: handle %q: %w", handle, opsec.ErrNotFound)
}

// blobName is short, and the same on file systems that do not tell letter cases apart.
func blobName(handle string) string {
	sum := sha256.Sum256([]byte(handle))
	return "key-" + hex.EncodeToString(sum[:])
}

// bound is the associated data of what the root key encrypts.
func bound(what, value string) []byte {
	c, err := keymgmt.NewContext("custody", what, "value", value)
	if err != nil {
		panic(err) // the names are constant, and the value is validated
	}
	return c.Bytes()
}

func aeadOf(key []byte) (tink.AEAD, error) {
	if len(key) != rootKeySize {
		return nil, invalid("root key of %d bytes, want %d", len(key), rootKeySize)
	}
	return subtle.NewAESGCM(key)
}

func wrongKey(what string) error { return fmt.Errorf("custody: wrong %s: %w", what, keymgmt.ErrUnwrap) }

func validAssociated(b []byte) error {
	if len(b) > MaxMaterial {
		return invalid("associated data of %d bytes: want at most %d", len(b), MaxMaterial)
	}
	return nil
}
