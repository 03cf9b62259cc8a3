package credit

import (
	"math/big"
	"slices"

	"github.com/cockroachdb/apd/v3"

	"github.com/cloudopsec/opsec/sla/ratio"
)

// Total is what is due of a service in a period, all tables together.
type Total struct {
	Service string      `json:"service"`
	Credit  ratio.Range `json:"credit"`          // of the fee; where 64 bits do not hold the sum, rounded outward to 18 decimals
	Amount  [2]string   `json:"amount,omitzero"` // of money, likewise; empty where no fee is given
}

// Cap adds up what is due in a period, for each service in the order in which they come. Of a group only the greatest credit
// counts, under the greatest cap of the group. Tables with a lower cap come first, and each gives until all that was given reaches its cap: what the tables with
// caps up to any one give together is not more than that. Amounts are added as they are, each rounded already, and caps of
// money are rounded down. More of any credit never makes a total less, so the bounds are bounds of the total.
//
// The error is a [*Fault]: a service has one fee, and what was read from elsewhere must make sense.
func Cap(dues []Due) ([]Total, error) {
	var services []string
	of := map[string][]Due{}
	for _, d := range dues {
		if of[d.Service] == nil {
			services = append(services, d.Service)
		}
		of[d.Service] = append(of[d.Service], d)
	}
	totals := make([]Total, len(services))
	for i, s := range services {
		var err error
		if totals[i], err = total(of[s]); err != nil {
			return nil, err
		}
	}
	return totals, nil
}

// claim is what a group of tables gives at one end, or a table that is in none.
type claim struct {
	cap    ratio.Ratio
	credit [2]ratio.Ratio
	amount [2]*money
}

// total caps the dues of one service.
func total(dues []Due) (Total, error) {
	t := Total{Service: dues[0].Service}
	var fee *money
	if dues[0].Fee != "" {
		var err error
		if fee, err = parse("fee", dues[0].Fee); err != nil {
			return t, err
		}
	}
	var claims []*claim
	groups := map[string]*claim{}
	for _, d := range dues {
		if d.Fee != dues[0].Fee {
			return t, fault("fee", "%.40q and %.40q for one service, %.100q", dues[0].Fee, d.Fee, d.Service)
		}
		c, err := read(d, fee)
		if err != nil {
			return t, err
		}
		if into := groups[d.Group]; d.Group != "" && into != nil {
			into.join(c)
			continue
		}
		groups[d.Group] = c
		claims = append(claims, c)
	}
	slices.SortStableFunc(claims, func(a, b *claim) int { return a.cap.Cmp(b.cap) })
	for end, credit := range []*ratio.Ratio{&t.Credit.Low, &t.Credit.High} {
		sum := new(big.Rat)
		for _, c := range claims {
			sum.Add(sum, c.credit[end].Rat())
			if most := c.cap.Rat(); sum.Cmp(most) > 0 {
				sum = most
			}
		}
		*credit = outward(sum, end == 1)
		if fee == nil {
			continue
		}
		paid := fee.share(ratio.Ratio{}, Down)
		for _, c := range claims {
			if _, err := exact.Add(&paid.number, &paid.number, &c.amount[end].number); err != nil {
				return t, fault("amount", "%v", err)
			}
			if most := fee.share(c.cap, Down); paid.number.Cmp(&most.number) > 0 {
				paid = most
			}
		}
		t.Amount[end] = paid.String()
	}
	return t, nil
}

// exact adds without rounding, or fails.
var exact = apd.Context{Precision: 100, MaxExponent: apd.MaxExponent, MinExponent: apd.MinExponent, Traps: apd.DefaultTraps | apd.Inexact}

// read takes what counts out of a credit, whose fee is nil where none is given.
func read(d Due, fee *money) (*claim, error) {
	c := &claim{cap: capOf(d.Cap), credit: [2]ratio.Ratio{d.Credit.Low, d.Credit.High}}
	if d.Credit.Low.Cmp(d.Credit.High) > 0 {
		return nil, fault("credit", "%s to %s: the low end is above the high one", d.Credit.Low, d.Credit.High)
	}
	if fee == nil {
		if d.Amount != [2]string{} {
			return nil, fault("amount", "%.40q, and no fee is given", d.Amount)
		}
		return c, nil
	}
	for end, s := range d.Amount {
		var err error
		if c.amount[end], err = parse("amount", s); err != nil {
			return nil, err
		}
		if c.amount[end].unit != fee.unit {
			return nil, fault("amount", "%s, and the fee is in %s", c.amount[end], fee.unit)
		}
	}
	if c.amount[0].number.Cmp(&c.amount[1].number) > 0 {
		return nil, fault("amount", "%s to %s: the low end is above the high one", d.Amount[0], d.Amount[1])
	}
	return c, nil
}

// join makes a claim the greater of two, under the greater cap.
func (c *claim) join(o *claim) {
	c.cap = slices.MaxFunc([]ratio.Ratio{c.cap, o.cap}, ratio.Ratio.Cmp)
	for end := range c.credit {
		c.credit[end] = slices.MaxFunc([]ratio.Ratio{c.credit[end], o.credit[end]}, ratio.Ratio.Cmp)
		if c.amount[end] != nil && c.amount[end].number.Cmp(&o.amount[end].number) < 0 {
			c.amount[end] = o.amount[end]
		}
	}
}

// outward returns r, at most 1, or what 18 decimals hold of it.
func outward(r *big.Rat, up bool) ratio.Ratio {
	num, den := r.Num(), r.Denom()
	if !num.IsUint64() || !den.IsUint64() {
		scale := big.NewInt(1e18)
		n, rest := new(big.Int).QuoRem(new(big.Int).Mul(num, scale), den, new(big.Int))
		if up && rest.Sign() > 0 {
			n.Add(n, big.NewInt(1))
		}
		num, den = n, scale
	}
	out, _ := ratio.New(num.Uint64(), den.Uint64())
	return out
}
