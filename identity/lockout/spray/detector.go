package spray

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/zeebo/blake3"

	"github.com/cloudopsec/opsec"
)

// Sighting is an attempt to log in, after it was verified. Account and Secret are not kept.
type Sighting struct {
	Time     time.Time
	Tenant   opsec.TenantID // what is none counts as the provider's own; kept as it is, so it should not be a part of a long text
	Account  string         // in its canonical form; also when there is none such
	Source   netip.Addr     // the zero Addr: not known
	Secret   []byte         // what was wrong; nil when that is not known or does not matter. Of a success it is not looked at
	OK       bool
	Invented bool // no account has this name
}

// Options wires a [Detector].
type Options struct {
	// Key is 32 random bytes, which all nodes share whose states are merged. Default: bytes of its own. It is copied.
	Key []byte
}

// Totals is what a detector has seen in this window.
type Totals struct {
	Attempts uint64 `json:"attempts"`
	Failures uint64 `json:"failures"`
	Late     uint64 `json:"late"`     // of a window before, counted in this one
	Replaced uint64 `json:"replaced"` // sources and secrets that are no longer followed
	Refused  uint64 `json:"refused"`  // failures of sources or secrets that are not followed
}

// Detector finds attacks in attempts as they come. It is safe for use by several goroutines. Its memory is fixed.
type Detector struct {
	p    Policy
	span int64 // of a window, ms
	key  [32]byte

	mu     sync.Mutex
	hash   *blake3.Hasher // under the key of the window
	text   []byte
	sum    [32]byte
	mark   [8]byte // of the window and the key
	window int64   // when it began, ms since 1970
	totals Totals
	tables [levels]*table
	slots  slots
	usual  struct{ slot, attempts, failures uint64 }
	found  []Verdict
}

// New returns a detector. What is out of bounds wraps [opsec.ErrInvalid].
func New(p Policy, o *Options) (*Detector, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	d := &Detector{p: p.withDefaults()}
	switch {
	case o == nil || o.Key == nil:
		rand.Read(d.key[:])
	case len(o.Key) != len(d.key):
		return nil, invalid("key of %d bytes, want %d", len(o.Key), len(d.key))
	default:
		copy(d.key[:], o.Key)
	}
	d.span = d.p.Window.Milliseconds()
	for l := range d.tables {
		rows := d.p.Sources
		if level(l) == tags {
			rows = d.p.Tags
		}
		d.tables[l] = newTable(rows, d.p.Counters)
	}
	return d, d.begin(0)
}

// begin begins a window, with a key of its own.
func (d *Detector) begin(window int64) error {
	var key [32]byte
	material := binary.BigEndian.AppendUint64(d.key[:], uint64(window))
	material = binary.BigEndian.AppendUint64(material, uint64(d.span))
	blake3.DeriveKey("opsec/identity/lockout/spray window", material, key[:])
	clear(material)
	hash, err := blake3.NewKeyed(key[:])
	clear(key[:])
	if err != nil {
		return err
	}
	d.hash, d.window, d.totals = hash, window, Totals{}
	d.digest('m', "", "")
	copy(d.mark[:], d.sum[:])
	for _, t := range d.tables {
		t.clear()
		t.replaced, t.refused = 0, 0
	}
	return nil
}

// digest returns 64 bits of the keyed hash of a use and two texts, of which the first is preceded by its length.
func (d *Detector) digest(use byte, one, two string) uint64 {
	d.text = binary.BigEndian.AppendUint32(append(d.text[:0], use), uint32(len(one)))
	d.hash.Reset()
	d.hash.Write(d.text)
	d.hash.WriteString(one)
	d.hash.WriteString(two)
	d.hash.Sum(d.sum[:0])
	return binary.BigEndian.Uint64(d.sum[:]) | 1 // 0 means none
}

// tag returns the digest of a secret.
func (d *Detector) tag(secret []byte) uint64 {
	d.hash.Reset()
	d.hash.WriteString("s")
	d.hash.Write(secret)
	d.hash.Sum(d.sum[:0])
	return binary.BigEndian.Uint64(d.sum[:]) | 1
}

// digests are those of one sighting.
type digests struct{ account, secret, near, exact uint64 }

// Add counts an attempt, and returns what is found by it: nothing, nearly always. An attempt of a window before is counted in the
// present one; time never goes back.
func (d *Detector) Add(s Sighting) []Verdict {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.Tenant.Validate() != nil {
		s.Tenant = opsec.Provider
	}
	at := s.Time.UnixMilli()
	if w := at - mod(at, d.span); w > d.window {
		if d.begin(w) != nil {
			return nil // the length of the key is right: it cannot be
		}
	} else if w < d.window {
		d.totals.Late++
		s.Time = moment(d.window)
	}
	d.found = nil
	g := digests{account: d.digest('a', string(s.Tenant), s.Account)}
	if !s.OK && len(s.Secret) > 0 {
		g.secret = d.tag(s.Secret)
	}
	d.all(&s)
	if s.Source.IsValid() {
		ip := s.Source.Unmap().WithZone("")
		near, far := narrow4, wide4
		if ip.Is6() {
			near, far = narrow6, wide6
		}
		g.exact = d.source(ip, ip.BitLen())
		g.near = d.source(ip, prefixBits[near])
		d.count(near, g.near, ip, &s, &g, g.exact)
		d.count(far, d.source(ip, prefixBits[far]), ip, &s, &g, g.near)
	}
	if g.secret != 0 {
		d.count(tags, g.secret, netip.Addr{}, &s, &g, g.near)
	}
	return d.found
}

func mod(a, n int64) int64 { return (a%n + n) % n }

// source returns the digest of a source's prefix.
func (d *Detector) source(ip netip.Addr, bits int) uint64 {
	p, _ := ip.Prefix(bits)
	b := p.Addr().As16()
	d.hash.Reset()
	d.text = append(append(d.text[:0], 'p', byte(bits)), b[:]...)
	d.hash.Write(d.text)
	d.hash.Sum(d.sum[:0])
	return binary.BigEndian.Uint64(d.sum[:]) | 1
}

// count counts a sighting on a level, and judges. A success makes nobody followed.
func (d *Detector) count(l level, id uint64, ip netip.Addr, s *Sighting, g *digests, source uint64) {
	t := d.tables[l]
	var r *row
	if s.OK {
		r = t.find(id)
	} else {
		r = t.failed(id)
	}
	if r == nil {
		return
	}
	if l != tags && !r.source.IsValid() {
		r.source, _ = ip.Prefix(prefixBits[l])
	}
	if !r.add(s, g, source) || s.OK && r.told&toldAttack == 0 {
		return // nothing that was not there before, or a success of somebody nobody suspects
	}
	d.p.judge(l, r, func(k Kind, told uint8) {
		if r.told&told == 0 {
			r.told |= told
			d.found = append(d.found, r.verdict(l, k, d.window, d.span))
		}
	})
}

// all counts the sighting among all, and looks for a surge, once in a window.
func (d *Detector) all(s *Sighting) {
	number := s.Time.UnixMilli() / (d.span / slotsOfWindow)
	n := d.slots.at(number)
	if n.number != number {
		*n = slot{number: number}
	}
	if d.usual.slot != uint64(number) {
		d.usual.slot = uint64(number)
		d.usual.attempts, d.usual.failures = d.slots.usual(number)
	}
	d.totals.Attempts++
	n.attempts = sum32(n.attempts, 1)
	if s.OK {
		return
	}
	d.totals.Failures++
	n.failures = sum32(n.failures, 1)
	if !n.told && d.p.surge(n, d.usual.attempts, d.usual.failures) {
		n.told = true
		for before := number - 1; before >= d.window/(d.span/slotsOfWindow); before-- {
			if o := d.slots.at(before); o.number == before && o.told {
				return // of this window it was told
			}
		}
		d.found = append(d.found, n.verdict(d.window, d.span))
	}
}

func (n *slot) verdict(window, span int64) Verdict {
	long := span / slotsOfWindow
	return Verdict{
		Kind: Surge, Severity: Surge.Severity(), Tenant: opsec.Provider, From: moment(window), To: moment(window + span),
		First: moment(n.number * long), Last: moment((n.number + 1) * long), Attempts: uint64(n.attempts), Failures: uint64(n.failures),
	}
}

// Totals returns what was seen since the window began.
func (d *Detector) Totals() Totals {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.totals
	for _, table := range d.tables {
		t.Replaced, t.Refused = t.Replaced+table.replaced, t.Refused+table.refused
	}
	return t
}

// Tag returns the tag of a secret in the present window, as verdicts show it.
func (d *Detector) Tag(secret []byte) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return tagText(d.tag(secret))
}

func tagText(tag uint64) string { return fmt.Sprintf("%016x", tag) }
