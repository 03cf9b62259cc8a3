package credit

import (
	"time"

	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// Duration is a [time.Duration] that stands in JSON and YAML as a text such as "720h".
type Duration = strictjson.Duration

// Band is the credit for a figure that is less than Below and not in a lower band.
type Band struct {
	Below  ratio.Ratio `json:"below"`
	Credit ratio.Ratio `json:"credit"` // of the fee
}

// Table is what is owed for an objective. Figures exactly at the edge of a band are not in it.
type Table struct {
	ID        string      `json:"id"`
	Objective string      `json:"objective"`             // id
	Bands     []Band      `json:"bands"`                 // by Below, falling; credits rise
	Cap       ratio.Ratio `json:"cap,omitzero"`          // of the fee of the period, all tables together: see [Cap]; 0: the whole fee
	Group     string      `json:"group,omitempty"`       // of a service's tables with the same word only the greatest credit is due
	Minimum   string      `json:"minimum,omitempty"`     // amount that the credit must exceed to be due, such as "1.00 USD"
	Rounding  Rounding    `json:"rounding,omitempty"`    // to the smallest coin of the fee's currency; empty: half up
	Claim     Duration    `json:"claim,omitempty"`       // how long after the period's end a claim may be made; 0: none is needed
	Months    int         `json:"claimMonths,omitempty"` // instead: months of the calendar
	Source    string      `json:"source,omitempty"`      // of a published table: title, version or date
}

// Credit returns the share of the fee that is owed for a figure, 0 if there is none.
func (t Table) Credit(figure ratio.Ratio) ratio.Ratio {
	if i := t.band(figure); i >= 0 {
		return t.Bands[i].Credit
	}
	return ratio.Ratio{}
}

// band returns the band that a figure is in, by its number, or -1. Of a table that is not valid it is the one that gives most.
func (t Table) band(figure ratio.Ratio) int {
	at := -1
	for i, b := range t.Bands {
		if figure.Cmp(b.Below) < 0 && (at < 0 || b.Credit.Cmp(t.Bands[at].Credit) > 0) {
			at = i
		}
	}
	return at
}

// Due is a credit that is owed. It can be reckoned again from what it says: the amount is the credit of the fee,
// rounded as the table says.
type Due struct {
	Table     string        `json:"table"`
	Objective string        `json:"objective"`
	Service   string        `json:"service"`
	Credit    ratio.Range   `json:"credit"`           // of the fee: low for the best that the evidence allows, high for the worst
	Fee       string        `json:"fee,omitempty"`    // of the service in the period
	Amount    [2]string     `json:"amount,omitzero"`  // of money, likewise, such as "12.50 EUR"; empty where no fee is given
	Cap       ratio.Ratio   `json:"cap,omitzero"`     // of the table, as are the next two
	Group     string        `json:"group,omitempty"`  //
	ClaimBy   time.Time     `json:"claimBy,omitzero"` // not later; zero: no claim is needed
	Verdict   ratio.Verdict `json:"verdict"`          // of the objective
	Why       string        `json:"why,omitempty"`    // less is due than the table gives
}

// Due returns what is owed for a service by the figure that its objective reached in a period. A met objective owes nothing,
// and an undecided one nothing at the low end. A fee may be left out; what the table asks of amounts is then not looked at.
// The period's end is in the agreement's zone: claim windows are counted in its calendar. The error is a [*Fault].
func (t Table) Due(service string, figure ratio.Range, verdict ratio.Verdict, fee string, periodEnd time.Time) (Due, error) {
	if err := judged(figure, verdict); err != nil {
		return Due{}, err
	}
	return t.due(service, ratio.Range{Low: t.Credit(figure.High), High: t.Credit(figure.Low)}, verdict, fee, periodEnd)
}

// judged refuses figures and verdicts that are none.
func judged(figure ratio.Range, verdict ratio.Verdict) error {
	if figure.Low.Cmp(figure.High) > 0 {
		return fault("figure", "%s to %s: the low end is above the high one", figure.Low, figure.High)
	}
	switch verdict {
	case ratio.Met, ratio.Breach, ratio.Undecided:
		return nil
	}
	return fault("verdict", "%.20q is none of met, breach and undecided", verdict)
}

func (t Table) due(service string, credit ratio.Range, verdict ratio.Verdict, fee string, periodEnd time.Time) (Due, error) {
	switch verdict {
	case ratio.Met:
		credit = ratio.Range{}
	case ratio.Undecided:
		credit.Low = ratio.Ratio{}
	}
	credit.Low, credit.High = least(credit.Low, t.cap()), least(credit.High, t.cap())
	d := Due{Table: t.ID, Objective: t.Objective, Service: service, Credit: credit, Fee: fee, Cap: t.Cap, Group: t.Group, Verdict: verdict}
	if fee != "" {
		if err := t.pay(&d); err != nil {
			return Due{}, err
		}
	}
	if d.Credit.High.Num() > 0 {
		by, err := t.claimBy(periodEnd)
		if err != nil {
			return Due{}, err
		}
		d.ClaimBy = by
	}
	return d, nil
}

// pay sets the amounts of money of a credit, and takes out what does not exceed the minimum.
func (t Table) pay(d *Due) error {
	fee, err := parse("fee", d.Fee)
	if err != nil {
		return err
	}
	var least *money
	if t.Minimum != "" {
		if least, err = parse("minimum", t.Minimum); err != nil {
			return err
		}
		if least.unit != fee.unit {
			return fault("minimum", "%s, and the fee is in %s", t.Minimum, fee.unit)
		}
	}
	if t.Rounding.rounder() == "" {
		return fault("rounding", "%.20q is none of half-up, half-even, up and down", t.Rounding)
	}
	most := fee.share(t.cap(), Down)
	for i, credit := range []*ratio.Ratio{&d.Credit.Low, &d.Credit.High} {
		amount := fee.share(*credit, t.Rounding)
		if amount.number.Cmp(&most.number) > 0 {
			amount = most
		}
		if least != nil && credit.Num() > 0 && amount.number.Cmp(&least.number) <= 0 {
			d.Why = "an amount that does not exceed " + t.Minimum + " is not due"
			amount, *credit = fee.share(ratio.Ratio{}, Down), ratio.Ratio{}
		}
		d.Amount[i] = amount.String()
	}
	return nil
}

// cap returns the most that is due, of the fee.
func (t Table) cap() ratio.Ratio { return capOf(t.Cap) }

func capOf(r ratio.Ratio) ratio.Ratio {
	if r.Num() == 0 {
		return ratio.One()
	}
	return least(r, ratio.One())
}

func least(a, b ratio.Ratio) ratio.Ratio {
	if b.Cmp(a) < 0 {
		return b
	}
	return a
}

// claimBy returns until when a claim may be made, or zero when none is needed. Whole days of Claim are days of the calendar.
func (t Table) claimBy(end time.Time) (time.Time, error) {
	if t.Claim <= 0 && t.Months <= 0 {
		return time.Time{}, nil
	}
	if end.IsZero() {
		return time.Time{}, fault("periodEnd", "not given, and claims have a time from then")
	}
	if t.Claim > Duration(maxClaim) || t.Months > maxMonths || end.Year() < 1 || end.Year() > 9900 {
		return time.Time{}, fault("claim", "after %s: want at most ten years, from the years 1 to 9900", end.Format(time.RFC3339))
	}
	// What the clock shows at the end, as if it were UTC.
	wall := time.Date(end.Year(), end.Month(), end.Day(), end.Hour(), end.Minute(), end.Second(), end.Nanosecond(), time.UTC)
	if t.Months > 0 {
		last := time.Date(wall.Year(), wall.Month()+time.Month(t.Months)+1, 0, 0, 0, 0, 0, time.UTC).Day()
		return instant(wall.AddDate(0, t.Months, min(wall.Day(), last)-wall.Day()), end.Location()), nil
	}
	const day = 24 * time.Hour
	d := time.Duration(t.Claim)
	if d < day {
		return end.Add(d), nil
	}
	return instant(wall.AddDate(0, 0, int(d/day)), end.Location()).Add(d % day), nil
}

// instant returns when the clock of a zone first shows a time, or a later one where it skips that.
func instant(wall time.Time, zone *time.Location) time.Time {
	t := wall.Add(-26 * time.Hour).In(zone) // its clock shows less: no zone is that far from UTC
	for {
		_, offset := t.Zone()
		_, end := t.ZoneBounds()
		if !end.IsZero() && !end.After(t) { // package time (Go 1.26), on 31 December of leap years that its table does not have
			end = t.Add(15 * time.Minute)
		}
		at := wall.Add(time.Duration(-offset) * time.Second).In(zone)
		if at.Before(t) { // it was skipped
			return t
		}
		if end.IsZero() || at.Before(end) {
			return at
		}
		t = end
	}
}

// Claimable reports whether a claim that is made at a moment is in time: at ClaimBy it still is.
func (d Due) Claimable(at time.Time) bool { return d.ClaimBy.IsZero() || !at.After(d.ClaimBy) }
