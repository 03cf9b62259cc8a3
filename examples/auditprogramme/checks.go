package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
	"github.com/cloudopsec/opsec/audit/accounts/dataaccess"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/translog/verify"
)

// procedure is one of the plan, with what carries it out and on what.
type procedure struct {
	programme.Procedure
	items []programme.Item
	check programme.CheckFunc
}

// procedures are carried out by other rooms of this module. Each asks for one thing, and keeps what it saw as evidence.
func procedures(p *provider, b *book, now time.Time) []procedure {
	images := procedure{items: items("image", p.images...), Procedure: programme.Procedure{
		ID: "images", Title: "Images of virtual machines are as they were signed", Category: "virtualisation",
		Requirements: []string{"8.11.2-1"}, Steps: []string{"draw images", "compare each with the signed manifest"}, Person: "tess", Sample: 20,
	}}
	images.check = func(ctx context.Context, item programme.Item) (programme.Verdict, error) {
		damaged, err := p.damagedImages(ctx)
		if err != nil {
			return programme.Verdict{}, err
		}
		bad := slices.Contains(damaged, item.ID)
		return b.verdict(ctx, item, "not what was signed", bad, map[string]any{"image": item.ID, "damaged": bad}, now)
	}

	sources, names := p.staff(now)
	staff := procedure{items: items("account", names...), Procedure: programme.Procedure{
		ID: "accounts", Title: "Accounts are owned, approved and needed", Category: "iam",
		Requirements: []string{"8.11.2-4", "8.1.1-5a"}, Steps: []string{"merge the registers", "list what is wrong with each account"}, Person: "tess",
	}}
	staff.check = func(ctx context.Context, item programme.Item) (programme.Verdict, error) {
		var wrong []accounts.Finding
		for f, err := range (accounts.Policy{}).Audit(sources, now) {
			if err != nil {
				return programme.Verdict{}, err
			}
			if f.Account.Account() == item.ID || f.Person == item.ID {
				wrong = append(wrong, f)
			}
		}
		detail := ""
		for _, f := range wrong {
			detail += string(f.Kind) + ": " + f.Detail + " "
		}
		return b.verdict(ctx, item, strings.TrimSpace(detail), len(wrong) > 0, wrong, now)
	}

	operators := procedure{items: items("operator", "ben", "carla"), Procedure: programme.Procedure{
		ID: "access", Title: "Operators touch customers' data with a purpose and consent", Category: "operation",
		Requirements: []string{"8.11.2-3", "7.2.2.2-8"}, Steps: []string{"examine yesterday's accesses"}, Person: "adam",
	}}
	operators.check = func(ctx context.Context, item programme.Item) (programme.Verdict, error) {
		var wrong []dataaccess.Finding
		for f, err := range (dataaccess.Policy{}).Examine(ctx, p.accesses(now)) {
			if err != nil {
				return programme.Verdict{}, err
			}
			if f.Operator.Person == item.ID && f.Kind != dataaccess.Untested {
				wrong = append(wrong, f)
			}
		}
		return b.verdict(ctx, item, "data of acme without a ticket", len(wrong) > 0, wrong, now)
	}

	hsm := procedure{items: items("hsm", "hsm-1"), Procedure: programme.Procedure{
		ID: "hsm", Title: "The key store answers and has the keys it should", Category: "keys",
		Requirements: []string{"8.11.2-5"}, Steps: []string{"ask the key store"}, Person: "tess",
	}}
	hsm.check = func(ctx context.Context, item programme.Item) (programme.Verdict, error) {
		c, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(p.dir, item.ID+".sock"))
		if err != nil {
			return programme.Verdict{}, err // nobody is there: not tested, and never passed
		}
		return programme.Verdict{Status: programme.NotApplicable, Detail: "it answers, and has no keys yet"}, c.Close()
	}

	trail := procedure{items: items("log", "log"), Procedure: programme.Procedure{
		ID: "trail", Title: "The record of incidents is whole", Category: "emergency",
		Requirements: []string{"8.11.2-6", "8.11.1-4"}, Steps: []string{"verify the log against its checkpoint"}, Person: "adam",
	}}
	trail.check = func(ctx context.Context, item programme.Item) (programme.Verdict, error) {
		r, err := verify.Log(ctx, os.DirFS(filepath.Join(filepath.Dir(p.dir), item.ID)), b.trust, verify.Options{Live: true})
		if err != nil {
			return programme.Verdict{}, err
		}
		return b.verdict(ctx, item, fmt.Sprintf("%d findings", r.Count), !r.OK, r, now)
	}

	all := []procedure{images, staff, operators, hsm, trail}
	for i := range all {
		all[i].Check = all[i].ID
	}
	return all
}

// verdict keeps what a check saw as evidence.
func (b *book) verdict(ctx context.Context, item programme.Item, problem string, failed bool, seen any, now time.Time) (programme.Verdict, error) {
	text, err := json.Marshal(seen)
	if err != nil {
		return programme.Verdict{}, err
	}
	v := programme.Verdict{Status: programme.Passed}
	if failed {
		v = programme.Verdict{Status: programme.Failed, Detail: problem}
	}
	e, err := b.keep(ctx, "findings-"+item.ID, text, now)
	v.Evidence = []programme.Evidence{e}
	return v, err
}

// items are things of the provider, or, with a '/' in the name, of the tenant before it.
func items(kind string, names ...string) []programme.Item {
	list := make([]programme.Item, len(names))
	for i, name := range names {
		list[i] = programme.Item{ID: name, Type: kind}
		if tenant, _, ok := strings.Cut(name, "/"); ok {
			list[i].Tenant = opsec.TenantID(tenant)
		}
	}
	return list
}
