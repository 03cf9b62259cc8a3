package erasure_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/erasure"
)

func TestReceiptSaysWhatWasDestroyedAndVerifiesOffline(t *testing.T) {
	r := newRepo(t)
	l := ledger(t, r)
	d := withTape(ref("volumes", 3))
	digest, err := l.Issue(t.Context(), d)
	require.NoError(t, err)
	docs, err := l.Receipts(t.Context(), d.Key.Ref)
	require.NoError(t, err)
	require.Len(t, docs, 1)

	got, err := erasure.Verify(docs[0], trust)
	require.NoError(t, err)
	require.Equal(t, digest, got.Digest())
	require.Equal(t, &d, got.Destruction)
	require.Equal(t, opsec.TenantID("acme"), got.Tenant)
	require.Equal(t, "alice", got.By)
	require.Equal(t, noon, got.Time)
	require.EqualValues(t, 1, got.Number)
	require.Empty(t, got.Previous)
	require.True(t, got.Complete())
	require.Equal(t, []keymgmt.Copy{tape}, got.Left())

	e := r.log.One(t, erasure.ActionReceipt)
	require.Equal(t, d.Key.Resource(), e.Resource)
	require.Equal(t, opsec.Critical, e.Class)
	require.Contains(t, fmt.Sprint(e.Attrs), "receipt="+digest)
	require.Contains(t, fmt.Sprint(e.Attrs), "receipt_number=1")
}

func TestEveryByteOfAReceiptCounts(t *testing.T) {
	l := ledger(t, newRepo(t))
	d := destruction(ref("volumes", 3))
	issue(t, l, d)
	docs, err := l.Receipts(t.Context(), d.Key.Ref)
	require.NoError(t, err)
	doc := docs[0]
	for i := range doc {
		for _, x := range []byte{1, 0x20} {
			bad := bytes.Clone(doc)
			bad[i] ^= x
			_, err := erasure.Verify(bad, trust)
			require.Error(t, err, "byte %d ^ %#x", i, x)
		}
		_, err := erasure.Verify(slices.Delete(bytes.Clone(doc), i, i+1), trust)
		require.Error(t, err, "without byte %d", i)
		_, err = erasure.Verify(slices.Insert(bytes.Clone(doc), i, ' '), trust)
		require.Error(t, err, "a blank before byte %d", i)
	}
	_, err = erasure.Verify(append(bytes.Clone(doc), '\n'), trust)
	require.Error(t, err)
	_, err = erasure.Verify(doc, trust)
	require.NoError(t, err)
}

// dsseKey is a key as another implementation of DSSE wants it.
type dsseKey struct{ erasure.Verifier }

func (k dsseKey) Verify(_ context.Context, data, sig []byte) error {
	return k.Verifier.Verify(sig, data)
}
func (dsseKey) KeyID() (string, error)   { return "one", nil }
func (dsseKey) Public() crypto.PublicKey { return nil }

func TestAnyVerifierOfDSSEReadsAReceipt(t *testing.T) {
	l := ledger(t, newRepo(t))
	d := destruction(ref("volumes", 3))
	issue(t, l, d)
	docs, err := l.Receipts(t.Context(), d.Key.Ref)
	require.NoError(t, err)
	var e dsse.Envelope
	require.NoError(t, json.Unmarshal(docs[0], &e))
	other, err := dsse.NewEnvelopeVerifier(dsseKey{public(1)})
	require.NoError(t, err)
	_, payload, err := other.VerifyAndDecode(t.Context(), &e)
	require.NoError(t, err)
	require.Contains(t, string(payload), `"method":"wrapped material removed"`)
	// Its encoding, from the letter of the specification.
	pae := fmt.Sprintf("DSSEv1 %d %s %d %s", len(erasure.PayloadType), erasure.PayloadType, len(payload), payload)
	sig, err := base64.StdEncoding.DecodeString(e.Signatures[0].Sig)
	require.NoError(t, err)
	require.True(t, ed25519.Verify(private(1).Public().(ed25519.PublicKey), []byte(pae), sig))
}

func TestOnlyTrustedKeysCount(t *testing.T) {
	l := ledger(t, newRepo(t))
	d := destruction(ref("volumes", 3))
	issue(t, l, d)
	docs, err := l.Receipts(t.Context(), d.Key.Ref)
	require.NoError(t, err)
	for name, trust := range map[string]erasure.Trust{
		"none":         nil,
		"another key":  {"one": public(2)},
		"another name": {"two": public(1)},
		"no key":       {"one": erasure.Ed25519Public(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := erasure.Verify(docs[0], trust)
			require.ErrorIs(t, err, erasure.ErrSignature)
			require.ErrorIs(t, err, opsec.ErrDenied)
		})
	}
	_, err = erasure.Verify(docs[0], erasure.Trust{"one": public(1), "two": public(2)})
	require.NoError(t, err)
}

func TestAReceiptIsIssuedOnce(t *testing.T) {
	r := newRepo(t)
	l := ledger(t, r)
	d := destruction(ref("volumes", 3))
	first, err := l.Issue(t.Context(), d)
	require.NoError(t, err)
	d.Reason = "another story"
	again, err := ledger(t, r).Issue(t.Context(), d)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Len(t, all(t, l, "acme"), 1)
	require.Len(t, r.log.Events(erasure.ActionReceipt), 1)
}

func TestWhatFailedAtFirstGetsAnotherReceipt(t *testing.T) {
	l := ledger(t, newRepo(t))
	d := destruction(ref("volumes", 3))
	for _, change := range []func(*keymgmt.Destruction){
		func(d *keymgmt.Destruction) { d.Checks = nil },
		func(d *keymgmt.Destruction) {
			d.Checks = append(d.Checks, keymgmt.Check{What: "node-1 opens", Result: "opened"})
		},
		func(d *keymgmt.Destruction) { d.Key.State = keymgmt.DestroyFailed },
	} {
		bad := destruction(d.Key.Ref)
		change(&bad)
		_, err := l.Issue(t.Context(), bad)
		require.NoError(t, err)
		docs, err := l.Receipts(t.Context(), d.Key.Ref)
		require.NoError(t, err)
		got, err := erasure.Verify(docs[0], trust)
		require.NoError(t, err)
		require.False(t, got.Complete())
	}
	good, err := l.Issue(t.Context(), d)
	require.NoError(t, err)
	docs, err := l.Receipts(t.Context(), d.Key.Ref)
	require.NoError(t, err)
	got, err := erasure.Verify(docs[0], trust)
	require.NoError(t, err)
	require.Equal(t, good, got.Digest())
	require.Len(t, all(t, l, "acme"), 4, "what was said before stays")
}

func TestACrashLeavesAWholeReceiptOrNone(t *testing.T) {
	boom := errors.New("boom")
	d := destruction(ref("volumes", 3))

	r := newRepo(t)
	r.before = func() error { return boom }
	_, err := ledger(t, r).Issue(t.Context(), d)
	require.ErrorIs(t, err, boom)
	require.Empty(t, r.docs)
	r.log.None(t)
	r.before = nil
	issue(t, ledger(t, r), d)

	r = newRepo(t)
	r.after = boom // it is there, and nobody was told
	_, err = ledger(t, r).Issue(t.Context(), d)
	require.ErrorIs(t, err, boom)
	r.after = nil
	issue(t, ledger(t, r), d)
	require.Len(t, all(t, ledger(t, r), "acme"), 1)
}

type signer func([]byte) ([]byte, error)

func (s signer) Sign(data []byte) ([]byte, error) { return s(data) }

func TestASignerThatFailsOrIsAnothersWritesNothing(t *testing.T) {
	away := errors.New("device is away")
	for name, test := range map[string]struct {
		signer erasure.Signer
		want   error
	}{
		"away":      {signer(func([]byte) ([]byte, error) { return nil, away }), away},
		"another's": {erasure.Ed25519(private(2)), erasure.ErrSignature},
		"nonsense":  {signer(func([]byte) ([]byte, error) { return []byte("signed"), nil }), erasure.ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			r, o := newRepo(t), options()
			o.Signer = test.signer
			l, err := erasure.New(r, o)
			require.NoError(t, err)
			_, err = l.Issue(t.Context(), destruction(ref("volumes", 3)))
			require.ErrorIs(t, err, test.want)
			require.Empty(t, r.docs)
			r.log.None(t)
		})
	}
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", erasure.Ed25519(private(1)), erasure.Ed25519(private(1)), erasure.Ed25519(private(1))), "1 1 1")
}

func TestDestructionsThatSayTooLittleOrTooMuchAreRefused(t *testing.T) {
	r := newRepo(t)
	l := ledger(t, r)
	for name, change := range map[string]func(*keymgmt.Destruction){
		"no key":       func(d *keymgmt.Destruction) { d.Key.Ref.Key = 0 },
		"no keyset":    func(d *keymgmt.Destruction) { d.Key.Set.ID = "" },
		"no tenant":    func(d *keymgmt.Destruction) { d.Key.Set.Tenant = "" },
		"no method":    func(d *keymgmt.Destruction) { d.Method = "" },
		"nobody":       func(d *keymgmt.Destruction) { d.By = "" },
		"no copies":    func(d *keymgmt.Destruction) { d.Copies = nil },
		"no fate":      func(d *keymgmt.Destruction) { d.Copies[0].Fate = "" },
		"many copies":  func(d *keymgmt.Destruction) { d.Copies = slices.Repeat(d.Copies, 1000) },
		"many bytes":   func(d *keymgmt.Destruction) { d.Copies[0].How = strings.Repeat("x", 140<<10) },
		"a long story": func(d *keymgmt.Destruction) { d.Reason = strings.Repeat("x", 2<<10+1) },
	} {
		t.Run(name, func(t *testing.T) {
			d := destruction(ref("volumes", 3))
			change(&d)
			_, err := l.Issue(t.Context(), d)
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Empty(t, r.docs)
		})
	}
	d := destruction(ref(strings.Repeat("x", 128), 1<<32-1))
	d.Copies[0].How = strings.Repeat("x", 120<<10)
	issue(t, l, d)
}

func TestTheChainShowsWhatIsLeftOut(t *testing.T) {
	l := ledger(t, newRepo(t))
	for key := range uint32(5) {
		issue(t, l, destruction(ref("volumes", key+1)))
	}
	other := destruction(ref("volumes", 1))
	other.Key.Set.Tenant = "globex"
	issue(t, l, other)
	docs := all(t, l, "acme")
	check := func(docs ...[]byte) (erasure.Head, error) {
		return erasure.VerifyChain(seq(docs), trust)
	}
	head, err := check(docs...)
	require.NoError(t, err)
	want, err := l.Head(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, want, head)
	require.EqualValues(t, 5, head.Number)

	fork := ledger(t, newRepo(t))
	issue(t, fork, destruction(ref("other", 1)), destruction(ref("volumes", 2)))
	first, err := erasure.Verify(docs[0], trust)
	require.NoError(t, err)
	jump := first
	jump.Number, jump.Previous = 7, first.Digest()
	for name, bad := range map[string][][]byte{
		"of another chain":     {docs[0], all(t, fork, "acme")[1]},
		"a number is left out": {docs[0], signed(t, jump)},
		"the first is missing": docs[1:],
		"one is missing":       {docs[0], docs[1], docs[3]},
		"one stands twice":     {docs[0], docs[1], docs[1]},
		"two change places":    {docs[0], docs[2], docs[1]},
		"another tenant's":     {all(t, l, "globex")[0], docs[1]},
		"one does not verify":  {docs[0], append(bytes.Clone(docs[1]), ' ')},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := check(bad...)
			require.ErrorIs(t, err, opsec.ErrInvalid)
		})
	}
	cut, err := check(docs[:3]...)
	require.NoError(t, err)
	require.NotEqual(t, want, cut, "what is cut off at the end shows by the head")
	lost := errors.New("lost")
	_, err = erasure.VerifyChain(func(yield func([]byte, error) bool) { yield(nil, lost) }, trust)
	require.ErrorIs(t, err, lost)
	none, err := check()
	require.NoError(t, err)
	require.Zero(t, none)
}

// signed is a receipt as whoever has the key can make it.
func signed(t testing.TB, r erasure.Receipt) []byte {
	payload, err := json.Marshal(r)
	require.NoError(t, err)
	return envelope(t, payload)
}

func envelope(t testing.TB, payload []byte) []byte {
	sig := ed25519.Sign(private(1), dsse.PAE(erasure.PayloadType, payload))
	doc, err := json.Marshal(dsse.Envelope{
		PayloadType: erasure.PayloadType, Payload: base64.StdEncoding.EncodeToString(payload),
		Signatures: []dsse.Signature{{KeyID: "one", Sig: base64.StdEncoding.EncodeToString(sig)}},
	})
	require.NoError(t, err)
	return doc
}

func seq(docs [][]byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, doc := range docs {
			if !yield(doc, nil) {
				return
			}
		}
	}
}

func TestManyNodesMakeOneChain(t *testing.T) {
	for name, r := range map[string]keymgmt.Repository{"here": newRepo(t), "keymgmt.Memory": keymgmt.NewMemory(audittest.New(t))} {
		t.Run(name, func(t *testing.T) {
			ledger := func() *erasure.Ledger {
				l, err := erasure.New(r, options())
				require.NoError(t, err)
				return l
			}
			var nodes sync.WaitGroup
			for node := range uint32(8) {
				l := ledger()
				nodes.Go(func() {
					for key := range uint32(5) {
						_, err := l.Issue(t.Context(), destruction(ref("volumes", 1+node*5+key)))
						assert.NoError(t, err)
						_, err = l.Issue(t.Context(), destruction(ref("shared", 1+key))) // who comes first
						assert.NoError(t, err)
					}
				})
			}
			nodes.Wait()
			head, err := erasure.VerifyChain(ledger().All(t.Context(), "acme"), trust)
			require.NoError(t, err)
			require.EqualValues(t, 45, head.Number)
		})
	}
}

func TestTheLedgerNoticesWhatWasChangedBelowIt(t *testing.T) {
	r := newRepo(t)
	l := ledger(t, r)
	one, two := destruction(ref("volumes", 1)), destruction(ref("volumes", 2))
	issue(t, l, one, two)
	first, second := "acme erasure/receipt/0000000000000001", "acme erasure/receipt/0000000000000002"
	was := bytes.Clone(r.docs[first])

	r.docs[first] = r.docs[second]
	_, err := l.Receipts(t.Context(), one.Key.Ref)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	r.docs[first] = bytes.Replace(was, []byte("payloadType"), []byte("payloadtype"), 1)
	_, err = l.Issue(t.Context(), one)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	delete(r.docs, first)
	_, err = l.Receipts(t.Context(), one.Key.Ref)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	for _, err = range l.All(t.Context(), "acme") {
	}
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, err = l.Receipts(t.Context(), ref("volumes", 9))
	require.ErrorIs(t, err, opsec.ErrNotFound)
}

func TestBadWiringIsRefused(t *testing.T) {
	try := func(r keymgmt.Repository, change func(*erasure.Options)) {
		t.Helper()
		o := options()
		change(&o)
		_, err := erasure.New(r, o)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	r := newRepo(t)
	try(nil, func(*erasure.Options) {})
	try(r, func(o *erasure.Options) { o.Signer = nil })
	try(r, func(o *erasure.Options) { o.Authorizer = nil })
	try(r, func(o *erasure.Options) { o.KeyID = "" })
	try(r, func(o *erasure.Options) { o.KeyID = "two" })
	try(r, func(o *erasure.Options) { o.Trust = nil })
}

// FuzzVerify has no signature in its way: whatever stands in a payload is either refused, or is what it was made from.
func FuzzVerify(f *testing.F) {
	l := ledger(f, newRepo(f))
	issue(f, l, withTape(ref("volumes", 3)))
	for doc, err := range l.All(f.Context(), "acme") {
		require.NoError(f, err)
		var e dsse.Envelope
		require.NoError(f, json.Unmarshal(doc, &e))
		payload, err := e.DecodeB64Payload()
		require.NoError(f, err)
		f.Add(payload)
	}
	for _, subject := range []string{
		`"attestation":{"key":{"set":{"tenant":"acme","id":"a"},"key":1},"copy":{"kind":"backup","name":"t","fate":"void","how":"x","time":"2026-03-02T12:00:00Z"},"reason":"r"}`,
		`"certificate":{"resource":{"tenant":"acme","type":"volume"},"keys":[{"set":{"tenant":"acme","id":"a"},"key":1}],"always_encrypted":true,"receipts":["sha256:` + strings.Repeat("0", 64) + `"]}`,
		`"release":{"resource":{"tenant":"acme","type":"volume"},"certificate":"sha256:` + strings.Repeat("0", 64) + `","to":"x"}`,
	} {
		f.Add([]byte(`{"id":"00000000-0000-0000-0000-000000000000","tenant":"acme","number":1,"time":"2026-03-02T12:00:00Z","by":"alice",` + subject + `}`))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		doc := envelope(t, payload)
		r, err := erasure.Verify(doc, trust)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		again, err := json.Marshal(r)
		require.NoError(t, err)
		require.Equal(t, string(payload), string(again))
		r.Complete()
		r.Left()
	})
}

func FuzzDocument(f *testing.F) {
	l := ledger(f, newRepo(f))
	issue(f, l, destruction(ref("volumes", 3)))
	for doc := range l.All(f.Context(), "acme") {
		f.Add(doc)
	}
	f.Add([]byte(`{"payloadType":"x","payload":"","signatures":[]}`))
	known := map[string]bool{}
	for doc := range l.All(f.Context(), "acme") {
		known[string(doc)] = true
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		_, err := erasure.Verify(doc, trust)
		require.Equal(t, known[string(doc)], err == nil)
	})
}
