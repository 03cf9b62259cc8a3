package tally

import (
	"fmt"
	"iter"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
	"github.com/cloudopsec/opsec/internal/extsort"
	"github.com/cloudopsec/opsec/store/tuple"
)

// Row is what can be sorted.
type Row interface {
	accounts.Account | accounts.Entitlement | accounts.Use | accounts.SignIn | accounts.Person | accounts.Holding
}

// Options is wiring; the zero value will do.
type Options struct {
	// Dir is where temporary files go, if any are needed. Default: [os.TempDir].
	Dir string
	// Memory is how many bytes of rows are held, about, for each sequence. Default: 64 MiB.
	Memory int64
	// Map says which account an event of a log is about, and which permission it used or was refused; false leaves the
	// event out. Default: [Usual].
	Map func(*opsec.Event) (key accounts.Key, permission string, ok bool)
}

func (o Options) sorter() *extsort.Sorter {
	return extsort.New(extsort.Options{Dir: o.Dir, Memory: o.Memory})
}

// Sorted is a sequence in its order.
type Sorted[T Row] struct{ s *extsort.Sorter }

// Sort reads all rows and puts them into the order that an audit reads them in. Rows that may not be there twice are found
// by the audit. An error is one of rows, or of temporary files, such as a full disk. Close what is returned.
func Sort[T Row](rows iter.Seq2[T, error], o Options) (*Sorted[T], error) {
	s := &Sorted[T]{o.sorter()}
	var w writer
	for row, err := range rows {
		if err == nil {
			w = w[:0]
			write(&w, &row)
			err = s.s.Add([]byte(order(&row).Encode()), w)
		}
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("tally: %w", err)
		}
	}
	return s, nil
}

// Holdings returns the accounts as their people hold them, sorted for [accounts.Sources]. The accounts may be in any order.
func Holdings(rows iter.Seq2[accounts.Account, error], o Options) (*Sorted[accounts.Holding], error) {
	return Sort(func(yield func(accounts.Holding, error) bool) {
		for a, err := range rows {
			if h, ok := a.Holding(); (ok || err != nil) && !yield(h, err) {
				return
			}
		}
	}, o)
}

// Rows yields the rows in order, as often as it is asked.
func (s *Sorted[T]) Rows() iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for r, err := range s.s.Sorted() {
			if err != nil {
				var zero T
				yield(zero, fmt.Errorf("tally: %w", err))
				return
			}
			if !yield(parse[T](r.Value), nil) {
				return
			}
		}
	}
}

// Close removes the temporary files.
func (s *Sorted[T]) Close() error { return s.s.Close() }

// order is the key by which a row is sorted.
func order[T Row](row *T) tuple.Key {
	switch v := any(row).(type) {
	case *accounts.Account:
		return account(&v.Key)
	case *accounts.Entitlement:
		return account(&v.Key).Text(v.Permission)
	case *accounts.Use:
		return account(&v.Key).Text(v.Permission)
	case *accounts.SignIn:
		return account(&v.Key).Time(v.Time)
	case *accounts.Person:
		return tuple.Text(string(v.Tenant)).Text(v.ID)
	case *accounts.Holding:
		return tuple.Text(string(v.Tenant)).Text(v.Person).Text(v.Main).Text(v.Sub)
	}
	return tuple.Key{}
}

func account(k *accounts.Key) tuple.Key {
	return tuple.Text(string(k.Tenant)).Text(k.Main).Text(k.Sub)
}
