package device

import (
	"cmp"
	"crypto/subtle"
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"github.com/zeebo/blake3"
)

// The bounds of [Networks].
const (
	MinNetworks = 1 << 7
	MaxNetworks = 1 << 28 // 1 GiB
)

// Networks is how many familiar networks are remembered, and how long. Zero takes the default.
type Networks struct {
	Most int           // pairs of account and network in a generation; 128 to 2^28. Default: 1,000,000
	Turn time.Duration // when a generation ends; 1h to 400 days. Default: 45 days
}

func (n Networks) withDefaults() Networks {
	n.Most, n.Turn = cmp.Or(n.Most, 1_000_000), cmp.Or(n.Turn, 45*day)
	return n
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (n Networks) Validate() error {
	n = n.withDefaults()
	switch {
	case n.Most < MinNetworks || n.Most > MaxNetworks:
		return invalid("networks: Most is %d, want %d to %d", n.Most, MinNetworks, MaxNetworks)
	case n.Turn < time.Hour || n.Turn > maxLifetime:
		return invalid("networks: Turn is %v, want 1h to %v", n.Turn, maxLifetime)
	}
	return nil
}

// A block of a filter is a cache line; a pair sets 8 bits of one. 16 bits for each pair.
const (
	blockWords = 8
	pairBits   = 8
	perBlock   = blockWords * 64 / 16 // pairs
)

// Familiar remembers from which networks accounts have logged in: the /24 of an IPv4 address, the /48 of an IPv6 address. It is two
// Bloom filters in blocks (Putze, Sanders and Singler, 2007) under a key: one that learns and one that only remembers. When the first
// has learnt [Networks].Most pairs or is [Networks].Turn old, the second is dropped and takes its place. So a network is remembered
// for one Turn at least, while no generation is full before its time, and for two at most.
//
// Memory is fixed: 4 bytes for each pair of Most. It is safe for use by several goroutines.
type Familiar struct {
	n   Networks
	now func() time.Time

	mu       sync.Mutex
	hash     *blake3.Hasher
	text     []byte
	sum      [32]byte
	young    generation
	old      generation
	snapshot *blake3.Hasher
}

// generation is one filter.
type generation struct {
	began int64 // s since 1970
	pairs uint64
	words []uint64
}

// NewFamiliar returns a memory of networks under a key of 32 random bytes, which is copied; with another key a snapshot cannot be
// read. A nil now is [time.Now].
func NewFamiliar(n Networks, key []byte, now func() time.Time) (*Familiar, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	if len(key) != 32 {
		return nil, invalid("key of %d bytes, want 32", len(key))
	}
	f := &Familiar{n: n.withDefaults(), now: now}
	if f.now == nil {
		f.now = time.Now
	}
	var sub [32]byte
	for _, use := range []struct {
		name string
		to   **blake3.Hasher
	}{{"networks", &f.hash}, {"snapshot", &f.snapshot}} {
		blake3.DeriveKey("opsec/identity/lockout/device "+use.name, key, sub[:])
		var err error
		if *use.to, err = blake3.NewKeyed(sub[:]); err != nil {
			return nil, err
		}
	}
	clear(sub[:])
	blocks := (f.n.Most + perBlock - 1) / perBlock
	f.young.words, f.old.words = make([]uint64, blocks*blockWords), make([]uint64, blocks*blockWords)
	f.young.began = f.now().Unix()
	f.old.began = f.young.began
	return f, nil
}

// Learn notes that the account has logged in from this address: call it after a success, and not before.
func (f *Familiar) Learn(who Owner, ip netip.Addr) {
	if f == nil || !ip.IsValid() || who.validate() != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn()
	f.digest(who, ip)
	if f.young.has(&f.sum) {
		return
	}
	if f.young.pairs >= uint64(f.n.Most) {
		f.next()
	}
	f.young.add(&f.sum)
}

// Known reports whether the account has logged in from the network of this address, as far as is remembered. A stranger's network
// is taken for a known one less than 3 times in 1,000.
func (f *Familiar) Known(who Owner, ip netip.Addr) bool {
	if f == nil || !ip.IsValid() || who.validate() != nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn()
	f.digest(who, ip)
	return f.young.has(&f.sum) || f.old.has(&f.sum)
}

// turn begins a new generation when the young one is old. A clock that goes back ends none.
func (f *Familiar) turn() {
	now := f.now().Unix()
	turn := int64(f.n.Turn / time.Second)
	if now-f.young.began < turn {
		return
	}
	if now-f.young.began >= 2*turn {
		f.next() // what the young one has learnt is too old as well
	}
	f.next()
}

func (f *Familiar) next() {
	f.old, f.young = f.young, f.old
	clear(f.young.words)
	f.young.pairs, f.young.began = 0, f.now().Unix()
}

// Network is what a source of guesses is remembered by: the /24 of an IPv4 address, also of one mapped into IPv6, or the /48 of an
// IPv6 address.
func Network(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	p, _ := ip.Prefix(bits)
	return p
}

// digest leaves 32 bytes of a keyed hash in f.sum. The tenant's length and the network's fixed one keep the parts apart.
func (f *Familiar) digest(who Owner, ip netip.Addr) {
	p := Network(ip)
	a := p.Addr().As16()
	t := append(f.text[:0], byte(p.Bits()))
	t = append(t, a[:]...)
	t = binary.BigEndian.AppendUint32(t, uint32(len(who.Tenant)))
	t = append(t, who.Tenant...)
	t = append(t, who.Account...)
	f.text = t
	f.hash.Reset()
	f.hash.Write(t)
	f.hash.Sum(f.sum[:0])
}

// block returns the words of a pair's block. The multiplication is Lemire's: a fair index without division.
func (g *generation) block(sum *[32]byte) []uint64 {
	blocks := uint64(len(g.words) / blockWords)
	i := (uint64(binary.LittleEndian.Uint32(sum[:])) * blocks) >> 32 * blockWords
	return g.words[i : i+blockWords]
}

func (g *generation) has(sum *[32]byte) bool {
	b := g.block(sum)
	for i := range pairBits {
		bit := binary.LittleEndian.Uint16(sum[4+2*i:])
		if b[bit>>6&(blockWords-1)]&(1<<(bit&63)) == 0 {
			return false
		}
	}
	return true
}

func (g *generation) add(sum *[32]byte) {
	b := g.block(sum)
	for i := range pairBits {
		bit := binary.LittleEndian.Uint16(sum[4+2*i:])
		b[bit>>6&(blockWords-1)] |= 1 << (bit & 63)
	}
	g.pairs++
}

// The bytes of a snapshot: a version, Most, and two generations of began, pairs and words; then the MAC.
const (
	snapshotVersion = 1
	snapshotFixed   = 1 + 4 + 2*16 + 32
)

// MarshalBinary implements [encoding.BinaryMarshaler]: a snapshot to keep over a restart, with a MAC under the key.
func (f *Familiar) MarshalBinary() ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := make([]byte, 0, snapshotFixed+16*len(f.young.words))
	b = append(b, snapshotVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(f.n.Most))
	for _, g := range []*generation{&f.young, &f.old} {
		b = binary.LittleEndian.AppendUint64(b, uint64(g.began))
		b = binary.LittleEndian.AppendUint64(b, g.pairs)
		for _, w := range g.words {
			b = binary.LittleEndian.AppendUint64(b, w)
		}
	}
	return append(b, f.mac(b)...), nil
}

func (f *Familiar) mac(b []byte) []byte {
	f.snapshot.Reset()
	f.snapshot.Write(b)
	return f.snapshot.Sum(nil)
}

// UnmarshalBinary implements [encoding.BinaryUnmarshaler]: f, which [NewFamiliar] has made with the same key and the same
// [Networks].Most, forgets what it knows and takes what the snapshot has. Anything else wraps [opsec.ErrInvalid] and changes nothing. That
// a snapshot is an old one cannot be seen.
func (f *Familiar) UnmarshalBinary(b []byte) error {
	if f.hash == nil {
		return invalid("snapshot: read into a Familiar that NewFamiliar has not made")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	words := len(f.young.words)
	if len(b) != snapshotFixed+16*words || b[0] != snapshotVersion || binary.LittleEndian.Uint32(b[1:]) != uint32(f.n.Most) {
		return invalid("snapshot of %d bytes: of another version or size", len(b))
	}
	body, mac := b[:len(b)-32], b[len(b)-32:]
	if subtle.ConstantTimeCompare(mac, f.mac(body)) != 1 {
		return invalid("snapshot: altered, or of another key")
	}
	body = body[5:]
	for _, g := range []*generation{&f.young, &f.old} {
		g.began, g.pairs = int64(binary.LittleEndian.Uint64(body)), binary.LittleEndian.Uint64(body[8:])
		body = body[16:]
		for i := range words {
			g.words[i] = binary.LittleEndian.Uint64(body[8*i:])
		}
		body = body[8*words:]
	}
	return nil
}
