package device

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// The bounds of keys.
const (
	MinKey  = 32  // bytes of a key's secret
	MaxKey  = 128 // bytes
	MaxKeys = 64  // keys at once
)

// Key signs and verifies tokens. It prints as its number.
type Key struct {
	ID     uint32    // its number, which tokens name; never used for another key
	Secret []byte    // 32 to 128 random bytes
	From   time.Time // when it begins to sign
	Until  time.Time // when it is retired, and verifies no more; zero: not yet known
}

// Format implements [fmt.Formatter], without the secret, under every verb.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "device key %d", k.ID) }

// LogValue implements [slog.LogValuer] by Format.
func (k Key) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }

// MarshalText implements [encoding.TextMarshaler] by Format, so that no encoder writes the secret.
func (k Key) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(k)), nil }

// ring is the keys, the newest first.
type ring []Key

func newRing(keys []Key) (ring, error) {
	if len(keys) == 0 || len(keys) > MaxKeys {
		return nil, invalid("%d keys, want 1 to %d", len(keys), MaxKeys)
	}
	r := make(ring, len(keys))
	for i, k := range keys {
		switch {
		case len(k.Secret) < MinKey || len(k.Secret) > MaxKey:
			return nil, invalid("key %d: secret of %d bytes, want %d to %d", k.ID, len(k.Secret), MinKey, MaxKey)
		case !k.Until.IsZero() && !k.Until.After(k.From):
			return nil, invalid("key %d: retired before it signs", k.ID)
		case slices.ContainsFunc(r[:i], func(o Key) bool { return o.ID == k.ID || hmac.Equal(o.Secret, k.Secret) }):
			return nil, invalid("key %d: its number or its secret is there twice", k.ID)
		}
		k.Secret = slices.Clone(k.Secret)
		r[i] = k
	}
	slices.SortFunc(r, func(a, b Key) int { return b.From.Compare(a.From) })
	return r, nil
}

// signer returns the newest key that signs now.
func (r ring) signer(now time.Time) (Key, bool) {
	i := slices.IndexFunc(r, func(k Key) bool { return !k.From.After(now) && !k.retired(now) })
	if i < 0 {
		return Key{}, false
	}
	return r[i], true
}

// verifier returns the key of that number, unless it is retired. One that signs elsewhere already verifies here, however the
// clocks stand.
func (r ring) verifier(id uint32, now time.Time) (Key, bool) {
	i := slices.IndexFunc(r, func(k Key) bool { return k.ID == id && !k.retired(now) })
	if i < 0 {
		return Key{}, false
	}
	return r[i], true
}

func (k Key) retired(now time.Time) bool { return !k.Until.IsZero() && !now.Before(k.Until) }

func (k Key) mac(message []byte) []byte {
	h := hmac.New(sha256.New, k.Secret)
	h.Write(message)
	return h.Sum(nil)
}
