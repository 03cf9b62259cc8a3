package session_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/session"
)

func unbase64(t *testing.T, s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(s)
	require.NoError(t, err)
	return b
}

// The vectors of RFC 7638, section 3.1, and RFC 8037, appendix A.3.
func TestThumbprintsOfTheRFCs(t *testing.T) {
	n := "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64t" +
		"Z_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbIS" +
		"D08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
	keys := map[string]any{
		"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": &rsa.PublicKey{N: new(big.Int).SetBytes(unbase64(t, n)), E: 65537},
		"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": ed25519.PublicKey(unbase64(t, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")),
	}
	for want, key := range keys {
		got, err := session.KeyThumbprint(key)
		require.NoError(t, err)
		text, err := json.Marshal(got)
		require.NoError(t, err)
		require.Equal(t, `"`+want+`"`, string(text))
		var back session.Thumbprint
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, got, back)
	}
}

// Coordinates keep their leading zeros (RFC 7518, section 6.2.1.2).
func TestThumbprintOfACurve(t *testing.T) {
	for curve, name := range map[elliptic.Curve]string{elliptic.P256(): "P-256", elliptic.P384(): "P-384", elliptic.P521(): "P-521"} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		point, err := key.PublicKey.Bytes()
		require.NoError(t, err)
		size := (curve.Params().BitSize + 7) / 8
		require.Len(t, point, 1+2*size)
		e := base64.RawURLEncoding.EncodeToString
		want := sha256.Sum256(fmt.Appendf(nil, `{"crv":%q,"kty":"EC","x":%q,"y":%q}`, name, e(point[1:1+size]), e(point[1+size:])))
		got, err := session.KeyThumbprint(&key.PublicKey)
		require.NoError(t, err)
		require.Equal(t, session.Thumbprint(want), got)
	}
}

func TestWhatIsNoKeyHasNoThumbprint(t *testing.T) {
	for _, key := range []any{nil, "key", &rsa.PublicKey{}, (*rsa.PublicKey)(nil), (*ecdsa.PublicKey)(nil), &ecdsa.PublicKey{},
		&ecdsa.PublicKey{Curve: elliptic.P256()}, ed25519.PublicKey{1}} {
		_, err := session.KeyThumbprint(key)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	var p session.Thumbprint
	for _, text := range []string{`""`, `"AA"`, `"` + base64.StdEncoding.EncodeToString(make([]byte, 32)) + `"`, `"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4l"`} {
		require.ErrorIs(t, json.Unmarshal([]byte(text), &p), opsec.ErrInvalid)
	}
	require.True(t, p.IsZero())
	require.False(t, session.CertificateThumbprint(nil).IsZero())
	require.EqualValues(t, sha256.Sum256([]byte("der")), session.CertificateThumbprint([]byte("der")))
}
