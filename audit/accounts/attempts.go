package accounts

import (
	"cmp"
	"container/heap"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/sketch"
)

// Standing is how the account of a sign-in stands with the register.
type Standing string

// The standings.
const (
	Registered Standing = "registered" // active or suspended
	Abandoned  Standing = "abandoned"  // disabled or deleted
	Invented   Standing = "invented"   // no such account
)

// Attempts detects sign-ins with accounts that are abandoned or were never there, as they come, and without keeping
// what was typed: a name becomes 64 bits of its HMAC-SHA-256 in a counter. An audit uses the same.
//
// It follows the Policy.Origins origins with the most attempts (Space-Saving: Metwally, Agrawal and El Abbadi, 2005). A
// new origin takes the place of the one with the fewest, and [Totals.Replaced] counts that: as long as it is zero,
// everything is counted exactly. Beyond, an origin with more than Attempts/Origins of all attempts is among those that are
// followed, and what a finding says is still true, but as little as "at least".
//
// It is safe for use by several goroutines. Memory is fixed: 3 KiB for each origin at the most.
type Attempts struct {
	mu      sync.Mutex
	p       Policy
	mac     hash.Hash
	sum     []byte
	text    []byte
	total   Totals
	places  map[netip.Prefix]*origin
	fewest  origins
	names   sketch.Distinct
	sources sketch.Distinct
}

// Totals is what Attempts has seen in all. Names and Origins are estimates, with an error of 2 per cent in two of three
// cases.
type Totals struct {
	Attempts uint64 `json:"attempts"` // with accounts that do not exist
	Names    uint64 `json:"names"`    // different ones, about
	Origins  uint64 `json:"origins"`  // from which they came, about
	Replaced uint64 `json:"replaced"` // origins that are no longer followed
}

// Attempts returns a detector under the policy. The key, of at least 32 random bytes, is copied; it need not outlive the
// process.
func (p Policy) Attempts(key []byte) (*Attempts, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if len(key) < 32 {
		return nil, fmt.Errorf("accounts: digest key of %d bytes, want 32 or more: %w", len(key), opsec.ErrInvalid)
	}
	a := &Attempts{p: p.withDefaults(), mac: hmac.New(sha256.New, slices.Clone(key))}
	a.Reset()
	return a, nil
}

// Reset forgets everything: a new span begins. A front end calls it every hour, say, for its limits are not per time.
func (a *Attempts) Reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total, a.places, a.fewest = Totals{}, map[netip.Prefix]*origin{}, nil
	a.names, a.sources = make(sketch.Distinct, 4096), make(sketch.Distinct, 4096)
}

// Add takes a sign-in. It returns a finding for every one with an abandoned account; and for one with an invented account
// when its origin has tried too many, and each time that its attempts have doubled since. Log-outs count for nothing. The
// tenant of an invented account is shown in findings, and must be one that exists; leave it empty where that is not known.
func (a *Attempts) Add(s SignIn, standing Standing) (Finding, bool) {
	switch {
	case s.Logout:
	case standing == Abandoned:
		f := Finding{
			Kind: AbandonedAttempt, Severity: AbandonedAttempt.Severity(), Tenant: s.Tenant, Account: s.Key, Count: 1,
			Detail: "an attempt to sign in with an account that is abandoned", Since: s.Time, Origin: originOf(s.IP),
		}
		if s.Outcome == opsec.Success {
			f.Severity, f.Detail = opsec.SeverityCritical, "somebody has signed in with an account that is abandoned"
		}
		if s.Ref != "" {
			f.Evidence = []string{s.Ref}
		}
		return f, true
	case standing == Invented:
		a.mu.Lock()
		defer a.mu.Unlock()
		if o := a.invented(&s, s.Tenant); a.tooMany(o) && o.seen >= 2*o.told {
			o.told = o.seen
			return o.finding(), true
		}
	}
	return Finding{}, false
}

// Totals returns what was seen since the beginning, or since Reset.
func (a *Attempts) Totals() Totals {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.total
	t.Names, t.Origins = a.names.Estimate(), a.sources.Estimate()
	return t
}

// Findings yields one for each origin that has tried too many invented accounts, those with most attempts first.
func (a *Attempts) Findings() iter.Seq[Finding] {
	return func(yield func(Finding) bool) {
		a.mu.Lock()
		var found []Finding
		for _, o := range slices.SortedFunc(slices.Values(a.fewest), func(x, y *origin) int {
			return cmp.Or(cmp.Compare(y.seen, x.seen), x.from.Compare(y.from))
		}) {
			if a.tooMany(o) {
				found = append(found, o.finding())
			}
		}
		a.mu.Unlock()
		for _, f := range found {
			if !yield(f) {
				return
			}
		}
	}
}

func (a *Attempts) tooMany(o *origin) bool {
	return len(o.few) >= a.p.InventedNames || o.seen >= uint64(a.p.InventedTries)
}

// invented counts an attempt with an account that does not exist.
func (a *Attempts) invented(s *SignIn, tenant opsec.TenantID) *origin {
	digest := a.digest(s.Key)
	from := originOf(s.IP)
	a.total.Attempts++
	a.names.Add(digest)
	o := a.places[from]
	if o == nil {
		o = a.follow(from)
		a.sources.Add(a.digest(Key{Main: from.String()}))
	}
	o.add(digest, tenant, s)
	heap.Fix(&a.fewest, o.place)
	return o
}

// digest is taken over the lengths and the bytes of the three parts.
func (a *Attempts) digest(k Key) uint64 {
	a.text = a.text[:0]
	for _, part := range [...]string{string(k.Tenant), k.Main, k.Sub} {
		a.text = binary.AppendUvarint(a.text, uint64(len(part)))
		a.text = append(a.text, part...)
	}
	a.mac.Reset()
	a.mac.Write(a.text)
	clear(a.text)
	a.sum = a.mac.Sum(a.sum[:0])
	return binary.BigEndian.Uint64(a.sum)
}

// follow makes room for an origin, in the memory of the one with the fewest attempts when there is no other.
func (a *Attempts) follow(from netip.Prefix) *origin {
	var o *origin
	if len(a.fewest) == a.p.Origins {
		o = a.fewest[0]
		delete(a.places, o.from)
		a.total.Replaced++
		*o = origin{from: from, over: o.over + o.seen, few: o.few[:0], refs: o.refs[:0]}
	} else {
		o = &origin{from: from}
		heap.Push(&a.fewest, o)
	}
	a.places[from] = o
	return o
}

// origin is where attempts come from: an IPv4 address or an IPv6 /64; the zero Prefix where none was recorded.
type origin struct {
	from    netip.Prefix
	place   int    // in the heap
	over    uint64 // attempts it is credited with beyond those that were seen: Space-Saving's error
	seen    uint64 // attempts since it is followed
	told    uint64 // how many there were when it was told last
	few     []uint64
	many    sketch.Distinct // when there are more than few holds
	tenant  opsec.TenantID
	several bool // tenants
	since   time.Time
	refs    []string
	omitted uint64
}

// An origin keeps the first references, unless they are long.
const originRefs, originRefBytes = 4, 256

func (o *origin) add(digest uint64, tenant opsec.TenantID, s *SignIn) {
	o.seen++
	o.several = o.several || o.seen > 1 && o.tenant != tenant
	if o.tenant != tenant {
		o.tenant = opsec.TenantID(strings.Clone(string(tenant))) // it may be a part of a long line, as s.Ref may
	}
	if o.since.IsZero() || s.Time.Before(o.since) {
		o.since = s.Time
	}
	if s.Ref != "" {
		if len(o.refs) < originRefs && len(s.Ref) <= originRefBytes {
			o.refs = append(o.refs, strings.Clone(s.Ref))
		} else {
			o.omitted++
		}
	}
	if o.many != nil {
		o.many.Add(digest)
		return
	}
	if slices.Contains(o.few, digest) {
		return
	}
	if len(o.few) < maxNames {
		o.few = append(o.few, digest)
		return
	}
	o.many = make(sketch.Distinct, 1024)
	for _, d := range o.few {
		o.many.Add(d)
	}
	o.many.Add(digest)
}

func (o *origin) finding() Finding {
	names := count(uint64(len(o.few)), "name")
	if o.many != nil {
		names = "about " + count(o.many.Estimate(), "name")
	}
	from := "an origin that was not recorded"
	if o.from.IsValid() {
		from = o.from.String()
	}
	f := Finding{
		Kind: InventedAttempt, Severity: InventedAttempt.Severity(), Tenant: o.tenant, Origin: o.from, Count: o.seen,
		Detail: fmt.Sprintf("%s tried %s of accounts that do not exist, in %s", from, names, count(o.seen, "attempt")),
		Since:  o.since, Evidence: slices.Clone(o.refs), Omitted: o.omitted,
	}
	if o.several || o.tenant == "" {
		f.Tenant = opsec.Provider
	}
	return f
}

// origins is a heap: the one with the fewest attempts first.
type origins []*origin

func (h origins) Len() int { return len(h) }
func (h origins) Less(i, j int) bool {
	return h[i].over+h[i].seen < h[j].over+h[j].seen
}
func (h origins) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements [heap.Interface].
func (h *origins) Push(x any) {
	o := x.(*origin)
	o.place = len(*h)
	*h = append(*h, o)
}

// Pop implements [heap.Interface]; nothing calls it.
func (h *origins) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
