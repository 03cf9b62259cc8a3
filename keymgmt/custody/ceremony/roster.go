package ceremony

import (
	"cmp"
	"context"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

const (
	maxName       = 256
	maxRosterJSON = 8 << 20 // more than 255 sealed shares take
)

// Custodian is a person who is to hold a share.
type Custodian struct {
	Tenant    opsec.TenantID // where the person's accounts live
	Person    string
	Recipient shares.Recipient // what the share is encrypted to
}

// Plan says how a secret is to be sealed.
type Plan struct {
	Tenant     opsec.TenantID // whose secret it is; empty for [opsec.Provider]
	Label      string         // what it is, for people
	Threshold  int            // how many custodians open it: at least 2
	Custodians []Custodian    // all of them different persons; the first has the share with index 1
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field that breaks its rules.
func (p *Plan) Validate() error {
	if p.Tenant != "" {
		if err := p.Tenant.Validate(); err != nil {
			return err
		}
	}
	scheme := p.scheme()
	if err := scheme.Validate(); err != nil {
		return err
	}
	var holders []Holder
	for i, c := range p.Custodians {
		if c.Recipient == nil {
			return invalid("custodians[%d]: no recipient", i)
		}
		holders = append(holders, Holder{c.Tenant, c.Person, nil})
	}
	return validHolders(holders)
}

func (p *Plan) scheme() shares.Scheme {
	return shares.Scheme{Label: p.Label, Threshold: p.Threshold, Shares: len(p.Custodians)}
}

// Holder is who holds a share.
type Holder struct {
	Tenant opsec.TenantID `json:"tenant"`
	Person string         `json:"person"`
	Sealed *shares.Sealed `json:"sealed,omitempty"` // the share, encrypted to the person; none for one on paper
}

// Roster says who holds which share of a set. It is data: keep it as JSON. It holds nothing that opens without the holders.
type Roster struct {
	Tenant  opsec.TenantID `json:"tenant"` // whose secret it is
	Set     shares.Set     `json:"set"`
	Holders []Holder       `json:"holders"` // in the order of the indexes
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field that breaks its rules.
func (r *Roster) Validate() error {
	if err := r.Tenant.Validate(); err != nil {
		return err
	}
	if err := r.Set.Validate(); err != nil {
		return err
	}
	if len(r.Holders) != r.Set.Shares {
		return invalid("holders: %d of %d shares", len(r.Holders), r.Set.Shares)
	}
	for i, h := range r.Holders {
		if h.Sealed != nil && (h.Sealed.Set != r.Set.ID || h.Sealed.Index != i+1) {
			return invalid("holders[%d]: sealed: another share", i)
		}
	}
	return validHolders(r.Holders)
}

func validHolders(list []Holder) error {
	seen := map[[2]string]bool{}
	for i, h := range list {
		person := [2]string{string(h.Tenant), h.Person}
		switch {
		case h.Tenant.Validate() != nil || h.Person == "" || len(h.Person) > maxName:
			return invalid("holders[%d]: want a tenant, and a person of at most %d bytes", i, maxName)
		case seen[person]:
			return invalid("holders[%d]: a person who holds a share already", i)
		}
		seen[person] = true
	}
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler]. It accepts what [Roster.Validate] accepts, without unknown fields, of 8 MiB at
// most, and leaves r as it was when it fails.
func (r *Roster) UnmarshalJSON(data []byte) error {
	type plain Roster
	var read plain
	if len(data) > maxRosterJSON {
		return invalid("roster: %d bytes of JSON, at most %d", len(data), maxRosterJSON)
	}
	if err := strictjson.Decode(data, &read); err != nil {
		return invalid("roster: %v", err)
	}
	if err := (*Roster)(&read).Validate(); err != nil {
		return err
	}
	*r = Roster(read)
	return nil
}

// index returns the index of the share that a person holds, or [ErrNotHolder].
func (r *Roster) index(who opsec.Actor) (int, error) {
	for i, h := range r.Holders {
		if who.Person == h.Person && who.Tenant == h.Tenant {
			return i + 1, nil
		}
	}
	return 0, ErrNotHolder
}

// Deal seals a secret: it splits it, and encrypts each share to its custodian, so that nobody sees one. Without a record of
// it there is no roster. Before the secret is destroyed elsewhere, keep the roster and have all custodians rehearse.
func Deal(ctx context.Context, by opsec.Actor, secret []byte, plan Plan, o *Options) (*Roster, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := plan.Validate(); err != nil {
		return nil, err
	}
	on := opsec.Resource{Tenant: cmp.Or(plan.Tenant, opsec.Provider), Type: resourceType, ID: plan.Label}
	if err := o.authorize(ctx, by, ActionDeal, on, ""); err != nil {
		return nil, err
	}
	roster, err := deal(plan, func(s shares.Scheme) (*shares.Set, []shares.Share, error) { return shares.Split(secret, s) })
	if err != nil {
		return nil, err
	}
	on.ID = roster.Set.ID.String()
	if err := o.record(ctx, o.event(ActionDeal, by, on, ""), nil, describe(roster)...); err != nil {
		return nil, err
	}
	return roster, nil
}

// deal makes the roster of what split deals.
func deal(plan Plan, split func(shares.Scheme) (*shares.Set, []shares.Share, error)) (*Roster, error) {
	set, list, err := split(plan.scheme())
	if err != nil {
		return nil, err
	}
	defer clearAll(list)
	roster := &Roster{Tenant: cmp.Or(plan.Tenant, opsec.Provider), Set: *set}
	for i, c := range plan.Custodians {
		sealed, err := list[i].Seal(c.Recipient)
		if err != nil {
			return nil, err
		}
		roster.Holders = append(roster.Holders, Holder{c.Tenant, c.Person, &sealed})
	}
	return roster, roster.Validate()
}

func clearAll(list []shares.Share) {
	for _, s := range list {
		s.Clear()
	}
}

// describe says in an event what was dealt, and to whom.
func describe(r *Roster) []opsec.Attr {
	attrs := []opsec.Attr{
		{Key: "set_digest", Value: r.Set.Digest().String(), Mark: opsec.Tenant},
		{Key: "label", Value: r.Set.Label, Mark: opsec.Tenant},
		{Key: "threshold", Value: itoa(r.Set.Threshold), Mark: opsec.Tenant},
		{Key: "shares", Value: itoa(r.Set.Shares), Mark: opsec.Tenant},
	}
	if r.Set.Previous != (shares.Digest{}) {
		attrs = append(attrs, opsec.Attr{Key: "previous", Value: r.Set.Previous.String(), Mark: opsec.Tenant})
	}
	for _, h := range r.Holders[:min(len(r.Holders), maxNamed)] {
		attrs = append(attrs, opsec.Attr{Key: "holder", Value: string(h.Tenant) + "/" + h.Person, Mark: opsec.Personal})
	}
	return attrs
}
