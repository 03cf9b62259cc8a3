package translog

import (
	"sync"

	"github.com/cloudopsec/opsec/audit/translog/internal/ledger"

	"golang.org/x/mod/sumdb/tlog"
)

// maxTail is how many bytes may be committed and not yet in the tiles: beyond it, commits wait for the follower.
const maxTail = 64 << 20

// maxSpare is the greatest size of a block that is kept to be used again.
const maxSpare = 4 << 20

// block is consecutive entries, from first on, in one piece of memory.
type block struct {
	first  uint64
	leaves []byte
	ends   []int // of each leaf in leaves
	keys   []ledger.Keys
	hashes []tlog.Hash
	bytes  int
	save   *ledger.Savepoint // to be made when the block, whose last entry is an epoch, is in the tiles
}

func newBlock(first uint64) *block { return &block{first: first} }

// reset makes an empty block of it, which keeps its memory.
func (b *block) reset(first uint64) {
	clear(b.keys)
	*b = block{first: first, leaves: b.leaves[:0], ends: b.ends[:0], keys: b.keys[:0], hashes: b.hashes[:0]}
}

func (b *block) add(leaf []byte, hash tlog.Hash, k ledger.Keys) {
	b.leaves = append(b.leaves, leaf...)
	b.ends = append(b.ends, len(b.leaves))
	b.keys = append(b.keys, k)
	b.hashes = append(b.hashes, hash)
	b.bytes += len(leaf) + 300 // the rest, about
}

func (b *block) end() uint64 { return b.first + uint64(len(b.ends)) }

func (b *block) leaf(i int) []byte {
	from := 0
	if i > 0 {
		from = b.ends[i-1]
	}
	return b.leaves[from:b.ends[i]]
}

// tail is the blocks between the writer and the follower.
type tail struct {
	mu     sync.Mutex
	blocks []*block
	bytes  int
	since  int64         // bytes since the last save
	room   chan struct{} // closed when there is room again
	closed bool          // no more blocks come
	left   bool          // the follower has gone
	last   bool          // the log is closing: what waits to be committed need not wait for room
	ready  chan struct{}
	spare  *block // done, to be used again
}

// block returns an empty block.
func (t *tail) block(first uint64) *block {
	t.mu.Lock()
	b := t.spare
	t.spare = nil
	t.mu.Unlock()
	if b == nil {
		return newBlock(first)
	}
	b.reset(first)
	return b
}

func (t *tail) put(b *block) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left {
		return // it stands in the journal; the next Open follows
	}
	t.blocks = append(t.blocks, b)
	t.bytes += b.bytes
	t.since += int64(b.bytes)
	if b.save != nil {
		t.since = 0
	}
	t.signal()
}

// wait returns when there is room for another block.
func (t *tail) wait() {
	t.mu.Lock()
	for t.bytes > maxTail && !t.left && !t.last {
		if t.room == nil {
			t.room = make(chan struct{})
		}
		room := t.room
		t.mu.Unlock()
		<-room
		t.mu.Lock()
	}
	t.mu.Unlock()
}

// passed is how many bytes have come since the last save.
func (t *tail) passed() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.since
}

// next returns the first block, which stays until done, and whether more may come.
func (t *tail) next() (b *block, open bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.blocks) > 0 {
		b = t.blocks[0]
	}
	return b, !t.closed
}

// done takes the first block away.
func (t *tail) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes -= t.blocks[0].bytes
	if len(t.blocks[0].leaves) <= maxSpare {
		t.spare = t.blocks[0]
	}
	t.blocks[0] = nil
	t.blocks = t.blocks[1:]
	t.admit()
}

// hurry lets in what is left to commit, however much the follower is behind: it may not come on any more.
func (t *tail) hurry() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = true
	t.admit()
}

// close says that no more blocks come.
func (t *tail) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.signal()
}

// leave says that nobody takes blocks any more.
func (t *tail) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left, t.blocks, t.bytes = true, nil, 0
	t.admit()
}

func (t *tail) admit() {
	if t.room != nil {
		close(t.room)
		t.room = nil
	}
}

func (t *tail) signal() {
	select {
	case t.ready <- struct{}{}:
	default:
	}
}
