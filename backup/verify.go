package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/backup/digest"
	"github.com/cloudopsec/opsec/backup/trust"
	"github.com/cloudopsec/opsec/internal/filetree"
)

// Verify compares a tree with a manifest and judges the manifest's signatures. It finds what has changed, is missing,
// is extra, cannot be read, changes while it is read, or differs in metadata alone; where the manifest has chunk
// lines, also which 64 KiB ranges of a changed file are bad. Findings are in the report and not an error; an error
// means that there is no report: the context ended, the budget or the trust policy is invalid, or the manifest changed
// since [OpenManifest].
//
// Both sides are read in the order of their paths, so memory stays bounded whatever their size. Every path opened
// comes from listing the tree, never from the manifest: no manifest can make Verify read outside.
func Verify(ctx context.Context, m *Manifest, believe trust.Verifier, tree fs.FS, b Budget) (*Report, error) {
	if b.Now == nil {
		b.Now = time.Now
	}
	judgement, err := believe.Judge(m.Claim(), b.Now())
	if err != nil {
		return nil, err
	}
	return verify(ctx, &expected{
		entries: m.Entries(), groups: m.groups, sha: m.Header.sha256(), counts: m.Header.Counts,
		report: Report{
			Manifest: m.ID(), Tenant: m.Header.Tenant, Source: m.Header.Source, Sequence: m.Header.Sequence,
			Judgement: *judgement,
		},
	}, tree, b)
}

// expected is what a tree should be.
type expected struct {
	entries iter.Seq2[*Entry, error]              // by path
	groups  func(*Entry) iter.Seq2[Digest, error] // the chaining values of an entry's groups
	sha     bool                                  // there are SHA-256 digests
	plain   bool                                  // there is nothing but digests of files
	counts  Counts
	report  Report // what is known before anything is read
}

func verify(ctx context.Context, x *expected, tree fs.FS, b Budget) (*Report, error) {
	if b.Now == nil {
		b.Now = time.Now
	}
	if err := b.validate(x); err != nil {
		return nil, err
	}
	start := b.Now()
	v, err := newVerification(x, &b, start)
	if err != nil {
		return nil, err
	}
	top, err := openTree(tree)
	if err != nil {
		return nil, err
	}
	defer top.Release()
	work := func() func(context.Context, *check) {
		r := &reader{sha: x.sha, pace: v.pace}
		return func(ctx context.Context, c *check) {
			switch {
			case c.In == nil || c.err != nil: // missing, or known to be unreadable
			case ctx.Err() != nil:
				c.err = ctx.Err()
			case !c.first && v.expired():
				c.err = digest.ErrPaused
			default:
				c.entry, c.err = r.entry(ctx, c.Node, c.want)
			}
		}
	}
	err = pipeline(ctx, b.Workers, v.pairs(top), work, func(c *check) error {
		defer c.drop()
		return v.settleOne(ctx, c)
	}, (*check).drop)
	switch {
	case err == nil:
		v.Cursor = nil
	case !errors.Is(err, digest.ErrPaused):
		return nil, err
	}
	v.Took += max(0, b.Now().Sub(start))
	v.settle()
	return &v.Report, nil
}

// check is one path to compare: what the manifest has there, and what the tree has.
type check struct {
	reading
	expected *Entry // nil: extra
	broken   error  // the manifest cannot be read any more
	first    bool   // of this session: it is done however little time there is, so that every session gets ahead
}

func (c *check) drop() {
	if c.In != nil {
		c.In.Release()
	}
}

// verification is the state of one verify. Its embedded report is written by the consuming goroutine alone.
type verification struct {
	Report
	x        *expected
	b        *Budget
	deadline time.Time
	pacer    *pacer
	pace     func(context.Context, int) error // the pacer's, or nil
	after    string                           // resume after this path
	lost     string                           // a directory, in quoted form, that an earlier session could not list
}

func newVerification(x *expected, b *Budget, start time.Time) (*verification, error) {
	v := &verification{x: x, b: b}
	if b.Resume != nil {
		v.Report = b.Resume.clone()
		v.Tenant, v.Source, v.Sequence, v.Judgement = x.report.Tenant, x.report.Source, x.report.Sequence, x.report.Judgement
		after, err := unquote(b.Resume.Cursor.After)
		if err != nil {
			return nil, err
		}
		v.after = after
	} else {
		v.Report = x.report
		v.Report = v.clone() // its lists are empty then, and not nil
		v.Started, v.Cursor, v.Sample = start.UTC(), new(Cursor), b.sample(x)
	}
	cursor := *v.Cursor
	v.Cursor, v.lost = &cursor, cursor.Lost
	v.StrictMetadata = b.StrictMetadata
	if b.Duration > 0 {
		v.deadline = start.Add(b.Duration)
	}
	if b.BytesPerSecond > 0 {
		v.pacer = &pacer{perSecond: b.BytesPerSecond}
		v.pace = v.pacer.wait
	}
	if b.MaxFindings == 0 {
		b.MaxFindings = 10_000
	}
	return v, nil
}

// expired reports whether the time is up, or will be when the pace lets the next read go.
func (v *verification) expired() bool {
	return !v.deadline.IsZero() && !v.b.Now().Add(v.pacer.ahead()).Before(v.deadline)
}

// pairs joins the manifest's entries and the tree's places, both of which come in the order of paths.
func (v *verification) pairs(top *filetree.Folder) iter.Seq[check] {
	return func(yield func(check) bool) {
		next, stop := iter.Pull2(v.x.entries)
		defer stop()
		var sample *draw
		if v.Sample != nil {
			sample = newDraw(v.Sample)
		}
		e, err, more := next()
		drawn := false
		see := func() { drawn = more && err == nil && e.content() && (sample == nil || sample.next()) }
		advance := func() { e, err, more = next(); see() }
		see()
		for more && err == nil && e.Path <= v.after {
			advance()
		}
		first := true
		give := func(c check) bool {
			c.first, first = first, false
			return yield(c)
		}
		lost := "\x00" // below this directory nothing could be listed
		absent := func() bool {
			c := check{expected: e}
			if strings.HasPrefix(e.Path, lost) {
				c.err = errUnlisted
			}
			advance()
			return give(c)
		}
		going := true
		filetree.Walk(top, v.after, func(n filetree.Node) bool {
			for going && more && err == nil && e.Path < n.Path {
				going = absent()
			}
			if !going || err != nil {
				n.In.Release()
				return false
			}
			matched := more && e.Path == n.Path
			if v.x.plain && !matched && n.Err == nil && !n.Type.IsRegular() {
				n.In.Release()
				return true
			}
			c := check{reading: reading{Node: n, err: n.Err}}
			if n.Err != nil {
				lost = n.Path + "/"
				if n.Path == "" {
					lost = ""
				}
				if orRoot(Quote(n.Path)) == v.lost {
					n.In.Release()
					return true
				}
			} else if matched {
				c.expected, c.want = e, drawn
				advance()
			}
			going = give(c)
			return going
		})
		for going && more && err == nil {
			going = absent()
		}
		if going && err != nil {
			give(check{broken: err})
		}
	}
}

var errUnlisted = errors.New("its directory could not be listed")

// settleOne puts one compared path into the report.
func (v *verification) settleOne(ctx context.Context, c *check) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case c.broken != nil:
		return c.broken
	case errors.Is(c.err, digest.ErrPaused):
		return digest.ErrPaused
	case c.err == errLarge:
		c.err = v.readLarge(ctx, c)
		if ctx.Err() != nil { // before the pause: who cancels gets no report
			return ctx.Err()
		}
		if errors.Is(c.err, digest.ErrPaused) {
			return digest.ErrPaused
		}
	}
	path := c.Path
	if c.expected != nil {
		path = c.expected.Path
		v.Entries++
	}
	shown := Quote(path)
	switch {
	case c.err == nil && c.In == nil, errors.Is(c.err, fs.ErrNotExist) && c.expected != nil:
		v.find(&v.Missing, &v.Totals.Missing, shown, "")
	case errors.Is(c.err, fs.ErrNotExist): // extra, and gone again
	case errors.Is(c.err, errChanging) || errors.Is(c.err, filetree.ErrReplaced):
		v.find(&v.Unstable, &v.Totals.Unstable, shown, c.err.Error())
	case c.err != nil:
		v.find(&v.Unreadable, &v.Totals.Unreadable, orRoot(shown), c.err.Error())
	case c.expected == nil:
		v.find(&v.Extra, &v.Totals.Extra, shown, "")
	default:
		v.compare(ctx, c, shown)
	}
	if c.Err == nil {
		v.Cursor = &Cursor{After: shown, Lost: v.Cursor.Lost}
	} else { // comes after what sorts between "d" and "d/": the cursor must not go back
		v.Cursor = &Cursor{After: v.Cursor.After, Lost: orRoot(shown)}
	}
	if v.b.Progress != nil {
		v.b.Progress(Progress{Path: shown, Files: v.Checked, Bytes: v.Bytes, AllFiles: v.x.counts.Files, AllBytes: v.x.counts.Bytes})
	}
	return ctx.Err()
}

func orRoot(shown string) string {
	if shown == "" {
		return "."
	}
	return shown
}

// readLarge reads a file above smallFile, perhaps from where an earlier session has stopped.
func (v *verification) readLarge(ctx context.Context, c *check) error {
	if c.expected == nil || !c.expected.content() || c.expected.otherSize(c.entry) {
		return nil // its size alone shows that it is another
	}
	s := digest.Scan{SHA256: v.x.sha, Workers: v.b.Workers, Pace: v.pace, Stop: v.expired, From: v.Cursor.File.continues(c.entry)}
	e, paused, err := large(ctx, c.Node, s)
	if errors.Is(err, digest.ErrPaused) {
		v.Cursor.File = &fileCursor{Path: Quote(c.Path), ModTime: c.entry.ModTime, Size: c.entry.Sums.Size, State: paused}
	}
	c.entry = e
	return err
}

// compare compares what both sides have.
func (v *verification) compare(ctx context.Context, c *check, shown string) {
	want, got := c.expected, c.entry
	what := difference(want, got, c.want)
	if want.content() && !got.Sums.BLAKE3.IsZero() {
		v.Checked++
		v.Bytes += got.Sums.Size
	}
	if what != "" {
		d := v.find(&v.Changed, &v.Totals.Changed, shown, what)
		if d != nil && want.content() && got.content() && want.groups > 0 {
			var err error
			if d.Ranges, err = v.damage(ctx, c); err != nil {
				d.What += fmt.Sprintf("; where, could not be found: %v", err)
			}
		}
		return
	}
	if v.x.plain {
		return
	}
	if what = metadataDifference(want, got, c.want); what != "" {
		v.find(&v.Metadata, &v.Totals.Metadata, shown, what)
	}
}

// find lists a finding; it returns its detail if there is room for one.
func (v *verification) find(list *[]string, total *int64, shown, what string) *Detail {
	*total++
	if len(*list) >= v.b.MaxFindings {
		return nil
	}
	*list = append(*list, shown)
	if what == "" {
		return nil
	}
	v.Details = append(v.Details, Detail{Path: shown, What: what})
	return &v.Details[len(v.Details)-1]
}

// difference says how the content differs, or "".
func difference(want, got *Entry, read bool) string {
	switch {
	case want.content() != got.content() || !want.content() && want.Kind != got.Kind || want.Kind == Special && want.Mode.Type() != got.Mode.Type():
		return fmt.Sprintf("was a %s, is a %s", want.noun(), got.noun())
	case want.Kind == Link && want.Target != got.Target:
		return fmt.Sprintf("led to %s, leads to %s", Quote(want.Target), Quote(got.Target))
	case !want.content():
		return ""
	case want.otherSize(got):
		return fmt.Sprintf("was %d bytes, is %d", want.Sums.Size, got.Sums.Size)
	case read && (otherDigest(want.Sums.BLAKE3, got.Sums.BLAKE3) || otherDigest(want.Sums.SHA256, got.Sums.SHA256)):
		return "content differs"
	}
	return ""
}

// otherSize reports whether two files differ in size, where both are known.
func (e *Entry) otherSize(got *Entry) bool { return e.Sums.Size >= 0 && e.Sums.Size != got.Sums.Size }

func otherDigest(want, got Digest) bool { return !want.IsZero() && want != got }

// metadataDifference says how all else differs, or "".
func metadataDifference(want, got *Entry, read bool) string {
	var all []string
	if want.Mode != got.Mode {
		all = append(all, fmt.Sprintf("mode was %s, is %s", appendMode(nil, want.Mode), appendMode(nil, got.Mode)))
	}
	if !want.ModTime.Equal(got.ModTime) {
		all = append(all, fmt.Sprintf("time was %s, is %s", want.ModTime.Format(time.RFC3339Nano), got.ModTime.Format(time.RFC3339Nano)))
	}
	if read && want.Kind != got.Kind {
		all = append(all, map[bool]string{true: "had holes, has none", false: "had no holes, has some"}[want.Kind == Sparse])
	}
	return strings.Join(all, "; ")
}

func (e *Entry) noun() string {
	switch e.Kind {
	case Directory:
		return "directory"
	case Link:
		return "link"
	case Special:
		return e.special()
	}
	return "file"
}
