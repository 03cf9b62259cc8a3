package backup

import (
	"context"
	"errors"
	"iter"

	"github.com/cloudopsec/opsec/backup/digest"
)

const maxRanges = 1000 // of one file in a report; what lies after them is one range more

var errEnough = errors.New("enough ranges")

// damage finds the ranges of a changed file whose 64 KiB groups are not those of the manifest. Both sides stream.
func (v *verification) damage(ctx context.Context, c *check) ([]Range, error) {
	want, got := c.expected.Sums.Size, c.entry.Sums.Size
	if got <= digest.GroupSize {
		return []Range{{0, max(want, got)}}, nil
	}
	var ranges []Range
	add := func(first, end int64) {
		if n := len(ranges); n > 0 && ranges[n-1].End >= first {
			ranges[n-1].End = max(end, ranges[n-1].End)
			return
		}
		ranges = append(ranges, Range{first, end})
	}
	next, stop := iter.Pull2(v.x.groups(c.expected))
	defer stop()
	compare := func(first int64, cvs []Digest) error {
		for i, cv := range cvs {
			expected, err, more := next()
			if err != nil {
				return err
			}
			if !more { // the file has grown
				return errEnough
			}
			if offset := (first + int64(i)) * digest.GroupSize; cv != expected {
				add(offset, min(offset+digest.GroupSize, max(want, got)))
			}
			if len(ranges) > maxRanges {
				return errEnough
			}
		}
		return nil
	}
	_, _, err := large(ctx, c.Node, digest.Scan{Workers: v.b.Workers, Pace: v.pace, Groups: compare})
	if len(ranges) > maxRanges {
		ranges[maxRanges].End = max(want, got)
	}
	if want != got {
		add(min(want, got), max(want, got))
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return ranges, err
}
