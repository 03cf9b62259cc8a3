package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
	"github.com/cloudopsec/opsec/audit/accounts/dataaccess"
	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/trust"
	"github.com/cloudopsec/opsec/examples/internal/script"
)

// provider is the sample provider that is audited: real files and registers, with some things wrong.
type provider struct {
	dir      string
	images   []string // of virtual machines: "acme/vm-00.img"
	manifest string   // signed, from when they were built
	believe  trust.Verifier
}

// openProvider makes the provider in dir. Its store of images has damaged those of globex since they were signed.
func openProvider(ctx context.Context, dir string) (*provider, error) {
	p := &provider{dir: filepath.Join(dir, "images"), manifest: filepath.Join(dir, "images.manifest")}
	for i := range 40 {
		tenant := [...]string{"acme", "globex", "initech"}[i%3]
		name := fmt.Sprintf("%s/vm-%02d.img", tenant, i)
		p.images = append(p.images, name)
		if err := write(filepath.Join(p.dir, name), bytes.Repeat([]byte(name), 4096)); err != nil {
			return nil, err
		}
	}
	slices.Sort(p.images)
	public, err := trust.GenerateKeyFiles(filepath.Join(dir, "images.key"), "")
	if err != nil {
		return nil, err
	}
	p.believe = trust.Verifier{Policy: trust.Policy{Keys: []trust.Key{{Key: public, Operator: "olga"}}}}
	signer, err := trust.LoadPrivateKey(filepath.Join(dir, "images.key"), nil)
	if err != nil {
		return nil, err
	}
	tree, err := backup.OpenDir(p.dir)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	if _, err := backup.BuildFile(ctx, p.manifest, tree, backup.BuildOptions{
		Header:  backup.Header{Tenant: opsec.Provider, Source: "images", Sequence: 1, Created: time.Now(), Operator: "olga"},
		Signers: []trust.Signer{signer},
	}); err != nil {
		return nil, err
	}
	for _, name := range p.images {
		if strings.HasPrefix(name, "globex/") {
			if err := write(filepath.Join(p.dir, name), []byte("not what was signed")); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

func write(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o644)
}

// damagedImages compares all images with what was signed.
func (p *provider) damagedImages(ctx context.Context) ([]string, error) {
	m, err := backup.OpenManifestFile(p.manifest)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	tree, err := backup.OpenDir(p.dir)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	r, err := backup.Verify(ctx, m, p.believe, tree, backup.Budget{})
	if err != nil {
		return nil, err
	}
	return slices.Concat(r.Changed, r.Missing, r.Unreadable), nil
}

// staff is the register of accounts. Everybody's is in order but mallory's, who has left, and the one of the backup
// service, which holds what nobody approved.
func (p *provider) staff(now time.Time) (accounts.Sources, []string) {
	var a []accounts.Account
	var e []accounts.Entitlement
	var people []accounts.Person
	var held []accounts.Holding
	var names []string
	for _, name := range []string{"backup-svc", "ben", "carla", "mallory", "olga"} {
		key := accounts.Key{Tenant: opsec.Provider, Main: name}
		person := accounts.Person{Tenant: opsec.Provider, ID: name}
		account := accounts.Account{
			Key: key, Kind: opsec.Human, Person: name, State: accounts.Active, Created: now.AddDate(-1, 0, 0), Approved: now.AddDate(-1, 0, 0),
			Reviewed: now.AddDate(0, -1, 0), LastUsed: now.Add(-time.Hour), Ref: "register/" + name,
		}
		grant := accounts.Entitlement{Key: key, Permission: "image.read", Granted: account.Created, Approved: account.Created, Ref: "grants/" + name}
		switch name {
		case "backup-svc":
			account.Kind, account.Person = opsec.Service, "olga"
			grant.Permission, grant.Approved = "image.write", time.Time{}
		case "mallory":
			person.Left = now.AddDate(0, -2, 0)
		}
		a, e, names = append(a, account), append(e, grant), append(names, name)
		if h, ok := account.Holding(); ok {
			held = append(held, h)
		}
		if name != "backup-svc" {
			people = append(people, person)
		}
	}
	slices.SortFunc(held, func(x, y accounts.Holding) int {
		return strings.Compare(x.Person+"\x00"+x.Main, y.Person+"\x00"+y.Main)
	})
	return accounts.Sources{
		Accounts: script.Rows(a), Entitlements: script.Rows(e), People: script.Rows(people), Holdings: script.Rows(held),
	}, names
}

// accesses are what operators did with customers' data yesterday: carla without a ticket.
func (p *provider) accesses(now time.Time) dataaccess.Sources {
	yesterday := now.Add(-24 * time.Hour)
	row := func(name, ticket, consent string) dataaccess.Access {
		return dataaccess.Access{
			Time: yesterday, Operator: dataaccess.Operator{Tenant: opsec.Provider, Person: name, Account: name, Duty: "support"},
			Customer: "acme", Resource: "vol-7", Ticket: ticket, Consent: consent, Records: 3, Ref: "access/" + name,
		}
	}
	return dataaccess.Sources{
		Accesses:  script.Rows([]dataaccess.Access{row("ben", "T-1", "C-1"), row("carla", "", "C-1")}),
		Directory: desk{yesterday.Add(-time.Hour)},
	}
}

// desk is the help desk: one open ticket, one consent.
type desk struct{ opened time.Time }

func (d desk) Purpose(_ context.Context, ticket string) (dataaccess.Purpose, error) {
	if ticket != "T-1" {
		return dataaccess.Purpose{}, opsec.ErrNotFound
	}
	return dataaccess.Purpose{Customer: "acme", Opened: d.opened}, nil
}

func (d desk) Consents(context.Context, opsec.TenantID, string, dataaccess.Operator) ([]dataaccess.Consent, error) {
	return []dataaccess.Consent{{Ref: "C-1", Given: d.opened}}, nil
}
