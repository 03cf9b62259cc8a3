package accounts

import (
	"slices"
	"time"
)

// pile gathers what shows one kind of finding about one account.
type pile struct {
	count       uint64
	permissions []string
	refs        []string
	omitted     uint64
	since       time.Time
}

func (p *pile) reset() {
	p.count, p.permissions, p.refs, p.omitted, p.since = 0, p.permissions[:0], p.refs[:0], 0, time.Time{}
}

// add counts n, with a permission, a reference and a time where there are such.
func (p *pile) add(listed int, n uint64, permission, ref string, since time.Time) {
	p.count += n
	if permission != "" && len(p.permissions) < listed {
		p.permissions = append(p.permissions, permission)
	}
	p.refer(listed, ref)
	if p.since.IsZero() || !since.IsZero() && since.Before(p.since) {
		p.since = since
	}
}

func (p *pile) refer(listed int, ref string) {
	switch {
	case ref == "":
	case len(p.refs) < listed:
		p.refs = append(p.refs, ref)
	default:
		p.omitted++
	}
}

// finding returns what was gathered.
func (p *pile) finding(k Kind, key Key, detail string) Finding {
	return Finding{
		Kind: k, Severity: k.Severity(), Tenant: key.Tenant, Account: key, Detail: detail,
		Permissions: slices.Clone(p.permissions), Count: p.count, Since: p.since,
		Evidence: slices.Clone(p.refs), Omitted: p.omitted,
	}
}

// piles are those of the account that is judged. They are kept for the next one, for their memory.
type piles struct {
	overdue, granted, unused, lacking, refused, beyond, abandoned, alien pile

	entered bool // somebody got in with an abandoned account
}

func (p *piles) reset() {
	p.entered = false
	for _, one := range [...]*pile{
		&p.overdue, &p.granted, &p.unused, &p.lacking, &p.refused, &p.beyond, &p.abandoned, &p.alien,
	} {
		if one.count > 0 || len(one.permissions) > 0 {
			one.reset()
		}
	}
}
