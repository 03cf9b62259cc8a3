package custodytest

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// place is where the reference keeps its keys; custodians share it.
type place struct {
	mu   sync.Mutex
	keys map[string][]byte
	cut  bool
}

// reference keeps the contract, unless it has a bug.
type reference struct {
	*place
	bug    string
	mu     sync.Mutex
	sealed bool
	own    map[string][]byte // the keys of one that has "caches keys" or "forgets at restarts"
	mine   []byte
	calls  int
}

func harness(bug string) Harness {
	h := Harness{
		New: func(testing.TB) keymgmt.Custodian {
			return &reference{place: &place{keys: map[string][]byte{}}, bug: bug, own: map[string][]byte{}}
		},
		Again: func(_ testing.TB, c keymgmt.Custodian) keymgmt.Custodian {
			r := &reference{place: c.(*reference).place, bug: bug, own: map[string][]byte{}}
			if bug == "forgets at restarts" {
				r.place = &place{keys: map[string][]byte{}}
			}
			if bug == "shares no new keys" {
				r.place = &place{keys: maps.Clone(r.place.keys)}
			}
			return r
		},
		Seal: func(_ testing.TB, c keymgmt.Custodian) { c.(*reference).sealed = bug != "works when sealed" },
		Cut: func(_ testing.TB, c keymgmt.Custodian) func() {
			p := c.(*reference).place
			p.cut = true
			return func() { p.cut = bug == "stays away" }
		},
	}
	return h
}

func (r *reference) is(bug string) bool { return r.bug == bug }

func (r *reference) ready(ctx context.Context, handle string) error {
	if err := ctx.Err(); err != nil && !r.is("ignores its context") {
		return err
	}
	bad := handle == "" || len(handle) > 512 || !utf8.ValidString(handle) || strings.ContainsFunc(handle, unicode.IsControl)
	if bad && !r.is("takes any handle") {
		return fmt.Errorf("handle: %w", opsec.ErrInvalid)
	}
	if r.sealed {
		return keymgmt.ErrSealed
	}
	if r.cut && !r.is("finds nothing when cut off") {
		return keymgmt.ErrUnavailable
	}
	return nil
}

// name is what a handle is kept under.
func (r *reference) name(handle string) string {
	switch {
	case r.is("folds handles"):
		return strings.ToLower(handle)
	case r.is("cuts handles"):
		return handle[:min(len(handle), 100)]
	case r.is("has one key"):
		return "key"
	}
	return handle
}

func (r *reference) key(handle string) ([]byte, error) {
	r.place.mu.Lock()
	defer r.place.mu.Unlock()
	key := r.keys[r.name(handle)]
	if r.is("caches keys") {
		if kept := r.own[handle]; kept != nil {
			return kept, nil
		}
		r.own[handle] = key
	}
	if r.cut || key == nil {
		return nil, fmt.Errorf("handle: %w", opsec.ErrNotFound)
	}
	return bytes.Clone(key), nil
}

func (r *reference) Generate(ctx context.Context, handle string) error {
	if err := r.ready(ctx, handle); err != nil {
		return err
	}
	if r.is("looks before it generates") {
		if _, err := r.key(handle); err == nil {
			return nil
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond)
	}
	r.place.mu.Lock()
	defer r.place.mu.Unlock()
	if r.keys[r.name(handle)] != nil && !r.is("generates anew") && !r.is("looks before it generates") {
		return nil
	}
	key := make([]byte, 32)
	rand.Read(key)
	if r.is("derives keys") {
		sum := sha256.Sum256([]byte(handle))
		key = sum[:]
	}
	r.keys[r.name(handle)] = key
	return nil
}

func (r *reference) aead(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

func (r *reference) Wrap(ctx context.Context, handle string, material, ad []byte) ([]byte, error) {
	if err := r.ready(ctx, handle); err != nil {
		return nil, err
	}
	if len(material) == 0 && !r.is("wraps nothing") {
		return nil, fmt.Errorf("material: %w", opsec.ErrInvalid)
	}
	key, err := r.key(handle)
	if err != nil && r.is("shows material") {
		return nil, fmt.Errorf("wrapping %s: %w", material, err)
	}
	if err != nil && r.is("generates on demand") {
		err = r.Generate(ctx, handle)
		key, _ = r.key(handle)
	}
	if err != nil {
		return nil, err
	}
	if r.is("mixes callers") {
		r.swap(&key)
		time.Sleep(time.Microsecond)
		r.swap(&key)
	}
	nonce := make([]byte, 12)
	if !r.is("has no nonce") {
		rand.Read(nonce)
	}
	sealed := r.aead(key).Seal(nonce, nonce, r.plain(material), r.data(ad))
	switch {
	case r.is("keeps the material beside"):
		return append(bytes.Clone(material), sealed...), nil
	case r.is("clears what it wraps"):
		clear(material)
	case r.is("writes behind what it wraps"):
		copy(material[len(material):cap(material)], "x")
	case r.is("returns what it is given"):
		return append(material[:0:cap(material)], sealed...), nil
	case r.is("pads to pages"):
		return append(sealed, make([]byte, 4096)...), nil
	case r.is("ends with a byte that nobody reads"):
		return append(sealed, 0), nil
	}
	return sealed, nil
}

func (r *reference) swap(key *[]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mine != nil || *key == nil {
		*key, r.mine = r.mine, *key
		return
	}
	r.mine = *key
}

func (r *reference) plain(material []byte) []byte {
	if r.is("cuts material") {
		return material[:min(len(material), 1000)]
	}
	return material
}

func (r *reference) data(ad []byte) []byte {
	switch {
	case r.is("binds nothing"):
		return nil
	case r.is("binds the first bytes"):
		return ad[:min(len(ad), 1)]
	}
	return ad
}

func (r *reference) Unwrap(ctx context.Context, handle string, wrapped, ad []byte) ([]byte, error) {
	if err := r.ready(ctx, handle); err != nil {
		return nil, err
	}
	key, err := r.key(handle)
	if err != nil {
		if r.is("calls an absent key wrong") {
			return nil, keymgmt.ErrUnwrap
		}
		return nil, err
	}
	r.mu.Lock()
	r.calls++
	calls := r.calls
	r.mu.Unlock()
	switch {
	case r.is("keeps the material beside"):
		wrapped = wrapped[max(0, len(wrapped)-28)/2:]
	case r.is("pads to pages"):
		wrapped = wrapped[:max(0, len(wrapped)-4096)]
	case r.is("ends with a byte that nobody reads") && len(wrapped) > 0:
		wrapped = wrapped[:len(wrapped)-1]
	case r.is("breaks after a failure") && calls > 20:
		return nil, keymgmt.ErrUnwrap
	}
	if len(wrapped) < 28 {
		if r.is("calls a short one invalid") {
			return nil, fmt.Errorf("wrapped: %w", opsec.ErrInvalid)
		}
		return nil, keymgmt.ErrUnwrap
	}
	material, err := r.aead(key).Open(nil, wrapped[:12], wrapped[12:], r.data(ad))
	switch {
	case err != nil && r.is("calls everything unavailable"):
		return nil, keymgmt.ErrUnavailable
	case err != nil && r.is("returns bytes with its error"):
		return wrapped[12:], keymgmt.ErrUnwrap
	case err != nil && r.is("tries another key"):
		for _, other := range r.keys {
			if material, err := r.aead(other).Open(nil, wrapped[:12], wrapped[12:], ad); err == nil {
				return material, nil
			}
		}
		return nil, keymgmt.ErrUnwrap
	case err != nil:
		return nil, keymgmt.ErrUnwrap
	case r.is("returns what it keeps"):
		return r.remember(wrapped, material), nil
	}
	return material, nil
}

func (r *reference) remember(wrapped, material []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if kept := r.own[string(wrapped)]; kept != nil {
		return kept
	}
	r.own[string(wrapped)] = material
	return material
}

func (r *reference) Destroy(ctx context.Context, handle string) (keymgmt.Evidence, error) {
	if err := r.ready(ctx, handle); err != nil {
		return keymgmt.Evidence{}, err
	}
	e := keymgmt.Evidence{Custodian: "reference", Handle: handle, Method: "deleted", Time: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	r.place.mu.Lock()
	_, there := r.keys[r.name(handle)]
	if r.is("destroys slowly") {
		r.place.mu.Unlock()
		time.Sleep(time.Millisecond)
		r.place.mu.Lock()
	}
	defer r.place.mu.Unlock()
	if !there {
		switch {
		case r.is("says that it destroyed nothing"):
			return keymgmt.Evidence{}, fmt.Errorf("handle: %w", opsec.ErrNotFound)
		case r.is("destroys what is not there"):
			e.Copies = []string{"memory"}
		}
		return e, nil
	}
	switch {
	case r.is("destroys nothing"):
	case r.is("destroys everything"):
		clear(r.keys)
	case r.is("destroys and fails"):
		delete(r.keys, r.name(handle))
		return e, errors.New("failed")
	default:
		delete(r.keys, r.name(handle))
	}
	if r.is("cannot destroy, and is silent") || r.is("cannot destroy") {
		r.keys[r.name(handle)] = make([]byte, 32)
		return e, nil
	}
	if !r.is("names no copies") {
		e.Copies = []string{"memory: " + hex.EncodeToString([]byte(handle))}
	}
	if r.is("evidence of nobody") {
		e.Custodian = ""
	}
	return e, nil
}
