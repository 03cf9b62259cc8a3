package lockout

import (
	"fmt"
	"strings"
	"time"
)

// Explain says in words, for an operator, what the policy does: after how many failures, for how long.
func (p Policy) Explain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "After %s ", count(p.Failures, "wrong secret"))
	if p.Failures > 1 {
		b.WriteString("in a row ")
	}
	if p.Temporary == 0 {
		b.WriteString("it is locked until somebody unlocks it.")
	} else {
		fmt.Fprintf(&b, "it is locked for %s", period(p.Lock))
		most := ", never for longer"
		if p.LockMost > p.Lock {
			most = ", up to " + period(p.LockMost)
		}
		switch p.Growth {
		case Multiple:
			fmt.Fprintf(&b, ", with each %s for %s more%s", strings.TrimPrefix(count(p.Failures, "further failure"), "1 "), period(p.Lock), most)
		case Linear:
			fmt.Fprintf(&b, ", with each further failure for %s more%s", period(p.Lock), most)
		case Doubling:
			fmt.Fprintf(&b, ", with each further failure for twice as long%s", most)
		default:
			b.WriteString(", and so again with each further failure")
		}
		if p.Temporary > 0 {
			fmt.Fprintf(&b, "; after %s, until somebody unlocks it", count(p.Temporary, "such lock"))
		}
		b.WriteString(".")
	}
	b.WriteString(" A success ends the run")
	if p.Forget > 0 {
		fmt.Fprintf(&b, ", and so does %s without a failure", period(p.Forget))
	}
	b.WriteString(".")
	if p.Rapid > 0 {
		fmt.Fprintf(&b, " Two failures within %s bar it for %s.", period(p.Rapid), period(p.RapidBar))
	}
	fmt.Fprintf(&b, " A guess that is not settled within %s counts as a failure.", period(p.Reserve))
	return b.String()
}

// Explain says in words what the profile does: a line for each rule.
func (p Profile) Explain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n", p.Name, p.Source)
	for i, r := range p.Rules {
		from := map[Class]string{Unknown: "from unknown places", Familiar: "from familiar networks", Trusted: "from each trusted device", Every: "from anywhere"}[r.Class]
		before := Profile{Rules: p.Rules[:i]}
		if r.Class == Every && len(before.missing(r.Factor, Every)) < 3 {
			from = "from anywhere else"
		}
		fmt.Fprintf(&b, "%s, %s: %s\n", r.Factor, from, r.Policy.Explain())
	}
	return b.String()
}

// count is a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// period is a duration without the zeros at its end.
func period(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
