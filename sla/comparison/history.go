package comparison

import (
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// History is what happened to services, by their ids: evidence of each resource. What was excluded is part of it.
type History struct {
	From, To time.Time
	Services map[string][]metric.Input
}

// Owed is the credit for a service in a period, all its tables together.
type Owed struct {
	Service string        `json:"service"`
	Period  timeline.Span `json:"period"`
	Credit  ratio.Range   `json:"credit"` // of the fee of the period: low if what is unknown was good
}

// The bounds of how many periods of an objective a history may have, and of all tables together.
const (
	maxPeriods = 10_000
	maxJudged  = 100_000
)

// Owed returns what an agreement owes for a history, by service and period: of each objective's windows those that lie in
// the history as a whole, rolling ones one after the other from its begin. Amounts of money, and minimums of them, are not
// looked at. Services without tables of credits, or without evidence in the history, are left out.
func (h History) Owed(a *sla.Agreement) ([]Owed, error) {
	return h.owed(tables(stated(a)))
}

func (h History) owed(tables []table) (out []Owed, err error) {
	type key struct {
		service string
		period  timeline.Span
	}
	var order []key
	dues, judged := map[key][]credit.Due{}, 0
	for _, t := range tables {
		resources := h.Services[t.service]
		if len(resources) == 0 {
			continue
		}
		periods, err := h.periods(t.objective.Window)
		if err != nil {
			return nil, err
		}
		if judged += len(periods); judged > maxJudged {
			return nil, invalid(fmt.Sprintf("its tables have more than %d periods of a window in all", maxJudged))
		}
		for _, p := range periods {
			due, err := t.due(resources, p)
			if err != nil {
				return nil, fmt.Errorf("comparison: credits %q: %w", t.ID, err)
			}
			k := key{t.service, p}
			if dues[k] == nil {
				order = append(order, k)
			}
			dues[k] = append(dues[k], due)
		}
	}
	for _, k := range order {
		total, err := credit.Cap(dues[k])
		if err != nil {
			return nil, fmt.Errorf("comparison: credits of %q: %w", k.service, err)
		}
		out = append(out, Owed{k.service, k.period, total[0].Credit})
	}
	return out, nil
}

// due returns what a table owes for resources in a period: together, or the mean of what each is owed where instances are
// judged alone.
func (t *table) due(resources []metric.Input, p timeline.Span) (credit.Due, error) {
	end := time.UnixMilli(p.End).UTC()
	if !t.alone() {
		_, f, err := t.objective.Judge(slices.Values(resources), p)
		if err != nil {
			return credit.Due{}, err
		}
		return t.Table.Due(t.service, f.Availability, f.Verdict, "", end)
	}
	each := t.Each()
	for _, in := range resources {
		_, f, err := t.objective.Judge(slices.Values([]metric.Input{in}), p)
		if err == nil {
			err = each.Add(f.Availability, f.Verdict)
		}
		if err != nil {
			return credit.Due{}, err
		}
	}
	return each.Due(t.service, "", end)
}

func invalid(why string) error {
	return fmt.Errorf("comparison: history: %s: %w", why, opsec.ErrInvalid)
}

// periods returns the windows that lie in the history.
func (h History) periods(w metric.Window) (out []timeline.Span, err error) {
	if !h.From.Before(h.To) {
		return nil, invalid("it ends before it begins")
	}
	for _, t := range []time.Time{h.From, h.To} {
		if y := t.UTC().Year(); y < 1 || y > 9998 {
			return nil, invalid("want the years 1 to 9998")
		}
	}
	at := h.From
	if w.Calendar == "" {
		at = at.Add(time.Duration(w.Rolling))
	}
	for !at.After(h.To) {
		_, p, err := w.At(at)
		if err != nil {
			return nil, fmt.Errorf("comparison: history: %w", err)
		}
		if p.End > h.To.UnixMilli() {
			return out, nil
		}
		if p.Start >= h.From.UnixMilli() {
			out = append(out, p)
		}
		if len(out) > maxPeriods {
			return nil, invalid(fmt.Sprintf("it has more than %d periods of a window", maxPeriods))
		}
		at = time.UnixMilli(p.End)
		if w.Calendar == "" {
			at = at.Add(time.Duration(w.Rolling))
		}
	}
	return out, nil
}

// Credits compares what two agreements owe for the same history, by service: b is stronger where it owes more. A and B of
// the differences are the mean shares of the fee; of a service for which both owe the same there is none. Where they hang on
// what is not known, and no table is stronger whatever it was, the verdict is [Incomparable]. Like [History.Owed] it looks at
// shares alone: not at minimums, rounding and how long a claim may be made.
func Credits(a, b *sla.Agreement, h History) (out []Difference, err error) {
	inA, inB := tables(stated(a)), tables(stated(b))
	var services []string
	for _, t := range slices.Concat(inA, inB) {
		if !slices.Contains(services, t.service) && len(h.Services[t.service]) > 0 {
			services = append(services, t.service)
		}
	}
	for _, s := range services {
		of := func(list []table) (out []table) {
			for _, t := range list {
				if t.service == s {
					share := *t.Table
					share.Minimum, share.Rounding, share.Claim, share.Months = "", "", 0, 0
					t.Table = &share
					out = append(out, t)
				}
			}
			return out
		}
		tablesA, tablesB := of(inA), of(inB)
		x, err := h.mean(tablesA)
		if err != nil {
			return nil, err
		}
		y, err := h.mean(tablesB)
		if err != nil {
			return nil, err
		}
		rel := Overall(credits(tablesA, tablesB)).relation() // whatever happened
		if y.low.Cmp(x.high) >= 0 {
			rel |= atLeast
		}
		if x.low.Cmp(y.high) >= 0 {
			rel |= atMost
		}
		if rel == same {
			continue
		}
		d := Difference{fmt.Sprintf("credits[service=%s]", s), "7.2.1", rel.verdict(), x.String(), y.String(), ""}
		switch rel {
		case atLeast:
			d.Reason = "more is owed for the same history"
		case atMost:
			d.Reason = "less is owed for the same history"
		default:
			d.Reason = "it hangs on what is not known of the history"
		}
		out = append(out, d)
	}
	return out, nil
}

// meanCredit is a share of the fee of all periods, between two bounds.
type meanCredit struct{ low, high *big.Rat }

func (m meanCredit) String() string {
	show := func(r *big.Rat) string { return new(big.Rat).Mul(r, big.NewRat(100, 1)).FloatString(3) + "%" }
	if m.low.Cmp(m.high) == 0 {
		return show(m.low)
	}
	return show(m.low) + " to " + show(m.high)
}

// mean returns what tables of a service owe on average of the time of the history. Windows of several lengths each are part
// of it by their length; so tables whose windows differ add up.
func (h History) mean(tables []table) (m meanCredit, err error) {
	owed, err := h.owed(tables)
	if err != nil {
		return m, err
	}
	m = meanCredit{new(big.Rat), new(big.Rat)}
	all := big.NewRat(h.To.UnixMilli()-h.From.UnixMilli(), 1)
	for _, o := range owed {
		part := new(big.Rat).Quo(big.NewRat(o.Period.End-o.Period.Start, 1), all)
		m.low.Add(m.low, new(big.Rat).Mul(part, o.Credit.Low.Rat()))
		m.high.Add(m.high, new(big.Rat).Mul(part, o.Credit.High.Rat()))
	}
	return m, nil
}
