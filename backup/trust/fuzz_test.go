package trust_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"slices"
	"testing"

	"github.com/hiddeco/sshsig"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/cloudopsec/opsec/backup/trust"
)

func FuzzParsePublicKey(f *testing.F) {
	text, err := newHolder(f, 1).public.MarshalText()
	require.NoError(f, err)
	for _, seed := range []string{
		"", string(text), string(text) + " alice@vault\n", "restrict " + string(text), "# x\n" + string(text),
		string(text) + "\n" + string(text), securityKey, "ssh-ed25519 AAAA", `from="a,\"b" ` + string(text),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		key, comment, err := trust.ParsePublicKey(line)
		if err != nil {
			require.True(t, key.IsZero())
			return
		}
		require.NotContains(t, comment, "\n")
		text, err := key.MarshalText()
		require.NoError(t, err)
		again, none, err := trust.ParsePublicKey(text)
		require.NoError(t, err)
		require.Equal(t, key, again)
		require.Empty(t, none)
		require.Regexp(t, `^SHA256:[A-Za-z0-9+/]{43}$`, key.ID())
	})
}

func FuzzParsePrivateKey(f *testing.F) {
	key := newHolder(f, 1).private
	plain, err := ssh.MarshalPrivateKey(key, "alice")
	require.NoError(f, err)
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(key, "alice", []byte("x"))
	require.NoError(f, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(f, err)
	for _, block := range []*pem.Block{plain, locked, {Type: "PRIVATE KEY", Bytes: der}, {Type: "RSA PRIVATE KEY"}, {Type: "EC PRIVATE KEY", Bytes: der}, {Type: "DSA PRIVATE KEY"}} {
		f.Add(pem.EncodeToMemory(block))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, file []byte) {
		signer, err := trust.ParsePrivateKey(file, nil)
		if err != nil {
			require.Nil(t, signer)
			return
		}
		c := newClaim()
		require.NoError(t, trust.Sign(context.Background(), c.Envelope, signer))
		require.True(t, believed(t, holder{public: signer.PublicKey()}, c))
	})
}

func FuzzParsePolicy(f *testing.F) {
	a, b := newHolder(f, 1).key("alice", "p-17", "operator"), newHolder(f, 2).key("", "", "")
	a.NotBefore, a.NotAfter, a.Revoked = noon, noon, noon
	for _, p := range []trust.Policy{{}, {Keys: []trust.Key{b}}, {Threshold: 1, Roles: []string{"operator"}, Keys: []trust.Key{a, b}}} {
		seed, err := json.Marshal(p)
		require.NoError(f, err)
		f.Add(seed)
	}
	f.Add([]byte(`{"keys":null}{}`))
	f.Add([]byte(`{"keys":[{"key":"ssh-ed25519 AAAA"}],"Keys":[],"threshold":-1}`))
	c := signed(f, newHolder(f, 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := trust.ParsePolicy(bytes.NewReader(data))
		if err != nil {
			require.Nil(t, p)
			return
		}
		require.NoError(t, p.Validate())
		text, err := json.Marshal(p)
		require.NoError(t, err)
		again, err := trust.ParsePolicy(bytes.NewReader(text))
		require.NoError(t, err)
		textAgain, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(text), string(textAgain))
		j := judge(t, trust.Verifier{Policy: *p}, c)
		if j.Trust == trust.Trusted {
			require.True(t, slices.ContainsFunc(p.Keys, func(k trust.Key) bool { return k.Key == newHolder(t, 1).public }))
		}
	})
}

func FuzzParseState(f *testing.F) {
	s := chain(f)
	other := link(1, "a", "")
	other.Source = "vol-2"
	require.NoError(f, s.Accept(other, noon, false))
	for _, s := range []*trust.State{{}, chain(f), s} {
		f.Add(written(f, s).Bytes())
	}
	f.Add([]byte{})
	f.Add([]byte(`{"sources":[{"tenant":"acme","source":"vol-1","accepted":[]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := trust.ParseState(bytes.NewReader(data))
		if err != nil {
			require.Nil(t, s)
			return
		}
		require.Equal(t, written(t, s).String(), written(t, reread(t, s)).String())
		for _, src := range slices.Clone(s.Sources) {
			c := link(src.Accepted[0].Sequence, src.Accepted[0].Claim, "")
			c.Tenant, c.Source = src.Tenant, src.Source
			require.Contains(t, []trust.History{trust.Newest, trust.Older}, s.Place(c))
			c.ID += "x"
			require.NoError(t, s.Accept(c, noon, true))
		}
		reread(t, s)
	})
}

func FuzzVerifySignature(f *testing.F) {
	h := newHolder(f, 1)
	pae := message(f, newClaim())
	// Ed25519 leaves no choice, so these are all the signatures that the key can make.
	made := [][]byte{ed25519.Sign(h.private, pae)}
	for _, hash := range sshsig.SupportedHashAlgorithms() {
		sig, err := sshsig.Sign(bytes.NewReader(pae), h.ssh(f), hash, trust.SSHNamespace)
		require.NoError(f, err)
		made = append(made, sig.Marshal())
	}
	for _, sig := range made {
		require.True(f, believed(f, h, withSignature(h, sig)))
		f.Add(sig)
	}
	foreign, err := sshsig.Sign(bytes.NewReader(pae), newHolder(f, 2).ssh(f), sshsig.HashSHA512, trust.SSHNamespace)
	require.NoError(f, err)
	f.Add(foreign.Marshal())
	f.Add([]byte("SSHSIG"))
	f.Add([]byte{})
	f.Add(append(slices.Clone(made[1]), 0))
	f.Fuzz(func(t *testing.T, sig []byte) {
		c := withSignature(h, sig)
		mine := slices.ContainsFunc(made, func(m []byte) bool { return bytes.Equal(m, sig) })
		require.Equal(t, mine, believed(t, h, c))
		if armored, err := trust.SSHSignature(c.Envelope, ""); err == nil {
			block, rest := pem.Decode(armored)
			require.NotNil(t, block)
			require.Empty(t, rest)
			require.Equal(t, "SSH SIGNATURE", block.Type)
		}
	})
}
