package spray

import (
	"net/netip"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/sketch"
)

// registers is the size of each sketch of a row.
const registers = 256

// What has been told of a row.
const (
	toldAttack  = 1 << iota // Spraying, Stuffing or SharedSecret
	toldEntered             // Entered
	toldInvented
)

// row is what is counted of one source, or of one secret.
type row struct {
	id       uint64 // the digest of the source, or the tag
	weight   uint32 // failures, as the sketch has them; 0: the row is free
	told     uint8
	source   netip.Prefix
	tenant   opsec.TenantID // opsec.Provider when there are several
	attempts uint64
	failures uint64
	first    int64 // ms since 1970
	last     int64
	sets     [5][registers]uint8
}

// The sets of a row.
const (
	failed  = iota // accounts that it failed at
	won            // accounts that it got into
	names          // that do not exist
	secrets        // that were wrong
	sources        // from which failures came
)

func (r *row) set(i int) sketch.Distinct { return r.sets[i][:] }

// count estimates a set, which has no more than there were attempts to fill it.
func (r *row) count(i int) uint64 {
	most := r.failures
	if i == won {
		most = r.attempts - r.failures
	}
	return min(r.set(i).Estimate(), most)
}

// add counts a sighting, and reports whether the sets are other than before.
func (r *row) add(s *Sighting, d *digests, source uint64) (changed bool) {
	at := s.Time.UnixMilli()
	if r.attempts == 0 {
		r.tenant, r.first, r.last = s.Tenant, at, at
	}
	r.first, r.last = min(r.first, at), max(r.last, at)
	r.tenant = joint(r.tenant, s.Tenant)
	r.attempts++
	if s.OK {
		return r.set(won).Add(d.account)
	}
	r.failures++
	changed = r.set(failed).Add(d.account)
	changed = r.set(sources).Add(source) || changed
	if s.Invented {
		changed = r.set(names).Add(d.account) || changed
	}
	if d.secret != 0 {
		r.set(secrets).Add(d.secret)
	}
	return changed
}

// merge adds what another node has counted of the same.
func (r *row) merge(o *row) {
	r.told |= o.told
	r.tenant = joint(r.tenant, o.tenant)
	r.attempts, r.failures = r.attempts+o.attempts, r.failures+o.failures
	r.first, r.last = min(r.first, o.first), max(r.last, o.last)
	for i := range r.sets {
		r.set(i).Merge(o.set(i))
	}
}

func joint(a, b opsec.TenantID) opsec.TenantID {
	if a != b {
		return opsec.Provider
	}
	return a
}

// level is one of the tables.
type level int

const (
	narrow4 level = iota // /32
	wide4                // /24
	narrow6              // /64
	wide6                // /48
	tags
	levels
)

// prefixBits are those of the levels of sources.
var prefixBits = [...]int{narrow4: 32, wide4: 24, narrow6: 64, wide6: 48}

// judge yields what is to be told of a row, whether it was told before or not. Sets have no more than there were failures: of most
// rows nothing need be estimated.
func (p *Policy) judge(l level, r *row, yield func(Kind, uint8)) {
	if l == tags {
		if r.atLeast(failed, p.Shared) {
			yield(SharedSecret, toldAttack)
		}
		return
	}
	accounts, invented := p.Accounts, p.Invented
	if l == wide4 || l == wide6 {
		if accounts, invented = p.Wide, (p.Invented*p.Wide+p.Accounts-1)/p.Accounts; !r.atLeast(sources, 3) {
			return
		}
	}
	many, unknown := r.atLeast(failed, accounts), r.atLeast(names, invented)
	if !many && !unknown {
		return
	}
	tried, entered := sketch.Union(r.set(failed), r.set(won)), r.count(won)
	if many && entered*100 < uint64(p.Honest)*tried {
		kind := Spraying
		if 2*r.count(secrets) > r.count(failed) {
			kind = Stuffing
		}
		yield(kind, toldAttack)
		if entered > 0 {
			yield(Entered, toldEntered)
		}
	}
	if unknown && r.count(names)*100 >= uint64(p.InventedShare)*tried {
		yield(Invented, toldInvented)
	}
}

func (r *row) atLeast(set, n int) bool { return r.failures >= uint64(n) && r.count(set) >= uint64(n) }

// verdict is what is known of a row, as a verdict of that kind.
func (r *row) verdict(l level, k Kind, from, span int64) Verdict {
	v := Verdict{
		Kind: k, Severity: k.Severity(), Tenant: r.tenant, Source: r.source, From: moment(from), To: moment(from + span),
		First: moment(r.first), Last: moment(r.last), Attempts: r.attempts, Failures: r.failures,
		Accounts: about(r.count(failed)), Entered: about(r.count(won)), Names: about(r.count(names)),
		Secrets: about(r.count(secrets)), Sources: about(r.count(sources)),
	}
	if l == tags {
		v.Tag = tagText(r.id)
	}
	return v
}

func moment(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
