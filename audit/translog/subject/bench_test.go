package subject_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/subject"
)

// BenchmarkSubject is what every event pays twice.
func BenchmarkSubject(b *testing.B) {
	f := subject.Memory()
	defer f.Close()
	for i := range 10_000 {
		get(b, f, account(fmt.Sprint("account-", i)))
	}
	s := account("account-5000")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := f.Subject(context.Background(), s); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens a file of a million subjects, or 10,000 with -short.
func BenchmarkOpen(b *testing.B) {
	n := 1_000_000
	if testing.Short() {
		n = 10_000
	}
	path := filepath.Join(b.TempDir(), "keys")
	f, err := subject.OpenFile(path, newMaster(1), lookup, nil)
	require.NoError(b, err)
	var wg sync.WaitGroup
	const writers = 2000
	for w := range writers {
		wg.Go(func() {
			for i := w; i < n; i += writers {
				_, _, err := f.Subject(context.Background(), entry.Subject{Tenant: "acme", Account: fmt.Sprint(i), Person: fmt.Sprint(i / 3)})
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(b, f.Close())
	for b.Loop() {
		f, err := subject.OpenFile(path, newMaster(1), lookup, nil)
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/subject")
}
