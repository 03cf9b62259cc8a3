package treemirror

import (
	"iter"

	"github.com/cloudopsec/opsec/backup"
)

// By says which site has changed a place.
type By string

// The sites after a failover.
const (
	Former  By = "former"  // the former primary alone: it is lost when the site becomes a copy of the present one
	Present By = "present" // the present primary alone
	Both    By = "both"    // each in another way: somebody has to choose
)

// Change is a place that was written to, made or removed since the last generation that both sites had.
type Change struct {
	Path string `json:"path"`
	By   By     `json:"by"`
}

// Diverge says what each of two sites alone has written, by the order of paths: what to look at, and to save, before a
// former primary is made a copy of the present one. Base is the manifest of the last generation that was complete when
// the failover came, under [ManifestName] at the present primary's site; nil is an empty tree. The others are made of both
// trees as they are, by [backup.Build]. What both sites have changed alike is no Change, and neither is a time. An error
// is the last that comes. Memory does not grow with the trees.
func Diverge(base, former, present *backup.Manifest) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		var sites [3]cursor
		for i, m := range []*backup.Manifest{base, former, present} {
			if m == nil {
				continue
			}
			next, stop := iter.Pull2(m.Entries())
			defer stop()
			sites[i].next = next
			sites[i].advance()
		}
		for {
			path, more := "", false
			for i := range sites {
				if sites[i].err != nil {
					yield(Change{}, sites[i].err)
					return
				}
				if e := sites[i].e; e != nil && (!more || e.Path < path) {
					path, more = e.Path, true
				}
			}
			if !more {
				return
			}
			var at [3]*backup.Entry
			for i := range sites {
				if e := sites[i].e; e != nil && e.Path == path {
					at[i] = e
					sites[i].advance()
				}
			}
			c := Change{Path: path, By: Both}
			switch {
			case alike(at[1], at[2]):
				continue
			case alike(at[0], at[2]):
				c.By = Former
			case alike(at[0], at[1]):
				c.By = Present
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// cursor is how far a manifest was read.
type cursor struct {
	next func() (*backup.Entry, error, bool)
	e    *backup.Entry // nil: no more
	err  error
}

func (c *cursor) advance() {
	e, err, more := c.next()
	if c.e, c.err = e, err; !more || err != nil {
		c.e = nil
	}
}

// alike compares all but times and holes.
func alike(a, b *backup.Entry) bool {
	if a == nil || b == nil {
		return a == b
	}
	kind := func(e *backup.Entry) backup.Kind {
		if e.Kind == backup.Sparse {
			return backup.File
		}
		return e.Kind
	}
	return kind(a) == kind(b) && a.Mode == b.Mode && a.Target == b.Target && a.Sums.Size == b.Sums.Size && a.Sums.BLAKE3 == b.Sums.BLAKE3
}
