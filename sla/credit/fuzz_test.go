package credit_test

import (
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// Whatever is taken for an amount is one: a credit of all of it, in coins, is that, and it reads back as itself.
func FuzzAmount(f *testing.F) {
	for _, s := range []string{"1200.00 EUR", "0 JPY", "1.2345 KWD", "999999999999999999.999999999999 CLF", "1e3 EUR", "", "1.00 eur", "-1 USD"} {
		f.Add(s)
	}
	tab := credit.Table{ID: "t", Objective: "o", Bands: []credit.Band{{ratio.One(), ratio.One()}}, Rounding: credit.Down}
	f.Fuzz(func(t *testing.T, fee string) {
		if fee == "" {
			return
		}
		d, err := tab.Due("s", ratio.Range{}, ratio.Breach, fee, time.Time{})
		if err != nil {
			var fault *credit.Fault
			if !errors.As(err, &fault) || fault.Path != "fee" {
				t.Fatal(err)
			}
			return
		}
		number, unit, _ := strings.Cut(fee, " ")
		paid, of, _ := strings.Cut(d.Amount[0], " ")
		all, ok := new(big.Rat).SetString(number)
		got, ok2 := new(big.Rat).SetString(paid)
		if !ok || !ok2 || of != unit {
			t.Fatalf("%q gives %q", fee, d.Amount[0])
		}
		if off := new(big.Rat).Sub(all, got); off.Sign() < 0 || off.Cmp(big.NewRat(1, 1)) >= 0 {
			t.Fatalf("%q gives %q", fee, d.Amount[0])
		}
		again, err := tab.Due("s", ratio.Range{}, ratio.Breach, d.Amount[0], time.Time{})
		if err != nil || again.Amount != d.Amount {
			t.Fatalf("%q reads back as %q: %v", d.Amount[0], again.Amount[0], err)
		}
	})
}

func BenchmarkEachAdd(b *testing.B) {
	each := table().Each()
	figure := span("98%", "99.9%")
	b.ReportAllocs()
	for b.Loop() {
		if err := each.Add(figure, ratio.Breach); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDue(b *testing.B) {
	tab, figure := table(), span("98%", "99.9%")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tab.Due("s", figure, ratio.Breach, "1234.56 EUR", time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
}
