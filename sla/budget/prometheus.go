package budget

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Source is where Prometheus finds what was good and bad.
type Source struct {
	// Name of the objective, and Service: letters, digits and . _ / - within, 100 at most. They are the labels slo and service
	// of all rules, so that a pair of names is for one source.
	Name    string `json:"name"`
	Service string `json:"service"`
	// Bad and All are expressions of PromQL for how much was bad, and how much there was, in which $window stands for the
	// range, such as sum(rate(http_requests_total{code=~"5.."}[$window])). They give one series without labels each, also while
	// nothing is bad: nothing at all is no evidence. Of a counter that first appears with the first failure, write
	// … or 0 * sum(rate(http_requests_total[$window])).
	Bad string `json:"bad"`
	All string `json:"all"`
}

// maxExpression is how long an expression is at most, in bytes.
const maxExpression = 4096

var sourceName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._/-]{0,98}[A-Za-z0-9])?$`)

func (s Source) validate() error {
	for _, f := range [][2]string{{"name", s.Name}, {"service", s.Service}} {
		if !sourceName.MatchString(f[1]) {
			return fault(f[0], "want 1 to 100 letters, digits and inner . _ / -")
		}
	}
	for _, f := range [][2]string{{"bad", s.Bad}, {"all", s.All}} {
		odd := strings.ContainsFunc(f[1], func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError })
		if !strings.Contains(f[1], "$window") || len(f[1]) > maxExpression || odd {
			return fault(f[0], "want an expression on one line with $window in it, of %d bytes at most that can be printed", maxExpression)
		}
	}
	return nil
}

// Prometheus returns a file of rules for Prometheus: a recording rule of the bad share for each window, an alert for each
// rule of the policy, and one for when there is no evidence, because unknown is not good. They are one group, so that alerts
// are evaluated after what they look at. It is YAML, and the same for the same policy and source.
//
// Prometheus decides with floats and extrapolates counters, so that near the edge it may differ from [Policy.Judge]; it knows
// neither unknown evidence nor Policy.Chance. The error wraps [opsec.ErrInvalid]; whether the expressions are PromQL is for
// promtool to find.
func (p Policy) Prometheus(s Source) ([]byte, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if err := s.validate(); err != nil {
		return nil, err
	}
	windows := make([]time.Duration, 0, 2*len(p.Rules))
	for _, r := range p.Rules {
		windows = append(windows, time.Duration(r.Short), time.Duration(r.Long))
	}
	slices.Sort(windows)
	windows = slices.Compact(windows)

	labels := fmt.Sprintf("slo: %s\n          service: %s\n", quote(s.Name), quote(s.Service))
	match := fmt.Sprintf(`{slo="%s",service="%s"}`, s.Name, s.Service)
	var w bytes.Buffer
	fmt.Fprintf(&w, "groups:\n  - name: %s\n    rules:\n", quote("slo "+s.Service+" "+s.Name))
	for _, d := range windows {
		span := promDuration(d)
		in := func(expression string) string { return "(" + strings.ReplaceAll(expression, "$window", span) + ")" }
		fmt.Fprintf(&w, "      - record: slo:bad:ratio_%s\n        expr: %s\n        labels:\n          %s",
			span, quote(in(s.Bad)+" / "+in(s.All)), labels)
	}
	alert := func(name string, urgency Urgency, wait time.Duration, expr, summary string) {
		fmt.Fprintf(&w, "      - alert: %s\n        expr: %s\n", name, quote(expr))
		if wait > 0 {
			fmt.Fprintf(&w, "        for: %s\n", promDuration(wait))
		}
		fmt.Fprintf(&w, "        labels:\n          severity: %s\n          %s        annotations:\n          summary: %s\n",
			urgency, labels, quote(summary))
	}
	for _, r := range p.Rules {
		factor, _ := p.Factor(r) // validated
		over := func(d Duration) string {
			return "slo:bad:ratio_" + promDuration(time.Duration(d)) + match + " > " + threshold(factor.Rat(), p.Target.Complement().Rat())
		}
		alert("SLOBudgetBurn_"+strings.ReplaceAll(r.Name, "-", "_"), r.Urgency, 0, over(r.Long)+" and "+over(r.Short), fmt.Sprintf(
			"%s of %s burns its error budget more than %s times too fast: %s of it in %s",
			s.Name, s.Service, times(factor), r.Share, promDuration(time.Duration(r.Long))))
	}
	shortest := promDuration(windows[0])
	alert("SLOEvidenceMissing", Ticket, windows[0], "absent(slo:bad:ratio_"+shortest+match+")", fmt.Sprintf(
		"nothing tells whether %s of %s is met: unknown is not good", s.Name, s.Service))
	return w.Bytes(), nil
}

// threshold writes a product, as a decimal fraction where it is one.
func threshold(factor, may *big.Rat) string {
	x := new(big.Rat).Mul(factor, may)
	if n, exact := x.FloatPrec(); exact && n <= 30 {
		return x.FloatString(n)
	}
	return fmt.Sprintf("(%s / %s)", x.Num(), x.Denom())
}

// promDuration writes a length of time as Prometheus does: 1h30m, 3d, 500ms.
func promDuration(d time.Duration) string {
	var b strings.Builder
	for _, unit := range []struct {
		name string
		of   time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if n := d / unit.of; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10) + unit.name)
			d -= n * unit.of
		}
	}
	return b.String()
}

// quote writes a text as YAML reads it: as JSON does.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a text, to memory
	return strings.TrimSuffix(b.String(), "\n")
}
