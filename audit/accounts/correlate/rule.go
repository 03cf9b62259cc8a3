package correlate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// The bounds of a [Policy].
const (
	MaxRules = 256
	MaxSteps = 8   // of a rule
	MaxCount = 256 // of a step

	maxBy       = 4
	maxPatterns = 64 // of a step, of each sort
	maxName     = 128
	maxWithin   = 366 * 24 * time.Hour
	maxLateness = 24 * time.Hour
	maxKeys     = 1 << 24
	maxListed   = 64
)

// Policy is rules, and how much is remembered for them. It is data: JSON by its own methods, and validated when it is
// read. Limits of zero take their defaults.
type Policy struct {
	Rules []Rule // with names that differ
	// Lateness is how much later than others of its time an event may come: so long events wait to be put in order.
	// Default: 30 seconds, at most 24 hours.
	Lateness time.Duration
	// Keys is about how many (accounts, origins, ...) each rule remembers events at once. Default: 65,536.
	Keys int
	// Held is how many events wait to be put in order. Default: 16,384.
	Held int
	// Listed is how many references a match lists for each step. Default: 16, at most 64.
	Listed int
}

// Rule says which events together are a match.
type Rule struct {
	Name     string         // without spaces, such as "guessed-then-raised"
	About    string         // a sentence for people
	Severity opsec.Severity // required
	Within   time.Duration  // from the first to the last event, inclusive; required, at most 366 days
	By       []Field        // what all of them agree in, at most 4. None: anything, anywhere
	Ordered  bool           // the steps come one after the other; otherwise an event counts for each step that it fits
	Steps    []Step         // 1 to 8
}

// Step says which events it takes, and how many. Conditions that are not given hold; an action or a category must be.
type Step struct {
	// Actions are patterns, one of which fits the action: a "*" stands for any text, at most once in each.
	Actions  []string        `json:"actions,omitempty"`
	Category opsec.Category  `json:"category,omitempty"`
	Outcomes []opsec.Outcome `json:"outcomes,omitempty"` // one of them
	Part     Part            `json:"part,omitempty"`
	// Granted and Cancelled are patterns, one of which fits a permission that the event gives, or takes.
	Granted   []string          `json:"granted,omitempty"`
	Cancelled []string          `json:"cancelled,omitempty"`
	Attrs     map[string]string `json:"attrs,omitempty"` // patterns by key, all of which fit
	Equal     [][2]Field        `json:"equal,omitempty"` // fields of the event that are the same, for each pair
	// Count is how many events, or with Distinct how many different values of that field. Default: 1, at most 256.
	Count    int   `json:"count,omitempty"`
	Distinct Field `json:"distinct,omitempty"`
	// By stands for the rule's By, field by field: the account that one event is about acts in another.
	By []Field `json:"by,omitempty"`
}

// Part tells a log-in from a log-out: both have the category of authentication.
type Part string

// The parts.
const (
	Begin Part = "begin" // the event begins something, or stands alone: it has no Began
	End   Part = "end"   // it ends what began at Began
)

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (p Policy) Validate() error {
	p = p.withDefaults()
	switch {
	case p.Lateness < 0 || p.Lateness > maxLateness:
		return invalid("Lateness is %v, want up to %v, not negative", p.Lateness, maxLateness)
	case min(p.Keys, p.Held, p.Listed) < 1 || max(p.Keys, p.Held) > maxKeys || p.Listed > maxListed:
		return invalid("Keys is %d, Held %d, Listed %d: want 1 to %d, %d and %d",
			p.Keys, p.Held, p.Listed, maxKeys, maxKeys, maxListed)
	case len(p.Rules) == 0 || len(p.Rules) > MaxRules:
		return invalid("%d rules, want 1 to %d", len(p.Rules), MaxRules)
	}
	names := map[string]bool{}
	for i := range p.Rules {
		if err := p.Rules[i].validate(); err != nil {
			return fmt.Errorf("correlate: rule %d (%.40q): %w: %w", i+1, p.Rules[i].Name, err, opsec.ErrInvalid)
		}
		if names[p.Rules[i].Name] {
			return invalid("rule %d: a name that another has", i+1)
		}
		names[p.Rules[i].Name] = true
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("correlate: policy: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

func (r *Rule) validate() error {
	switch {
	case r.Name == "" || len(r.Name) > maxName || strings.ContainsFunc(r.Name, unprintable):
		return fmt.Errorf("name: want 1 to %d printable ASCII characters, no spaces", maxName)
	case len(r.About) > opsec.MaxValueLen:
		return fmt.Errorf("about: want at most %d bytes", opsec.MaxValueLen)
	case r.Severity.Rank() == 0:
		return fmt.Errorf("severity: unset or unknown")
	case r.Within <= 0 || r.Within > maxWithin:
		return fmt.Errorf("within is %v, want more than 0, up to %v", r.Within, maxWithin)
	case len(r.Steps) == 0 || len(r.Steps) > MaxSteps:
		return fmt.Errorf("%d steps, want 1 to %d", len(r.Steps), MaxSteps)
	}
	if err := validFields("by", r.By); err != nil {
		return err
	}
	for i := range r.Steps {
		if err := r.Steps[i].validate(len(r.By)); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

func unprintable(c rune) bool { return c <= ' ' || c > '~' }

func validFields(where string, list []Field) error {
	if len(list) > maxBy {
		return fmt.Errorf("%s: %d fields, want at most %d", where, len(list), maxBy)
	}
	for _, f := range list {
		if !f.valid() {
			return fmt.Errorf("%s: no such field as %.40q", where, f)
		}
	}
	return nil
}

func (s *Step) validate(by int) error {
	if len(s.Attrs) > maxPatterns {
		return fmt.Errorf("attrs: %d, want at most %d", len(s.Attrs), maxPatterns)
	}
	for _, list := range [][]string{s.Actions, s.Granted, s.Cancelled, slices.Collect(maps.Values(s.Attrs))} {
		if len(list) > maxPatterns {
			return fmt.Errorf("%d patterns, want at most %d", len(list), maxPatterns)
		}
		for _, p := range list {
			if p == "" || len(p) > opsec.MaxKeyLen || strings.Count(p, "*") > 1 {
				return fmt.Errorf("pattern %.40q: want 1 to %d bytes, and one '*' at most", p, opsec.MaxKeyLen)
			}
		}
	}
	for _, o := range s.Outcomes {
		switch o {
		case opsec.Success, opsec.Failure, opsec.Denied, opsec.Pending, opsec.Unknown:
		default:
			return fmt.Errorf("outcomes: %.40q is unknown", o)
		}
	}
	for _, pair := range s.Equal {
		if err := validFields("equal", pair[:]); err != nil {
			return err
		}
	}
	switch {
	case len(s.Actions) == 0 && s.Category == "":
		return fmt.Errorf("want actions or a category")
	case s.Category != "" && s.Category != opsec.Authentication && s.Category != opsec.Authorization:
		return fmt.Errorf("category: %.40q is unknown", s.Category)
	case s.Part != "" && s.Part != Begin && s.Part != End:
		return fmt.Errorf("part: want begin or end")
	case s.Count < 0 || s.Count > MaxCount:
		return fmt.Errorf("count is %d, want 1 to %d", s.Count, MaxCount)
	case s.Distinct != "" && !s.Distinct.valid():
		return fmt.Errorf("distinct: no such field as %.40q", s.Distinct)
	case len(s.By) > 0 && len(s.By) != by:
		return fmt.Errorf("by: %d fields, want as many as the rule has, %d", len(s.By), by)
	case len(s.Equal) > maxBy || len(s.Outcomes) > maxPatterns:
		return fmt.Errorf("too many conditions")
	}
	return validFields("by", s.By)
}

// takes reports whether an event fits the step.
func (s *Step) takes(e *opsec.Event) bool {
	switch {
	case s.Category != "" && e.Category != s.Category,
		len(s.Outcomes) > 0 && !slices.Contains(s.Outcomes, e.Outcome),
		s.Part == Begin && !e.Began.IsZero(), s.Part == End && e.Began.IsZero(),
		len(s.Actions) > 0 && !slices.ContainsFunc(s.Actions, func(p string) bool { return fits(p, e.Action) }),
		len(s.Granted) > 0 && !anyFits(s.Granted, e.Granted),
		len(s.Cancelled) > 0 && !anyFits(s.Cancelled, e.Cancelled):
		return false
	}
	for key, want := range s.Attrs {
		if !fits(want, attr(e, key)) {
			return false
		}
	}
	for _, pair := range s.Equal {
		t1, n1, ok1 := pair[0].value(e)
		t2, n2, ok2 := pair[1].value(e)
		if !ok1 || !ok2 || n1 != n2 || t1 != t2 && t1 != "" && t2 != "" {
			return false
		}
	}
	return true
}

func anyFits(patterns, texts []string) bool {
	return slices.ContainsFunc(texts, func(text string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return fits(p, text) })
	})
}

// fits reports whether a text fits a pattern.
func fits(pattern, text string) bool {
	prefix, suffix, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	return len(text) >= len(prefix)+len(suffix) && strings.HasPrefix(text, prefix) && strings.HasSuffix(text, suffix)
}

func (p Policy) withDefaults() Policy {
	p.Lateness = cmp.Or(p.Lateness, 30*time.Second)
	p.Keys, p.Held = cmp.Or(p.Keys, 1<<16), cmp.Or(p.Held, 1<<14)
	p.Listed = cmp.Or(p.Listed, 16)
	return p
}

// policyText and ruleText are a Policy as it stands in a file.
type policyText struct {
	Lateness strictjson.Duration `json:"lateness,omitempty"`
	Keys     int                 `json:"keys,omitempty"`
	Held     int                 `json:"held,omitempty"`
	Listed   int                 `json:"listed,omitempty"`
	Rules    []ruleText          `json:"rules"`
}

type ruleText struct {
	Name     string              `json:"name"`
	About    string              `json:"about,omitempty"`
	Severity opsec.Severity      `json:"severity"`
	Within   strictjson.Duration `json:"within"`
	By       []Field             `json:"by,omitempty"`
	Ordered  bool                `json:"ordered,omitempty"`
	Steps    []Step              `json:"steps"`
}

// MarshalJSON implements [json.Marshaler]: durations are texts such as "1h0m0s".
func (p Policy) MarshalJSON() ([]byte, error) {
	t := policyText{strictjson.Duration(p.Lateness), p.Keys, p.Held, p.Listed, []ruleText{}}
	for _, r := range p.Rules {
		t.Rules = append(t.Rules, ruleText{r.Name, r.About, r.Severity, strictjson.Duration(r.Within), r.By, r.Ordered, r.Steps})
	}
	return json.Marshal(t)
}

// UnmarshalJSON implements [json.Unmarshaler]. It refuses unknown fields, validates, and leaves p as it was when it fails.
func (p *Policy) UnmarshalJSON(data []byte) error {
	var t policyText
	if err := strictjson.Decode(data, &t); err != nil {
		return fmt.Errorf("correlate: policy: %w: %w", err, opsec.ErrInvalid)
	}
	read := Policy{Lateness: time.Duration(t.Lateness), Keys: t.Keys, Held: t.Held, Listed: t.Listed}
	for _, r := range t.Rules {
		read.Rules = append(read.Rules, Rule{r.Name, r.About, r.Severity, time.Duration(r.Within), r.By, r.Ordered, r.Steps})
	}
	if err := read.Validate(); err != nil {
		return err
	}
	*p = read
	return nil
}
