package sla

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// Minimum is what a law, a standard of an industry or a provider's own rule asks of an agreement at least (7.2.1). It is
// data: who knows the law writes it down, and says where it stands.
type Minimum struct {
	ID      string               `json:"id"`
	Title   string               `json:"title,omitempty"`
	Source  string               `json:"source"`            // where it stands
	Laws    []string             `json:"laws,omitempty"`    // it applies under one of these, and in their parts (US in US-CA; write out the members of a union); none: under any
	Models  []opsec.ServiceModel `json:"models,omitempty"`  // likewise
	Grades  []string             `json:"grades,omitempty"`  // likewise
	Regions []string             `json:"regions,omitempty"` // likewise
	Floors  []Floor              `json:"floors"`
}

// Floor is a bound of what a path of an agreement leads to. All that it leads to must keep it, or one of it when Any is
// set; what leads to nothing, or states nothing, is below every floor, and so is a service without such an objective. Time
// that no rule excludes keeps every bound of exclusions, and a share or a cap that is not said is all. A floor without a
// bound asks for something to be stated.
//
// A figure is worth what it is counted by. Who bounds a target bounds its method, window and exclusions as well; who bounds
// the times of a hotline, their share and the hours on which they run.
type Floor struct {
	Path  string   `json:"path"`            // "clause.data.backup.rpo", "services[*].objectives[*].target", "clause.emergency.targets[measure=acceptance].each"
	Least string   `json:"least,omitempty"` // "99.9%", "24h", "2", "2027-01-01T00:00:00Z"
	Most  string   `json:"most,omitempty"`
	OneOf []string `json:"oneOf,omitempty"` // texts, or true and false
	Has   []string `json:"has,omitempty"`   // each of these texts is there, in any place or list that the path leads to
	Any   bool     `json:"any,omitempty"`
	Why   string   `json:"why,omitempty"` // the article, such as "art. 32 (1) (c)"
}

// ParseMinimum reads a minimum in YAML or JSON, as strictly as [Parse], and validates it.
func ParseMinimum(text []byte) (Minimum, error) {
	var m Minimum
	if err := decode(text, &m); err != nil {
		return Minimum{}, err
	}
	if err := m.Validate(); err != nil {
		return Minimum{}, err
	}
	return m, nil
}

// Validate returns an error that wraps [opsec.ErrInvalid] and names the first field that breaks its rules.
func (m Minimum) Validate() error {
	invalid := func(form string, args ...any) error {
		return fmt.Errorf("sla: minimum: "+form+": %w", append(args, opsec.ErrInvalid)...)
	}
	switch {
	case strings.TrimSpace(m.ID) == "":
		return invalid("id: nothing is said")
	case strings.TrimSpace(m.Source) == "":
		return invalid("source: nothing is said")
	case len(m.Floors) == 0 || len(m.Floors) > MaxItems:
		return invalid("floors: want 1 to %d", MaxItems)
	}
	for i, f := range m.Floors {
		steps, err := parsePath(f.Path)
		if err != nil {
			return invalid("floors[%d]: %w", i, err)
		}
		t, err := typeAt(reflect.TypeFor[Agreement](), steps)
		if err != nil {
			return invalid("floors[%d]: %w", i, err)
		}
		for _, bound := range []string{f.Least, f.Most} {
			if bound == "" {
				continue
			}
			if _, err := f.compare(reflect.Zero(t), bound); err != nil {
				return invalid("floors[%d]: %w", i, err)
			}
		}
		texts := t.Kind() == reflect.String || t.Kind() == reflect.Slice && (t.Elem().Kind() == reflect.String || t.Elem().Implements(textMarshaler))
		if len(f.Has) > 0 && !texts || len(f.OneOf) > 0 && t.Kind() != reflect.String && t.Kind() != reflect.Bool {
			return invalid("floors[%d]: its path does not lead to texts", i)
		}
	}
	return nil
}

// Applies reports whether the minimum holds for an agreement: by its laws, model, grade and regions, or because the
// agreement names it among its profiles.
func (m Minimum) Applies(a *Agreement) bool {
	if slices.Contains(a.Profiles, m.ID) {
		return true
	}
	one := func(want, have []string) bool {
		return len(want) == 0 || slices.ContainsFunc(have, func(s string) bool { return slices.Contains(want, s) })
	}
	laws := slices.Clone(a.Law)
	for _, l := range a.Law {
		if country, _, part := strings.Cut(l, "-"); part {
			laws = append(laws, country)
		}
	}
	return one(m.Laws, laws) && one(m.Regions, a.Regions) && one(m.Grades, []string{a.Grade}) &&
		(len(m.Models) == 0 || slices.Contains(m.Models, a.Model))
}

// Check returns nil if the agreement reaches every minimum that applies to it, and all profiles that it names are among
// them; else a [*Fault] of [RuleBelow] or [RuleProfile] for each shortcoming, joined. A minimum that is not valid is an
// error of its own. Like [Agreement.Validate], which it does not do, Check reports up to 1,000.
func (a *Agreement) Check(minimums ...Minimum) error { return a.check(a, minimums) }

// check checks an agreement by the minimums that apply to it, or to what it comes from.
func (a *Agreement) check(from *Agreement, minimums []Minimum) error {
	c, have := &checker{a: a}, map[string]bool{}
	for _, m := range minimums {
		if err := m.Validate(); err != nil {
			return err
		}
		if have[m.ID] {
			return fmt.Errorf("sla: minimum: id: two have the id %q: %w", m.ID, opsec.ErrInvalid)
		}
		have[m.ID] = true
	}
	for i, p := range a.Profiles {
		if !have[p] {
			c.fault(fmt.Sprintf("profiles[%d]", i), RuleProfile, "no minimum of this id is at hand")
		}
	}
	for _, m := range minimums {
		if !m.Applies(a) && !m.Applies(from) {
			continue
		}
		for _, f := range m.Floors {
			c.floor(m, f)
		}
	}
	return errors.Join(c.faults...)
}

func (c *checker) floor(m Minimum, f Floor) {
	below := func(path, form string, args ...any) {
		text := fmt.Sprintf(form, args...)
		for _, from := range []string{f.Why, m.Source} {
			if from != "" {
				text += ", " + from
				break
			}
		}
		if len(c.faults) < maxFaults {
			c.faults = append(c.faults, &Fault{Path: path, Rule: RuleBelow, Minimum: m.ID, Text: text})
		}
	}
	steps, err := parsePath(f.Path)
	if err != nil {
		return // Check has validated it
	}
	places := find(reflect.ValueOf(c.a), "", steps)
	good, before := 0, len(c.faults)
	for _, p := range places {
		if !p.value.IsValid() && steps[0].name == "exclusions" && (f.Least != "" || f.Most != "" || len(f.OneOf) > 0) {
			continue // nothing is excluded
		}
		if why := f.judge(p); why != "" {
			below(p.path, "%s", why)
		} else {
			good++
		}
	}
	if f.Any && good > 0 {
		c.faults = c.faults[:min(before, len(c.faults))]
	}
	texts := map[string]bool{}
	for _, p := range places {
		switch p.value.Kind() {
		case reflect.String:
			texts[p.value.String()] = true
		case reflect.Slice:
			for i := range p.value.Len() {
				texts[text(p.value.Index(i))] = true
			}
		}
	}
	for _, want := range f.Has {
		if !texts[want] {
			below(f.Path, "%q is not there", want)
		}
	}
}

// text returns a value as it stands in JSON; "" of one that is no text there.
func text(v reflect.Value) string {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		if b, err := m.MarshalText(); err == nil {
			return string(b)
		}
	}
	if v.Kind() == reflect.String {
		return v.String()
	}
	return ""
}

// judge returns why a place does not keep the floor; "" if it does.
func (f Floor) judge(p found) string {
	if whole := strings.HasSuffix(p.path, ".share") || strings.HasSuffix(p.path, ".cap"); whole && p.value.IsValid() && p.value.IsZero() {
		p = found{p.path, reflect.ValueOf("100%"), true} // what is not said is all
	}
	if !p.stated {
		return "nothing is promised"
	}
	for _, b := range []struct {
		bound, word string
		bad         int
	}{{f.Least, "least", -1}, {f.Most, "most", +1}} {
		if b.bound == "" {
			continue
		}
		got, err := f.compare(p.value, b.bound)
		if err != nil {
			return fmt.Sprintf("want at %s %s, and it is no such thing", b.word, b.bound)
		}
		if got == b.bad {
			return fmt.Sprintf("want at %s %s", b.word, b.bound)
		}
	}
	if len(f.OneOf) > 0 && !slices.Contains(f.OneOf, fmt.Sprint(p.value)) {
		return fmt.Sprintf("want one of %q", f.OneOf)
	}
	return ""
}

// compare returns -1, 0 or +1 as a value is less than, equal to or more than a bound.
func (f Floor) compare(v reflect.Value, bound string) (int, error) {
	switch {
	case v.Type() == durationType:
		d, err := time.ParseDuration(bound)
		return cmp.Compare(v.Interface().(metric.Duration), metric.Duration(d)), err
	case v.Type() == timeType:
		t, err := time.Parse(time.RFC3339, bound)
		return v.Interface().(time.Time).Compare(t), err
	case v.Type() == ratioType:
		r, err := ratio.Parse(bound)
		return v.Interface().(ratio.Ratio).Cmp(r), err
	case v.CanInt():
		n, err := strconv.ParseInt(bound, 10, 64)
		return cmp.Compare(v.Int(), n), err
	case v.CanUint():
		n, err := strconv.ParseUint(bound, 10, 64)
		return cmp.Compare(v.Uint(), n), err
	case v.Kind() == reflect.String: // of a share, which stands as a text
		r, err := ratio.Parse(bound)
		if err != nil || v.Len() == 0 {
			return 0, err
		}
		have, err := ratio.Parse(v.String())
		return have.Cmp(r), err
	}
	return 0, errors.New("path: what it leads to has no least and no most")
}
