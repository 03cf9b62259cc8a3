package envelope

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// The algorithms of data keys, in Tink's names: of messages, and of streams and files.
const (
	Algorithm       keymgmt.Algorithm = "AES256_GCM"
	StreamAlgorithm keymgmt.Algorithm = "AES256_GCM_HKDF_1MB"
)

// maxMessage is what AES-GCM encrypts in one message: NIST SP 800-38D, section 5.2.1.1, 2^39-256 bits.
const maxMessage = 1<<36 - 32

// Options are how an [Envelope] is wired. Nil stands for the zero Options.
type Options struct {
	Now func() time.Time // default: time.Now
}

// Envelope encrypts with data keys that a key-encryption key wraps. Its methods may be called by many goroutines.
type Envelope struct {
	tenant opsec.TenantID
	kek    func(context.Context) (Wrapper, error)
	cache  *cache
}

// New returns an Envelope over a key-encryption key. It wraps [opsec.ErrInvalid] when an argument is missing or out of
// bounds.
func New(kek Wrapper, l Limits, o *Options) (*Envelope, error) {
	if kek == nil {
		return nil, invalid("no key-encryption key")
	}
	c, err := newCache(l, o)
	if err != nil {
		return nil, err
	}
	return &Envelope{kek: func(context.Context) (Wrapper, error) { return kek, nil }, cache: c}, nil
}

// Seal encrypts plaintext, and appends the envelope to dst, which may be nil: the length of the wrapped data key (4 bytes,
// big endian), the wrapped data key, a nonce of 12 bytes, the ciphertext, a tag of 16 bytes. The context is bound to both
// keys' ciphertexts. dst's free capacity must not overlap plaintext.
//
// It asks the key-encryption key when there is no data key in the cache with which to encrypt under this context.
func (e *Envelope) Seal(ctx context.Context, dst, plaintext []byte, c keymgmt.Context) ([]byte, error) {
	if uint64(len(plaintext)) > maxMessage {
		return nil, invalid("plaintext of %d bytes, at most %d; see Encrypt", len(plaintext), uint64(maxMessage))
	}
	key, err := e.sealer(ctx, c, len(plaintext))
	if err != nil {
		return nil, err
	}
	begin, body := len(dst), len(dst)+len(key.header)
	dst = slices.Grow(dst, len(key.header)+len(plaintext)+key.cipher.Overhead())
	// The header comes last: whoever breaks the rule of overlap gets a panic of crypto/cipher, not a wrong ciphertext.
	out := key.cipher.Seal(dst[:body], nil, plaintext, c.Bytes())
	copy(out[begin:], key.header)
	return out, nil
}

// Open decrypts what [Envelope.Seal] returned, under the same context, and appends the plaintext to dst, which may be nil.
// A payload that does not open, or what is no envelope, is [ErrOpen]. A wrapped data key that does not, such as under another
// context, is whatever error the key-encryption key has for it. dst's free capacity must not overlap envelope.
func (e *Envelope) Open(ctx context.Context, dst, envelope []byte, c keymgmt.Context) ([]byte, error) {
	wrapped, payload, err := Split(envelope)
	if err != nil {
		return nil, err
	}
	key, err := e.opener(ctx, c, wrapped)
	if err != nil {
		return nil, err
	}
	out, err := key.cipher.Open(dst, nil, payload, c.Bytes())
	if err != nil {
		return nil, ErrOpen
	}
	return out, nil
}

// Rewrap opens the data key of an envelope, wraps it anew, as the key-encryption key is now, and appends the envelope
// with it to dst, which may be envelope[:0]. The rest is as it was, and is not looked at. So a new key-encryption key needs
// no new encryption.
func (e *Envelope) Rewrap(ctx context.Context, dst, envelope []byte, c keymgmt.Context) ([]byte, error) {
	wrapped, payload, err := Split(envelope)
	if err != nil {
		return nil, err
	}
	header, err := e.rewrap(ctx, wrapped, c, messageKind)
	if err != nil {
		return nil, err
	}
	begin, body := len(dst), len(dst)+len(header)
	out := slices.Grow(dst, len(header)+len(payload))[:body+len(payload)]
	copy(out[body:], payload) // first: dst may be in front of it
	copy(out[begin:], header)
	return out, nil
}

func (e *Envelope) rewrap(ctx context.Context, wrapped []byte, c keymgmt.Context, kind string) ([]byte, error) {
	kek, err := e.kek(ctx)
	if err != nil {
		return nil, err
	}
	raw, err := kek.Unwrap(ctx, wrapped, c)
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	if _, err := keyOf(raw, kind); err != nil {
		return nil, err
	}
	return seal(ctx, kek, raw, c)
}

// Split returns the two parts of an envelope, or [ErrOpen]: the wrapped data key, which names the key above it when that
// is one of Tink's, and what is encrypted under it. They share memory with envelope.
func Split(envelope []byte) (wrapped, payload []byte, err error) {
	if len(envelope) < headBytes {
		return nil, nil, ErrOpen
	}
	n := uint64(binary.BigEndian.Uint32(envelope))
	if n < 1 || n > maxWrapped || n > uint64(len(envelope)-headBytes) {
		return nil, nil, ErrOpen
	}
	end := headBytes + int(n)
	return envelope[headBytes:end:end], envelope[end:], nil
}

// KeyID returns the id of the Tink key that the data key of an envelope is wrapped under, of a message or of a stream,
// and false when that is not known. With it an Envelope is what package rewrap drives and counts.
func (e *Envelope) KeyID(envelope []byte) (uint32, bool) {
	wrapped, _, err := Split(envelope)
	if err != nil {
		return 0, false
	}
	return keyID(wrapped)
}

// keyID reads Tink's prefix: 1, and the id in 4 bytes.
func keyID(wrapped []byte) (uint32, bool) {
	if len(wrapped) < 5 || wrapped[0] != 1 {
		return 0, false
	}
	return binary.BigEndian.Uint32(wrapped[1:]), true
}

// Purge lets go of the cached data keys of this Envelope; of its tenant, when it belongs to [Tenants]. What begins after
// it has returned uses none of them. It is to be called when the key above is disabled or destroyed.
func (e *Envelope) Purge() { e.cache.purge(e.owns, func(*dataKey) bool { return true }) }

// PurgeKey does so with those that are wrapped under the Tink key of this id. Over a ring of package keyring no cached data
// key is used without its key above ([Checker]); called by its hook, keyring.Options.Purged, with the id in the reference, this
// sees to it that none stays in memory either. In [Tenants] it is called on the Envelope of the keyset's tenant.
func (e *Envelope) PurgeKey(id uint32) {
	e.cache.purge(e.owns, func(d *dataKey) bool {
		got, ok := keyID(d.header[headBytes:])
		return ok && got == id
	})
}

func (e *Envelope) owns(t opsec.TenantID) bool { return t == e.tenant }

// Run lets go of cached data keys that are too old, at twice their age at the latest, until ctx ends, and returns its
// error. Without it they are not used either, but stay in memory until others need the room.
func (e *Envelope) Run(ctx context.Context) error { return e.cache.run(ctx) }

// Cached returns how many data keys are in the cache, of all tenants, and how much memory they take, about.
func (e *Envelope) Cached() (keys int, bytes int64) { return e.cache.size() }

// sealer returns a data key that encrypts a message of n bytes.
func (e *Envelope) sealer(ctx context.Context, c keymgmt.Context, n int) (*dataKey, error) {
	l := &e.cache.limits
	if *l == (Limits{}) || int64(n) > l.Bytes { // too much for a key that others use too
		return e.newSealer(ctx, c)
	}
	return e.cache.get(ctx, e.tenant, c.Bytes(), nil,
		func(d *dataKey) error {
			if err := d.permits(keymgmt.Wrap); err != nil {
				return err
			}
			return d.take(n)
		},
		func() (*dataKey, error) {
			d, err := e.newSealer(ctx, c)
			if err != nil {
				return nil, err
			}
			d.messages.Store(l.Messages)
			d.bytes.Store(l.Bytes)
			return d, nil
		})
}

func (e *Envelope) newSealer(ctx context.Context, c keymgmt.Context) (*dataKey, error) {
	kek, err := e.kek(ctx)
	if err != nil {
		return nil, err
	}
	raw, header, err := wrap(ctx, kek, c, messageKind)
	if err != nil {
		return nil, err
	}
	return newDataKey(kek, raw, header)
}

// opener returns the data key that is wrapped so.
func (e *Envelope) opener(ctx context.Context, c keymgmt.Context, wrapped []byte) (*dataKey, error) {
	if e.cache.limits == (Limits{}) {
		return e.newOpener(ctx, c, wrapped)
	}
	return e.cache.get(ctx, e.tenant, c.Bytes(), wrapped,
		func(d *dataKey) error { return d.permits(keymgmt.Unwrap) },
		func() (*dataKey, error) { return e.newOpener(ctx, c, wrapped) })
}

func (e *Envelope) newOpener(ctx context.Context, c keymgmt.Context, wrapped []byte) (*dataKey, error) {
	kek, err := e.kek(ctx)
	if err != nil {
		return nil, err
	}
	raw, err := kek.Unwrap(ctx, wrapped, c)
	if err != nil {
		return nil, err
	}
	return newDataKey(kek, raw, headerOf(wrapped))
}

// newDataKey expands raw, and clears it.
func newDataKey(kek Wrapper, raw, header []byte) (*dataKey, error) {
	aead, err := cipherOf(raw)
	clear(raw)
	if err != nil {
		return nil, err
	}
	check, _ := kek.(Checker)
	return &dataKey{cipher: aead, header: header, check: check}, nil
}
