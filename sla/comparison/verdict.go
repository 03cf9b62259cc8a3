package comparison

// Verdict says what b promises to the customer beside what a does.
type Verdict string

// The verdicts.
const (
	Equal        Verdict = "equal"
	Stronger     Verdict = "stronger"     // all that a promises, and more
	Weaker       Verdict = "weaker"       // nothing that a does not promise, and less
	Incomparable Verdict = "incomparable" // each has something for the customer that the other has not, or only people can tell
)

// Reverse returns the verdict on a beside b.
func (v Verdict) Reverse() Verdict {
	switch v {
	case Stronger:
		return Weaker
	case Weaker:
		return Stronger
	}
	return v
}

// relation is a verdict as two truths, so that the whole is the "and" of its parts.
type relation uint8

const (
	atLeast relation = 1 << iota // b promises at least what a does
	atMost                       // a promises at least what b does
	same    = atLeast | atMost
)

func (r relation) verdict() Verdict {
	switch r & same {
	case same:
		return Equal
	case atLeast:
		return Stronger
	case atMost:
		return Weaker
	}
	return Incomparable
}

// reverse is the relation of b to a.
func (r relation) reverse() relation { return r&atLeast<<1 | r&atMost>>1 }

func (v Verdict) relation() relation {
	switch v {
	case Equal:
		return same
	case Stronger:
		return atLeast
	case Weaker:
		return atMost
	}
	return 0
}

// Overall returns what differences come to: [Equal] if there are none, and [Incomparable] where something is weaker and
// something else is stronger.
func Overall(list []Difference) Verdict {
	all := same
	for _, d := range list {
		all &= d.Verdict.relation()
	}
	return all.verdict()
}
