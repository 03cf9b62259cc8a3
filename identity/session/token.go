package session

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/cloudopsec/opsec"
)

// Prefix begins the text of every token, for scanners that look for secrets which have got into the open.
const Prefix = "opsec_st_"

const (
	secretLen  = 32
	locatorLen = 16
	bodyLen    = (secretLen + locatorLen) * 4 / 3 // in base64url, without a rest
	maxToken   = len(Prefix) + bodyLen + 1 + 128
)

// Token is what a session is asked for with: 256 random bits, and where the account's [Book] lies. It names the tenant, and the
// account by a digest alone; it says nothing else. It shows itself only in [Token.Reveal]. Tokens are comparable; the zero
// Token is none.
type Token struct {
	secret  [secretLen]byte
	locator [locatorLen]byte
	tenant  opsec.TenantID
}

// newToken returns a fresh token for a book.
func newToken(at Address) (t Token) {
	rand.Read(t.secret[:])
	hex.Decode(t.locator[:], []byte(at.Book))
	t.tenant = at.Tenant
	return t
}

// ParseToken reads the text of a token, or returns an error that wraps [opsec.ErrDenied] and does not show it.
func ParseToken(text string) (Token, error) {
	var t Token
	body, ok := strings.CutPrefix(text, Prefix)
	if !ok || len(text) > maxToken || len(body) < bodyLen {
		return Token{}, errText
	}
	var raw [secretLen + locatorLen]byte
	var src [bodyLen]byte
	copy(src[:], body)
	if n, err := base64.RawURLEncoding.Decode(raw[:], src[:]); err != nil || n != len(raw) {
		return Token{}, errText
	}
	copy(t.secret[:], raw[:])
	copy(t.locator[:], raw[secretLen:])
	switch rest := body[bodyLen:]; {
	case rest == "":
		t.tenant = opsec.Provider
	case rest[0] != '.' || rest[1:] == string(opsec.Provider) || opsec.TenantID(rest[1:]).Validate() != nil:
		return Token{}, errText
	default:
		t.tenant = opsec.TenantID(rest[1:])
	}
	return t, nil
}

var errText = refusal("not the text of a token")

// Reveal returns the text of the token, of at most 202 ASCII letters, digits, '_', '-' and '.', fit for a cookie and for a header. It
// is a secret.
func (t Token) Reveal() string {
	if t == (Token{}) {
		return ""
	}
	var raw [secretLen + locatorLen]byte
	copy(raw[:], t.secret[:])
	copy(raw[secretLen:], t.locator[:])
	text := Prefix + base64.RawURLEncoding.EncodeToString(raw[:])
	if t.tenant != opsec.Provider {
		text += "." + string(t.tenant)
	}
	return text
}

// Tenant returns whose token it says it is. That is known only once the token has been validated.
func (t Token) Tenant() opsec.TenantID { return t.tenant }

func (t Token) address() Address { return Address{t.tenant, hex.EncodeToString(t.locator[:])} }

// digest is what is kept of a token: 256 random bits need no salt, and no slow function.
func (t Token) digest() Digest {
	h := sha256.New()
	h.Write(t.secret[:])
	h.Write(t.locator[:])
	io.WriteString(h, string(t.tenant))
	return Digest(h.Sum(nil))
}

const hidden = "[token]"

// Format implements [fmt.Formatter]: "[token]" under every verb.
func (t Token) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// LogValue implements [slog.LogValuer] by Format.
func (t Token) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText implements [encoding.TextMarshaler] by Format, so that JSON does not show it either.
func (t Token) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Digest is the SHA-256 of a token, which is all that is kept of it.
type Digest [sha256.Size]byte

// is compares in constant time.
func (d *Digest) is(other *Digest) bool { return subtle.ConstantTimeCompare(d[:], other[:]) == 1 }

// MarshalText implements [encoding.TextMarshaler]: base64url.
func (d Digest) MarshalText() ([]byte, error) { return encode32(d), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Digest) UnmarshalText(text []byte) error { return decode32((*[32]byte)(d), text) }

func encode32(b [32]byte) []byte { return base64.RawURLEncoding.AppendEncode(nil, b[:]) }

func decode32(to *[32]byte, text []byte) error {
	if len(text) != 43 {
		return invalid("digest of %d characters, want 43", len(text))
	}
	var raw [33]byte
	n, err := base64.RawURLEncoding.Strict().Decode(raw[:], text)
	if err != nil || n != 32 {
		return invalid("digest: not base64url")
	}
	copy(to[:], raw[:])
	return nil
}
