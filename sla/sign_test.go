package sla_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
)

// key returns the key of a name, the same each time.
func key(name string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	return ed25519.NewKeyFromSeed(seed)
}

func public(name string) ed25519.PublicKey { return key(name).Public().(ed25519.PublicKey) }

var signedAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const csp, csc = "Nimbus Cloud GmbH", "Acme AG"

// sealed returns an agreement that both parties have signed, and their keys.
func sealed(t interface{ Fatal(...any) }) (*sla.Sealed, map[string]ed25519.PublicKey) {
	a := sample(t, "iaas")
	return &sla.Sealed{Agreement: a, Signatures: []sla.Signature{must(a.Sign(csp, key("csp"), signedAt)), must(a.Sign(csc, key("csc"), signedAt))}},
		map[string]ed25519.PublicKey{csp: public("csp"), csc: public("csc")}
}

func TestBothPartiesSign(t *testing.T) {
	s, keys := sealed(t)
	require.NoError(t, s.Verify(keys))
	read, err := sla.ParseSealed(must(s.JSON()))
	require.NoError(t, err)
	require.NoError(t, read.Verify(keys))
	read.Signatures[0].Time = read.Signatures[0].Time.In(time.FixedZone("", 3600)) // the same moment
	require.NoError(t, read.Verify(keys))
}

// signedAnyhow signs an agreement that [sla.Agreement.Sign] would not: the form of the message is as it has been.
func signedAnyhow(a *sla.Agreement, role opsec.Party, party string, with ed25519.PrivateKey) sla.Signature {
	s := sla.Signature{Party: party, Role: role, Time: signedAt, Digest: must(a.Digest())}
	message := fmt.Appendf(nil, "opsec.sla.signature/v1\n%s\n%s\n%+q\n2026-03-01T12:00:00Z\n", s.Digest, role, party)
	s.Value = base64.StdEncoding.EncodeToString(ed25519.Sign(with, message))
	return s
}

func TestTheSignedMessageStaysAsItIs(t *testing.T) {
	s, keys := sealed(t)
	require.Equal(t, s.Signatures[0], signedAnyhow(s.Agreement, opsec.CSP, csp, key("csp")))
	require.NoError(t, s.Verify(keys))

	const name, quoted = "Grün \"\U0001FAE9\" AG", `"Gr\u00fcn \"\U0001fae9\" AG"` // whatever characters a version of Go knows
	s.Agreement.Parties[1].Name = name
	g := must(s.Agreement.Sign(name, key("csc"), signedAt.Add(1)))
	message := "opsec.sla.signature/v1\n" + must(s.Agreement.Digest()) + "\nCSC\n" + quoted + "\n2026-03-01T12:00:00.000000001Z\n"
	require.True(t, ed25519.Verify(public("csc"), []byte(message), must(base64.StdEncoding.DecodeString(g.Value))))
}

func TestAnythingElseIsNotSigned(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *sla.Sealed, keys map[string]ed25519.PublicKey)
		want   string
	}{
		"a term":            {func(s *sla.Sealed, _ map[string]ed25519.PublicKey) { s.Agreement.Clause.Data.Backup.RTO++ }, "signatures[0]: \"Nimbus Cloud GmbH\" has signed another agreement"},
		"one is missing":    {func(s *sla.Sealed, _ map[string]ed25519.PublicKey) { s.Signatures = s.Signatures[:1] }, `"Acme AG" has not signed`},
		"none":              {func(s *sla.Sealed, _ map[string]ed25519.PublicKey) { s.Signatures = nil }, `"Nimbus Cloud GmbH" has not signed`},
		"no agreement":      {func(s *sla.Sealed, _ map[string]ed25519.PublicKey) { s.Agreement = nil }, "no agreement"},
		"one twice":         {func(s *sla.Sealed, _ map[string]ed25519.PublicKey) { s.Signatures[1] = s.Signatures[0] }, `"Acme AG" has not signed`},
		"for the other":     {func(s *sla.Sealed, _ map[string]ed25519.PublicKey) { s.Signatures[1].Party = csp }, "signatures[1]: not of a party"},
		"in another's name": {func(s *sla.Sealed, _ map[string]ed25519.PublicKey) { s.Signatures[1].Value = s.Signatures[0].Value }, `signatures[1]: not of the key of "Acme AG"`},
		"of a stranger": {func(s *sla.Sealed, _ map[string]ed25519.PublicKey) {
			g := s.Signatures[0]
			g.Party = "x"
			s.Signatures = append(s.Signatures, g)
		}, "signatures[2]: not of a party"},
		"as another role": {func(s *sla.Sealed, _ map[string]ed25519.PublicKey) { s.Signatures[1].Role = opsec.CSP }, "signatures[1]: not of a party"},
		"at another time": {func(s *sla.Sealed, _ map[string]ed25519.PublicKey) { s.Signatures[1].Time = signedAt.Add(time.Second) }, "signatures[1]: not of the key"},
		"no base64":       {func(s *sla.Sealed, _ map[string]ed25519.PublicKey) { s.Signatures[1].Value = "?" }, "signatures[1]: not of the key"},
		"too short":       {func(s *sla.Sealed, _ map[string]ed25519.PublicKey) { s.Signatures[1].Value = "AAAA" }, "signatures[1]: not of the key"},
		"no key":          {func(_ *sla.Sealed, keys map[string]ed25519.PublicKey) { delete(keys, csc) }, "signatures[1]: not of the key"},
		"a short key":     {func(_ *sla.Sealed, keys map[string]ed25519.PublicKey) { keys[csc] = keys[csc][:31] }, "signatures[1]: not of the key"},
		"another key":     {func(_ *sla.Sealed, keys map[string]ed25519.PublicKey) { keys[csc] = public("eve") }, "signatures[1]: not of the key"},
		"of one party": {func(s *sla.Sealed, keys map[string]ed25519.PublicKey) {
			s.Agreement.Parties = s.Agreement.Parties[:1]
			s.Signatures = nil
		}, "there is no CSC"},
		"one name for two": {func(s *sla.Sealed, keys map[string]ed25519.PublicKey) {
			s.Agreement.Parties[1].Name = csp
			s.Signatures = []sla.Signature{signedAnyhow(s.Agreement, opsec.CSP, csp, key("csp"))}
		}, `two parties have the name "Nimbus Cloud GmbH"`},
		"one key for two": {func(s *sla.Sealed, keys map[string]ed25519.PublicKey) {
			s.Signatures[1] = must(s.Agreement.Sign(csc, key("csp"), signedAt))
			keys[csc] = keys[csp]
		}, `"Nimbus Cloud GmbH" and "Acme AG" have the same key`},
		"broken lines": {func(s *sla.Sealed, _ map[string]ed25519.PublicKey) { s.Signatures[1].Value += "\n" }, "signatures[1]: not of the key"},
		"not exact":    {func(s *sla.Sealed, _ map[string]ed25519.PublicKey) { s.Agreement.Title = "\xff" }, "title"},
	} {
		s, keys := sealed(t)
		c.change(s, keys)
		err := s.Verify(keys)
		require.ErrorIs(t, err, sla.ErrSignature, name)
		require.ErrorContains(t, err, c.want, name)
	}
}

func TestTheKeysThatAnAgreementNamesBindIt(t *testing.T) {
	a := sample(t, "iaas")
	for i, name := range []string{"csp", "csc"} {
		a.Parties[i].PublicKey = base64.StdEncoding.EncodeToString(public(name))
	}
	require.NoError(t, a.Validate())
	_, err := a.Sign(csc, key("eve"), signedAt)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	s := &sla.Sealed{Agreement: a, Signatures: []sla.Signature{must(a.Sign(csp, key("csp"), signedAt)), must(a.Sign(csc, key("csc"), signedAt))}}
	keys, err := a.Keys()
	require.NoError(t, err)
	require.Equal(t, map[string]ed25519.PublicKey{csp: public("csp"), csc: public("csc")}, keys)
	require.NoError(t, s.Verify(keys))
	a.Parties[1].PublicKey = "x"
	_, err = a.Keys()
	require.ErrorIs(t, err, opsec.ErrInvalid)
	a.Parties[1].PublicKey = a.Parties[0].PublicKey
	require.Equal(t, []string{"parties[1].publicKey duplicate"}, list(a.Validate()))
	for _, sep := range []string{"\n", "\r"} { // the same key, and another text
		a.Parties[1].PublicKey = a.Parties[0].PublicKey[:9] + sep + a.Parties[0].PublicKey[9:]
		require.Contains(t, list(a.Validate()), "parties[1].publicKey invalid")
		_, err = a.Keys()
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}

	// A key that is known, and another that the agreement names: the signature is of the first, and the agreement of the second.
	s, keys = sealed(t)
	s.Agreement.Parties[1].PublicKey = base64.StdEncoding.EncodeToString(public("eve"))
	s.Signatures[0] = must(s.Agreement.Sign(csp, key("csp"), signedAt))
	eve := must(s.Agreement.Sign(csc, key("eve"), signedAt))
	s.Signatures[1] = eve
	require.ErrorContains(t, s.Verify(keys), `signatures[1]: not of the key of "Acme AG"`)
	s.Signatures[1] = signedAnyhow(s.Agreement, opsec.CSC, csc, key("csc"))
	require.ErrorContains(t, s.Verify(keys), `signatures[1]: the agreement names another key for "Acme AG"`)
	s.Signatures[1] = eve
	keys[csc] = public("eve")
	require.NoError(t, s.Verify(keys))
}

// signer is a crypto.Signer that does what it is told.
type signer struct {
	public crypto.PublicKey
	sign   func() ([]byte, error)
}

func (s signer) Public() crypto.PublicKey                                  { return s.public }
func (s signer) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return s.sign() }

func TestWhatCannotBeSignedIsRefused(t *testing.T) {
	a := sample(t, "iaas")
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	broken := errors.New("token removed")
	for _, c := range []struct {
		party string
		with  crypto.Signer
		at    time.Time
		want  error
	}{
		{"x", key("csc"), signedAt, opsec.ErrInvalid},
		{csc, key("csc"), time.Time{}, opsec.ErrInvalid},
		{csc, key("csc"), time.Date(0, 12, 31, 23, 59, 59, 0, time.UTC), opsec.ErrInvalid},
		{csc, key("csc"), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), opsec.ErrInvalid},
		{csc, other, signedAt, opsec.ErrInvalid},
		{csc, signer{public("csc"), func() ([]byte, error) { return nil, broken }}, signedAt, broken},
		{csc, signer{public("csc"), func() ([]byte, error) { return make([]byte, 64), nil }}, signedAt, opsec.ErrInvalid},
		{csc, signer{ed25519.PublicKey(make([]byte, 32)), func() ([]byte, error) { return make([]byte, 64), nil }}, signedAt, opsec.ErrInvalid},
	} {
		_, err := a.Sign(c.party, c.with, c.at)
		require.ErrorIs(t, err, c.want)
	}
	a.Clause.Audit = nil
	_, err = a.Sign(csc, key("csc"), signedAt)
	require.Equal(t, []string{"clause.audit missing"}, list(err))
}

// Keys that sign anything are refused. That they do is seen with a signature of nothing: R the neutral point, S 0.
func TestKeysThatSignAnythingAreRefused(t *testing.T) {
	a, n := sample(t, "iaas"), 0
	nothing := append([]byte{1}, make([]byte, 63)...)
	for _, low := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000", "0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		for _, sign := range []byte{0, 0x80} {
			k := must(hex.DecodeString(low))
			k[31] |= sign
			for i := range 64 {
				if ed25519.Verify(k, []byte{byte(i)}, nothing) {
					n++
					break
				}
			}
			a.Parties[0].PublicKey = base64.StdEncoding.EncodeToString(k)
			require.Equal(t, []string{"parties[0].publicKey invalid"}, list(a.Validate()), low)
		}
	}
	require.Greater(t, n, 7, "of the 14 forms crypto/ed25519 takes most")
}

func TestSealedTextIsReadStrictly(t *testing.T) {
	s, _ := sealed(t)
	text := must(s.JSON())
	for _, bad := range [][]byte{nil, []byte("{}"), []byte(`{"agreement":{"schema":"x"},"signatures":[]}`), bytes.Replace(text, []byte(`"signatures"`), []byte(`"Signatures"`), 1), append(text, text...)} {
		_, err := sla.ParseSealed(bad)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func FuzzParseSealed(f *testing.F) {
	s, keys := sealed(f)
	f.Add(must(s.JSON()))
	f.Add([]byte(`{"agreement":{"schema":"opsec.sla/v1"},"signatures":[{"party":"x","role":"CSP","time":"2026-03-01T00:00:00Z","digest":"","value":""}]}`))
	want := must(s.Agreement.Digest())
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := sla.ParseSealed(text)
		if err != nil {
			if !errors.Is(err, opsec.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if got.Verify(keys) == nil {
			if digest, err := got.Agreement.Digest(); err != nil || digest != want {
				t.Fatalf("%v: a forgery\n%s", err, text)
			}
		}
	})
}
