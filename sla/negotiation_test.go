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
	"github.com/cloudopsec/opsec/sla/ratio"
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
	_, err = n.Propose(provider(2, "x"), terms(n, faster))
	require.NoError(t, err, "at once")
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

// A law that the agreement is under holds, whichever way a proposal takes around it.
func TestAMinimumIsNotUndercut(t *testing.T) {
	law := sla.Minimum{ID: "law", Source: "§ 1", Laws: []string{"DE"}, Models: []opsec.ServiceModel{opsec.IaaS}, Regions: []string{"eu-central"}, Floors: []sla.Floor{
		{Path: "services[*].objectives[scope=instance].target", Least: "99%", Any: true},
		{Path: "services[*].objectives[*].target", Least: "99.5%"},
		{Path: "services[*].objectives[*].window.calendar", OneOf: []string{"month"}},
		{Path: "clause.emergency.targets[measure=acceptance,severity=critical].each", Most: "15m"},
		{Path: "clause.emergency.targets[measure=acceptance,severity=critical].share", Least: "100%"},
		{Path: "clause.data.backup.offSite", Least: "1"},
		{Path: "clause.data.deletion.within", Most: "720h"},
		{Path: "clause.data.compliance[law=EU].keepMost", Most: "8760h"},
		{Path: "exclusions[*].yearly", Most: "24h"},
		{Path: "credits[*].bands[0].credit", Least: "10%"},
		{Path: "credits[*].cap", Least: "100%"},
	}}
	first := sample(t, "iaas")
	first.Exclusions = first.Exclusions[:1]
	require.NoError(t, first.Check(law))
	grade := sla.Minimum{ID: "gold", Source: "house rule", Grades: []string{"gold"}, Floors: []sla.Floor{{Path: "clause.data.backup.offSite", Least: "1"}}}
	copied := func(s sla.Service, change func(o *metric.Objective)) sla.Service {
		o := s.Objectives[0]
		o.ID, s.ID = "new-objective", "new"
		change(&o)
		s.Objectives, s.DependsOn = []metric.Objective{o}, nil
		return s
	}
	none := func(a *sla.Agreement) { a.Clause.Data.Backup.OffSite = 0 }
	for name, c := range map[string]struct {
		change func(a *sla.Agreement)
		want   []string
	}{
		"better":       {faster, nil},
		"a figure":     {slower, []string{"clause.emergency.targets[0].each"}},
		"a unit":       {func(a *sla.Agreement) { a.Clause.Emergency.Targets[0].Each = 15 * hour }, []string{"clause.emergency.targets[0].each"}},
		"the same":     {func(a *sla.Agreement) { a.Clause.Emergency.Targets[0].Share = "1"; a.Title = "x" }, nil},
		"a share":      {func(a *sla.Agreement) { a.Clause.Emergency.Targets[0].Share = "0.9999" }, []string{"clause.emergency.targets[0].share"}},
		"another word": {func(a *sla.Agreement) { a.Clause.Emergency.Targets[0].Severity = "high" }, []string{"clause.emergency.targets[measure=acceptance,severity=critical].each", "clause.emergency.targets[measure=acceptance,severity=critical].share"}},
		"a mean":       {func(a *sla.Agreement) { g := &a.Clause.Emergency.Targets[0]; g.Mean, g.Each = g.Each, 0 }, []string{"clause.emergency.targets[0].each"}},
		"a clause":     {func(a *sla.Agreement) { a.Clause.Emergency.Targets = a.Clause.Emergency.Targets[1:] }, []string{"clause.emergency.targets[measure=acceptance,severity=critical].each", "clause.emergency.targets[measure=acceptance,severity=critical].share"}},
		"a bound":      {func(a *sla.Agreement) { a.Clause.Data.Compliance[1].KeepMost = nil }, []string{"clause.data.compliance[1].keepMost"}},
		"a service": {func(a *sla.Agreement) {
			a.Services = append(a.Services, copied(a.Services[0], func(o *metric.Objective) { o.Target = must(ratio.Parse("1%")) }))
		}, []string{"services[2].objectives[0].target"}},
		"a window": {func(a *sla.Agreement) {
			a.Services = append(a.Services, copied(a.Services[0], func(o *metric.Objective) { o.Window.Calendar = "year" }))
		}, []string{"services[2].objectives[0].window.calendar"}},
		"a rolling one": {func(a *sla.Agreement) { a.Services[0].Objectives[0].Window = metric.Window{Rolling: 87_600 * hour} }, []string{"services[0].objectives[0].window.calendar"}},
		"an exclusion": {func(a *sla.Agreement) {
			a.Exclusions = append(a.Exclusions, sla.ExclusionRule{ID: "x", Category: sla.Preview, Text: "all of it"})
		}, []string{"exclusions[1].yearly"}},
		"no exclusion":  {func(a *sla.Agreement) { a.Exclusions = nil }, nil},
		"a longer year": {func(a *sla.Agreement) { a.Exclusions[0].Yearly++; a.Exclusions[0].Yearly += hour - 1 }, []string{"exclusions[0].yearly"}},
		"a cap": {func(a *sla.Agreement) {
			a.Credits[0].Bands = a.Credits[0].Bands[:1]
			a.Credits[0].Cap = must(ratio.Parse("99%"))
		}, []string{"credits[0].cap"}},
		"no credits": {func(a *sla.Agreement) { a.Credits = nil; a.Liabilities = append(a.Liabilities, a.Liabilities[0]) }, []string{"credits[*].bands[0].credit", "credits[*].cap"}},
		"the law": {func(a *sla.Agreement) {
			a.Law = a.Law[1:]
			a.Clause.Data.Compliance = a.Clause.Data.Compliance[1:]
			none(a)
		}, []string{"clause.data.backup.offSite"}},
		"the region":  {func(a *sla.Agreement) { a.Regions[0] = "eu-central-1"; none(a) }, []string{"clause.data.backup.offSite"}},
		"the model":   {func(a *sla.Agreement) { a.Model, a.Responsibilities.Model = opsec.NaaS, opsec.NaaS; none(a) }, []string{"clause.data.backup.offSite"}},
		"the grade":   {func(a *sla.Agreement) { a.Grade = "silver"; none(a) }, []string{"clause.data.backup.offSite"}},
		"another law": {func(a *sla.Agreement) { a.Law = a.Law[1:]; a.Clause.Data.Compliance = a.Clause.Data.Compliance[1:] }, nil},
	} {
		n := sla.Negotiation{Agreement: first}
		n, err := n.Propose(provider(3, "x"), terms(n, c.change))
		require.NoError(t, err, name)
		_, err = n.Agree(customer(4, ""), law)
		got := []string(nil)
		for _, f := range sla.Faults(err) {
			got = append(got, f.Path)
		}
		require.Equal(t, c.want, got, name)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			continue
		}
		_, err = n.Agree(customer(4, ""), law, grade)
		require.NoError(t, err, name)
	}
	n := sla.Negotiation{Agreement: first}
	more := sla.Minimum{ID: "fr", Source: "§ 2", Laws: []string{"FR"}, Floors: []sla.Floor{{Path: "clause.data.backup.offSite", Least: "2"}}}
	under, err := n.Propose(provider(3, "x"), terms(n, func(a *sla.Agreement) { // and a law that comes holds at once
		a.Law = append(a.Law, "FR")
		x := a.Clause.Data.Compliance[0]
		x.Law = "FR"
		a.Clause.Data.Compliance = append(a.Clause.Data.Compliance, x)
	}))
	require.NoError(t, err)
	_, err = under.Agree(customer(4, ""), law, more)
	require.Equal(t, []string{"clause.data.backup.offSite below"}, list(err))
	for name, ok := range map[string]bool{"gold": false, "silver": true} { // gold is what it was; silver is something else
		n, err := n.Propose(provider(3, "x"), terms(n, func(a *sla.Agreement) { a.Grade = name; none(a) }))
		require.NoError(t, err)
		_, err = n.Agree(customer(4, ""), grade)
		require.Equal(t, ok, err == nil, name)
	}
}

// What could not stand in the history is refused at once: a negotiation with it could not end.
func TestAStepThatCouldNotBeKeptIsRefused(t *testing.T) {
	n := sla.Negotiation{Agreement: sample(t, "iaas")}
	for path, change := range map[string]func(s *sla.Step){
		"text":   func(s *sla.Step) { s.Text = strings.Repeat("x", sla.MaxText+1) },
		"person": func(s *sla.Step) { s.Person = "A\u202eda" },
		"time":   func(s *sla.Step) { s.Time = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		step := customer(3, "x")
		change(&step)
		_, err := n.Propose(step, terms(n, faster))
		require.Equal(t, []string{path + " invalid"}, list(err))
		open := must(n.Propose(customer(3, "x"), terms(n, faster)))
		step.By = opsec.CSP
		for _, answer := range []func(sla.Step) (sla.Negotiation, error){open.Refuse, func(s sla.Step) (sla.Negotiation, error) { return open.Agree(s) }} {
			_, err = answer(step)
			require.Equal(t, []string{path + " invalid"}, list(err))
		}
	}
}

// A proposal that was touched where it lay, together with its digest, makes no version.
func TestAProposalThatWasTouchedMakesNoVersion(t *testing.T) {
	n := sla.Negotiation{Agreement: sample(t, "iaas")}
	for want, change := range map[string]func(p *sla.Proposal){
		"id contradiction":               func(p *sla.Proposal) { p.Terms.ID = "other" },
		"history missing":                func(p *sla.Proposal) { p.Terms.Version = 7 },
		"history[0].paths contradiction": func(p *sla.Proposal) { p.Paths = []string{"title"} },
	} {
		open := must(n.Propose(customer(3, "x"), terms(n, faster)))
		change(open.Open)
		open.Open.To = must(open.Open.Terms.Digest())
		got, err := open.Agree(provider(4, ""))
		require.Contains(t, list(err), want)
		require.Same(t, open.Open, got.Open)
	}
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
		"their own":         {func(a *sla.Agreement) { a.History[2].AnswerBy = a.History[2].By }, "history[2].answerBy"},
		"nobody's":          {func(a *sla.Agreement) { a.History[2].By = opsec.Both }, "history[2].by"},
		"by nobody":         {func(a *sla.Agreement) { a.History[2].AnswerBy = "" }, "history[2].answerBy"},
		"fewer paths":       {func(a *sla.Agreement) { a.History[2].Paths = nil }, "history[2].paths"},
		"other paths":       {func(a *sla.Agreement) { a.History[2].Paths[0] = "title" }, "history[2].paths"},
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
	many := func(n int) func(a *sla.Agreement) {
		return func(a *sla.Agreement) {
			a.Grade = "silver"
			for i := range n - 1 {
				a.Clause.Documents.List = append(a.Clause.Documents.List, fmt.Sprint(i))
			}
		}
	}
	n := sla.Negotiation{Agreement: sample(t, "iaas")}
	few := must(n.Propose(provider(1, "x"), terms(n, many(256))))
	require.Len(t, few.Open.Paths, 256)
	more := must(n.Propose(provider(1, "x"), terms(n, many(257))))
	require.Equal(t, []string{"clause", "grade"}, more.Open.Paths)
	for _, n := range []sla.Negotiation{few, more} {
		_, err := n.Agree(customer(2, ""))
		require.NoError(t, err)
	}
	_, err := n.Propose(provider(1, "x"), terms(n, func(a *sla.Agreement) { many(300)(a); a.Schema = "x" }))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = n.Propose(provider(1, "x"), terms(n, func(a *sla.Agreement) { many(300)(a); a.ID = "x" }))
	require.ErrorContains(t, err, "terms.id: it is not for a proposal")
	n = must(must(n.Propose(customer(1, "x"), terms(n, faster))).Agree(provider(1, "")))
	_, err = n.Propose(provider(2, "x"), terms(n, func(a *sla.Agreement) { a.Grade, a.History[0].Text = "silver", "y" }))
	require.ErrorContains(t, err, "terms.history[0].text: it is not for a proposal")
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
