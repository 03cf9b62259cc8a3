package independence

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

const (
	maxRefs     = 8
	maxAccounts = 16
)

// tally is what somebody has done within the scope. It does not depend on the order in which acts come.
type tally struct {
	count    uint64
	last     time.Time
	earliest []mention // at most maxRefs, ascending
}

// mention is what is kept of an act, or of an ownership.
type mention struct {
	time                time.Time
	ref, action, system string
	resource            opsec.Resource
}

func (m *mention) compare(o *mention) int {
	if d := m.time.Compare(o.time); d != 0 {
		return d
	}
	return cmp.Or(
		strings.Compare(m.ref, o.ref), strings.Compare(m.action, o.action), strings.Compare(m.system, o.system),
		cmp.Compare(m.resource.Tenant, o.resource.Tenant), strings.Compare(m.resource.Type, o.resource.Type),
		strings.Compare(m.resource.ID, o.resource.ID))
}

// add counts one.
func (t *tally) add(m *mention) {
	t.count++
	if m.time.After(t.last) {
		t.last = m.time
	}
	at := len(t.earliest)
	for at > 0 && m.compare(&t.earliest[at-1]) < 0 {
		at--
	}
	if at == maxRefs || at > 0 && m.compare(&t.earliest[at-1]) == 0 { // later, or there already
		return
	}
	if len(t.earliest) == maxRefs {
		t.earliest = t.earliest[:maxRefs-1]
	}
	t.earliest = slices.Insert(t.earliest, at, mention{ // not to hold what the texts are cut from
		m.time, strings.Clone(m.ref), strings.Clone(m.action), strings.Clone(m.system), opsec.Resource{
			Tenant: opsec.TenantID(strings.Clone(string(m.resource.Tenant))),
			Type:   strings.Clone(m.resource.Type), ID: strings.Clone(m.resource.ID),
		},
	})
}

// refs are the references of the earliest, without empty ones.
func (t *tally) refs() (list []string) {
	for _, m := range t.earliest {
		if m.ref != "" {
			list = append(list, m.ref)
		}
	}
	return list
}

// conflict returns what the tally says; ok is whether there is anything.
func (t *tally) conflict(kind Kind) (c Conflict, ok bool) {
	if t.count == 0 {
		return c, false
	}
	first := t.earliest[0]
	return Conflict{
		Kind: kind, Action: first.action, System: first.system, Resource: first.resource,
		First: utc(first.time), Last: utc(t.last), Count: t.count, Refs: t.refs(),
	}, true
}

// utc returns the same instant, as JSON gives it back.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Round(0)
}

// record is somebody's tallies.
type record struct{ operated, approved, owned tally }

// each yields the conflicts.
func (r *record) each(yield func(Conflict) bool) {
	for _, part := range []struct {
		kind Kind
		t    *tally
	}{{Operated, &r.operated}, {Approved, &r.approved}, {Owned, &r.owned}} {
		if c, ok := part.t.conflict(part.kind); ok && !yield(c) {
			return
		}
	}
}

// names are the first few of many, in bytewise order.
type names []string

func (n *names) add(name string) {
	list := *n
	at, found := slices.BinarySearch(list, name)
	if found || at == maxAccounts {
		return
	}
	if len(list) == maxAccounts {
		list = list[:maxAccounts-1]
	}
	*n = slices.Insert(list, at, name)
}
