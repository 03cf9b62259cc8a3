package backup

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/cloudopsec/opsec/backup/digest"
)

// Budget bounds what a [Verify] may spend, and says where it goes on. The zero Budget reads everything as fast as it
// can.
type Budget struct {
	BytesPerSecond int64            // contents read at most this fast; 0 is no limit
	Duration       time.Duration    // stop after this, with a cursor in the report; 0 is no limit
	Sample         int64            // read the contents of so many files, drawn at random; 0 is all
	Seed           Digest           // draw by this seed; zero for a fresh one
	Resume         *Report          // go on where the verification that this report is of has stopped
	MaxFindings    int              // paths listed in the report for each class; 0 is 10,000. Counts are always exact
	StrictMetadata bool             // a difference of metadata alone (mode, time, holes) is a fault too
	Workers        int              // goroutines that read; 0 is one for each processor
	Progress       func(Progress)   // called now and then from Verify's goroutine
	Now            func() time.Time // nil is time.Now
}

// Cursor says where an unfinished verification stopped.
type Cursor struct {
	After string      `json:"after"`          // the last path that was done, in quoted form
	Lost  string      `json:"lost,omitempty"` // the last directory that could not be listed, in quoted form; "." is the top
	File  *fileCursor `json:"file,omitempty"` // half of a large file
}

// fileCursor is a pause within a file. It holds only while the file looks the same.
type fileCursor struct {
	Path    string          `json:"path"`
	ModTime time.Time       `json:"modTime"`
	Size    int64           `json:"size"`
	State   *digest.Partial `json:"state"`
}

// continues returns the state to go on from, if e is the file that was paused.
func (c *fileCursor) continues(e *Entry) *digest.Partial {
	if c != nil && c.Path == Quote(e.Path) && c.Size == e.Sums.Size && c.ModTime.Equal(e.ModTime) {
		return c.State
	}
	return nil
}

func (b *Budget) validate(x *expected) error {
	switch {
	case b.BytesPerSecond < 0 || b.Duration < 0 || b.Sample < 0 || b.MaxFindings < 0:
		return invalid("budget: negative")
	case b.Resume == nil:
		return nil
	case b.Resume.Cursor == nil:
		return invalid("budget: the report to resume is of a verification that was finished")
	case b.Resume.Manifest != x.report.Manifest:
		return invalid("budget: the report to resume is of manifest %s, not %s", b.Resume.Manifest, x.report.Manifest)
	case !b.Seed.IsZero() && b.Resume.Sample != nil && b.Resume.Sample.Seed != b.Seed,
		b.Sample != 0 && (b.Resume.Sample == nil || b.Resume.Sample.Size != min(b.Sample, x.counts.Files)):
		return invalid("budget: the report to resume is of another sample")
	}
	if s := b.Resume.Sample; s != nil && (s.Files != x.counts.Files || s.Size < 0 || s.Size > s.Files) {
		return invalid("budget: the report to resume is of a sample of %d of %d files", s.Size, s.Files)
	}
	return nil
}

// sample returns the sample to take, or nil for everything.
func (b *Budget) sample(x *expected) *Sample {
	if b.Resume != nil {
		return b.Resume.Sample
	}
	if b.Sample == 0 {
		return nil
	}
	seed := b.Seed
	if seed.IsZero() {
		rand.Read(seed[:])
	}
	return newSample(x.counts.Files, b.Sample, seed)
}

// pacer spreads reading evenly over time. It is shared by all who read.
type pacer struct {
	perSecond int64
	mu        sync.Mutex
	next      time.Time // when what was granted so far will have been due
}

// ahead returns how long the next read will wait.
func (p *pacer) ahead() time.Duration {
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(0, time.Until(p.next))
}

// wait blocks until n more bytes are due, or the context ends.
func (p *pacer) wait(ctx context.Context, n int) error {
	p.mu.Lock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	due := p.next
	p.next = p.next.Add(time.Duration((int64(n)*int64(time.Second) + p.perSecond - 1) / p.perSecond)) // n is 1 MiB at most
	p.mu.Unlock()
	if due.After(now) {
		t := time.NewTimer(due.Sub(now))
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}
