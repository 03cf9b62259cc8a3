package hash

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strings"
)

// Peppers makes the keyed step with keys that do not lie where the hashes do: in an HSM, behind keymgmt/transit, or in a file of
// its own ([Keys]). It is called outside of every slot, and must be safe for use by many goroutines.
type Peppers interface {
	// Current names the key for new hashes: 1 to 32 ASCII letters, digits, '-' and '.'.
	Current(ctx context.Context) (key string, err error)
	// Mac returns a MAC of 32 to 64 bytes of data, such as HMAC-SHA-256, by the key of this name. It does not keep data.
	Mac(ctx context.Context, key string, data []byte) ([]byte, error)
}

// Keys are [Peppers] in the memory of this process: HMAC-SHA-256.
type Keys struct {
	current string
	keys    map[string][]byte
}

// NewKeys returns the peppers of these keys, each of at least 32 bytes, of which one is current. It copies them.
func NewKeys(current string, keys map[string][]byte) (*Keys, error) {
	k := &Keys{current, make(map[string][]byte, len(keys))}
	for name, key := range keys {
		if !validKey(name) {
			return nil, invalid("pepper: a name of %d bytes, want 1 to 32 letters, digits, '-', '.'", len(name))
		}
		if len(key) < 32 {
			return nil, invalid("pepper %s: %d bytes, want at least 32", name, len(key))
		}
		k.keys[name] = bytes.Clone(key)
	}
	if k.keys[current] == nil {
		return nil, invalid("pepper: the current key is not among the keys")
	}
	return k, nil
}

// Current implements [Peppers].
func (k *Keys) Current(context.Context) (string, error) { return k.current, nil }

// Mac implements [Peppers].
func (k *Keys) Mac(_ context.Context, key string, data []byte) ([]byte, error) {
	secret := k.keys[key]
	if secret == nil {
		return nil, invalid("pepper: no such key")
	}
	h := hmac.New(sha256.New, secret)
	h.Write(data)
	return h.Sum(nil), nil
}

// Format implements [fmt.Formatter]: the name of the current key under every verb.
func (k *Keys) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "peppers, current %s", k.current) }

func validKey(s string) bool {
	if len(s) < 1 || len(s) > 32 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-.", c) >= 0) {
			return false
		}
	}
	return true
}

// pepperContext tells this use of a key from every other.
const pepperContext = "opsec/identity/password/hash/pepper/v1\x00"

// season applies the keys in turn to the output of a hash with these settings, and clears it.
func season(ctx context.Context, p Peppers, keys []string, settings string, output []byte) ([]byte, error) {
	for _, key := range keys {
		if p == nil {
			clear(output)
			return nil, badForm("it names a pepper, and there are no peppers")
		}
		data := make([]byte, 0, len(pepperContext)+len(settings)+1+len(output))
		data = append(append(append(append(data, pepperContext...), settings...), 0), output...)
		mac, err := p.Mac(ctx, key, data)
		clear(data)
		clear(output)
		if err != nil {
			return nil, fmt.Errorf("hash: pepper %s: %w", key, err)
		}
		if len(mac) < 32 || len(mac) > maxOutput {
			clear(mac)
			return nil, invalid("pepper %s: a MAC of %d bytes, want 32 to %d", key, len(mac), maxOutput)
		}
		output = mac
	}
	return output, nil
}
