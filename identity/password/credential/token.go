package credential

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// Token is what finishes a reset: 256 random bits. It prints as "[token]".
type Token struct{ secret [32]byte }

func newToken() (t Token) {
	rand.Read(t.secret[:])
	return t
}

// Reveal returns the text for the message to the owner: 43 characters for a URL.
func (t Token) Reveal() string { return base64.RawURLEncoding.EncodeToString(t.secret[:]) }

// Format implements [fmt.Formatter].
func (Token) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[token]") }

func (t Token) digest() []byte {
	sum := sha256.Sum256(t.secret[:])
	return sum[:]
}

// parseToken reads what Reveal returned. What is no token becomes one that nobody has.
func parseToken(text string) Token {
	t := newToken()
	if b, err := base64.RawURLEncoding.DecodeString(text); err == nil && len(b) == len(t.secret) {
		copy(t.secret[:], b)
		clear(b)
	}
	return t
}
