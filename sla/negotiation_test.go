package sla_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/metric"
)

// terms returns a copy of what stands, changed.
func terms(n sla.Negotiation, change func(a *sla.Agreement)) *sla.Agreement {
	a, err := sla.Parse(must(n.Agreement.JSON()))
	if err != nil {
		panic(err)
	}
	change(a)
	return a
}

func customer(day int, text string) sla.Step {
	return sla.Step{By: opsec.CSC, Person: "Ada", Time: time.Date(2026, 3, day, 9, 0, 0, 0, time.UTC), Text: text}
}

func provider(day int, text string) sla.Step {
	return sla.Step{By: opsec.CSP, Person: "Kim", Time: time.Date(2026, 3, day, 15, 0, 0, 0, time.UTC), Text: text}
}

func faster(a *sla.Agreement) { a.Clause.Emergency.Targets[0].Each = metric.Duration(10 * time.Minute) }
func slower(a *sla.Agreement) { a.Clause.Emergency.Targets[0].Each = metric.Duration(time.Hour) }

func TestANegotiationLeadsToTheNextVersion(t *testing.T) {
	first := sample(t, "iaas")
	n := sla.Negotiation{Agreement: first}
	n, err := n.Propose(customer(1, "our shop is open at night"), terms(n, faster))
	require.NoError(t, err)
	require.Equal(t, []string{"clause.emergency.targets[0].each"}, n.Open.Paths)
	n, err = n.Refuse(provider(2, "not at this price"))
	require.NoError(t, err)
	require.Nil(t, n.Open)
	require.Same(t, first, n.Agreement)
	_, err = n.Propose(provider(1, "x"), terms(n, faster))
	require.ErrorIs(t, err, opsec.ErrInvalid, "before the refusal")
	n, err = n.Propose(provider(3, "for one service"), terms(n, func(a *sla.Agreement) { faster(a); a.Grade = "platinum" }))
	require.NoError(t, err)
	require.Equal(t, []string{"clause.emergency.targets[0].each", "grade"}, n.Open.Paths)

	kept := must(json.Marshal(n)) // between two steps it lies in somebody's database
	n = sla.Negotiation{}
	require.NoError(t, json.Unmarshal(kept, &n))

	n, err = n.Agree(customer(4, ""))
	require.NoError(t, err)
	second := n.Agreement
	require.Equal(t, 2, second.Version)
	require.Equal(t, "platinum", second.Grade)
	require.NoError(t, second.Validate())
	require.NoError(t, second.Follows(first))
	require.Error(t, first.Follows(second))
	require.Error(t, second.Follows(second))
	require.Error(t, second.Follows(nil))
	require.Len(t, second.History, 2)
	require.False(t, second.History[0].Agreed)
	require.Equal(t, "not at this price", second.History[0].Answer)
	require.Equal(t, opsec.CSC, second.History[1].AnswerBy)
	require.Empty(t, n.Refused)

	n, err = n.Propose(customer(5, "back again"), terms(n, func(a *sla.Agreement) { a.Grade = "gold" }))
	require.NoError(t, err)
	n, err = n.Agree(provider(5, ""))
	require.NoError(t, err)
	require.NoError(t, n.Agreement.Follows(second))
	require.Error(t, n.Agreement.Follows(first))
	require.Equal(t, 3, n.Agreement.Version)

	read, err := sla.Parse(must(n.Agreement.YAML()))
	require.NoError(t, err)
	require.NoError(t, read.Validate())
	require.NoError(t, read.Follows(second))
}

func TestAStepThatFailsChangesNothing(t *testing.T) {
	n := sla.Negotiation{Agreement: sample(t, "iaas")}
	open, err := n.Propose(customer(3, "x"), terms(n, faster))
	require.NoError(t, err)
	tell := func(n sla.Negotiation) string { return string(must(json.Marshal(n))) }
	law := sla.Minimum{ID: "law", Source: "§ 1", Floors: []sla.Floor{{Path: "clause.emergency.targets[id=accept-critical].each", Most: "15m"}}}
	lax, err := n.Propose(provider(3, "x"), terms(n, slower))
	require.NoError(t, err)
	forged := open
	p := *open.Open
	p.Terms = terms(n, slower)
	forged.Open = &p
	moved := open
	moved.Agreement = terms(n, func(a *sla.Agreement) { a.Grade = "silver" })
	for name, c := range map[string]struct {
		n    sla.Negotiation
		step func(n sla.Negotiation) (sla.Negotiation, error)
		want error
	}{
		"no agreement": {sla.Negotiation{}, func(n sla.Negotiation) (sla.Negotiation, error) {
			return n.Propose(customer(3, "x"), sample(t, "iaas"))
		}, opsec.ErrInvalid},
		"no terms":  {n, func(n sla.Negotiation) (sla.Negotiation, error) { return n.Propose(customer(3, "x"), nil) }, opsec.ErrInvalid},
		"one waits": {open, func(n sla.Negotiation) (sla.Negotiation, error) { return n.Propose(provider(4, "x"), terms(n, slower)) }, sla.ErrOpen},
		"by both": {n, func(n sla.Negotiation) (sla.Negotiation, error) {
			return n.Propose(sla.Step{By: opsec.Both, Time: time.Now(), Text: "x"}, terms(n, faster))
		}, opsec.ErrInvalid},
		"without time": {n, func(n sla.Negotiation) (sla.Negotiation, error) {
			return n.Propose(sla.Step{By: opsec.CSC, Text: "x"}, terms(n, faster))
		}, opsec.ErrInvalid},
		"without why": {n, func(n sla.Negotiation) (sla.Negotiation, error) { return n.Propose(customer(3, " "), terms(n, faster)) }, opsec.ErrInvalid},
		"nothing changed": {n, func(n sla.Negotiation) (sla.Negotiation, error) {
			return n.Propose(customer(3, "x"), terms(n, func(*sla.Agreement) {}))
		}, opsec.ErrInvalid},
		"another version": {n, func(n sla.Negotiation) (sla.Negotiation, error) {
			return n.Propose(customer(3, "x"), terms(n, func(a *sla.Agreement) { a.ID = "y" }))
		}, opsec.ErrInvalid},
		"terms with a gap": {n, func(n sla.Negotiation) (sla.Negotiation, error) {
			return n.Propose(customer(3, "x"), terms(n, func(a *sla.Agreement) { a.Clause.Audit = nil }))
		}, opsec.ErrInvalid},
		"nothing to agree to":    {n, func(n sla.Negotiation) (sla.Negotiation, error) { return n.Agree(provider(3, "")) }, sla.ErrNone},
		"nothing to refuse":      {n, func(n sla.Negotiation) (sla.Negotiation, error) { return n.Refuse(provider(3, "x")) }, sla.ErrNone},
		"their own":              {open, func(n sla.Negotiation) (sla.Negotiation, error) { return n.Agree(customer(4, "")) }, opsec.ErrDenied},
		"before it was asked":    {open, func(n sla.Negotiation) (sla.Negotiation, error) { return n.Agree(provider(2, "")) }, opsec.ErrInvalid},
		"refused without why":    {open, func(n sla.Negotiation) (sla.Negotiation, error) { return n.Refuse(provider(3, "")) }, opsec.ErrInvalid},
		"terms were exchanged":   {forged, func(n sla.Negotiation) (sla.Negotiation, error) { return n.Agree(provider(4, "")) }, sla.ErrStale},
		"another agreement":      {moved, func(n sla.Negotiation) (sla.Negotiation, error) { return n.Agree(provider(4, "")) }, sla.ErrStale},
		"below the law":          {lax, func(n sla.Negotiation) (sla.Negotiation, error) { return n.Agree(customer(4, ""), law) }, opsec.ErrInvalid},
		"a minimum that is none": {open, func(n sla.Negotiation) (sla.Negotiation, error) { return n.Agree(provider(4, ""), sla.Minimum{}) }, opsec.ErrInvalid},
	} {
		before := tell(c.n)
		got, err := c.step(c.n)
		require.ErrorIs(t, err, c.want, name)
		require.Equal(t, before, tell(got), name)
		require.Equal(t, before, tell(c.n), name)
	}
	got, err := open.Agree(provider(4, ""), law)
	require.NoError(t, err)
	require.Equal(t, 2, got.Agreement.Version)
}

func TestAProposalIsNotChangedBehindItsBack(t *testing.T) {
	n := sla.Negotiation{Agreement: sample(t, "iaas")}
	asked := terms(n, faster)
	n, err := n.Propose(customer(1, "x"), asked)
	require.NoError(t, err)
	slower(asked)
	n, err = n.Agree(provider(2, ""))
	require.NoError(t, err)
	require.Equal(t, 10*time.Minute, time.Duration(n.Agreement.Clause.Emergency.Targets[0].Each))
}

func TestAProfileIsNotNegotiatedAway(t *testing.T) {
	a := sample(t, "iaas")
	a.Profiles = []string{"law"}
	law := sla.Minimum{ID: "law", Source: "§ 1", Laws: []string{"XX"}, Floors: []sla.Floor{{Path: "clause.emergency.targets[id=accept-critical].each", Most: "15m"}}}
	n := sla.Negotiation{Agreement: a}
	n, err := n.Propose(provider(3, "x"), terms(n, func(a *sla.Agreement) { a.Profiles = nil; slower(a) }))
	require.NoError(t, err)
	_, err = n.Agree(customer(4, ""), law)
	require.Equal(t, []string{"profiles[0] below"}, list(err))
	n, err = n.Refuse(provider(5, "taken back"))
	require.NoError(t, err)
	n, err = n.Propose(provider(6, "x"), terms(n, faster))
	require.NoError(t, err)
	_, err = n.Agree(customer(7, ""))
	require.Equal(t, []string{"profiles[0] profile"}, list(err), "the law is not at hand")
	n, err = n.Agree(customer(7, ""), law)
	require.NoError(t, err)
	require.Equal(t, opsec.CSP, n.Agreement.History[0].AnswerBy, "taken back by who asked")
}

func TestAHistoryThatWasTouchedDoesNotFollow(t *testing.T) {
	first := sample(t, "iaas")
	n := sla.Negotiation{Agreement: first}
	n = must(n.Propose(customer(1, "x"), terms(n, faster)))
	n = must(n.Refuse(provider(1, "no")))
	n = must(n.Propose(customer(2, "y"), terms(n, faster)))
	n = must(n.Agree(provider(2, "")))
	second := n.Agreement
	n = must(n.Propose(customer(3, "z"), terms(n, slower)))
	n = must(n.Agree(provider(3, "")))
	for name, c := range map[string]struct {
		change func(a *sla.Agreement)
		path   string
	}{
		"terms":             {func(a *sla.Agreement) { a.Clause.Emergency.Hotline = "nobody" }, "history[2].to"},
		"an older reason":   {func(a *sla.Agreement) { a.History[0].Answer = "yes" }, "history[0].answer"},
		"a refusal is gone": {func(a *sla.Agreement) { a.History = a.History[1:] }, "history"},
		"a digest":          {func(a *sla.Agreement) { a.History[2].From = second.History[1].From }, "history[2].from"},
		"agreed":            {func(a *sla.Agreement) { a.History[2].Agreed = false }, "history[2].agreed"},
		"a version":         {func(a *sla.Agreement) { a.History[2].Version = 7 }, "history[2].version"},
		"one more":          {func(a *sla.Agreement) { a.History = append(a.History, a.History[2]) }, "history[2].agreed"},
		"two versions":      {func(a *sla.Agreement) { a.Version = 4 }, "version"},
		"another id":        {func(a *sla.Agreement) { a.ID = "x" }, "id"},
	} {
		a := terms(n, c.change)
		err := a.Follows(second)
		require.Equal(t, []string{c.path + " contradiction"}, list(err), name)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	require.NoError(t, n.Agreement.Follows(second))

	for want, change := range map[string]func(a *sla.Agreement){
		"history[0].by invalid":                                     func(a *sla.Agreement) { a.History[0].By = "x" },
		"history[1].answerBy contradiction":                         func(a *sla.Agreement) { a.History[1].AnswerBy = opsec.CSC },
		"history[1].text missing":                                   func(a *sla.Agreement) { a.History[1].Text = "" },
		"history[1].time contradiction":                             func(a *sla.Agreement) { a.History[1].Time = a.History[0].Time },
		"history[1].version contradiction":                          func(a *sla.Agreement) { a.History[1].Version = 3; a.History[2].Version = 4; a.Version = 4 },
		"history[2].from invalid":                                   func(a *sla.Agreement) { a.History[2].From = "sha256:" + strings.Repeat("A", 64) },
		"history[2].to invalid":                                     func(a *sla.Agreement) { a.History[2].To = "" },
		"history missing":                                           func(a *sla.Agreement) { a.History = a.History[:2] },
		"history[2].answerBy invalid":                               func(a *sla.Agreement) { a.History[2].AnswerBy = opsec.Both },
		"history[2].answered invalid|history[2].time contradiction": func(a *sla.Agreement) { a.History[2].Answered = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		a := terms(n, func(*sla.Agreement) {})
		change(a)
		require.Equal(t, strings.Split(want, "|"), list(a.Validate()))
	}
}

func TestOfManyChangesTheFieldsAreListed(t *testing.T) {
	n := sla.Negotiation{Agreement: sample(t, "iaas")}
	n, err := n.Propose(provider(1, "x"), terms(n, func(a *sla.Agreement) {
		a.Grade = "silver"
		for i := range 300 {
			a.Clause.Documents.List = append(a.Clause.Documents.List, fmt.Sprint(i))
		}
	}))
	require.NoError(t, err)
	require.Equal(t, []string{"clause", "grade"}, n.Open.Paths)
}

// However a negotiation goes, each version follows the one before, is valid, and no version has lost a step.
func TestEveryVersionFollows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := sla.Negotiation{Agreement: sample(t, "saas")}
		steps, day := 0, 0
		for range rapid.IntRange(1, 4).Draw(t, "steps") {
			day++
			step := customer(day, "x")
			if rapid.Bool().Draw(t, "provider") {
				step = provider(day, "x")
			}
			before := n.Agreement
			switch {
			case n.Open == nil:
				next, err := n.Propose(step, terms(n, func(a *sla.Agreement) { a.Title = fmt.Sprint(day) }))
				if err != nil {
					t.Fatal(err)
				}
				n = next
			case rapid.Bool().Draw(t, "agree"):
				next, err := n.Agree(step)
				if (err == nil) != (n.Open.By != step.By) {
					t.Fatal(err)
				}
				if n = next; err == nil {
					steps++
					if err := n.Agreement.Follows(before); err != nil {
						t.Fatal(err)
					}
				}
			default:
				next, err := n.Refuse(step)
				if err != nil {
					t.Fatal(err)
				}
				n = next
				steps++
			}
			if err := n.Agreement.Validate(); err != nil {
				t.Fatal(err)
			}
			if len(n.Agreement.History)+len(n.Refused) != steps {
				t.Fatalf("%d steps: %d %d", steps, len(n.Agreement.History), len(n.Refused))
			}
		}
	})
}
