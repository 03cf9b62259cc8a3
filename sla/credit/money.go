package credit

import (
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/cloudopsec/opsec/sla/ratio"
)

// Rounding says how an amount is rounded to the smallest coin of its currency.
type Rounding string

// The ways of rounding.
const (
	HalfUp   Rounding = "half-up" // half a coin or more is one: the zero value
	HalfEven Rounding = "half-even"
	Up       Rounding = "up"
	Down     Rounding = "down"
)

// rounder returns the rule of package apd, or "" if there is none.
func (r Rounding) rounder() apd.Rounder {
	switch r {
	case "", HalfUp:
		return apd.RoundHalfUp
	case HalfEven:
		return apd.RoundHalfEven
	case Up:
		return apd.RoundUp
	case Down:
		return apd.RoundDown
	}
	return ""
}

// money is an amount, exactly.
type money struct {
	number apd.Decimal
	unit   string // ISO 4217
}

// How many digits an amount may have.
const (
	maxWhole = 18
	maxPart  = 12 // a fee by usage may be finer than coins are
)

// parse reads an amount such as "1200.00 EUR".
func parse(path, s string) (*money, error) {
	number, unit, _ := strings.Cut(s, " ")
	whole, part, dot := strings.Cut(number, ".")
	if len(unit) != 3 || strings.Trim(unit, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" ||
		whole == "" || len(whole) > maxWhole || strings.Trim(whole, digits) != "" || len(whole) > 1 && whole[0] == '0' ||
		dot && part == "" || len(part) > maxPart || strings.Trim(part, digits) != "" {
		return nil, fault(path, `%.40q: want such as "1200.00 EUR", of up to %d digits and %d decimals`, s, maxWhole, maxPart)
	}
	m := &money{unit: unit}
	if _, _, err := m.number.SetString(number); err != nil {
		return nil, fault(path, "%v", err)
	}
	return m, nil
}

const digits = "0123456789"

func (m *money) String() string { return m.number.Text('f') + " " + m.unit }

// share returns a part of an amount, rounded once.
func (m *money) share(r ratio.Ratio, rule Rounding) *money {
	coins := minor(m.unit)
	var num, den, rest apd.BigInt
	num.Mul(num.SetUint64(r.Num()), &m.number.Coeff)
	num.Mul(&num, ten(coins))
	den.Mul(den.SetUint64(r.Den()), ten(-m.number.Exponent))
	num.QuoRem(&num, &den, &rest)
	if rest.Sign() > 0 && rule.rounder().ShouldAddOne(&num, false, rest.Lsh(&rest, 1).Cmp(&den)) {
		num.Add(&num, apd.NewBigInt(1))
	}
	return &money{*apd.NewWithBigInt(&num, -coins), m.unit}
}

// ten returns a power of it.
func ten(n int32) *apd.BigInt {
	return new(apd.BigInt).Exp(apd.NewBigInt(10), apd.NewBigInt(int64(n)), nil)
}

// minor returns how many decimals the coins of a currency have, by ISO 4217.
func minor(unit string) int32 {
	switch unit {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	case "CLF", "UYW":
		return 4
	}
	return 2
}
