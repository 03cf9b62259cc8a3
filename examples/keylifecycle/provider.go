package main

import (
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"errors"
	"iter"
	"path/filepath"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/audit"
	"github.com/cloudopsec/opsec/examples/internal/script"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/custody"
	"github.com/cloudopsec/opsec/keymgmt/custody/ceremony"
	"github.com/cloudopsec/opsec/keymgmt/erasure"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
	"github.com/cloudopsec/opsec/keymgmt/shelf"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
)

// provider is a control plane: who works there, and what it runs.
type provider struct {
	dir    string
	now    time.Time                        // its clock
	say    func(format string, args ...any) // tells the story
	sign   map[string]ed25519.PrivateKey
	keys   approval.Keys
	hold   map[string]hpke.PrivateKey // what opens a custodian's share
	trail  *audit.Trail
	stop   func() error
	proof  ed25519.PrivateKey // of receipts
	trust  erasure.Trust
	root   *custody.Root
	escrow *custody.Root
	roster *ceremony.Roster

	db      *store.DB
	manager *lifecycle.Manager
	ledger  *erasure.Ledger
	node    *keyring.Node
}

// staff and what they do: see roles. The three custodians hold the root key in shares, and none of them can use it alone.
var staff = []string{"ada", "adil", "anna", "boris", "chen", "dora", "node"}

var roles = keymgmt.Roles{
	keymgmt.Administrator: {person("ada"), person("adil")},
	keymgmt.CustodianRole: {person("anna"), person("boris")},
	keymgmt.Operator:      {person("node")},
}

func person(name string) string { return keymgmt.Person(who(name)) }

func who(person string) opsec.Actor {
	a := opsec.Actor{Tenant: opsec.Provider, Account: person + "@ops", Person: person, Kind: opsec.Human}
	if person == "node" {
		a.Kind = opsec.Service
	}
	return a
}

func openProvider(ctx context.Context, dir string) (p *provider, err error) {
	p = &provider{
		dir: dir, now: time.Date(2026, time.January, 5, 9, 0, 0, 0, time.UTC),
		sign: map[string]ed25519.PrivateKey{}, hold: map[string]hpke.PrivateKey{},
	}
	for _, person := range staff {
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			return nil, err
		}
		p.sign[person], p.keys = private, append(p.keys, approval.Key{Tenant: opsec.Provider, Person: person, Public: public})
		if p.hold[person], err = hpke.MLKEM768X25519().GenerateKey(); err != nil {
			return nil, err
		}
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	p.proof, p.trust = private, erasure.Trust{"erasure-2026": erasure.Ed25519Public(public)}
	file, err := audit.OpenFile(filepath.Join(dir, "audit.jsonl"), nil)
	if err != nil {
		return nil, err
	}
	if p.trail, err = audit.New(audit.Sinks{"file": file}, audit.Policy{}, nil); err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- p.trail.Run(running) }()
	p.stop = func() error { cancel(); return <-ended }
	p.root, err = p.openRoot("custodian")
	if err == nil {
		p.escrow, err = p.openRoot("escrow")
	}
	if err == nil {
		err = p.escrow.Create(ctx, custody.NewRootKey()) // a device elsewhere, in earnest
	}
	return p, err
}

func (p *provider) openRoot(name string) (*custody.Root, error) {
	dir, err := custody.OpenDir(filepath.Join(p.dir, name))
	if err != nil {
		return nil, err
	}
	return custody.NewRoot(dir, &custody.RootOptions{Name: name, Now: p.clock})
}

func (p *provider) clock() time.Time { return p.now }

func (p *provider) wait(d time.Duration) { p.now = p.now.Add(d) }

// openStore opens a store in a file, sealed by the custodian, and what works on it.
func (p *provider) openStore(ctx context.Context, file string) error {
	key := make([]byte, 32) // of blind indexes, of which there are none here: else it has to outlive the process, like the root key
	rand.Read(key)
	engine, err := bolt.Open(filepath.Join(p.dir, file), nil)
	if err != nil {
		return err
	}
	made := &store.Options{Sealer: sealer{ctx, p.root}, PRF: script.PRF(key), Node: "plane-1", Now: p.clock}
	if p.db, err = store.New(engine, made); err != nil {
		return err
	}
	repo := shelf.Stored(p.db, made)
	if p.ledger, err = erasure.New(repo, erasure.Options{
		Signer: erasure.Ed25519(p.proof), KeyID: "erasure-2026", Trust: p.trust, Authorizer: opsec.CallerAuthorized{}, Now: p.clock,
	}); err != nil {
		return err
	}
	buried, err := erasure.NewTombstones(p.events())
	if err != nil {
		return err
	}
	if p.manager, err = lifecycle.New(repo, keyring.Material{}, p.root, &lifecycle.Options{
		Now: p.clock, Authorizer: opsec.CallerAuthorized{}, Keys: p.keys, Escrow: p.escrow, Receipts: p.ledger,
		Tombstones: []keymgmt.Tombstones{buried},
	}); err != nil {
		return err
	}
	p.node, err = keyring.Join(ctx, p.manager, p.root, &keyring.Options{Node: "plane-1/" + file, Actor: who("node"), Now: p.clock})
	return err
}

// deliver hands the events that were committed with the changes to the audit trail.
func (p *provider) deliver(ctx context.Context) error {
	_, err := p.db.Deliver(ctx, p.db.Node(), p.trail)
	return err
}

func (p *provider) events() iter.Seq2[opsec.Event, error] {
	return audit.ReadFile(filepath.Join(p.dir, "audit.jsonl"))
}

func (p *provider) close() error {
	var err error
	if p.db != nil {
		err = p.db.Close()
	}
	p.root.Seal()
	p.escrow.Seal()
	return errors.Join(err, p.stop())
}

// sealer lets the custodian seal the store: its handle comes before any key that the store keeps. A value has some 64 KiB at
// most then ([custody.MaxMaterial]), which the documents of a short life do not reach.
type sealer struct {
	ctx  context.Context
	root *custody.Root
}

const storeHandle = "store"

func (s sealer) Encrypt(plaintext, ad []byte) ([]byte, error) {
	return s.root.Wrap(s.ctx, storeHandle, plaintext, ad)
}

func (s sealer) Decrypt(ciphertext, ad []byte) ([]byte, error) {
	return s.root.Unwrap(s.ctx, storeHandle, ciphertext, ad)
}
