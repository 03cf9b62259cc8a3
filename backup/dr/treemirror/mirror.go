package treemirror

import (
	"context"
	"errors"
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

// The names in a target's directory.
const (
	TreeName     = "tree"     // the copy
	ManifestName = "manifest" // of the last complete generation
	nextName     = "next"     // the manifest of a generation that is being made
	partName     = "part"     // a file that is being made
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

// Mirror copies one tree to one target. Its methods may be called by many goroutines; one Sync runs at a time.
type Mirror struct {
	src    fs.FS
	target string
	gate   Gate
	o      Options

	syncing sync.Mutex
	mu      sync.Mutex
	safe    time.Time
	failed  bool
	fetched int64
}

// New returns a mirror of src, best a *backup.Dir, in the directory called target, which must be there, on the other site,
// and used by nothing else.
func New(src fs.FS, target string, gate Gate, o *Options) (*Mirror, error) {
	if src == nil || target == "" || gate == nil || o == nil {
		return nil, fmt.Errorf("treemirror: want a source, a target, a gate and options: %w", opsec.ErrInvalid)
	}
	m := &Mirror{src: src, target: target, gate: gate, o: *o}
	if m.o.Now == nil {
		m.o.Now = time.Now
	}
	return m, nil
}

// Status says how old the copy is. A tree does not tell when it was written to, so a write is taken to have come at this
// moment: the exposure is the time since the last complete Sync by this Mirror began, and not known before one.
func (m *Mirror) Status() dr.Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.o.Now()
	return dr.Status{At: now, Newest: now, Safe: m.safe, Behind: -1, Connected: !m.failed}
}

// Fetched returns the bytes of contents taken from the source to be copied, by all Syncs.
func (m *Mirror) Fetched() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fetched
}

// Sync makes the target what the source is. When it is an error the target holds whole files of two generations, and
// the manifest of the last that was complete.
func (m *Mirror) Sync(ctx context.Context, token uint64) error {
	m.syncing.Lock()
	defer m.syncing.Unlock()
	start := m.o.Now()
	fetched, err := m.sync(ctx, token, start)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fetched += fetched
	m.failed = err != nil
	if err != nil {
		return fmt.Errorf("treemirror: %w", err)
	}
	m.safe = start
	return nil
}

func (m *Mirror) sync(ctx context.Context, token uint64, start time.Time) (fetched int64, err error) {
	root, err := os.OpenRoot(m.target)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	var next *os.File
	err = m.gate.Do(token, func() (err error) {
		if err := root.Mkdir(TreeName, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if info, err := root.Lstat(TreeName); err != nil || !info.IsDir() {
			return errors.Join(fmt.Errorf("%s is not a directory: %w", TreeName, opsec.ErrInvalid), err)
		}
		next, err = fresh(root, nextName)
		return err
	})
	if err != nil {
		return 0, err
	}
	defer next.Close()
	h := m.o.Header
	h.Created, h.Sequence = start, 0
	if _, err := backup.Build(ctx, next, m.src, backup.BuildOptions{Header: h, Chunks: true, Signers: m.o.Signers}); err != nil {
		return 0, err
	}
	info, err := next.Stat()
	if err != nil {
		return 0, err
	}
	manifest, err := backup.OpenManifest(next, info.Size())
	if err != nil {
		return 0, err
	}
	r, err := m.compare(ctx, manifest)
	if err != nil {
		return 0, err
	}
	if r.Faults()+r.Totals.Metadata > 0 {
		c := &copier{ctx: ctx, src: m.src, gate: m.gate, token: token, report: r}
		if err := c.run(root, manifest); err != nil {
			return c.fetched, err
		}
		fetched = c.fetched
		if r, err = m.compare(ctx, manifest); err != nil {
			return fetched, err
		}
		if n := r.Faults(); n > 0 {
			return fetched, fmt.Errorf("the copy has %d faults after it was made: %w", n, opsec.ErrInvalid)
		}
	}
	return fetched, m.gate.Do(token, func() error {
		if err := next.Sync(); err != nil {
			return err
		}
		if err := root.Rename(nextName, ManifestName); err != nil {
			return err
		}
		return syncDir(root, ".")
	})
}

func (m *Mirror) compare(ctx context.Context, manifest *backup.Manifest) (*backup.Report, error) {
	tree, err := backup.OpenDir(filepath.Join(m.target, TreeName))
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	return backup.Verify(ctx, manifest, trust.Verifier{}, tree, backup.Budget{MaxFindings: math.MaxInt32})
}

// fresh returns a new file of this name in place of whatever has it.
func fresh(root *os.Root, name string) (*os.File, error) {
	if err := root.RemoveAll(name); err != nil {
		return nil, err
	}
	return root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

func syncDir(root *os.Root, name string) error {
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
