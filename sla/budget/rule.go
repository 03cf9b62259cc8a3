package budget

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// Urgency is what an alert asks for.
type Urgency string

// The urgencies.
const (
	Page   Urgency = "page"   // someone is called at once
	Ticket Urgency = "ticket" // someone sees to it on a working day
)

// Rule says when an alert fires: while both the long window and the short one burn the budget faster than so much. The long
// window makes the alert worth while, the short one ends it soon after the trouble has.
type Rule struct {
	Name    string      `json:"name"` // lower-case letters, digits and hyphens, 40 at most; unique in a policy
	Urgency Urgency     `json:"urgency"`
	Share   ratio.Ratio `json:"share"` // of the budget of the whole window: what the long window uses up at that pace
	Long    Duration    `json:"long"`
	Short   Duration    `json:"short"`
}

// Duration is a [time.Duration] that stands in JSON and YAML as a text such as "5m".
type Duration = metric.Duration

// Policy is a target, the window in which it is judged, and the rules that watch its budget.
type Policy struct {
	Target ratio.Ratio `json:"target"`
	Window Duration    `json:"window"` // of a calendar month, 720h or so
	Rules  []Rule      `json:"rules"`  // 1 to 32
	// Chance is for units that fail on their own, such as requests, where they are few: a rule does not fire while a service
	// that just keeps its target would show so much that is bad with a greater probability than this, as [Unlikely] finds. 0
	// does not ask. Never set it for time: the minutes of one outage are no independent failures.
	Chance ratio.Ratio `json:"chance,omitzero"`
}

// maxRules is how many rules a policy has at most.
const maxRules = 32

// Workbook returns the rules that Google's Site Reliability Workbook recommends (chapter "Alerting on SLOs", table
// "Recommended parameters for an SLO-based alerting configuration"): of a window of 30 days, 2 % of the budget in an hour
// and 5 % in six hours call someone, 10 % in three days are a ticket; the short windows are a twelfth of the long. Of other
// windows the times are in proportion, in whole seconds; to keep those of 30 days ask for them and set Window after. A
// window has a tenth of a day at least.
//
// The error is that of [Policy.Validate], and the policy is returned beside it: of a low target, drop the rules that it says
// never fire.
func Workbook(target ratio.Ratio, window time.Duration) (Policy, error) {
	const month = 30 * 24 * time.Hour
	if window < month/300 || window%time.Millisecond != 0 {
		return Policy{}, fault("window", "want 2h24m or more in whole milliseconds, not %v", window)
	}
	p := Policy{Target: target, Window: Duration(window)}
	for _, row := range []struct {
		name    string
		urgency Urgency
		percent uint64
		long    time.Duration
	}{
		{"fast", Page, 2, time.Hour},
		{"slow", Page, 5, 6 * time.Hour},
		{"steady", Ticket, 10, 72 * time.Hour},
	} {
		scaled := func(d time.Duration) Duration { // 12 hours are more than 2^45 ns, so it is reckoned in big numbers
			n := new(big.Int).Mul(big.NewInt(int64(d)), big.NewInt(int64(window)))
			n.Quo(n, big.NewInt(int64(month)))
			return Duration(max(time.Second, time.Duration(n.Int64()).Round(time.Second)))
		}
		share, _ := ratio.New(row.percent, 100) // fails for 0 alone
		p.Rules = append(p.Rules, Rule{row.name, row.urgency, share, scaled(row.long), scaled(row.long / 12)})
	}
	return p, p.Validate()
}

// Factor returns the burn rate above which a rule fires: its share of the window's budget, used up in its long window. It is
// exact, and the error wraps [opsec.ErrInvalid] where it does not fit a ratio.
func (p Policy) Factor(r Rule) (ratio.Ratio, error) {
	if r.Long <= 0 || p.Window <= 0 {
		return ratio.Ratio{}, fault("long", "the rule %.40q or the policy has no window", r.Name)
	}
	windows, _ := ratio.New(uint64(p.Window), uint64(r.Long)) // not 0
	factor, fits := multiply(r.Share, windows)
	if !fits {
		return ratio.Ratio{}, fault("share", "the factor of rule %.40q does not fit 2 numbers of 64 bits", r.Name)
	}
	return factor, nil
}

// Detects returns how long it takes until a rule fires when, after none was, such a share is bad, at even traffic; false if
// it never does. [ratio.One] is a total outage, and the most there is. It is rounded up to milliseconds.
func (p Policy) Detects(r Rule, bad ratio.Ratio) (time.Duration, bool) {
	factor, err := p.Factor(r)
	if bad.Cmp(ratio.One()) > 0 {
		bad = ratio.One()
	}
	if err != nil || !beyond(bad, factor, p.Target) {
		return 0, false
	}
	// share of bad * t / long > factor * (1 - target), and of a shorter window it is greater still
	t := new(big.Rat).Mul(factor.Rat(), p.Target.Complement().Rat())
	t.Mul(t, big.NewRat(int64(r.Long), int64(time.Millisecond))).Quo(t, bad.Rat())
	ms := new(big.Int).Quo(t.Num(), t.Denom()) // and one more
	return time.Duration(ms.Int64()+1) * time.Millisecond, true
}

// named reports whether a text is the name of a rule.
func named(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && s[0] != '-' && s[len(s)-1] != '-'
}

// Validate returns nil, or all that is wrong, joined: a [*Fault] each, and an [*UnreachableError] for each rule that can
// never fire. It is the cure for a policy made for 99.9 % that is used for 90 %.
func (p Policy) Validate() error {
	var errs []error
	add := func(path, form string, args ...any) { errs = append(errs, fault(path, form, args...)) }
	if p.Target.Cmp(ratio.One()) >= 0 {
		add("target", "want less than 100 %%, which has no budget to burn")
	}
	if !whole(p.Window) {
		add("window", "want whole milliseconds, more than 0")
	}
	if p.Chance.Cmp(ratio.One()) >= 0 || p.Chance.Num() > 0 && p.Target.Num() == 0 {
		add("chance", "want less than 1, and 0 for a target of 0 %%, by which nothing is unlikely")
	}
	if n := len(p.Rules); n == 0 || n > maxRules {
		add("rules", "want 1 to %d, not %d", maxRules, n)
		return errors.Join(errs...)
	}
	for i, r := range p.Rules {
		before := len(errs)
		add := func(field, form string, args ...any) { add(fmt.Sprintf("rules[%d]%s", i, field), form, args...) }
		if !named(r.Name) || slices.ContainsFunc(p.Rules[:i], func(o Rule) bool { return o.Name == r.Name }) {
			add(".name", "want 1 to 40 lower-case letters, digits and inner hyphens, another for each rule")
		}
		if r.Urgency != Page && r.Urgency != Ticket {
			add(".urgency", "want page or ticket")
		}
		if r.Share.Num() == 0 || r.Share.Cmp(ratio.One()) > 0 {
			add(".share", "want more than 0 and 100 %% at most")
		}
		if !whole(r.Short) || !whole(r.Long) || r.Short > r.Long || r.Long > p.Window {
			add(".long", "want whole milliseconds, more than 0, the short window no longer than the long, and that no longer than the policy's")
		}
		if len(errs) > before {
			continue
		}
		factor, err := p.Factor(r)
		if err != nil {
			add(".share", "the factor does not fit 2 numbers of 64 bits")
		} else if !beyond(ratio.One(), factor, p.Target) {
			errs = append(errs, &UnreachableError{r.Name, factor, burn(ratio.One(), p.Target, true)})
		}
	}
	return errors.Join(errs...)
}

func whole(d Duration) bool { return d > 0 && time.Duration(d)%time.Millisecond == 0 }
