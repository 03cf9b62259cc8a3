package dataaccess

import (
	"encoding/json"
	"fmt"
	"iter"

	"github.com/cloudopsec/opsec/internal/extsort"
	"github.com/cloudopsec/opsec/store/tuple"
)

// SortOptions is how much memory sorting takes, and where the rest goes. The zero value will do.
type SortOptions struct {
	Dir    string // of the temporary files, which are sealed under a key of the process; default os.TempDir()
	Memory int64  // bytes of rows, about; default 64 MiB
}

// Sorted are accesses in the order in which they are examined. Close removes the temporary files.
type Sorted struct{ sorter *extsort.Sorter }

// Sort reads accesses in any order, such as that of a log. The error wraps opsec.ErrInvalid for a row that is not
// valid; others come from the accesses or from temporary files. Close what is returned.
func Sort(accesses iter.Seq2[Access, error], o SortOptions) (*Sorted, error) {
	s := &Sorted{extsort.New(extsort.Options{Dir: o.Dir, Memory: o.Memory})}
	row := 0
	for a, err := range accesses {
		row++
		if err == nil {
			err = a.Validate()
		}
		if err == nil {
			err = s.add(&a)
		}
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("dataaccess: row %d: %w", row, err)
		}
	}
	return s, nil
}

func (s *Sorted) add(a *Access) error {
	value, err := json.Marshal(a)
	if err != nil {
		return err
	}
	account := a.Operator.Account
	if a.Operator.Person != "" {
		account = "" // one operator: see Operator.Compare
	}
	key := tuple.Text(string(a.Operator.Tenant)).Text(a.Operator.Person).Text(account).Time(a.Time)
	return s.sorter.Add([]byte(key.Encode()), value)
}

// Accesses yields the accesses in order, as often as it is asked; those of one moment as they came.
func (s *Sorted) Accesses() iter.Seq2[Access, error] {
	return func(yield func(Access, error) bool) {
		for r, err := range s.sorter.Sorted() {
			var a Access
			if err == nil {
				err = json.Unmarshal(r.Value, &a)
			}
			if err != nil {
				yield(Access{}, fmt.Errorf("dataaccess: sorted: %w", err))
				return
			}
			if !yield(a, nil) {
				return
			}
		}
	}
}

// Close removes the temporary files.
func (s *Sorted) Close() error { return s.sorter.Close() }
