package device

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/cloudopsec/opsec"
)

// MaxToken is the longest text that is looked at as a token, in bytes. A token has 87.
const MaxToken = 128

// MaxAccount is the longest name of an account, in bytes.
const MaxAccount = 1 << 10

// Owner is whose device it is: an account, named in its canonical form.
type Owner struct {
	Tenant  opsec.TenantID
	Account string
}

func (o Owner) validate() error {
	if err := o.Tenant.Validate(); err != nil {
		return err
	}
	if o.Account == "" || len(o.Account) > MaxAccount {
		return invalid("account of %d bytes, want 1 to %d", len(o.Account), MaxAccount)
	}
	return nil
}

// Device is a device that holds a token.
type Device struct {
	ID      string    // 32 hexadecimal digits; no secret
	Issued  time.Time // when the token was made, to the second
	Expires time.Time // when it ends, unless it is renewed before
}

// The bytes of a token: version, key, device, time of issue in seconds since 1970, epoch; then the MAC.
const (
	version   = 1
	idBytes   = 16
	bodyBytes = 1 + 4 + idBytes + 8 + 4
	macBytes  = 32
	allBytes  = bodyBytes + macBytes
)

// label begins what is signed, so that the key signs nothing else by accident.
const label = "opsec/identity/lockout/device\x00"

// token is what stands in a token, without its MAC.
type token struct {
	key    uint32
	device [idBytes]byte
	issued int64
	epoch  uint32
}

// encoding refuses a token whose last bits are not zero: one token, one text.
var encoding = base64.RawURLEncoding.Strict()

func newDevice() (id [idBytes]byte) {
	rand.Read(id[:])
	return id
}

func (t token) body() []byte {
	b := make([]byte, 0, allBytes)
	b = append(b, version)
	b = binary.BigEndian.AppendUint32(b, t.key)
	b = append(b, t.device[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.issued))
	return binary.BigEndian.AppendUint32(b, t.epoch)
}

// message is what the MAC is over: the body has a fixed length, the tenant is preceded by its own.
func (t token) message(who Owner) []byte {
	m := append([]byte(label), t.body()...)
	m = binary.BigEndian.AppendUint32(m, uint32(len(who.Tenant)))
	m = append(m, who.Tenant...)
	return append(m, who.Account...)
}

func (t token) sign(who Owner, k Key) string {
	return encoding.EncodeToString(append(t.body(), k.mac(t.message(who))...))
}

// parse reads a token, and verifies nothing.
func parse(text string) (t token, mac []byte, ok bool) {
	if len(text) > MaxToken || len(text) != encoding.EncodedLen(allBytes) {
		return t, nil, false
	}
	b, err := encoding.DecodeString(text)
	if err != nil || len(b) != allBytes || b[0] != version {
		return t, nil, false
	}
	t.key = binary.BigEndian.Uint32(b[1:])
	copy(t.device[:], b[5:])
	t.issued = int64(binary.BigEndian.Uint64(b[5+idBytes:]))
	t.epoch = binary.BigEndian.Uint32(b[13+idBytes:])
	return t, b[bodyBytes:], true
}

func (t token) valid(who Owner, k Key, mac []byte) bool {
	return hmac.Equal(mac, k.mac(t.message(who)))
}

func (t token) id() string { return hex.EncodeToString(t.device[:]) }
