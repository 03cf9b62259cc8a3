package shares

import (
	"crypto/ed25519"
	"slices"
	"time"
)

// Proof says that shares of a set opened it at some time, without saying what the secret is. It is data: keep it as JSON.
// Anybody who has the set can verify it, then and later.
type Proof struct {
	Set       Digest    `json:"set"`       // the id of the set
	Challenge []byte    `json:"challenge"` // of who asked for it
	Indexes   []int     `json:"indexes"`   // the shares, in ascending order: a threshold of them or more
	Time      time.Time `json:"time"`
	Signature []byte    `json:"signature"` // Ed25519, with the key that only a threshold of shares gives
}

const minChallenge, maxChallenge = 16, 64

// Rehearse proves that these shares, a threshold or all of them, are as they were dealt and open the set. The secret is not
// put together for it; the process could do so while it has the shares, so clear them afterwards. The challenge, of 16 to 64
// bytes, is from who wants the proof, and fresh. The time is the caller's. Its errors are those of [Set.Combine].
func (s *Set) Rehearse(list []Share, challenge []byte, at time.Time) (Proof, error) {
	if len(challenge) < minChallenge || len(challenge) > maxChallenge {
		return Proof{}, invalid("challenge: %d bytes, want %d to %d", len(challenge), minChallenge, maxChallenge)
	}
	key, err := s.open(list)
	if err != nil {
		return Proof{}, err
	}
	p := Proof{Set: s.ID, Challenge: slices.Clone(challenge), Time: at.UTC().Round(0)}
	for _, share := range list {
		p.Indexes = append(p.Indexes, share.Index())
	}
	slices.Sort(p.Indexes)
	signer := key.signer(s.ID)
	defer clear(signer)
	p.Signature = ed25519.Sign(signer, p.message())
	return p, nil
}

// VerifyProof returns an error wrapping [ErrProof] unless p is a proof of this set for this challenge.
func (s *Set) VerifyProof(p Proof, challenge []byte) error {
	if err := s.Validate(); err != nil {
		return err
	}
	ok := p.Set == s.ID && slices.Equal(p.Challenge, challenge) && len(challenge) >= minChallenge && len(challenge) <= maxChallenge &&
		len(p.Indexes) >= s.Threshold
	last := 0
	for _, i := range p.Indexes {
		ok = ok && last < i && i <= s.Shares
		last = i
	}
	if !ok || !ed25519.Verify(s.Key[:], p.message(), p.Signature) {
		return ErrProof
	}
	return nil
}

// message is what is signed.
func (p *Proof) message() []byte {
	b := append([]byte("opsec/shares/v1/rehearsal\x00"), p.Set[:]...)
	b = append(append(b, byte(len(p.Challenge))), p.Challenge...)
	b = append(b, byte(len(p.Indexes)))
	for _, i := range p.Indexes {
		b = append(b, byte(i))
	}
	return p.Time.UTC().AppendFormat(b, time.RFC3339Nano)
}
