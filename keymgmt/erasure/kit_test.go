package erasure_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/erasure"
)

var (
	noon   = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	carol  = opsec.Actor{Tenant: opsec.Provider, Account: "carol", Person: "carol", Kind: opsec.Human}
	volume = opsec.Resource{Tenant: "acme", Type: "volume", ID: "vol-7"}
)

func private(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(seed byte) erasure.Verifier {
	return erasure.Ed25519Public(private(seed).Public().(ed25519.PublicKey))
}

var trust = erasure.Trust{"one": public(1)}

// repo is a [keymgmt.Repository] in memory: each update goes alone, or not at all.
type repo struct {
	mu     sync.Mutex
	docs   map[string][]byte // by tenant and name
	log    *audittest.Recorder
	before func() error // called before an update writes
	after  error        // returned by an update that has written
}

func newRepo(t testing.TB) *repo { return &repo{docs: map[string][]byte{}, log: audittest.New(t)} }

func (r *repo) Update(ctx context.Context, tenant opsec.TenantID, fn func(keymgmt.Read) (keymgmt.Changes, error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, err := fn(func(names ...string) (list [][]byte, err error) {
		if len(names) > 32 {
			return nil, errors.New("more than 32")
		}
		for _, name := range names {
			list = append(list, r.docs[string(tenant)+" "+name])
		}
		return list, nil
	})
	if err != nil {
		return err
	}
	if r.before != nil && len(c.Put) > 0 {
		if err := r.before(); err != nil {
			return err
		}
	}
	for _, e := range c.Events {
		if _, err := r.log.Record(ctx, e); err != nil {
			return err
		}
	}
	for _, d := range c.Put {
		if len(d.Data) > 200<<10 || len(d.Name) > 256 || !json.Valid(d.Data) {
			return errors.New("not a document")
		}
		r.docs[string(tenant)+" "+d.Name] = bytes.Clone(d.Data)
	}
	if len(c.Put) > 0 {
		return r.after
	}
	return nil
}

// named returns the names of documents that contain a text.
func (r *repo) named(part string) (names []string) {
	for name := range r.docs {
		if strings.Contains(name, part) {
			names = append(names, name)
		}
	}
	return names
}

func options() erasure.Options {
	return erasure.Options{
		Signer: erasure.Ed25519(private(1)), KeyID: "one", Trust: trust, Authorizer: opsec.CallerAuthorized{},
		Now: func() time.Time { return noon },
	}
}

func ledger(t testing.TB, r *repo) *erasure.Ledger {
	l, err := erasure.New(r, options())
	require.NoError(t, err)
	return l
}

func ref(id string, key uint32) keymgmt.Ref {
	return keymgmt.Ref{Set: keymgmt.SetID{Tenant: "acme", ID: id}, Key: key}
}

// destruction is one that went well.
func destruction(r keymgmt.Ref) keymgmt.Destruction {
	return keymgmt.Destruction{
		Key: keymgmt.Key{
			Ref: r, State: keymgmt.Destroyed, Algorithm: "AES256_GCM", Created: noon.AddDate(0, -2, 0), Deactivated: noon.AddDate(0, -1, 0),
			Destroyed: noon, Census: &keymgmt.Census{Time: noon.Add(-time.Hour), Of: 5, Digest: "sha256:00"}, Steps: 6,
		},
		Purpose: keymgmt.DataEncryption, Method: "wrapped material removed", By: "alice", Reason: "end of life",
		Approval: opsec.NewID(), Approved: approval.Digest("sha256:11"), Approvers: []string{"bob", "carol"}, Event: opsec.NewID(),
		Copies: []keymgmt.Copy{
			{Kind: keymgmt.InRecord, Name: "key/" + r.Set.ID, Fate: keymgmt.Erased, Time: noon},
			{Kind: keymgmt.InNode, Name: "node-1", Fate: keymgmt.Acknowledged, Time: noon},
			{Kind: keymgmt.InNode, Name: "node-2", Fate: keymgmt.Fenced, Time: noon},
		},
		Checks: []keymgmt.Check{{What: "the record gives no material", Passed: true, Time: noon}},
	}
}

var tape = keymgmt.Copy{Kind: keymgmt.InBackup, Name: "tape-9", Fate: keymgmt.Left, Time: noon}

// withTape has a copy that is out of reach.
func withTape(r keymgmt.Ref) keymgmt.Destruction {
	d := destruction(r)
	d.Copies = append(d.Copies, tape)
	return d
}

func attestation(r keymgmt.Ref) erasure.Attestation {
	c := tape
	c.Fate, c.How, c.Time = keymgmt.Erased, "shredded, protocol 17", noon.Add(time.Hour)
	return erasure.Attestation{Key: r, Copy: c, Reason: "tape is out of the vault"}
}

func issue(t testing.TB, l *erasure.Ledger, list ...keymgmt.Destruction) {
	for _, d := range list {
		_, err := l.Issue(t.Context(), d)
		require.NoError(t, err)
	}
}

func declare(keys ...keymgmt.Ref) erasure.Declaration {
	return erasure.Declaration{Resource: volume, Keys: keys, AlwaysEncrypted: true}
}

func all(t testing.TB, l *erasure.Ledger, tenant opsec.TenantID) (docs [][]byte) {
	for doc, err := range l.All(t.Context(), tenant) {
		require.NoError(t, err)
		docs = append(docs, doc)
	}
	return docs
}
