package credit

import (
	"math/big"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/sla/ratio"
)

// Each adds up the credits of resources that are judged one by one, as virtual machines are, each of which has the same part
// of the fee. Its size does not grow with their number.
type Each struct {
	table   Table
	in      [2][]uint64 // at the low and the high end, how many are in each band
	all     uint64
	verdict ratio.Verdict
}

// Each returns a sum of none.
func (t Table) Each() *Each {
	t.Bands = slices.Clone(t.Bands) // the caller may go on changing its own
	return &Each{table: t, in: [2][]uint64{make([]uint64, len(t.Bands)), make([]uint64, len(t.Bands))}, verdict: ratio.Met}
}

// Add adds a resource, by its figure and its verdict, as [Table.Due] takes them. After an error, which is a [*Fault], it is
// as it was.
func (e *Each) Add(figure ratio.Range, verdict ratio.Verdict) error {
	if err := judged(figure, verdict); err != nil {
		return err
	}
	e.all++
	for end, f := range []ratio.Ratio{figure.High, figure.Low} {
		owes := verdict == ratio.Breach || verdict == ratio.Undecided && end == 1
		if band := e.table.band(f); owes && band >= 0 {
			e.in[end][band]++
		}
	}
	if verdict == ratio.Breach || e.verdict == ratio.Met {
		e.verdict = verdict
	}
	return nil
}

// Due returns what is owed for a service, as [Table.Due] does: the mean of the credits, and the worst of the verdicts. Of no
// resource at all nothing is known, so anything may be due.
func (e *Each) Due(service, fee string, periodEnd time.Time) (Due, error) {
	if e.all == 0 {
		return e.table.Due(service, ratio.Range{High: ratio.One()}, ratio.Undecided, fee, periodEnd)
	}
	return e.table.due(service, ratio.Range{Low: e.mean(0), High: e.mean(1)}, e.verdict, fee, periodEnd)
}

func (e *Each) mean(end int) ratio.Ratio {
	sum := new(big.Rat)
	for i, n := range e.in[end] {
		times := new(big.Rat).SetInt(new(big.Int).SetUint64(n))
		sum.Add(sum, times.Mul(times, least(e.table.Bands[i].Credit, e.table.cap()).Rat()))
	}
	all := new(big.Rat).SetInt(new(big.Int).SetUint64(e.all))
	return outward(sum.Quo(sum, all), end == 1)
}
