package backup

import (
	"context"
	"fmt"
	"io/fs"
	"iter"

	"github.com/cloudopsec/opsec/backup/digest"
	"github.com/cloudopsec/opsec/internal/filetree"
)

// SumFS yields the path and [Sums] of every regular file of a tree, by the byte order of the paths. Files are read
// on all cores, many small ones at once and a large one by all together. Links are not followed, other special files
// not opened. For a local tree use a [Dir]. A file or directory that cannot be read is yielded with its error, and the
// iteration goes on; after the context's error it ends. As with b3sum, a digest is that of the bytes that were read: to
// learn whether a file changed meanwhile, [Build] a manifest.
func SumFS(ctx context.Context, fsys fs.FS, opts *SumOptions) iter.Seq2[FileSums, error] {
	if opts == nil {
		opts = new(SumOptions)
	}
	return func(yield func(FileSums, error) bool) {
		top, err := openTree(fsys)
		if err != nil {
			yield(FileSums{}, err)
			return
		}
		defer top.Release()
		produce := func(yield func(reading) bool) {
			filetree.Walk(top, "", func(n filetree.Node) bool {
				if n.Err == nil && !n.Type.IsRegular() {
					n.In.Release()
					return true
				}
				return yield(reading{Node: n, want: true})
			})
		}
		stopped := false
		err = pipeline(ctx, opts.Workers, produce, readings(reader{sha: opts.SHA256, careless: true}), func(t *reading) error {
			defer t.In.Release()
			if t.err == errLarge {
				t.entry, _, t.err = large(ctx, t.Node, digest.Scan{SHA256: opts.SHA256, Workers: opts.Workers})
			}
			found, err := FileSums{Path: t.Path}, t.err
			if err == nil {
				found.Sums = t.entry.Sums
			} else if err = fmt.Errorf("backup: %s: %w", Quote(t.Path), err); ctx.Err() != nil {
				return ctx.Err()
			}
			if !yield(found, err) {
				stopped = true
				return digest.ErrPaused
			}
			return nil
		}, (*reading).drop)
		if err != nil && !stopped {
			yield(FileSums{}, err)
		}
	}
}

// FileSums are the digests of one file of a tree.
type FileSums struct {
	Path string // relative and slash-separated, of arbitrary bytes: print it through [Quote]
	Sums
}

// reading is a place to read, and then what was read there.
type reading struct {
	filetree.Node
	want  bool // read the content too
	entry *Entry
	err   error
}

func (t *reading) drop() { t.In.Release() }

// readings returns the work of a pipeline that reads, each worker with a copy of like.
func readings(like reader) func() func(context.Context, *reading) {
	return func() func(context.Context, *reading) {
		r := like
		return func(ctx context.Context, t *reading) {
			if t.err = ctx.Err(); t.err == nil {
				t.entry, t.err = r.entry(ctx, t.Node, t.want)
			}
		}
	}
}
