package independence_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/independence"
)

func TestWhoDidApprovedOrOwnedItMayNotAuditIt(t *testing.T) {
	denied := func(a *independence.Act) { a.Outcome = opsec.Denied }
	tests := []struct {
		name string
		act  independence.Act
		want []string
	}{
		{"an action of the scope", staff("ann", "backup.restore"), one("operated")},
		{"a system of the scope", with(staff("ann", "console.login"), func(a *independence.Act) { a.System = "backup-eu" }), one("operated")},
		{"a resource of the scope", with(staff("ann", "volume.resize"), func(a *independence.Act) {
			a.Resource = opsec.Resource{Tenant: "acme", Type: "volume", ID: "7"}
		}), one("operated")},
		{"an attempt that failed", with(staff("ann", "backup.restore"), func(a *independence.Act) { a.Outcome = opsec.Failure }), one("operated")},
		{"an intent", with(staff("ann", "backup.restore"), func(a *independence.Act) { a.Outcome = opsec.Pending }), one("operated")},
		{"an approval of an action of the scope", with(staff("ann", "approval.approve"), func(a *independence.Act) {
			a.Approves = "backup.delete"
		}), one("approved")},
		{"an approval of something done to a resource of the scope", with(staff("ann", "approval.approve"), func(a *independence.Act) {
			a.Approves, a.Resource = "quota.set", opsec.Resource{Tenant: "acme", Type: "volume", ID: "7"}
		}), one("approved")},
		{"a request for an approval", with(staff("ann", "approval.request"), func(a *independence.Act) { a.Approves = "backup.delete" }), one("operated")},

		{"another action", staff("ann", "patch.install"), nil},
		{"an action that begins alike", staff("ann", "backups.restore"), nil},
		{"another system", with(staff("ann", "console.login"), func(a *independence.Act) { a.System = "backup-eu-2" }), nil},
		{"another resource", with(staff("ann", "key.rotate"), func(a *independence.Act) { a.Resource = opsec.Resource{Type: "key", ID: "7"} }), nil},
		{"what was denied", with(staff("ann", "backup.restore"), denied), nil},
		{"an approval of something else", with(staff("ann", "approval.approve"), func(a *independence.Act) { a.Approves = "patch.install" }), nil},
		{"what another did", staff("bob", "backup.restore"), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := examine(t, backups, independence.Organisation{}, one("ann"), test.act)
			require.Equal(t, test.want, kinds(t, c, "ann"))
			if err := c.Cleared("ann"); test.want == nil {
				require.NoError(t, err)
			} else {
				conflict, ok := errors.AsType[*independence.ConflictError](err)
				require.True(t, ok)
				require.ErrorIs(t, err, opsec.ErrDenied)
				require.Equal(t, "ann", conflict.Person)
				require.Equal(t, one(test.act.Ref), conflict.Conflicts[0].Refs)
			}
		})
	}
}

func TestLookBackIncludesItsFirstInstant(t *testing.T) {
	at := func(when time.Time) independence.Act {
		return with(staff("ann", "backup.restore"), func(a *independence.Act) { a.Time = when })
	}
	for _, length := range []time.Duration{0, 30 * 24 * time.Hour} { // zero is a year
		p := independence.Policy{LookBack: length}
		if length == 0 {
			length = year
		}
		first := now.Add(-length)
		for when, want := range map[time.Time][]string{
			first:                     one("operated"),
			first.Add(-1):             nil,
			now:                       one("operated"),
			now.Add(10 * time.Minute): one("operated"), // by a clock that is ahead
		} {
			c := examineBy(t, p, backups, independence.Organisation{}, one("ann"), at(when))
			require.Equal(t, want, kinds(t, c, "ann"), when)
			require.Equal(t, first, c.From)
		}
	}
}

func TestOwnersMayNotAuditWhatTheyOwned(t *testing.T) {
	first := now.Add(-year)
	tests := []struct {
		name  string
		owner independence.Ownership
		want  []string
	}{
		{"a system", independence.Ownership{System: "backup-eu"}, one("owned")},
		{"systems that begin so", independence.Ownership{System: "backup-*"}, one("owned")},
		{"a process", independence.Ownership{Action: "backup.restore"}, one("owned")},
		{"processes", independence.Ownership{Action: "*"}, one("owned")},
		{"a resource", independence.Ownership{Resource: opsec.Resource{Tenant: "acme", Type: "volume", ID: "7"}}, one("owned")},
		{"until the look-back", independence.Ownership{System: "backup-eu", Until: first}, one("owned")},
		{"from now on", independence.Ownership{System: "backup-eu", From: now}, one("owned")},

		{"another system", independence.Ownership{System: "backup-us"}, nil},
		{"a system that begins alike", independence.Ownership{System: "backup-eu-2"}, nil},
		{"an action that is none of the scope", independence.Ownership{Action: "patch.*"}, nil},
		{"another resource", independence.Ownership{Resource: opsec.Resource{Type: "key", ID: "*"}}, nil},
		{"until before the look-back", independence.Ownership{System: "backup-eu", Until: first.Add(-1)}, nil},
		{"from later on", independence.Ownership{System: "backup-eu", From: now.Add(1)}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.owner.Person = "ann"
			c := examine(t, backups, independence.Organisation{Owners: []independence.Ownership{test.owner}}, []string{"ann", "bob"})
			require.Equal(t, test.want, kinds(t, c, "ann"))
			require.Empty(t, kinds(t, c, "bob"))
		})
	}
}

func TestOwnershipsSayWhenTheyBeganAndEnded(t *testing.T) {
	may, march := now.AddDate(0, -1, 0), now.AddDate(0, -3, 0)
	owned := func(periods ...[2]time.Time) independence.Conflict {
		var o independence.Organisation
		for _, p := range periods {
			o.Owners = append(o.Owners, independence.Ownership{Person: "ann", System: "backup-eu", From: p[0], Until: p[1]})
		}
		c := examine(t, backups, o, one("ann"))
		return c.Standings[0].Conflicts[0]
	}
	always := time.Time{}
	for _, test := range []struct {
		periods     [][2]time.Time
		first, last time.Time
	}{
		{[][2]time.Time{{march, may}}, march, may},
		{[][2]time.Time{{march, march}, {may, may}}, march, may},
		{[][2]time.Time{{may, may}, {march, march}}, march, may},
		{[][2]time.Time{{march, always}, {may, may}}, march, always},
		{[][2]time.Time{{may, may}, {march, always}}, march, always},
		{[][2]time.Time{{always, march}, {march, may}}, always, may},
	} {
		c := owned(test.periods...)
		require.Equal(t, []any{test.first, test.last, uint64(len(test.periods))}, []any{c.First, c.Last, c.Count}, test.periods)
	}
}

// staffed has this line of reporting: eve, dan, cat above ann and bob; fay above nobody.
func staffed() independence.Organisation {
	return independence.Organisation{Lines: []independence.Line{
		{Person: "ann", Manager: "cat"}, {Person: "bob", Manager: "cat"}, {Person: "cat", Manager: "dan"}, {Person: "dan", Manager: "eve"},
	}}
}

func TestWhoIsInLineWithAnOperatorMayNotAudit(t *testing.T) {
	everybody, inLine := []string{"ann", "bob", "cat", "dan", "eve", "fay"}, one("line cat operated")
	tests := []struct {
		levels int
		want   map[string][]string
	}{
		{0, map[string][]string{"ann": inLine, "bob": inLine, "cat": one("operated"), "dan": inLine, "eve": inLine, "fay": nil}},
		{1, map[string][]string{"ann": inLine, "bob": inLine, "cat": one("operated"), "dan": inLine, "eve": nil, "fay": nil}},
	}
	for _, test := range tests {
		c := examineBy(t, independence.Policy{Levels: test.levels}, backups, staffed(), everybody, staff("cat", "backup.restore"))
		for _, person := range everybody {
			require.Equal(t, test.want[person], kinds(t, c, person), "%d levels, %s", test.levels, person)
		}
	}
}

func TestColleaguesAreNotInLine(t *testing.T) {
	c := examine(t, backups, staffed(), []string{"bob", "dan"}, staff("ann", "backup.restore"))
	require.Empty(t, kinds(t, c, "bob"))
	require.Equal(t, one("line ann operated"), kinds(t, c, "dan"))
}

func TestLinesCountThatWereThereInTheLookBack(t *testing.T) {
	first := now.Add(-year)
	for _, test := range []struct {
		from, until time.Time
		want        []string
	}{
		{time.Time{}, first, one("line ann owned")},
		{time.Time{}, first.Add(-1), nil},
		{now, time.Time{}, one("line ann owned")},
		{now.Add(1), time.Time{}, nil},
	} {
		o := independence.Organisation{
			Owners: []independence.Ownership{{Person: "ann", System: "backup-eu"}},
			Lines:  []independence.Line{{Person: "ann", Manager: "cat", From: test.from, Until: test.until}},
		}
		require.Equal(t, test.want, kinds(t, examine(t, backups, o, one("cat")), "cat"), "%v", test)
	}
}

func TestAPersonActsThroughSeveralAccountsAndForOthers(t *testing.T) {
	o := independence.Organisation{Accounts: func(tenant opsec.TenantID, account string) (string, bool) {
		who, ok := map[string]string{"@provider/root": "ann", "acme/support": "ann", "@provider/ci": "ann"}[string(tenant)+"/"+account]
		return who, ok
	}}
	by := func(actor opsec.Actor, other *opsec.Actor) independence.Act {
		return with(staff("x", "backup.restore"), func(a *independence.Act) { a.Actor, a.OnBehalfOf = actor, other })
	}
	root, nobody := opsec.Actor{Tenant: opsec.Provider, Account: "root"}, opsec.Actor{Tenant: opsec.Provider, Account: "lost"}
	ann, bob := opsec.Actor{Tenant: opsec.Provider, Account: "a", Person: "ann"}, opsec.Actor{Tenant: opsec.Provider, Account: "b", Person: "bob"}
	customer := opsec.Actor{Tenant: "acme", Account: "user", Person: "ann"} // another ann
	support := opsec.Actor{Tenant: "acme", Account: "support"}
	ci, timer := opsec.Actor{Tenant: opsec.Provider, Account: "ci", Kind: opsec.Service}, opsec.Actor{Kind: opsec.System}
	type counts struct{ machine, customers, unattributed uint64 }
	tests := []struct {
		name     string
		act      independence.Act
		ann, bob []string
		counts   counts
	}{
		{"her own account", by(ann, nil), one("operated"), nil, counts{}},
		{"an account that the register knows", by(root, nil), one("operated"), nil, counts{}},
		{"a customer's account that is hers", by(support, nil), one("operated"), nil, counts{}},
		{"a service that is hers", by(ci, nil), one("operated"), nil, counts{}},
		{"for another", by(ann, &bob), one("operated"), one("operated"), counts{}},
		{"another for her", by(bob, &ann), one("operated"), one("operated"), counts{}},
		{"a timer for her", by(timer, &ann), one("operated"), nil, counts{}},
		{"she for herself", by(ann, &root), one("operated"), nil, counts{}},
		{"a customer's ann", by(customer, nil), nil, nil, counts{customers: 1}},
		{"a timer", by(timer, nil), nil, nil, counts{machine: 1}},
		{"a timer for a customer", by(timer, &customer), nil, nil, counts{machine: 1}},
		{"nobody", by(nobody, nil), nil, nil, counts{unattributed: 1}},
		{"nobody for her", by(nobody, &ann), one("operated"), nil, counts{unattributed: 1}},
		{"she for nobody", by(ann, &nobody), one("operated"), nil, counts{unattributed: 1}},
		{"no account at all", by(opsec.Actor{}, nil), nil, nil, counts{unattributed: 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := examine(t, backups, o, []string{"ann", "bob"}, test.act)
			require.Equal(t, test.ann, kinds(t, c, "ann"))
			require.Equal(t, test.bob, kinds(t, c, "bob"))
			for _, s := range c.Standings {
				for _, found := range s.Conflicts {
					require.EqualValues(t, 1, found.Count)
				}
			}
			require.Equal(t, test.counts, counts{c.Machine, c.Customers, c.Unattributed.Acts})
		})
	}
}

func TestNobodyIsClearedWhileActsAreNobodys(t *testing.T) {
	lost := with(staff("", "backup.restore"), func(a *independence.Act) { a.Actor.Account = "lost" })
	c := examine(t, backups, independence.Organisation{}, one("ann"), lost, lost)
	err := c.Cleared("ann")
	found, ok := errors.AsType[*independence.UnattributedError](err)
	require.True(t, ok, "%v", err)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.EqualValues(t, 2, found.Acts)
	require.Equal(t, one("@provider/lost"), found.Accounts)
	require.Equal(t, one(lost.Ref), found.Refs)

	c = examineBy(t, independence.Policy{SkipUnattributed: true}, backups, independence.Organisation{}, one("ann"), lost)
	require.NoError(t, c.Cleared("ann"))
	require.EqualValues(t, 1, c.Unattributed.Acts, "and is counted all the same")

	elsewhere := with(lost, func(a *independence.Act) { a.Action = "patch.install" })
	require.NoError(t, examine(t, backups, independence.Organisation{}, one("ann"), elsewhere).Cleared("ann"))
	require.ErrorIs(t, c.Cleared("bob"), opsec.ErrNotFound)
	require.ErrorIs(t, independence.Clearance{}.Cleared("ann"), opsec.ErrNotFound)
}

func TestPolicyIgnoresAndApprovesByPattern(t *testing.T) {
	p := independence.Policy{Ignore: []string{"backup.verify", "backup.list*"}, Approvals: []string{"change.*"}}
	for action, want := range map[string][]string{
		"backup.verify": nil, "backup.list": nil, "backup.list_all": nil, "backup.verify_not": one("operated"), "backup.restore": one("operated"),
	} {
		require.Equal(t, want, kinds(t, examineBy(t, p, backups, independence.Organisation{}, one("ann"), staff("ann", action)), "ann"), action)
	}
	about := func(action string) independence.Act {
		return with(staff("ann", action), func(a *independence.Act) { a.Approves = "backup.delete" })
	}
	require.Equal(t, one("approved"), kinds(t, examineBy(t, p, backups, independence.Organisation{}, one("ann"), about("change.accept")), "ann"))
	require.Equal(t, one("operated"), kinds(t, examineBy(t, p, backups, independence.Organisation{}, one("ann"), about("approval.approve")), "ann"))
}

func TestConflictsTellOfTheEarliest(t *testing.T) {
	var acts []independence.Act
	for i := range 20 {
		acts = append(acts, with(staff("ann", fmt.Sprintf("backup.step-%02d", i)), func(a *independence.Act) {
			a.Time, a.Ref = now.Add(time.Duration(i-30)*time.Hour), fmt.Sprintf("log/%02d", i)
		}))
	}
	want := independence.Conflict{
		Kind: independence.Operated, Action: "backup.step-00", First: now.Add(-30 * time.Hour), Last: now.Add(-11 * time.Hour), Count: 20,
		Refs: []string{"log/00", "log/01", "log/02", "log/03", "log/04", "log/05", "log/06", "log/07"},
	}
	for range 10 {
		rand.Shuffle(len(acts), func(i, j int) { acts[i], acts[j] = acts[j], acts[i] })
		c := examine(t, backups, independence.Organisation{}, one("ann"), acts...)
		require.Equal(t, []independence.Conflict{want}, c.Standings[0].Conflicts)
		require.EqualValues(t, 20, c.Read)
		require.EqualValues(t, 20, c.Touched)
	}
}

func TestTooManyConflictsAreCounted(t *testing.T) {
	var o independence.Organisation
	acts := []independence.Act{staff("boss", "backup.restore")}
	for i := range 100 {
		person := fmt.Sprintf("p%02d", i)
		o.Lines = append(o.Lines, independence.Line{Person: person, Manager: "boss"})
		acts = append(acts, staff(person, "backup.restore"))
	}
	c := examine(t, backups, o, one("boss"), acts...)
	s := c.Standings[0]
	require.Len(t, s.Conflicts, 64)
	require.Equal(t, independence.Operated, s.Conflicts[0].Kind, "one's own come first")
	require.Equal(t, 101-64, s.More)
	require.ErrorContains(t, c.Cleared("boss"), "and 100 more")
}

func TestErrorsEndTheReadingWithoutClearance(t *testing.T) {
	broken := errors.New("disk")
	var p independence.Policy
	c, err := p.Examine(context.Background(), backups, one("ann"), independence.Organisation{}, func(yield func(independence.Act, error) bool) {
		_ = yield(staff("bob", "backup.restore"), nil) && yield(independence.Act{}, broken)
	}, now)
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "act 2")
	require.Zero(t, c)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	c, err = p.Examine(ctx, backups, one("ann"), independence.Organisation{}, seq(staff("bob", "backup.restore")), now)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, c)
}

func TestQuestionsThatCannotBeMeantAreRefused(t *testing.T) {
	many := make([]string, 1001)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	ask := func(p independence.Policy, s independence.Scope, candidates []string, o independence.Organisation, at time.Time) error {
		_, err := p.Examine(context.Background(), s, candidates, o, seq(), at)
		return err
	}
	require.NoError(t, ask(independence.Policy{}, backups, many[:1000], independence.Organisation{}, now))
	for _, candidates := range [][]string{nil, {""}, {"ann", "ann"}, {"\xff"}, many} {
		require.ErrorIs(t, ask(independence.Policy{}, backups, candidates, independence.Organisation{}, now), opsec.ErrInvalid)
	}
	require.ErrorIs(t, ask(independence.Policy{Levels: -1}, backups, one("ann"), independence.Organisation{}, now), opsec.ErrInvalid)
	require.ErrorIs(t, ask(independence.Policy{}, independence.Scope{}, one("ann"), independence.Organisation{}, now), opsec.ErrInvalid)
	require.ErrorIs(t, ask(independence.Policy{}, backups, one("ann"), independence.Organisation{Lines: []independence.Line{{}}}, now), opsec.ErrInvalid)
	require.ErrorIs(t, ask(independence.Policy{}, backups, one("ann"), independence.Organisation{}, time.Time{}), opsec.ErrInvalid)
	_, err := independence.Policy{}.Examine(context.Background(), backups, one("ann"), independence.Organisation{}, nil, now)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// naive is the rule as it reads, act by act and person by person: who has a conflict of their own.
func naive(acts []independence.Act, from time.Time) map[string]map[independence.Kind]uint64 {
	did := map[string]map[independence.Kind]uint64{}
	for _, a := range acts {
		inside := a.Action == "backup.restore" || a.System == "backup-eu" || a.Resource.Type == "volume" || a.Approves == "backup.restore"
		if !inside || a.Time.Before(from) || a.Outcome == opsec.Denied {
			continue
		}
		persons := []string{a.Actor.Person}
		if a.OnBehalfOf != nil && a.OnBehalfOf.Person != a.Actor.Person {
			persons = append(persons, a.OnBehalfOf.Person)
		}
		kind := independence.Operated
		if a.Action == "approval.approve" {
			kind = independence.Approved
		}
		for _, p := range persons {
			if did[p] == nil {
				did[p] = map[independence.Kind]uint64{}
			}
			did[p][kind]++
		}
	}
	return did
}

func TestExamineAgreesWithTheRuleInAnyOrder(t *testing.T) {
	people := []string{"ann", "bob", "cat", "dan", "eve", "fay"}
	above := map[string][]string{"ann": {"cat", "dan", "eve"}, "bob": {"cat", "dan", "eve"}, "cat": {"dan", "eve"}, "dan": {"eve"}}
	actor := rapid.Custom(func(t *rapid.T) opsec.Actor {
		p := rapid.SampledFrom(people).Draw(t, "person")
		return opsec.Actor{Tenant: rapid.SampledFrom([]opsec.TenantID{"", opsec.Provider}).Draw(t, "home"), Account: p, Person: p}
	})
	act := rapid.Custom(func(t *rapid.T) independence.Act {
		a := independence.Act{
			Time:     now.Add(-time.Duration(rapid.IntRange(0, 800).Draw(t, "days")) * 24 * time.Hour),
			Tenant:   rapid.SampledFrom([]opsec.TenantID{opsec.Provider, "acme"}).Draw(t, "tenant"),
			Action:   rapid.SampledFrom([]string{"backup.restore", "patch.install", "approval.approve"}).Draw(t, "action"),
			Approves: rapid.SampledFrom([]string{"", "backup.restore", "patch.install"}).Draw(t, "approves"),
			Outcome:  rapid.SampledFrom([]opsec.Outcome{opsec.Success, opsec.Failure, opsec.Denied}).Draw(t, "outcome"),
			System:   rapid.SampledFrom([]string{"", "backup-eu", "other"}).Draw(t, "system"),
			Resource: opsec.Resource{Type: rapid.SampledFrom([]string{"", "volume", "key"}).Draw(t, "type"), ID: "1"},
			Actor:    actor.Draw(t, "actor"),
			Ref:      rapid.StringMatching(`[a-z]{3}`).Draw(t, "ref"),
		}
		if rapid.Bool().Draw(t, "behalf") {
			other := actor.Draw(t, "other")
			a.OnBehalfOf = &other
		}
		return a
	})
	rapid.Check(t, func(t *rapid.T) {
		acts := rapid.SliceOfN(act, 0, 40).Draw(t, "acts")
		var p independence.Policy
		c, err := p.Examine(context.Background(), backups, people, staffed(), seq(acts...), now)
		require.NoError(t, err)
		did := naive(acts, now.Add(-year))
		for _, s := range c.Standings {
			got := map[string]uint64{}
			for _, found := range s.Conflicts {
				who, kind := s.Person, found.Kind
				if found.Kind == independence.InLine {
					who, kind = found.With, found.Of
				}
				got[who+" "+string(kind)] = found.Count
			}
			want := map[string]uint64{}
			for _, q := range people {
				if q == s.Person || slices.Contains(above[s.Person], q) || slices.Contains(above[q], s.Person) {
					for kind, n := range did[q] {
						want[q+" "+string(kind)] = n
					}
				}
			}
			require.Equal(t, want, got, s.Person)
		}
		shuffled, err := p.Examine(context.Background(), backups, rapid.Permutation(people).Draw(t, "people"), staffed(),
			seq(rapid.Permutation(acts).Draw(t, "order")...), now)
		require.NoError(t, err)
		require.Equal(t, c, shuffled)
		require.Equal(t, c.Digest(), shuffled.Digest())

		text, err := json.Marshal(c)
		require.NoError(t, err)
		var back independence.Clearance
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, c.Digest(), back.Digest())
	})
}

// Doubt counts against the candidate.
func TestAnActWithoutATimeCounts(t *testing.T) {
	undated := with(staff("ann", "backup.restore"), func(a *independence.Act) { a.Time = time.Time{} })
	require.Equal(t, one("operated"), kinds(t, examine(t, backups, independence.Organisation{}, one("ann"), undated), "ann"))
}

func TestAnActThatIsReadAgainIsNoFurtherEvidence(t *testing.T) {
	act := staff("ann", "backup.restore")
	acts := make([]independence.Act, 20, 21)
	for i := range acts {
		acts[i] = act
	}
	act.Time, act.Ref = act.Time.Add(time.Second), "log/later"
	c := examine(t, backups, independence.Organisation{}, one("ann"), append(acts, act)...)
	require.Equal(t, []string{"log/ann/backup.restore", "log/later"}, c.Standings[0].Conflicts[0].Refs)
}
