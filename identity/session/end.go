package session

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// End logs out: the session of the token ends, with all applications that joined it (single log-out). It returns those that want
// to be told, of which [Manager.Notices] reminds until [Manager.Told]. The token may be that of an application. It is over here at
// once, elsewhere within [Policy].Cache, as those of the applications are.
func (m *Manager) End(ctx context.Context, t Token, u Use) (notice Notice, err error) {
	digest, tag, now := t.digest(), t.tag(), m.Now()
	err = m.update(ctx, t.address(), now, func(b *Book, ended []Ended) ([]*opsec.Event, bool, error) {
		s, err := m.held(b, ended, &digest, &u)
		if err != nil {
			return nil, false, err
		}
		e, _ := b.End(&m.policy, s.ID, LoggedOut, now)
		notice = e.notice(&m.policy)
		return []*opsec.Event{e.event(now)}, true, nil
	})
	m.cache.over(&tag, err)
	if err != nil {
		return Notice{}, err
	}
	return notice, nil
}

// Revoke ends one session of an account, by its id, and returns the applications that want to be told. The Authorizer is asked
// for [ActionRevoke] on the account. A session that is not there wraps [opsec.ErrNotFound].
func (m *Manager) Revoke(ctx context.Context, tenant opsec.TenantID, account string, id opsec.ID, by opsec.Actor, reason string) (notice Notice, err error) {
	if err := m.allowed(ctx, by, ActionRevoke, accountOf(tenant, account)); err != nil {
		return Notice{}, err
	}
	now, on := m.Now(), opsec.Resource{Tenant: tenant, Type: "session", ID: string(id)}
	err = m.update(ctx, AddressOf(tenant, account), now, func(b *Book, _ []Ended) ([]*opsec.Event, bool, error) {
		if err := b.of(account); err != nil {
			return nil, false, err
		}
		e, ok := b.End(&m.policy, id, Revoked, now)
		if !ok {
			return nil, false, notFound("no session with this id")
		}
		notice = e.notice(&m.policy)
		return []*opsec.Event{act(ActionRevoke, now, on, by, reason), e.event(now)}, true, nil
	})
	if err != nil {
		return Notice{}, err
	}
	return notice, nil
}

// RevokeAll ends all sessions of an account, however many, by one write: it begins another epoch. Once it has returned no node
// takes one of them for valid for longer than [Policy].Cache, and no proof from before it was called opens one; by a clock that is
// behind that of this node, none until it has caught up. Their log-outs are recorded, and
// applications told, by whoever opens the account's book next: a log-in, or [Manager.Sweep]. It does not matter whether the account
// has sessions, or exists. The Authorizer is asked for [ActionRevokeAll].
func (m *Manager) RevokeAll(ctx context.Context, tenant opsec.TenantID, account string, by opsec.Actor, reason string) error {
	on := accountOf(tenant, account)
	if err := m.allowed(ctx, by, ActionRevokeAll, on); err != nil {
		return err
	}
	now := m.Now()
	return m.books.Update(ctx, AddressOf(tenant, account), func(b Book) (Change, error) {
		if err := b.of(account); err != nil {
			return Change{}, err
		}
		b.RevokeAll(now)
		b.Due = b.due(&m.policy)
		return Change{&b, []*opsec.Event{act(ActionRevokeAll, now, on, by, reason)}}, nil
	})
}

// Sessions returns the sessions of an account, those that began first first. The Authorizer is asked for [ActionList]. There is
// no list over accounts: a repository keeps books by account, and one's own database may list them.
func (m *Manager) Sessions(ctx context.Context, tenant opsec.TenantID, account string, by opsec.Actor) (list []Session, err error) {
	if err := m.allowed(ctx, by, ActionList, accountOf(tenant, account)); err != nil {
		return nil, err
	}
	err = m.update(ctx, AddressOf(tenant, account), m.Now(), func(b *Book, _ []Ended) ([]*opsec.Event, bool, error) {
		if err := b.of(account); err != nil {
			return nil, false, err
		}
		list = slices.Clone(b.Sessions)
		return nil, false, nil
	})
	return list, err
}

// Sweep records the end of sessions of a tenant that have run out or were revoked, and that nobody has asked for since. It returns how
// many books it has looked at. Once a minute is often enough. A repository that is no [Agenda] makes it [opsec.ErrInvalid].
func (m *Manager) Sweep(ctx context.Context, tenant opsec.TenantID) (n int, err error) {
	now := m.Now()
	for at, err := range m.due(ctx, tenant, now) {
		if err == nil {
			err = m.update(ctx, at, now, func(*Book, []Ended) ([]*opsec.Event, bool, error) { return nil, false, nil })
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// Notices yields what applications of a tenant are to be told, the oldest first as far as is known, until [Manager.Told] says
// that they were. They are kept until the session would have been over in any case, for the last 32 ends of an account. What has run out is
// noticed by [Manager.Sweep].
func (m *Manager) Notices(ctx context.Context, tenant opsec.TenantID) iter.Seq2[Notice, error] {
	return func(yield func(Notice, error) bool) {
		now := m.Now()
		for at, err := range m.due(ctx, tenant, now) {
			var list []Notice
			if err == nil {
				err = m.update(ctx, at, now, func(b *Book, _ []Ended) ([]*opsec.Event, bool, error) {
					list = slices.Clone(b.Notices)
					return nil, false, nil
				})
			}
			if err != nil {
				yield(Notice{}, err)
				return
			}
			for _, n := range list {
				if !yield(n, nil) {
					return
				}
			}
		}
	}
}

// Told takes back a notice, because its Applications, or those that are left in it, were told. What is not there any more is no error.
func (m *Manager) Told(ctx context.Context, n Notice) error {
	now := m.Now()
	return m.update(ctx, AddressOf(n.Tenant, n.Account), now, func(b *Book, _ []Ended) ([]*opsec.Event, bool, error) {
		if !b.told(n) {
			return nil, false, nil
		}
		e := opsec.NewEvent(ActionTold, now)
		e.Tenant, e.Outcome = n.Tenant, opsec.Success
		add(e, "applications", strings.Join(n.Applications, ","))
		e.Actor = opsec.Actor{Tenant: n.Tenant, Kind: opsec.System}
		e.Resource = opsec.Resource{Tenant: n.Tenant, Type: "session", ID: string(n.Session)}
		return []*opsec.Event{e}, true, nil
	})
}

func (m *Manager) due(ctx context.Context, tenant opsec.TenantID, until time.Time) iter.Seq2[Address, error] {
	a, ok := m.books.(Agenda)
	if !ok {
		return func(yield func(Address, error) bool) { yield(Address{}, invalid("repository: has no agenda")) }
	}
	return a.Due(ctx, tenant, until)
}

func accountOf(tenant opsec.TenantID, account string) opsec.Resource {
	return opsec.Resource{Tenant: tenant, Type: "account", ID: account}
}

// allowed says whether somebody may do something to sessions of an account.
func (m *Manager) allowed(ctx context.Context, by opsec.Actor, action string, on opsec.Resource) error {
	if err := on.Tenant.Validate(); err != nil {
		return err
	}
	if on.ID == "" || len(on.ID) > maxText {
		return invalid("account: a name of %d bytes, want 1 to %d", len(on.ID), maxText)
	}
	return m.o.Authorizer.Authorize(ctx, by, action, on)
}

// act is what somebody does to sessions of others.
func act(action string, at time.Time, on opsec.Resource, by opsec.Actor, reason string) *opsec.Event {
	e := opsec.NewEvent(action, at)
	e.Tenant, e.Class, e.Outcome = on.Tenant, opsec.Critical, opsec.Success
	e.Actor, e.Resource, e.Reason = by, on, reason
	return e
}
