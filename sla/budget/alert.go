package budget

import (
	"time"

	"github.com/cloudopsec/opsec/sla/ratio"
)

// State is whether an alert fires.
type State string

// The states.
const (
	Quiet     State = "quiet"
	Firing    State = "firing"
	Undecided State = "undecided" // what is not known decides
	Chance    State = "chance"    // it would fire, but so few may go wrong by chance: see Policy.Chance
)

// Alert is how a rule stands.
type Alert struct {
	Rule    string      `json:"rule"`
	Urgency Urgency     `json:"urgency"`
	State   State       `json:"state"`
	Factor  ratio.Ratio `json:"factor"` // it fires above that
	Long    ratio.Range `json:"long"`   // burn of the long window
	Short   ratio.Range `json:"short"`
}

// Judge judges the rules by what was good and bad in windows that end now, such as [Ring.Over] tells. Exactly at the factor
// does not fire: a burn of 1 just keeps the target. The error wraps [opsec.ErrInvalid], or is that of over.
func (p Policy) Judge(over func(window time.Duration) (Counts, error)) ([]Alert, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	list := make([]Alert, 0, len(p.Rules))
	for _, r := range p.Rules {
		long, err := over(time.Duration(r.Long))
		if err != nil {
			return nil, err
		}
		short, err := over(time.Duration(r.Short))
		if err != nil {
			return nil, err
		}
		factor, _ := p.Factor(r) // validated
		a := Alert{Rule: r.Name, Urgency: r.Urgency, Factor: factor}
		a.State = p.state(factor, long, short)
		a.Long, a.Short = Burn(long.Range(), p.Target), Burn(short.Range(), p.Target)
		list = append(list, a)
	}
	return list, nil
}

// state judges one rule.
func (p Policy) state(factor ratio.Ratio, long, short Counts) State {
	l, s := long.Range(), short.Range()
	fast := func(good ratio.Ratio) bool { return beyond(good.Complement(), factor, p.Target) }
	switch {
	case !fast(l.Low) || !fast(s.Low): // not even if all that is unknown was bad
		return Quiet
	case !fast(l.High) || !fast(s.High):
		return Undecided
	case p.Chance.Num() == 0 || p.unlikely(long): // even if all that is unknown was good
		return Firing
	case p.unlikely(Counts{Good: long.Good, Bad: long.Bad + long.Unknown}):
		return Undecided
	}
	return Chance
}

// unlikely reports whether so many bad ones are too many for chance; of more than 2^20 in all that is not asked.
func (p Policy) unlikely(c Counts) bool {
	all, over := c.all()
	unlikely, err := Unlikely(c.Bad, all, p.Target.Complement(), p.Chance)
	return over || err != nil || unlikely
}
