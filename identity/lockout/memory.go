package lockout

import (
	"context"
	"hash/maphash"
	"math/bits"
	"sync"

	"github.com/cloudopsec/opsec"
)

// The stripes of a [Memory]: rows are spread over them by their digest, and each has a lock and a table of its own.
const (
	maxStripes = 1 << 10
	minRows    = 1 << 12 // of a stripe, where there are several
)

// Memory is a [States] in the memory of this process. It counts for one process alone, and begins anew with it: where guesses come
// through several, or a restart must not be a second chance, use another.
//
// A counter takes at most 48 bytes, of a table that grows by small steps. It is known by a digest of 64 bits under a key of this
// process, 54 in a small table, so two counters may turn out to be one: with ten million of them, once in 300,000 such tables. They
// then share what they count.
type Memory struct {
	seed     maphash.Seed
	shift    int // of a digest, to the number of its stripe
	recorder opsec.Recorder
	stripes  []stripe
}

type stripe struct {
	sync.Mutex
	table
	_ [64 - 8 - 48]byte // a line of cache of its own
}

// NewMemory returns a Memory for rows counters, at least 1; when they come unevenly it may hold a sixteenth more. Beyond, it drops
// those that are forgotten, and then those that have merely counted the fewest failures: none that is barred, locked or held, and
// none with a guess under way. Where all are such, a new counter is [ErrFull].
//
// What becomes of a counter is recorded by r before it is kept: when that fails nothing is kept, and the guess under way will count
// as a failure. It is called under a lock, which holds up the accounts of a stripe, and must not come back to this Memory. A nil
// recorder records nothing: for tests.
func NewMemory(rows int, r opsec.Recorder) *Memory {
	rows = max(rows, 1)
	n := 1 << (bits.Len(uint(min(max(rows/minRows, 1), maxStripes))) - 1)
	m := &Memory{seed: maphash.MakeSeed(), shift: 64 - bits.Len(uint(n-1)), recorder: r, stripes: make([]stripe, n)}
	most := (rows + n - 1) / n
	if n > 1 {
		most += most/16 + 64
	}
	for i := range m.stripes {
		m.stripes[i].most = most
	}
	return m
}

// digest returns 64 bits of a key under a seed: nobody can choose names that meet.
func digest(seed maphash.Seed, k *Key) uint64 {
	h := maphash.String(seed, k.Account)
	h = bits.RotateLeft64(h, 29)*0x9e3779b97f4a7c15 ^ maphash.String(seed, string(k.Tenant))
	h = bits.RotateLeft64(h, 29)*0x9e3779b97f4a7c15 ^ maphash.String(seed, string(k.Factor))
	if k.Class != "" || k.Device != "" {
		h = bits.RotateLeft64(h, 29)*0x9e3779b97f4a7c15 ^ maphash.String(seed, string(k.Class))
		h = bits.RotateLeft64(h, 29)*0x9e3779b97f4a7c15 ^ maphash.String(seed, k.Device)
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

// Update implements [States]. The error is [ErrFull], or the recorder's, which has 10 seconds whether or not ctx ends: who hangs up
// when his guess was wrong has guessed all the same.
func (m *Memory) Update(ctx context.Context, key Key, change Change) (Verdict, error) {
	return m.update(ctx, digest(m.seed, &key), &key, &change)
}

func (m *Memory) update(ctx context.Context, digest uint64, key *Key, change *Change) (Verdict, error) {
	s := &m.stripes[digest>>m.shift]
	s.Lock()
	defer s.Unlock()
	at, found := s.find(digest)
	var old State
	if found {
		old = s.slots[at].state()
	}
	state, verdict := change.Policy.Step(old, change.Event, change.Now)
	if state == old {
		return verdict, m.record(ctx, key, change, verdict)
	}
	if !found && !s.room(change.Now.UnixMilli()) {
		return Verdict{}, ErrFull
	}
	if err := m.record(ctx, key, change, verdict); err != nil {
		return Verdict{}, err
	}
	switch {
	case state == State{}:
		s.remove(at)
	case found:
		s.slots[at].set(state, change.Policy)
	default:
		s.insert(digest, state, change.Policy)
	}
	return verdict, nil
}

func (m *Memory) record(ctx context.Context, key *Key, change *Change, v Verdict) error {
	if v.Became == Open && !v.Opened {
		return nil
	}
	e := change.Record(*key, v)
	if e == nil || m.recorder == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	_, err := m.recorder.Record(ctx, e)
	return err
}

// Rows returns how many counters there are, for a gauge.
func (m *Memory) Rows() int {
	n := 0
	for i := range m.stripes {
		s := &m.stripes[i]
		s.Lock()
		n += s.rows
		s.Unlock()
	}
	return n
}
