package erasure_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/erasure"
)

func TestCertificateRestsOnTheReceiptsOfAllKeys(t *testing.T) {
	r := newRepo(t)
	l := ledger(t, r)
	a, b := ref("volumes/7", 1), ref("volumes/7", 2)
	issue(t, l, destruction(b), withTape(a))
	_, err := l.Attest(t.Context(), carol, attestation(a))
	require.NoError(t, err)
	doc, err := l.Certify(t.Context(), carol, declare(b, a, b))
	require.NoError(t, err)
	got, err := erasure.Verify(doc, trust)
	require.NoError(t, err)
	require.Equal(t, "@provider/carol", got.By)
	require.Equal(t, volume, got.Certificate.Resource)
	require.Equal(t, []keymgmt.Ref{a, b}, got.Certificate.Keys, "in order, each once")
	require.False(t, got.Complete())

	var with [][]byte
	for _, n := range []int{1, 0, 2} { // by key, then the attestation
		with = append(with, all(t, l, "acme")[n])
	}
	c, err := erasure.VerifyCertificate(doc, with, trust)
	require.NoError(t, err)
	require.Equal(t, *got.Certificate, c)

	again, err := l.Certify(t.Context(), carol, declare(a, b))
	require.NoError(t, err)
	require.Equal(t, doc, again)
	e := r.log.One(t, erasure.ActionCertify)
	require.Equal(t, volume, e.Resource)
	require.Equal(t, carol, e.Actor)

	other, err := l.Certify(t.Context(), carol, declare(b))
	require.NoError(t, err)
	got, err = erasure.Verify(other, trust)
	require.NoError(t, err)
	require.Equal(t, []keymgmt.Ref{b}, got.Certificate.Keys, "another declaration is another certificate")
}

func TestNoCertificateWhileAnythingIsLacking(t *testing.T) {
	a, b := ref("volumes/7", 1), ref("volumes/7", 2)
	failed := destruction(b)
	failed.Checks[0].Passed = false
	unknown := destruction(b)
	unknown.Copies[1].Fate = "probably gone"
	for name, test := range map[string]struct {
		issued []keymgmt.Destruction
		want   erasure.IncompleteError
	}{
		"nothing":         {nil, erasure.IncompleteError{Missing: []keymgmt.Ref{a, b}}},
		"one receipt":     {[]keymgmt.Destruction{destruction(a)}, erasure.IncompleteError{Missing: []keymgmt.Ref{b}}},
		"a failed check":  {[]keymgmt.Destruction{destruction(a), failed}, erasure.IncompleteError{Failed: []keymgmt.Ref{b}}},
		"a copy left":     {[]keymgmt.Destruction{destruction(a), withTape(b)}, erasure.IncompleteError{Left: []erasure.Remnant{{Key: b, Copy: tape}}}},
		"an unknown fate": {[]keymgmt.Destruction{destruction(a), unknown}, erasure.IncompleteError{Left: []erasure.Remnant{{Key: b, Copy: unknown.Copies[1]}}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t)
			l := ledger(t, r)
			issue(t, l, test.issued...)
			_, err := l.Certify(t.Context(), carol, declare(a, b))
			var got *erasure.IncompleteError
			require.ErrorAs(t, err, &got)
			require.Equal(t, test.want, *got)
			require.ErrorIs(t, err, opsec.ErrDenied)
			require.Equal(t, opsec.Denied, r.log.One(t, erasure.ActionCertify).Outcome)
			_, err = l.Release(t.Context(), carol, volume, "globex")
			require.ErrorIs(t, err, erasure.ErrNoCertificate)
			require.Len(t, all(t, l, "acme"), len(test.issued))
		})
	}
}

func TestDeclarationsThatDeclareTooLittleAreRefused(t *testing.T) {
	r := newRepo(t)
	l := ledger(t, r)
	a := ref("volumes/7", 1)
	issue(t, l, destruction(a))
	elsewhere := keymgmt.Ref{Set: keymgmt.SetID{Tenant: "globex", ID: "x"}, Key: 1}
	for name, d := range map[string]erasure.Declaration{
		"perhaps in clear": {Resource: volume, Keys: []keymgmt.Ref{a}},
		"no keys":          declare(),
		"another tenant's": declare(a, elsewhere),
		"no key":           declare(ref("volumes/7", 0)),
		"no type":          {Resource: opsec.Resource{Tenant: "acme", ID: "7"}, Keys: []keymgmt.Ref{a}, AlwaysEncrypted: true},
		"no tenant":        {Resource: opsec.Resource{Type: "volume", ID: "7"}, Keys: []keymgmt.Ref{a}, AlwaysEncrypted: true},
		"more than is usual": declare(slices.Collect(func(yield func(keymgmt.Ref) bool) {
			for i := range uint32(201) {
				_ = yield(ref("x", i+1))
			}
		})...),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := l.Certify(t.Context(), carol, d)
			require.ErrorIs(t, err, opsec.ErrInvalid)
		})
	}
	_, err := l.Certify(t.Context(), opsec.Actor{Account: "robot"}, declare(a))
	require.ErrorIs(t, err, opsec.ErrInvalid, "nobody answers for it")
	r.log.None(t, erasure.ActionCertify)
}

func TestKeysThatAreKnownNeedNotBeDeclared(t *testing.T) {
	r, o := newRepo(t), options()
	a, b := ref("volumes/7", 1), ref("tenant", 1)
	o.Protected = func(context.Context, opsec.Resource) ([]keymgmt.Ref, error) { return []keymgmt.Ref{b}, nil }
	l, err := erasure.New(r, o)
	require.NoError(t, err)
	issue(t, l, destruction(a))
	_, err = l.Certify(t.Context(), carol, declare(a))
	var lacking *erasure.IncompleteError
	require.ErrorAs(t, err, &lacking)
	require.Equal(t, []keymgmt.Ref{b}, lacking.Missing)
	issue(t, l, destruction(b))
	_, err = l.Certify(t.Context(), carol, declare())
	require.NoError(t, err)

	away := errors.New("away")
	o.Protected = func(context.Context, opsec.Resource) ([]keymgmt.Ref, error) { return nil, away }
	l, err = erasure.New(r, o)
	require.NoError(t, err)
	_, err = l.Certify(t.Context(), carol, declare(a))
	require.ErrorIs(t, err, away)
}

func TestAKeyOfTheProviderMayHaveProtectedTheData(t *testing.T) {
	l := ledger(t, newRepo(t))
	d := destruction(keymgmt.Ref{Set: keymgmt.SetID{Tenant: opsec.Provider, ID: "disks"}, Key: 4})
	issue(t, l, d)
	_, err := l.Certify(t.Context(), carol, declare(d.Key.Ref))
	require.NoError(t, err)
}

func TestOnlyWhatIsLeftIsAttested(t *testing.T) {
	r := newRepo(t)
	l := ledger(t, r)
	a := ref("volumes/7", 1)
	_, err := l.Attest(t.Context(), carol, attestation(a))
	require.ErrorIs(t, err, opsec.ErrNotFound, "no receipt")
	issue(t, l, withTape(a))
	for name, change := range map[string]func(*erasure.Attestation){
		"another copy":      func(a *erasure.Attestation) { a.Copy.Name = "tape-8" },
		"another kind":      func(a *erasure.Attestation) { a.Copy.Kind = keymgmt.InShare },
		"one that was gone": func(a *erasure.Attestation) { a.Copy.Kind, a.Copy.Name = keymgmt.InNode, "node-1" },
		"another key":       func(a *erasure.Attestation) { a.Key.Key = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			bad := attestation(a)
			change(&bad)
			_, err := l.Attest(t.Context(), carol, bad)
			require.ErrorIs(t, err, opsec.ErrNotFound)
		})
	}
	for name, change := range map[string]func(*erasure.Attestation){
		"still left": func(a *erasure.Attestation) { a.Copy.Fate = keymgmt.Left },
		"no how":     func(a *erasure.Attestation) { a.Copy.How = "" },
		"no reason":  func(a *erasure.Attestation) { a.Reason = "" },
		"no time":    func(a *erasure.Attestation) { a.Copy.Time = time.Time{} },
		"no keyset":  func(a *erasure.Attestation) { a.Key.Set.ID = "" },
	} {
		t.Run(name, func(t *testing.T) {
			bad := attestation(a)
			change(&bad)
			_, err := l.Attest(t.Context(), carol, bad)
			require.ErrorIs(t, err, opsec.ErrInvalid)
		})
	}
	_, err = l.Attest(t.Context(), opsec.Actor{}, attestation(a))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	r.log.None(t, erasure.ActionAttest)

	doc, err := l.Attest(t.Context(), carol, attestation(a))
	require.NoError(t, err)
	got, err := erasure.Verify(doc, trust)
	require.NoError(t, err)
	require.Equal(t, attestation(a), *got.Attestation)
	require.Equal(t, a.Resource(), r.log.One(t, erasure.ActionAttest).Resource)
	for range 49 {
		_, err = l.Attest(t.Context(), carol, attestation(a))
		require.NoError(t, err)
	}
	_, err = l.Attest(t.Context(), carol, attestation(a))
	require.ErrorIs(t, err, opsec.ErrInvalid, "enough")
}

func TestNobodyReceivesAResourceWithoutACertificate(t *testing.T) {
	r := newRepo(t)
	l := ledger(t, r)
	_, err := l.Release(t.Context(), carol, volume, "vol-7 to globex")
	require.ErrorIs(t, err, erasure.ErrNoCertificate)
	require.ErrorIs(t, err, opsec.ErrDenied)
	e := r.log.One(t, erasure.ActionRelease)
	require.Equal(t, opsec.Denied, e.Outcome)
	require.Equal(t, volume, e.Resource)

	a := ref("volumes/7", 1)
	issue(t, l, destruction(a))
	certificate, err := l.Certify(t.Context(), carol, declare(a))
	require.NoError(t, err)
	for _, other := range []opsec.Resource{
		{Tenant: "acme", Type: "volume", ID: "vol-8"}, {Tenant: "globex", Type: "volume", ID: "vol-7"}, {Tenant: "acme", Type: "disk", ID: "vol-7"},
	} {
		_, err = l.Release(t.Context(), carol, other, "x")
		require.ErrorIs(t, err, erasure.ErrNoCertificate)
	}
	doc, err := l.Release(t.Context(), carol, volume, "vol-7 to globex")
	require.NoError(t, err)
	got, err := erasure.Verify(doc, trust)
	require.NoError(t, err)
	c, err := erasure.Verify(certificate, trust)
	require.NoError(t, err)
	require.Equal(t, erasure.Release{Resource: volume, Certificate: c.Digest(), To: "vol-7 to globex"}, *got.Release)
}

func TestACertificateServesOnce(t *testing.T) {
	r, o := newRepo(t), options()
	now := noon.Add(time.Hour)
	o.Now = func() time.Time { return now }
	l, err := erasure.New(r, o)
	require.NoError(t, err)
	a, b := ref("volumes/7", 1), ref("volumes/7", 2)
	issue(t, l, destruction(a))
	_, err = l.Certify(t.Context(), carol, declare(a))
	require.NoError(t, err)
	doc, err := l.Release(t.Context(), carol, volume, "one")
	require.NoError(t, err)
	again, err := l.Release(t.Context(), carol, volume, "one")
	require.NoError(t, err)
	require.Equal(t, doc, again, "who was interrupted may ask again")
	_, err = l.Release(t.Context(), carol, volume, "two")
	require.ErrorIs(t, err, erasure.ErrNoCertificate)

	_, err = l.Certify(t.Context(), carol, declare(a))
	var lacking *erasure.IncompleteError
	require.ErrorAs(t, err, &lacking, "its data since then was under no key that was gone before")
	require.Equal(t, []keymgmt.Ref{a}, lacking.Early)

	at := destruction(b)
	at.Key.Destroyed = now
	issue(t, l, at)
	_, err = l.Certify(t.Context(), carol, declare(b))
	require.ErrorAs(t, err, &lacking, "not after it")
	c := destruction(ref("volumes/7", 3))
	c.Key.Destroyed = now.Add(time.Second)
	issue(t, l, c)
	now = now.Add(time.Hour)
	_, err = l.Certify(t.Context(), carol, declare(c.Key.Ref))
	require.NoError(t, err)
	second, err := l.Release(t.Context(), carol, volume, "one")
	require.NoError(t, err)
	require.NotEqual(t, doc, second)
	require.Len(t, all(t, l, "acme"), 7)
	_, err = erasure.VerifyChain(l.All(t.Context(), "acme"), trust)
	require.NoError(t, err)
}

// Data that was written after the certificate is not gone with the keys that it names.
func TestACertificateDoesNotCoverKeysThatCameLater(t *testing.T) {
	r, o := newRepo(t), options()
	a, b := ref("volumes/7", 1), ref("volumes/7", 2)
	known := []keymgmt.Ref{a}
	var lost error
	o.Protected = func(context.Context, opsec.Resource) ([]keymgmt.Ref, error) { return known, lost }
	l, err := erasure.New(r, o)
	require.NoError(t, err)
	issue(t, l, destruction(a))
	_, err = l.Certify(t.Context(), carol, declare())
	require.NoError(t, err)

	known = []keymgmt.Ref{b, a}
	_, err = l.Release(t.Context(), carol, volume, "one")
	require.ErrorIs(t, err, erasure.ErrNoCertificate)
	require.ErrorContains(t, err, b.String())
	require.Equal(t, opsec.Denied, r.log.One(t, erasure.ActionRelease).Outcome)
	lost = errors.New("directory is down")
	_, err = l.Release(t.Context(), carol, volume, "one")
	require.ErrorIs(t, err, lost)

	known, lost = known[1:], nil
	doc, err := l.Release(t.Context(), carol, volume, "one")
	require.NoError(t, err)
	again, err := l.Release(t.Context(), carol, volume, "one")
	require.NoError(t, err)
	require.Equal(t, doc, again)

	known = []keymgmt.Ref{a, b} // it came back, and was written to
	_, err = l.Release(t.Context(), carol, volume, "one")
	require.ErrorIs(t, err, erasure.ErrNoCertificate, "an allocation of the same name")
}

func TestAClockThatGoesBackMakesNoKeyCountTwice(t *testing.T) {
	r, o := newRepo(t), options()
	now := noon.Add(time.Hour)
	o.Now = func() time.Time { return now }
	l, err := erasure.New(r, o)
	require.NoError(t, err)
	a := ref("volumes/7", 1)
	issue(t, l, destruction(a))
	_, err = l.Certify(t.Context(), carol, declare(a))
	require.NoError(t, err)
	now = noon.Add(-time.Hour)
	_, err = l.Release(t.Context(), carol, volume, "one")
	require.NoError(t, err)
	_, err = l.Certify(t.Context(), carol, declare(a))
	var lacking *erasure.IncompleteError
	require.ErrorAs(t, err, &lacking)
	require.Equal(t, []keymgmt.Ref{a}, lacking.Early)
}

func TestTrustIsAsItWas(t *testing.T) {
	o := options()
	o.Trust = erasure.Trust{"one": public(1)}
	l, err := erasure.New(newRepo(t), o)
	require.NoError(t, err)
	delete(o.Trust, "one")
	issue(t, l, destruction(ref("volumes/7", 1)))
}

func TestABadCertificateReleasesNothing(t *testing.T) {
	a := ref("volumes/7", 1)
	certified := func(t *testing.T) (*repo, *erasure.Ledger) {
		r := newRepo(t)
		l := ledger(t, r)
		issue(t, l, destruction(a))
		_, err := l.Certify(t.Context(), carol, declare(a))
		require.NoError(t, err)
		return r, l
	}
	const name = "acme erasure/receipt/0000000000000002"
	t.Run("changed", func(t *testing.T) {
		r, l := certified(t)
		r.docs[name] = bytes.Replace(r.docs[name], []byte(`"payload":"ey`), []byte(`"payload":"eY`), 1)
		_, err := l.Release(t.Context(), carol, volume, "x")
		require.ErrorIs(t, err, opsec.ErrDenied)
	})
	t.Run("missing", func(t *testing.T) {
		r, l := certified(t)
		delete(r.docs, name)
		_, err := l.Release(t.Context(), carol, volume, "x")
		require.ErrorIs(t, err, opsec.ErrNotFound)
	})
	t.Run("of another resource", func(t *testing.T) {
		r, l := certified(t)
		d := declare(a)
		d.Resource.ID = "vol-8"
		_, err := l.Certify(t.Context(), carol, d)
		require.NoError(t, err)
		for _, index := range r.named("erasure/resource") {
			r.docs[index] = []byte(`{"certificate":3}`)
		}
		_, err = l.Release(t.Context(), carol, volume, "x")
		require.ErrorIs(t, err, erasure.ErrNoCertificate)
	})
	t.Run("a receipt in its place", func(t *testing.T) {
		r, l := certified(t)
		for _, index := range r.named("erasure/resource") {
			r.docs[index] = []byte(`{"certificate":1}`)
		}
		_, err := l.Release(t.Context(), carol, volume, "x")
		require.ErrorIs(t, err, erasure.ErrNoCertificate)
	})
	t.Run("another key's receipt in the key's place", func(t *testing.T) {
		r := newRepo(t)
		l := ledger(t, r)
		issue(t, l, destruction(a))
		r.docs["acme erasure/key/volumes/7/00000002"] = []byte(`{"receipt":1}`)
		_, err := l.Certify(t.Context(), carol, declare(ref("volumes/7", 2)))
		var lacking *erasure.IncompleteError
		require.ErrorAs(t, err, &lacking)
		require.Len(t, lacking.Missing, 1)
	})
}

func TestEachCopyThatIsLeftIsAttested(t *testing.T) {
	l := ledger(t, newRepo(t))
	d := withTape(ref("volumes/7", 1))
	share := keymgmt.Copy{Kind: keymgmt.InShare, Name: "tape-9", Fate: keymgmt.Left, Time: noon}
	d.Copies = append(d.Copies, share)
	issue(t, l, d)
	_, err := l.Attest(t.Context(), carol, attestation(d.Key.Ref))
	require.NoError(t, err)
	_, err = l.Certify(t.Context(), carol, declare(d.Key.Ref))
	var lacking *erasure.IncompleteError
	require.ErrorAs(t, err, &lacking)
	require.Equal(t, []erasure.Remnant{{Key: d.Key.Ref, Copy: share}}, lacking.Left)
}

// Who has the signing key, or a ledger beside the ledger, makes no certificate out of other receipts.
func TestACertificateIsJudgedByWhatItRestsOn(t *testing.T) {
	a := ref("volumes/7", 1)
	l, fork := ledger(t, newRepo(t)), ledger(t, newRepo(t))
	issue(t, l, destruction(a))
	issue(t, fork, destruction(a))
	doc, err := l.Certify(t.Context(), carol, declare(a))
	require.NoError(t, err)
	_, err = erasure.VerifyCertificate(doc, all(t, fork, "acme"), trust)
	require.ErrorIs(t, err, opsec.ErrInvalid, "a receipt of the same key, and not the one")

	left := ledger(t, newRepo(t))
	issue(t, left, withTape(a))
	receipts := all(t, left, "acme")
	first, err := erasure.Verify(receipts[0], trust)
	require.NoError(t, err)
	forged, err := erasure.Verify(doc, trust)
	require.NoError(t, err)
	forged.Certificate.Receipts = []string{first.Digest()}
	_, err = erasure.VerifyCertificate(signed(t, forged), receipts, trust)
	var lacking *erasure.IncompleteError
	require.ErrorAs(t, err, &lacking)
	require.Len(t, lacking.Left, 1)
}

func TestWhatACustomerIsHandedMustBeWhole(t *testing.T) {
	l := ledger(t, newRepo(t))
	a, b := ref("volumes/7", 1), ref("volumes/7", 2)
	issue(t, l, withTape(a), destruction(b))
	_, err := l.Attest(t.Context(), carol, attestation(a))
	require.NoError(t, err)
	doc, err := l.Certify(t.Context(), carol, declare(a, b))
	require.NoError(t, err)
	with := all(t, l, "acme")[:3]
	_, err = erasure.VerifyCertificate(doc, with, trust)
	require.NoError(t, err)
	for name, bad := range map[string][][]byte{
		"nothing":               nil,
		"no attestation":        with[:2],
		"no receipt":            {with[0], with[2]},
		"in another order":      {with[1], with[0], with[2]},
		"an attestation before": {with[0], with[2], with[1]},
		"one twice":             {with[0], with[0], with[2]},
		"more":                  append(slices.Clone(with), with[2]),
		"the certificate":       {with[0], with[1], doc},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := erasure.VerifyCertificate(doc, bad, trust)
			require.ErrorIs(t, err, opsec.ErrInvalid)
		})
	}
	for i := range with {
		for at := i; at < len(with[i]); at += 11 { // each byte of one: TestEveryByteOfAReceiptCounts
			bad := slices.Clone(with)
			bad[i] = bytes.Clone(with[i])
			bad[i][at] ^= 1
			_, err := erasure.VerifyCertificate(doc, bad, trust)
			require.Error(t, err, "document %d, byte %d", i, at)
		}
	}
	_, err = erasure.VerifyCertificate(with[0], with, trust)
	require.ErrorIs(t, err, opsec.ErrInvalid, "no certificate")
	_, err = erasure.VerifyCertificate(doc, with, erasure.Trust{"one": public(2)})
	require.ErrorIs(t, err, erasure.ErrSignature)
}

type refuser struct{}

func (refuser) Authorize(context.Context, opsec.Actor, string, opsec.Resource) error {
	return opsec.ErrDenied
}

func TestWhoMayNotIsRefusedAndRecorded(t *testing.T) {
	r, o := newRepo(t), options()
	a := ref("volumes/7", 1)
	issue(t, ledger(t, r), withTape(a))
	o.Authorizer = refuser{}
	l, err := erasure.New(r, o)
	require.NoError(t, err)
	for action, try := range map[string]func() error{
		erasure.ActionAttest:  func() error { _, err := l.Attest(t.Context(), carol, attestation(a)); return err },
		erasure.ActionCertify: func() error { _, err := l.Certify(t.Context(), carol, declare(a)); return err },
		erasure.ActionRelease: func() error { _, err := l.Release(t.Context(), carol, volume, "x"); return err },
	} {
		require.ErrorIs(t, try(), opsec.ErrDenied)
		e := r.log.One(t, action)
		require.Equal(t, opsec.Denied, e.Outcome)
		require.Equal(t, carol, e.Actor)
	}
	require.Len(t, all(t, l, "acme"), 1)
	_, err = l.Release(t.Context(), opsec.Actor{}, volume, "x")
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = l.Release(t.Context(), carol, volume, "")
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = l.Release(t.Context(), carol, opsec.Resource{}, "x")
	require.ErrorIs(t, err, opsec.ErrInvalid)
}
