package dataaccess_test

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts/dataaccess"
)

// months yields ordinary accesses: 20 a day and operator, on 60 days, to 3 customers.
func months(operators int) iter.Seq2[dataaccess.Access, error] {
	return func(yield func(dataaccess.Access, error) bool) {
		customers := []opsec.TenantID{"acme", "globex", "initech"}
		tickets := []string{"T-acme", "T-globex", "T-initech"}
		for o := range operators {
			who := operator(fmt.Sprintf("p%06d", o))
			for d := range 60 {
				for i := range 20 {
					a := dataaccess.Access{
						Time:     monday.Add(time.Duration(d)*day + time.Duration(i)*time.Minute),
						Operator: who, Customer: customers[i%3], Resource: "volume/v1", Ticket: tickets[i%3],
						Records: uint64(10 + i + d%7), Bytes: 1 << 12, Ref: "log/1",
					}
					if !yield(a, nil) {
						return
					}
				}
			}
		}
	}
}

func BenchmarkExamine(b *testing.B) {
	const operators = 200
	norms, err := policy().Norms(months(20))
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		for f, err := range policy().Examine(context.Background(), dataaccess.Sources{
			Accesses: months(operators), Directory: &records{}, Norms: norms,
		}) {
			if err != nil || f.Kind != dataaccess.OffHours {
				b.Fatal(f, err)
			}
		}
	}
	b.ReportMetric(float64(operators*1200*b.N)/b.Elapsed().Seconds(), "accesses/s")
}

// What is held while more operators pass by is the same.
func TestMemoryDoesNotGrowWithOperators(t *testing.T) {
	peak := func(operators int) (most uint64) {
		rows := 0
		for range policy().Examine(context.Background(), dataaccess.Sources{Directory: &records{}, Accesses: func(yield func(dataaccess.Access, error) bool) {
			for a, err := range months(operators) {
				if rows++; rows%(operators*300) == 0 {
					var m runtime.MemStats
					runtime.GC()
					runtime.ReadMemStats(&m)
					most = max(most, m.HeapAlloc)
				}
				if !yield(a, err) {
					return
				}
			}
		}}) {
			continue
		}
		return most
	}
	peak(5)
	few, many := peak(10), peak(200)
	require.Less(t, many, few+1<<20)
}
