package programme

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// Grant is leave to use an audit tool (8.11.1-3): for one person, on some things, for a time, so many times.
type Grant struct {
	ID      string    `json:"id"`
	Tool    string    `json:"tool"`
	Person  string    `json:"person"`
	Targets []string  `json:"targets"` // what it may be used on: "type/id", where either may be "*", but not both
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"` // from then on no use begins
	Uses    int       `json:"uses"`  // how many there may be
	Used    int       `json:"used,omitempty"`
	Writes  bool      `json:"writes,omitempty"` // it may change what it is used on
	Revoked time.Time `json:"revoked,omitzero"`
}

func (a *Audit) grant(id string) *Grant {
	return find(a.Grants, func(g *Grant) bool { return g.ID == id })
}

func (g *Grant) validate() error {
	if err := first(
		checkID("grant: id", g.ID),
		checkText("grant: tool", g.Tool, 1, maxName),
		checkText("grant: person", g.Person, 1, maxName),
		checkTexts("grant: targets", g.Targets, maxList, maxName+maxItem),
		checkTime("grant: from", g.From), checkTime("grant: until", g.Until),
	); err != nil {
		return err
	}
	for _, target := range g.Targets {
		kind, id, ok := strings.Cut(target, "/")
		if !ok || kind == "" || id == "" || kind == "*" && id == "*" {
			return invalid("grant: targets: want \"type/id\", not both of them \"*\"")
		}
	}
	switch {
	case len(g.Targets) == 0:
		return invalid("grant: no targets")
	case !g.From.Before(g.Until):
		return invalid("grant: until: not after from")
	case g.Uses < 1 || g.Uses > maxUses:
		return invalid("grant: %d uses, want 1 to %d", g.Uses, maxUses)
	case g.Used != 0 || !g.Revoked.IsZero():
		return invalid("grant: used or revoked before it is there")
	}
	return nil
}

// reaches reports whether the grant is for a resource.
func (g *Grant) reaches(r opsec.Resource) bool {
	return slices.ContainsFunc(g.Targets, func(target string) bool {
		kind, id, _ := strings.Cut(target, "/")
		return (kind == "*" || kind == r.Type) && (id == "*" || id == r.ID)
	})
}

func (s Lend) apply(t *taking) error {
	if err := t.at(Approved, Frozen, Fieldwork, Reported); err != nil {
		return err
	}
	m := t.member(s.Grant.Person)
	if m != nil && m.Lead {
		if err := t.bySenior(); err != nil {
			return err
		}
		if m.Person == t.person {
			return denied("the lead does not lend to itself")
		}
	} else if err := t.byLead(); err != nil {
		return err
	}
	g, err := own("grant", s.Grant, maxElement)
	if err = first(s.Grant.validate(), err); err != nil {
		return err
	}
	if m == nil || t.grant(g.ID) != nil {
		return invalid("grant %s: to nobody of the team, or its id is taken", g.ID)
	}
	g.From, g.Until = at(g.From), at(g.Until)
	longest := orElse(t.LongestGrant, 14)
	if g.Until.Sub(g.From) > longest || !g.Until.After(t.by.Time) {
		return invalid("grant %s: until: want a time to come, at most %v after from", g.ID, longest)
	}
	t.note(opsec.Tenant, "tool", g.Tool)
	t.note(opsec.Personal, "to", g.Person)
	t.note(opsec.Tenant, "targets", cut(strings.Join(g.Targets, " "), maxText),
		"until", g.Until.Format(time.RFC3339), "uses", strconv.Itoa(g.Uses), "writes", strconv.FormatBool(g.Writes))
	t.Grants = append(t.Grants, g)
	return nil
}

func (s Use) apply(t *taking) error {
	t.note(opsec.Tenant, "target", cut(s.Target.String(), maxText), "writes", strconv.FormatBool(s.Writes))
	g := t.grant(s.Grant)
	if g == nil {
		return &GrantError{s.Grant, "there is none"}
	}
	t.note(opsec.Tenant, "tool", g.Tool)
	if rule := t.refuses(g, s); rule != "" {
		return &GrantError{g.ID, rule}
	}
	if err := first(
		checkText("use: target: type", s.Target.Type, 1, maxName), checkText("use: target: id", s.Target.ID, 1, maxItem),
	); err != nil {
		return err
	}
	g.Used++
	t.note(opsec.Tenant, "use", strconv.Itoa(g.Used)+" of "+strconv.Itoa(g.Uses))
	return nil
}

// refuses says why the tool may not be used, or "".
func (t *taking) refuses(g *Grant, s Use) string {
	switch x := t.Plan.procedure(s.Procedure); {
	case t.Stage == Closed || t.Stage == Cancelled:
		return "the audit is " + string(t.Stage)
	case g.Person != t.person:
		return "it is another's"
	case t.member(t.person) == nil:
		return "its holder is no longer a member of the team"
	case !g.Revoked.IsZero():
		return "it was recalled"
	case t.by.Time.Before(g.From):
		return "it has not begun"
	case !t.by.Time.Before(g.Until):
		return "it has ended"
	case s.Procedure != "" && (x == nil || x.Check != g.Tool):
		return "it is for another tool"
	case !g.reaches(s.Target):
		return "it is for other targets"
	case s.Writes && !g.Writes:
		return "it does not let write"
	case g.Used >= g.Uses:
		return "it is used up"
	}
	return ""
}

func (s Recall) apply(t *taking) error {
	g := t.grant(s.Grant)
	if g == nil {
		return invalid("recall: no such grant")
	}
	if g.Person != t.person && t.byLead() != nil && t.bySenior() != nil {
		return denied("neither the lead nor of senior management, and not its holder")
	}
	if !g.Revoked.IsZero() {
		return notNow("grant %s was recalled before", g.ID)
	}
	g.Revoked = t.by.Time
	return t.because("recall: reason", s.Reason)
}
