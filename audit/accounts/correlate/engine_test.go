package correlate_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts/correlate"
)

// Drawn events are small enough to try every way to assign them to steps.

func drawRule(t *rapid.T) correlate.Rule {
	r := correlate.Rule{
		Name: "r", Severity: opsec.SeverityLow, Ordered: rapid.Bool().Draw(t, "ordered"),
		Within: time.Duration(rapid.IntRange(1, 8).Draw(t, "within")) * time.Second, By: []correlate.Field{"account"},
	}
	for range rapid.IntRange(1, 3).Draw(t, "steps") {
		s := correlate.Step{
			Actions: []string{rapid.SampledFrom([]string{"a", "b", "a*", "*", "*b"}).Draw(t, "action")},
			Count:   rapid.IntRange(0, 3).Draw(t, "count"),
		}
		if rapid.Bool().Draw(t, "distinct") {
			s.Distinct = "ip"
		}
		if rapid.IntRange(0, 3).Draw(t, "alias") == 0 {
			s.By = []correlate.Field{"resource.id"}
		}
		r.Steps = append(r.Steps, s)
	}
	return r
}

func drawEvents(t *rapid.T, most int) (list []*opsec.Event) {
	at := start
	for range rapid.IntRange(0, most).Draw(t, "events") {
		at = at.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "later")) * time.Second)
		e := event(rapid.SampledFrom([]string{"a", "b", "ab"}).Draw(t, "action"), at, rapid.SampledFrom([]string{"x", "x", "y", ""}).Draw(t, "account"))
		e.Actor.IP = netip.Addr{}
		if ip := rapid.IntRange(0, 3).Draw(t, "ip"); ip > 0 {
			e.Actor.IP = netip.AddrFrom4([4]byte{192, 0, 2, byte(ip)})
		}
		e.Resource.ID = rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "resource")
		list = append(list, e)
	}
	return list
}

// fitsPlainly says whether an event fits a step, for a key.
func fitsPlainly(s correlate.Step, e *opsec.Event, key string) bool {
	ok := map[string]bool{"a": e.Action == "a", "b": e.Action == "b", "a*": e.Action != "b", "*": true, "*b": e.Action != "a"}[s.Actions[0]]
	about := e.Actor.Account
	if len(s.By) > 0 {
		about = e.Resource.ID
	}
	return ok && about == key && (s.Distinct == "" || e.Actor.IP.IsValid())
}

// complete says whether events that were chosen for each step are a match.
func complete(r correlate.Rule, chosen [][]*opsec.Event) bool {
	for i, s := range r.Steps {
		values := map[string]bool{}
		for _, e := range chosen[i] {
			values[e.Actor.IP.String()] = true
		}
		if n := max(s.Count, 1); len(chosen[i]) != n || s.Distinct != "" && len(values) != n {
			return false
		}
	}
	all := slices.Concat(chosen...)
	byTime := func(a, b *opsec.Event) int { return a.Time.Compare(b.Time) }
	return !slices.MinFunc(all, byTime).Time.Before(slices.MaxFunc(all, byTime).Time.Add(-r.Within))
}

// assignable tries every way to give the events from i on to steps, in order from step on, the last event to the last.
func assignable(r correlate.Rule, events []*opsec.Event, key string, i, step int, chosen [][]*opsec.Event) bool {
	if i == len(events) {
		return complete(r, chosen)
	}
	if i < len(events)-1 && assignable(r, events, key, i+1, step, chosen) {
		return true
	}
	for to := step; to < len(r.Steps); to++ {
		if fitsPlainly(r.Steps[to], events[i], key) && (i < len(events)-1 || to == len(r.Steps)-1) {
			with := slices.Clone(chosen)
			with[to] = append(slices.Clone(with[to]), events[i])
			if assignable(r, events, key, i+1, to, with) {
				return true
			}
		}
	}
	return false
}

// unordered counts for each step what fits it within the time before the last event.
func unordered(r correlate.Rule, events []*opsec.Event, key string) bool {
	last := events[len(events)-1]
	any := false
	for _, s := range r.Steps {
		n, values := 0, map[string]bool{}
		for _, e := range events {
			if fitsPlainly(s, e, key) && !e.Time.Before(last.Time.Add(-r.Within)) {
				n++
				values[e.Actor.IP.String()] = true
				any = any || e == last
			}
		}
		if s.Distinct != "" {
			n = len(values)
		}
		if n < max(s.Count, 1) {
			return false
		}
	}
	return any
}

func plainly(r correlate.Rule, events []*opsec.Event) (found []string) {
	from := map[string]int{}
	for j := range events {
		for _, key := range []string{"x", "y"} {
			part := events[from[key] : j+1]
			if r.Ordered && assignable(r, part, key, 0, 0, make([][]*opsec.Event, len(r.Steps))) || !r.Ordered && unordered(r, part, key) {
				found = append(found, fmt.Sprint("acme/", key, " ", j+1))
				from[key] = j + 1
			}
		}
	}
	slices.Sort(found)
	return found
}

func TestMatchesAgreeWithTryingEverything(t *testing.T) {
	met := 0
	rapid.Check(t, func(rt *rapid.T) {
		r, events := drawRule(rt), drawEvents(rt, 9)
		var got []string
		for _, m := range run(t, correlate.Policy{Rules: []correlate.Rule{r}}, events...) {
			last, chosen := 0, make([][]*opsec.Event, len(r.Steps))
			key := strings.TrimPrefix(m.By[0].Value, "acme/")
			for i, s := range m.Steps {
				for _, ref := range s.Refs {
					n, err := strconv.Atoi(ref)
					require.NoError(rt, err)
					require.True(rt, fitsPlainly(r.Steps[i], events[n-1], key))
					require.True(rt, !r.Ordered || n > last, "in order")
					last = max(last, n)
					chosen[i] = append(chosen[i], events[n-1])
				}
				if r.Ordered {
					last = slices.Max(refs(s.Refs))
				}
			}
			require.True(rt, complete(r, chosen), "the evidence shows the match")
			require.Equal(rt, slices.MinFunc(slices.Concat(chosen...), func(a, b *opsec.Event) int { return a.Time.Compare(b.Time) }).Time, m.From)
			require.Equal(rt, events[last-1].Time, m.To)
			got = append(got, fmt.Sprint(m.By[0].Value, " ", last))
			met++
		}
		slices.Sort(got)
		require.Equal(rt, plainly(r, events), got)
	})
	require.NotZero(t, met)
}

func refs(list []string) (n []int) {
	for _, ref := range list {
		i, _ := strconv.Atoi(ref)
		n = append(n, i)
	}
	return n
}

// Events that come late by less than the lateness give the same matches as in order.
func TestOrderOfArrivalDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events := drawEvents(rt, 40)
		for i, e := range events { // no two at once
			e.Time = start.Add(time.Duration(i)*time.Second + e.Time.Sub(start)/1000)
		}
		p := correlate.Policy{Rules: []correlate.Rule{drawRule(rt)}, Lateness: 10 * time.Second}
		want := run(t, p, events...)
		seed := rapid.Uint64().Draw(rt, "seed")
		arrival := rand.New(rand.NewPCG(seed, 1))
		type arriving struct {
			e   *opsec.Event
			ref string
			at  time.Time
		}
		var list []arriving
		for i, e := range events {
			list = append(list, arriving{e, fmt.Sprint(i + 1), e.Time.Add(time.Duration(arrival.IntN(9)) * time.Second)})
		}
		slices.SortStableFunc(list, func(a, b arriving) int { return a.at.Compare(b.at) })
		g, err := correlate.New(p)
		require.NoError(rt, err)
		var got []correlate.Match
		for _, a := range list {
			got = append(got, g.Add(a.e, a.ref, far)...)
		}
		got = append(got, g.Flush()...)
		require.False(rt, g.Status().Lost())
		require.Equal(rt, want, got)
	})
}

func twoSteps() correlate.Policy {
	return correlate.Policy{Lateness: time.Second, Rules: []correlate.Rule{{
		Name: "r", Severity: opsec.SeverityLow, Within: time.Minute, By: []correlate.Field{"account"}, Ordered: true,
		Steps: []correlate.Step{{Actions: []string{"a"}}, {Actions: []string{"b"}}},
	}}}
}

func TestWhatComesTooLateOrTooEarlyIsCounted(t *testing.T) {
	g, err := correlate.New(twoSteps())
	require.NoError(t, err)
	require.Empty(t, g.Add(event("a", start, "x"), "1", start))
	require.Empty(t, g.Add(event("c", start.Add(2*time.Second), "x"), "2", far), "which fits nothing, and moves the time on")
	require.Empty(t, g.Add(event("b", start.Add(time.Second), "x"), "3", far), "just in time")
	require.Len(t, g.Flush(), 1)
	require.False(t, g.Status().Lost())
	require.Empty(t, g.Add(event("a", start.Add(time.Second), "x"), "4", far))
	require.EqualValues(t, 1, g.Status().Late)
	require.Empty(t, g.Add(event("a", far.Add(time.Second+1), "x"), "5", far))
	require.EqualValues(t, 1, g.Status().Ahead)
	require.Empty(t, g.Add(event("a", start.Add(3*time.Second), "x"), "6", far), "an event from the future stops no others")
	require.EqualValues(t, 1, g.Status().Late)
	s := g.Status()
	require.True(t, s.Lost())
	e := s.Event(far)
	require.NoError(t, e.Validate())
	require.Contains(t, e.Attrs, opsec.Attr{Key: "late", Value: "1", Mark: opsec.Tenant})
}

func TestTimeAloneEndsTheWait(t *testing.T) {
	g, err := correlate.New(twoSteps())
	require.NoError(t, err)
	require.Empty(t, g.Add(event("a", start, "x"), "1", far))
	require.Empty(t, g.Add(event("b", start, "x"), "2", far))
	require.Empty(t, g.Advance(start.Add(time.Second)))
	require.Equal(t, 2, g.Status().Held)
	require.Len(t, g.Advance(start.Add(time.Second+1)), 1)
	require.Zero(t, g.Status().Held)
}

func TestTooManyKeysAreCounted(t *testing.T) {
	p := twoSteps()
	p.Keys = 10
	g, err := correlate.New(p)
	require.NoError(t, err)
	for i := range 11 {
		g.Add(event("a", start.Add(time.Duration(i)*time.Second), fmt.Sprint("account", i)), "", far)
	}
	g.Flush()
	require.Equal(t, map[string]uint64{"r": 1}, g.Status().Evicted)
	for i := range 11 {
		g.Add(event("b", start.Add(20*time.Second), fmt.Sprint("account", i)), "", far)
	}
	require.Len(t, g.Flush(), 10, "the one that was forgotten is missing, and counted")
	for i := range 100 { // one after the other: each has expired when the next comes
		g.Add(event("a", start.Add(time.Duration(i+1)*2*time.Minute), fmt.Sprint("account", i)), "", far)
	}
	g.Flush()
	require.Equal(t, map[string]uint64{"r": 1}, g.Status().Evicted, "what could not match any more is no loss")
}

func TestKeyThatWasSeenLatelyIsKept(t *testing.T) {
	p := twoSteps()
	p.Keys = 3
	g, err := correlate.New(p)
	require.NoError(t, err)
	at := start
	for _, account := range []string{"x", "y", "w", "x", "w", "z", "x"} { // y has to go
		at = at.Add(time.Second)
		g.Add(event("a", at, account), "", far)
	}
	var found []correlate.Match
	for _, account := range []string{"w", "x", "y", "z"} {
		at = at.Add(time.Second)
		found = append(found, g.Add(event("b", at, account), "", far)...)
	}
	var met []string
	for _, m := range append(found, g.Flush()...) {
		met = append(met, m.By[0].Value)
	}
	require.Equal(t, []string{"acme/w", "acme/x", "acme/z"}, met)
	require.Equal(t, map[string]uint64{"r": 1}, g.Status().Evicted)
}

func TestTooManyWaitingAreJudgedEarly(t *testing.T) {
	p := twoSteps()
	p.Held, p.Lateness = 2, time.Hour
	g, err := correlate.New(p)
	require.NoError(t, err)
	g.Add(event("a", start, "x"), "1", far)
	g.Add(event("b", start.Add(2), "x"), "2", far)
	g.Add(event("b", start.Add(3), "x"), "3", far)
	require.Equal(t, 2, g.Status().Held)
	g.Add(event("b", start.Add(-1), "x"), "4", far)
	require.EqualValues(t, 1, g.Status().Late, "nothing is put before what has been judged")
	require.Len(t, g.Flush(), 1)
}

func TestMemoryIsBounded(t *testing.T) {
	p := twoSteps()
	p.Keys, p.Held = 100, 100
	p.Rules[0].Steps[0] = correlate.Step{Actions: []string{"a"}, Count: 4, Distinct: "session"}
	g, err := correlate.New(p)
	require.NoError(t, err)
	used := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := used()
	long := strings.Repeat("x", 4000)
	for i := range 20_000 {
		e := event("a", start.Add(time.Duration(i)), fmt.Sprint(long, i%1000))
		e.Actor.Session = fmt.Sprint(long, i)
		g.Add(e, "ref", far)
	}
	require.Less(t, used(), before+1<<20)
	require.NotZero(t, g.Status().Evicted["r"])
}

func TestSecretsAndTenantsStayApart(t *testing.T) {
	p := twoSteps()
	a, b := event("a", start, "x"), event("b", start.Add(1), "x")
	b.Tenant, b.Actor.Tenant = "acne", "acne"
	require.Empty(t, run(t, p, a, b), "x of another tenant is another account")

	p.Rules[0].By = []correlate.Field{"ip"}
	found := run(t, p, a, b)
	require.Equal(t, opsec.Provider, found[0].Tenant, "what concerns two tenants is for neither")
	p.Rules[0].Ordered = false
	require.Equal(t, opsec.Provider, run(t, p, a, b)[0].Tenant)
	p.Rules[0].Steps = []correlate.Step{{Actions: []string{"*"}, Count: 2}}
	require.Equal(t, opsec.Provider, run(t, p, a, b)[0].Tenant, "also within a step")
	p = twoSteps()
	p.Rules[0].By = []correlate.Field{"ip"}
	b.Tenant = "acme"
	require.Equal(t, opsec.TenantID("acme"), run(t, p, a, b)[0].Tenant)

	p.Rules[0].By = []correlate.Field{"attr:token"}
	for _, e := range []*opsec.Event{a, b} {
		e.Attrs = []opsec.Attr{{Key: "token", Value: "hunter2", Mark: opsec.Secret}}
	}
	require.Empty(t, run(t, p, a, b))
	a.Attrs[0].Mark, b.Attrs[0].Mark = opsec.Personal, opsec.Personal
	require.Equal(t, "hunter2", run(t, p, a, b)[0].By[0].Value)
}

func TestEachFieldJoins(t *testing.T) {
	fill := func(e *opsec.Event, s string) {
		e.Tenant = opsec.TenantID(s)
		e.Actor = opsec.Actor{Tenant: "t", Account: s, Person: s, Session: s, Terminal: s, IP: netip.MustParseAddr("2001:db8::" + s)}
		e.OnBehalfOf = &opsec.Actor{Tenant: "t", Account: s, Person: s}
		e.Resource = opsec.Resource{Tenant: opsec.TenantID(s), Type: "volume", ID: s}
		e.System, e.Attrs = s, []opsec.Attr{{Key: "k", Value: s}}
		e.Intent = opsec.ID(strings.Repeat(s, 8) + "-aaaa-7aaa-8aaa-aaaaaaaaaaaa")
	}
	for _, f := range []correlate.Field{
		"tenant", "account", "person", "session", "ip", "terminal", "for.account", "for.person",
		"resource", "resource.tenant", "resource.id", "system", "intent", "attr:k",
	} {
		p := twoSteps()
		p.Rules[0].By = []correlate.Field{f}
		a, b, c := event("a", start, ""), event("b", start.Add(1), ""), event("b", start.Add(1), "")
		fill(a, "1")
		fill(b, "1")
		fill(c, "2")
		require.Len(t, run(t, p, a, b), 1, f)
		require.Empty(t, run(t, p, a, c), f)
		a, b = event("a", start, ""), event("b", start.Add(1), "")
		a.Actor, b.Actor = opsec.Actor{}, opsec.Actor{}
		if f != "tenant" {
			require.Empty(t, run(t, p, a, b), "what is empty agrees with nothing: %s", f)
		}
	}
	p := twoSteps()
	p.Rules[0].By = nil
	require.Len(t, run(t, p, event("a", start, "x"), event("b", start.Add(1), "y")), 1, "anything, anywhere")
	p.Rules[0].By = []correlate.Field{"action"}
	require.Empty(t, run(t, p, event("a", start, "x"), event("b", start.Add(1), "x")))
}

func TestAddressesAndTenantsMeanTheSameHoweverWritten(t *testing.T) {
	p := twoSteps()
	joined := func(f correlate.Field, one, other string) bool {
		p.Rules[0].By = []correlate.Field{f}
		a, b := event("a", start, "x"), event("b", start.Add(1), "x")
		a.Actor.IP, b.Actor.IP = netip.MustParseAddr(one), netip.MustParseAddr(other)
		return len(run(t, p, a, b)) == 1
	}
	require.True(t, joined("ip", "192.0.2.1", "::ffff:192.0.2.1"))
	require.True(t, joined("origin", "192.0.2.1", "::ffff:192.0.2.1"))
	require.False(t, joined("origin", "192.0.2.1", "192.0.2.2"))
	require.True(t, joined("origin", "fe80::1%eth0", "fe80::2%eth1"))
	require.False(t, joined("ip", "2001:db8::1", "2001:db8::2"))

	p.Rules[0].By = []correlate.Field{"account"}
	a, b := event("a", start, "x"), event("b", start.Add(1), "x")
	a.Actor.Tenant = ""
	require.Len(t, run(t, p, a, b), 1, "an actor without a tenant is of the event's")
}

func TestEachConditionOfAStepCounts(t *testing.T) {
	takes := func(s correlate.Step, spoil func(*opsec.Event)) bool {
		p := twoSteps()
		p.Rules[0].By, p.Rules[0].Steps = nil, []correlate.Step{s}
		e := grant(start, "eve", "bob")
		e.Cancelled, e.Attrs = []string{"key.use"}, []opsec.Attr{{Key: "owner", Value: "eve"}}
		spoil(e)
		return len(run(t, p, e)) == 1
	}
	same := func(*opsec.Event) {}
	none := func(e *opsec.Event) { e.Attrs = nil }
	any := []string{"*"}
	for name, test := range map[string]struct {
		step  correlate.Step
		spoil func(*opsec.Event)
		want  bool
	}{
		"cancelled":           {correlate.Step{Actions: any, Cancelled: []string{"key.*"}}, same, true},
		"not cancelled":       {correlate.Step{Actions: any, Cancelled: []string{"volume.*"}}, same, false},
		"granted":             {correlate.Step{Actions: any, Granted: []string{"x", "volume.read"}}, same, true},
		"not granted":         {correlate.Step{Actions: any, Granted: []string{"volume"}}, same, false},
		"no end":              {correlate.Step{Actions: any, Part: correlate.End}, same, false},
		"an end":              {correlate.Step{Actions: any, Part: correlate.End}, func(e *opsec.Event) { e.Began = start }, true},
		"equal":               {correlate.Step{Actions: any, Equal: [][2]correlate.Field{{"attr:owner", "account"}}}, same, true},
		"not equal":           {correlate.Step{Actions: any, Equal: [][2]correlate.Field{{"attr:owner", "resource.id"}}}, same, false},
		"nothing to be equal": {correlate.Step{Actions: any, Equal: [][2]correlate.Field{{"attr:owner", "attr:owner"}}}, none, false},
		"attribute":           {correlate.Step{Actions: any, Attrs: map[string]string{"owner": "e*e"}}, same, true},
		"no such attribute":   {correlate.Step{Actions: any, Attrs: map[string]string{"owner": "e*e"}}, none, false},
		"overlap":             {correlate.Step{Actions: []string{"accesscontrol.gr*rant"}}, same, false},
		"pattern":             {correlate.Step{Actions: []string{"access*.grant"}}, same, true},
	} {
		require.Equal(t, test.want, takes(test.step, test.spoil), name)
	}
}

// An event may complete a rule about one account, and begin it about another.
func TestEventCountsForEachKeyItNames(t *testing.T) {
	p := twoSteps()
	p.Rules[0].Steps[0].By = []correlate.Field{"resource.id"} // whom the grant is for
	p.Rules[0].Steps[0].Actions, p.Rules[0].Steps[1].Actions = []string{"accesscontrol.grant"}, []string{"*"}
	found := run(t, p, grant(start, "ann", "bob"), grant(start.Add(1), "bob", "joe"), grant(start.Add(2), "joe", "zoe"))
	require.Equal(t, []string{"r", "r"}, rulesOf(found))
	require.Equal(t, "acme/bob", found[0].By[0].Value)
	require.Equal(t, "acme/joe", found[1].By[0].Value)
}

func TestMatchStaysWithinBounds(t *testing.T) {
	p := twoSteps()
	p.Listed = 64
	p.Rules[0].Steps[0].Count, p.Rules[0].Steps[1].Count = 64, 64
	g, err := correlate.New(p)
	require.NoError(t, err)
	long := strings.Repeat("é", 1000)
	var found []correlate.Match
	for i := range 128 {
		e := event(map[bool]string{true: "a", false: "b"}[i < 64], start.Add(time.Duration(i)), long)
		found = append(found, g.Add(e, fmt.Sprint(strings.Repeat("r", 5*i), i), far)...)
	}
	found = append(found, g.Flush()...)
	require.Len(t, found, 1)
	require.Less(t, len(found[0].By[0].Value), 300)
	require.True(t, utf8.ValidString(found[0].By[0].Value))
	require.NoError(t, found[0].Event(far).Validate())
	require.Equal(t, 64, found[0].Steps[1].Count)
}

func TestPolicyIsData(t *testing.T) {
	good := `{"lateness":"5s","keys":5,"held":6,"listed":7,"rules":[{"name":"r","about":"w","severity":"low","within":"1h0m0s",` +
		`"by":["account"],"ordered":true,"steps":[{"actions":["a.*"],"category":"authentication","outcomes":["failure"],"part":"end",` +
		`"granted":["*"],"cancelled":["x"],"attrs":{"k":"v*"},"equal":[["account","resource.id"]],"count":3,"distinct":"ip","by":["person"]}]}]}`
	var p correlate.Policy
	require.NoError(t, json.Unmarshal([]byte(good), &p))
	text, err := json.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, good, string(text))
	for _, change := range [][2]string{
		{`"5s"`, `"-5s"`}, {`"5s"`, `"25h"`}, {`"5s"`, `5`}, {`"keys":5`, `"keys":-1`}, {`"held":6`, `"held":16777217`},
		{`"listed":7`, `"listed":65`}, {`"name":"r"`, `"name":""`}, {`"name":"r"`, `"name":"a b"`}, {`"low"`, `"loud"`},
		{`"1h0m0s"`, `"0s"`}, {`"1h0m0s"`, `"9000h"`}, {`["account"],"ordered"`, `["nonsense"],"ordered"`},
		{`["account"],"ordered"`, `["account","ip"],"ordered"`}, {`["person"]`, `["attr:"]`}, {`["person"]`, `["attr:` + strings.Repeat("k", 121) + `"]`}, {`["a.*"]`, `["*.*"]`},
		{`["a.*"]`, `[""]`}, {`"authentication"`, `"x"`}, {`"failure"`, `"x"`}, {`"end"`, `"middle"`}, {`["*"]`, `["**"]`},
		{`"count":3`, `"count":257`}, {`"count":3`, `"count":-1`}, {`"distinct":"ip"`, `"distinct":"x"`}, {`"resource.id"]`, `"x"]`},
		{`"ordered"`, `"orderly"`}, {`"count"`, `"number"`}, {`"v*"`, `"*v*"`}, {`"about":"w"`, `"about":"` + strings.Repeat("x", 9000) + `"`},
		{`["account"],"ordered"`, `["ip","ip","ip","ip","ip"],"ordered"`}, {`"rules"`, `"rule"`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		require.NotEqual(t, good, bad, change[0])
		before := p
		require.ErrorIs(t, json.Unmarshal([]byte(bad), &p), opsec.ErrInvalid, bad)
		require.Equal(t, before, p)
	}
	twice := twoSteps()
	twice.Rules = append(twice.Rules, twice.Rules[0])
	for _, bad := range []correlate.Policy{{}, twice, {Rules: []correlate.Rule{{Name: "r", Severity: "low", Within: 1}}},
		{Rules: []correlate.Rule{{Name: "r", Severity: "low", Within: 1, Steps: []correlate.Step{{}}}}},
		{Rules: []correlate.Rule{{Name: "r", Severity: "low", Within: 1, Steps: make([]correlate.Step, 9)}}},
	} {
		_, err := correlate.New(bad)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func FuzzPolicy(f *testing.F) {
	text, err := json.Marshal(presets())
	require.NoError(f, err)
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		var p correlate.Policy
		if json.Unmarshal(text, &p) != nil {
			return
		}
		again, err := json.Marshal(p)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(again, &p))
		g, err := correlate.New(p)
		require.NoError(t, err)
		g.Add(grant(start, "eve", "eve"), "1", far)
		g.Flush()
	})
}
