package accounts

import (
	"fmt"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

const namesListed = 4 // in a sentence

// holder judges one person and the accounts that the person answers for.
func (a *audit) holder() {
	h := a.holdings
	tenant, id := h.row.Tenant, h.row.Person
	why, left := a.person(tenant, id)
	mains := &a.mains
	mains.reset()
	var named [namesListed]string
	for first := true; h.row != nil && (first || h.same); first = false {
		row := h.row
		if usable(row.State) && why != "" {
			f := Finding{
				Kind: Orphan, Severity: Orphan.Severity(), Tenant: tenant, Account: row.Key, Person: id,
				Detail: why + ", and the account is " + string(row.State), Since: left,
			}
			if row.Ref != "" {
				f.Evidence = []string{row.Ref}
			}
			a.tell(f)
		}
		if usable(row.State) && row.Sub == "" && human(row.Kind) {
			if mains.count < namesListed {
				named[mains.count] = row.Main
			}
			mains.add(a.p.Listed, 1, "", row.Ref, time.Time{})
		}
		h.advance()
	}
	if mains.count > 1 {
		var names []string
		for _, name := range named[:min(mains.count, namesListed)] {
			names = append(names, printable(name))
		}
		if mains.count > namesListed {
			names = append(names, "...")
		}
		f := mains.finding(DuplicateMain, Key{Tenant: tenant},
			fmt.Sprintf("one person has %s: %s", count(mains.count, "main account"), strings.Join(names, ", ")))
		f.Account, f.Person = Key{}, id
		a.tell(f)
	}
}

// person looks a person up. It returns why the person cannot answer for an account, and since when.
func (a *audit) person(tenant opsec.TenantID, id string) (why string, left time.Time) {
	p := a.people
	if p.next == nil {
		return "", time.Time{}
	}
	for p.row != nil && before(p.row, tenant, id) {
		p.advance()
	}
	switch {
	case p.row == nil || p.row.Tenant != tenant || p.row.ID != id:
		return "no register knows its person", time.Time{}
	case a.past(p.row.Left):
		return "its person left on " + date(p.row.Left), p.row.Left
	}
	return "", time.Time{}
}

func before(p *Person, tenant opsec.TenantID, id string) bool {
	return p.Tenant < tenant || p.Tenant == tenant && p.ID < id
}
