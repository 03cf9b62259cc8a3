package shares

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"hash"
)

// Split deals shares of a secret of 1 to [MaxSecret] bytes. The order of the shares is that of their indexes, from 1. An
// error wraps [opsec.ErrInvalid]. Clear the shares when they have been handed out.
func Split(secret []byte, scheme Scheme) (*Set, []Share, error) {
	return split(secret, scheme, Digest{})
}

func split(secret []byte, scheme Scheme, previous Digest) (*Set, []Share, error) {
	if err := scheme.Validate(); err != nil {
		return nil, nil, err
	}
	if len(secret) < 1 || len(secret) > MaxSecret {
		return nil, nil, invalid("secret: %d bytes, want 1 to %d", len(secret), MaxSecret)
	}
	k, n, width := scheme.Threshold, scheme.Shares, len(secret)+keySize

	// Row 0 is what is shared, the others are the coefficients: all of them uniform, the highest too, which may be 0.
	rows := make([]byte, k*width)
	defer clear(rows)
	rand.Read(rows[len(secret):])
	copy(rows, secret)
	key := newKey(rows[len(secret):width])

	set := &Set{Label: scheme.Label, Threshold: k, Shares: n, Size: len(secret), Digests: make([]Digest, n), Previous: previous}
	set.ID = key.commit(k, n, secret)
	copy(set.Key[:], key.signer(set.ID).Public().(ed25519.PublicKey))
	list := make([]Share, n)
	size := overhead + len(secret)
	block, holds := make([]byte, n*size), make([]held, n)
	for i := range list {
		holds[i].raw = block[i*size : (i+1)*size : (i+1)*size]
		share := Share{&holds[i]}
		copy(share.raw(), magic)
		share.raw()[atK], share.raw()[atN], share.raw()[atIndex] = byte(k), byte(n), byte(i+1)
		copy(share.raw()[atID:], set.ID[:])
		body := share.body()
		copy(body, rows[(k-1)*width:])
		for j := k - 2; j >= 0; j-- { // Horner
			scaleAdd(body, body, byte(i+1), rows[j*width:][:width])
		}
		tag := key.tag(share)
		copy(share.tag(), tag[:])
		set.Digests[i], list[i] = share.Digest(), share
	}
	set.MAC = key.mac(set)
	return set, list, nil
}

// setKey is the set's key, 32 random bytes, as HMAC-SHA256 with labels.
type setKey struct{ hmac hash.Hash }

func newKey(key []byte) setKey { return setKey{hmac.New(sha256.New, key)} }

func (k setKey) derive(label string, parts ...[]byte) (d Digest) {
	k.hmac.Reset()
	k.hmac.Write([]byte("opsec/shares/v1/" + label + "\x00"))
	for _, p := range parts {
		k.hmac.Write(p)
	}
	k.hmac.Sum(d[:0])
	return d
}

// commit binds the secret and the scheme; as the key is random, it hides them too.
func (k setKey) commit(threshold, shares int, secret []byte) Digest {
	return k.derive("commitment", []byte{byte(threshold), byte(shares), byte(len(secret) >> 8), byte(len(secret))}, secret)
}

// tag authenticates a share to those that have a threshold of them; its last bytes are not used.
func (k setKey) tag(s Share) Digest { return k.derive("share", s.raw()[:len(s.raw())-tagSize]) }

func (k setKey) mac(s *Set) Digest { return k.derive("set", s.content()) }

// signer makes proofs of rehearsals.
func (k setKey) signer(id Digest) ed25519.PrivateKey {
	seed := k.derive("proof", id[:])
	defer clear(seed[:])
	return ed25519.NewKeyFromSeed(seed[:])
}
