package store

import (
	"context"
	"iter"
)

// Scan yields the items of a range as a driver has them, page by page. Limit is the size of the first page; 0 begins with
// a small one, for the many ranges that hold little.
func Scan(ctx context.Context, d Driver, r Range) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		if r.Limit <= 0 {
			r.Limit = 100
		}
		r.Limit = min(r.Limit, MaxPage)
		for {
			page, err := d.List(ctx, r)
			if err != nil {
				yield(Item{}, err)
				return
			}
			size := 0
			for _, item := range page {
				size += len(item.Value)
				if !yield(item, nil) {
					return
				}
			}
			if len(page) < r.Limit && (r.KeysOnly || size < MaxPageBytes) {
				return
			}
			r = r.behind(page[len(page)-1].Key)
			r.Limit = MaxPage
		}
	}
}

// behind is what is left of r after key.
func (r Range) behind(key string) Range {
	if r.Reverse {
		r.End = key
	} else {
		r.Start = key + "\x00"
	}
	return r
}

// scan yields the payloads of a range as this transaction sees it, its own writes and those of its group included. What
// the loop itself adds to the range is not seen; what it changes or deletes ahead is.
func (tx *Tx) scan(r Range) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		if err := tx.usable(false); err != nil {
			yield(Item{}, err)
			return
		}
		own := tx.draft.Within(r.Start, r.End, r.Reverse)
		tx.passes += 2 // it may take several pages
		for item, err := range Scan(tx.ctx, tx.db.driver, r) {
			if err != nil {
				yield(Item{}, err)
				return
			}
			for len(own) > 0 && own[0] != item.Key && (own[0] < item.Key) != r.Reverse {
				if !tx.yieldOwn(own[0], yield) {
					return
				}
				own = own[1:]
			}
			if len(own) > 0 && own[0] == item.Key {
				own = own[1:]
			}
			if _, mine := tx.draft.Written(item.Key); mine {
				if !tx.yieldOwn(item.Key, yield) {
					return
				}
				continue
			}
			if !r.KeysOnly {
				item, err = tx.opened(item)
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
		for _, key := range own {
			if !tx.yieldOwn(key, yield) {
				return
			}
		}
	}
}

func (tx *Tx) yieldOwn(key string, yield func(Item, error) bool) bool {
	w, ok := tx.draft.Written(key)
	return !ok || w.Delete || yield(Item{Key: key, Value: w.Payload, Rev: pending}, nil)
}
