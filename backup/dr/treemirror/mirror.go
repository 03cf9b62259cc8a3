package treemirror

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/dr"
	"github.com/cloudopsec/opsec/backup/trust"
)

// What a target holds. Both names change their meaning at once, when a Sync is complete.
const (
	TreeName     = currentName + "/" + treeName     // the copy
	ManifestName = currentName + "/" + manifestName // what it was compared with
)

// Gate stands before the target: a fence.Gate is one.
type Gate interface {
	// Do calls fn, or returns why the holder of the token may not act.
	Do(token uint64, fn func() error) error
}

// Options is the wiring of a Mirror.
type Options struct {
	Header  backup.Header // of the manifests; Created and Sequence are set for each
	Signers []trust.Signer
	Now     func() time.Time // nil is time.Now
}

// Mirror keeps the copy of a tree at one target. Its methods may be called by many goroutines; one Sync runs at a time.
type Mirror struct {
	target string
	gate   Gate
	o      Options

	syncing sync.Mutex
	mu      sync.Mutex
	safe    time.Time
	failed  bool
	fetched int64
}

// New returns a mirror in the directory called target, which must be there, on the other site, and used by nothing else.
// At a former primary, whose tree stands under [TreeName], that tree is the first generation to compare with.
func New(target string, gate Gate, o *Options) (*Mirror, error) {
	if target == "" || gate == nil || o == nil {
		return nil, fmt.Errorf("treemirror: want a target, a gate and options: %w", opsec.ErrInvalid)
	}
	m := &Mirror{target: target, gate: gate, o: *o}
	if m.o.Now == nil {
		m.o.Now = time.Now
	}
	return m, nil
}

// Status says how old the copy is. A tree does not tell when it was written to, so a write is taken to have come at this
// moment: the exposure is the time since what the last complete Sync by this Mirror has copied was taken. It is not known
// before one, nor while the clock shows a time before that.
func (m *Mirror) Status() dr.Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.o.Now()
	s := dr.Status{At: now, Newest: now, Behind: -1, Connected: !m.failed}
	if !now.Before(m.safe) {
		s.Safe = m.safe
	}
	return s
}

// Fetched returns the bytes of contents taken from the source to be copied, by all Syncs. Each also reads the whole
// source once, for its manifest.
func (m *Mirror) Fetched() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fetched
}

// Sync makes the copy what src is, best a *backup.Dir on a snapshot. Taken is when the snapshot was: what was written
// later is not in it, and counts as exposed. Zero is now, for a source that shows what is written at once. An error
// leaves the target showing the last generation as before; the very last step, which makes the next durable, may fail when
// that is shown already.
func (m *Mirror) Sync(ctx context.Context, token uint64, src fs.FS, taken time.Time) error {
	if src == nil {
		return fmt.Errorf("treemirror: want a source: %w", opsec.ErrInvalid)
	}
	m.syncing.Lock()
	defer m.syncing.Unlock()
	start := m.o.Now()
	if taken.IsZero() || taken.After(start) {
		taken = start
	}
	fetched, err := m.sync(ctx, token, src, taken)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fetched += fetched
	m.failed = err != nil
	if err != nil {
		return fmt.Errorf("treemirror: %w", err)
	}
	m.safe = taken
	return nil
}

func (m *Mirror) sync(ctx context.Context, token uint64, src fs.FS, taken time.Time) (fetched int64, err error) {
	root, err := os.OpenRoot(m.target)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	t := &target{ctx: ctx, root: root, gate: m.gate, token: token}
	f, err := t.begin()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	h := m.o.Header
	h.Created, h.Sequence = taken, 0
	if _, err := backup.Build(ctx, f, src, backup.BuildOptions{Header: h, Chunks: true, Signers: m.o.Signers}); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	manifest, err := backup.OpenManifest(f, info.Size())
	if err != nil {
		return 0, err
	}
	if err := refuseSpecials(manifest); err != nil {
		return 0, err
	}
	r, err := m.compare(ctx, manifest, t)
	if err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	n := newTree(t, src, r)
	if same, err := n.same(manifest, r); err != nil {
		return 0, err
	} else if same && t.holds() {
		return 0, t.restate()
	}
	if err := n.build(manifest); err != nil {
		return n.fetched, err
	}
	return n.fetched, t.complete()
}

func refuseSpecials(m *backup.Manifest) error {
	if m.Header.Counts.Specials == 0 {
		return nil
	}
	for e, err := range m.Entries() {
		if err == nil && e.Kind == backup.Special {
			err = fmt.Errorf("%s: a FIFO, socket or device: %w", backup.Quote(e.Path), opsec.ErrInvalid)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// compare reads the last generation.
func (m *Mirror) compare(ctx context.Context, manifest *backup.Manifest, t *target) (*backup.Report, error) {
	last := t.last
	if !t.holds() {
		last = t.next // which is empty
	}
	tree, err := backup.OpenDir(filepath.Join(m.target, last, treeName))
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	return backup.Verify(ctx, manifest, trust.Verifier{}, tree, backup.Budget{MaxFindings: math.MaxInt32})
}
