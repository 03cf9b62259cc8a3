package extsort

import (
	"bytes"
	"container/heap"
	"iter"
)

// merge yields the records of sorted sources in order; of equal keys, those of the first source come first.
func merge(sources []iter.Seq2[Record, error]) iter.Seq2[Record, error] {
	if len(sources) == 1 {
		return sources[0]
	}
	return func(yield func(Record, error) bool) {
		var open heads
		defer func() {
			for _, h := range open {
				h.stop()
			}
		}()
		for i, source := range sources {
			next, stop := iter.Pull2(source)
			r, err, more := next()
			if !more || err != nil {
				stop()
				if err != nil {
					yield(Record{}, err)
					return
				}
				continue
			}
			open = append(open, &head{r, i, next, stop})
		}
		heap.Init(&open)
		for len(open) > 0 {
			first := open[0]
			if !yield(first.record, nil) {
				return
			}
			r, err, more := first.next()
			switch {
			case err != nil:
				yield(Record{}, err)
				return
			case !more:
				first.stop()
				heap.Pop(&open)
			default:
				first.record = r
				heap.Fix(&open, 0)
			}
		}
	}
}

// head is the next record of a source.
type head struct {
	record Record
	source int
	next   func() (Record, error, bool)
	stop   func()
}

type heads []*head

func (h heads) Len() int { return len(h) }
func (h heads) Less(i, j int) bool {
	c := bytes.Compare(h[i].record.Key, h[j].record.Key)
	return c < 0 || c == 0 && h[i].source < h[j].source
}
func (h heads) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements [heap.Interface]; nothing calls it.
func (h *heads) Push(x any) { *h = append(*h, x.(*head)) }

// Pop implements [heap.Interface].
func (h *heads) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
