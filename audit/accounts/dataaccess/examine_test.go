package dataaccess_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts/dataaccess"
)

// Each kind has a planted case, and a near miss that differs from it in one thing.
func TestEachKindIsFoundAndItsNearMissIsNot(t *testing.T) {
	change := func(f func(*dataaccess.Access)) []dataaccess.Access {
		a := access("eve", monday, "acme")
		f(&a)
		return []dataaccess.Access{a}
	}
	ticket := func(p dataaccess.Purpose) *records {
		if p.Customer == "" {
			p.Customer = "acme"
		}
		return &records{purposes: map[string]dataaccess.Purpose{"T-acme": p}}
	}
	consent := func(c ...dataaccess.Consent) *records {
		return &records{consents: map[opsec.TenantID][]dataaccess.Consent{"acme": c}}
	}
	same := func(*dataaccess.Access) {}
	before, second := monday.Add(-time.Hour), time.Second
	more := func(list []dataaccess.Access, records, bytes uint64) []dataaccess.Access {
		a := access("eve", monday, "acme")
		a.Records, a.Bytes = records, bytes
		return append(list, a)
	}
	customers := func(n int, every time.Duration) (list []dataaccess.Access) {
		for i := range n {
			list = append(list, access("eve", monday.Add(time.Duration(i)*every), opsec.TenantID(fmt.Sprint("c", i))))
		}
		return list
	}
	tests := []struct {
		name       string
		kind       dataaccess.Kind // of the planted case
		rows, near []dataaccess.Access
		dir, other *records // of the planted case, and of the near miss
		detail     string
	}{
		{"nobody behind the account", dataaccess.Unattributed,
			change(func(a *dataaccess.Access) { a.Operator.Person = "" }), change(same), nil, nil, "nobody is known"},
		{"no ticket", dataaccess.NoPurpose,
			change(func(a *dataaccess.Access) { a.Ticket = "" }), change(same), nil, nil, "without a ticket"},
		{"a ticket that does not exist", dataaccess.NoPurpose,
			change(func(a *dataaccess.Access) { a.Ticket = "X" }), change(same), nil, nil, "does not exist"},
		{"another customer's ticket", dataaccess.WrongPurpose,
			change(func(a *dataaccess.Access) { a.Ticket = "T-globex" }), change(same), nil, nil, "of another customer"},
		{"a closed ticket", dataaccess.WrongPurpose, change(same), change(same),
			ticket(dataaccess.Purpose{Opened: before, Closed: monday}),
			ticket(dataaccess.Purpose{Opened: before, Closed: monday.Add(second)}), "had been closed"},
		{"a ticket from afterwards", dataaccess.WrongPurpose, change(same), change(same),
			ticket(dataaccess.Purpose{Opened: monday.Add(second)}), ticket(dataaccess.Purpose{Opened: monday}), "opened afterwards"},
		{"the ticket of a colleague", dataaccess.WrongPurpose, change(same), change(same),
			ticket(dataaccess.Purpose{Opened: before, Persons: []string{"bob"}}),
			ticket(dataaccess.Purpose{Opened: before, Persons: []string{"bob", "eve"}}), "others work on"},
		{"no consent", dataaccess.NoConsent, change(same), change(same),
			consent(), consent(dataaccess.Consent{Given: before}), "without consent"},
		{"a consent that nobody knows", dataaccess.NoConsent,
			change(func(a *dataaccess.Access) { a.Consent = "C-1" }), change(func(a *dataaccess.Access) { a.Consent = "C-2" }),
			consent(dataaccess.Consent{Ref: "C-2", Given: before}), consent(dataaccess.Consent{Ref: "C-2", Given: before}), "not on record"},
		{"an expired consent", dataaccess.LapsedConsent, change(same), change(same),
			consent(dataaccess.Consent{Given: before, Until: monday}),
			consent(dataaccess.Consent{Given: before, Until: monday.Add(second)}), "had expired"},
		{"a revoked consent", dataaccess.LapsedConsent, change(same), change(same),
			consent(dataaccess.Consent{Given: before, Revoked: monday}),
			consent(dataaccess.Consent{Given: before, Revoked: monday.Add(second)}), "had been revoked"},
		{"a consent for later", dataaccess.LapsedConsent, change(same), change(same),
			consent(dataaccess.Consent{Given: before, From: monday.Add(second)}),
			consent(dataaccess.Consent{Given: before, From: monday}), "did not hold yet"},
		{"a consent that lapsed, beside one that holds", dataaccess.LapsedConsent, change(same), change(same),
			consent(dataaccess.Consent{Given: before, Until: before}, dataaccess.Consent{Given: before, Revoked: before}),
			consent(dataaccess.Consent{Given: before, Until: before}, dataaccess.Consent{Given: before}), "access with"},
		{"a consent from afterwards, which is the least", dataaccess.LateConsent, change(same), change(same),
			consent(dataaccess.Consent{Given: before, Until: before}, dataaccess.Consent{Given: monday.Add(second)}, dataaccess.Consent{Given: before, Until: before}),
			consent(dataaccess.Consent{Given: monday.Add(second)}, dataaccess.Consent{Given: before}), "given afterwards"},
		{"a consent from afterwards, dated back", dataaccess.LateConsent, change(same), change(same),
			consent(dataaccess.Consent{Given: monday.Add(second), From: before}),
			consent(dataaccess.Consent{Given: monday, From: before}), "given afterwards"},
		{"at night", dataaccess.OffHours,
			change(func(a *dataaccess.Access) { a.Time = monday.Add(-time.Hour - second) }),
			change(func(a *dataaccess.Access) { a.Time = monday.Add(-time.Hour) }), nil, nil, "outside the hours"},
		{"on Sunday", dataaccess.OffHours,
			change(func(a *dataaccess.Access) { a.Time = monday.Add(-day) }),
			change(func(a *dataaccess.Access) { a.Time = monday.Add(day) }), nil, nil, "outside the hours"},
		// The median is 200, the deviation 0 and so counts as an eighth, 25: up to 350 records are usual.
		{"more records than ever", dataaccess.AboveOwn, more(weeks(2, "eve", 200), 351, 0), more(weeks(2, "eve", 200), 350, 0),
			nil, nil, "351 records in a day, where the operator's own history explains up to 350"},
		// The 200 KiB of each day count, but the floor is 1 MiB.
		{"more bytes than ever", dataaccess.AboveOwn, more(weeks(2, "eve", 200), 1, 1<<20+1), more(weeks(2, "eve", 200), 1, 1<<20),
			nil, nil, "1048577 bytes in a day"},
		{"a history that is long enough", dataaccess.AboveOwn, more(weeks(2, "eve", 200), 351, 0), more(weeks(2, "eve", 200)[1:], 351, 0),
			nil, nil, "351 records"},
		// A peer has 207 records on the busiest day, which stands in the bucket of 200 to 207.
		{"more than the peers", dataaccess.AbovePeers, more(nil, 3*207+1, 0), more(nil, 3*207, 0),
			nil, nil, "622 records in a day, where the peers of the duty explain up to 621"},
		{"more customers than one looks after", dataaccess.Breadth, customers(6, time.Hour), customers(5, time.Hour),
			nil, nil, "more than 5 customers within 24h"},
		{"many customers, one after the other", dataaccess.Breadth, customers(6, 24*time.Hour/5-1), customers(7, 24*time.Hour/5),
			nil, nil, "more than 5 customers"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			run := func(list []dataaccess.Access, dir *records) []dataaccess.Finding {
				p := policy()
				if test.kind == dataaccess.Breadth {
					p.Skip = []dataaccess.Kind{dataaccess.OffHours}
				}
				if dir == nil {
					dir = &records{}
				}
				found, err := examine(t, p, dataaccess.Sources{Accesses: rows(list...), Directory: dir, Norms: peers(t, 5, 207)})
				require.NoError(t, err)
				return found
			}
			found := run(test.rows, test.dir)
			require.Equal(t, []dataaccess.Kind{test.kind}, kindsOf(found))
			require.Contains(t, found[0].Detail, test.detail)
			require.NotEmpty(t, found[0].Evidence)
			require.NotZero(t, found[0].Severity.Rank())
			require.Empty(t, run(test.near, test.other))
		})
	}
}

func TestCeilingHoldsWithoutHistoryAndPeers(t *testing.T) {
	p := policy()
	p.Duties["storage"] = dataaccess.Limits{Hours: office(), Records: 500, Bytes: 1 << 20}
	for _, test := range []struct {
		records, bytes uint64
		found          bool
	}{{500, 1 << 20, false}, {501, 0, true}, {0, 1<<20 + 1, true}} {
		a := access("eve", monday, "acme")
		a.Records, a.Bytes = test.records, test.bytes
		found, err := examine(t, p, dataaccess.Sources{Accesses: rows(a)})
		require.NoError(t, err)
		if !test.found {
			require.Empty(t, found)
			continue
		}
		require.Equal(t, []dataaccess.Kind{dataaccess.AboveCeiling}, kindsOf(found))
	}
	many := make([]dataaccess.Access, 501) // of unknown size: each is a record
	for i := range many {
		many[i] = access("eve", monday.Add(time.Duration(i)*time.Second), "acme")
		many[i].Records, many[i].Bytes = 0, 0
	}
	found, err := examine(t, p, dataaccess.Sources{Accesses: rows(many...)})
	require.NoError(t, err)
	require.Equal(t, []dataaccess.Kind{dataaccess.AboveCeiling}, kindsOf(found))
	require.EqualValues(t, 501, found[0].Count)
	require.Len(t, found[0].Evidence, 16)
	require.EqualValues(t, 485, found[0].Omitted)
}

func TestLargestAccessesAreTheEvidence(t *testing.T) {
	p := policy()
	p.Listed = 3
	var list []dataaccess.Access
	for i, size := range [][2]uint64{{5000, 1}, {0, 0}, {7000, 1}, {5000, 2}, {1, 0}, {9000, 0}} {
		a := access("eve", monday.Add(time.Duration(i)*time.Second), "acme")
		a.Records, a.Bytes, a.Ref = size[0], size[1], fmt.Sprint("log/", i)
		list = append(list, a)
	}
	found, err := examine(t, p, dataaccess.Sources{Accesses: rows(list...)})
	require.NoError(t, err)
	require.Equal(t, []dataaccess.Kind{dataaccess.AboveCeiling}, kindsOf(found))
	require.Equal(t, []string{"log/5", "log/2", "log/3"}, found[0].Evidence)
	require.EqualValues(t, 3, found[0].Omitted)
}

func TestDaysAndOperatorsAreApart(t *testing.T) {
	p := policy()
	p.Duties["storage"] = dataaccess.Limits{Hours: office(), Records: 100}
	big, small := access("eve", monday, "acme"), access("eve", monday.Add(day), "acme")
	big.Records, small.Records = 500, 101
	found, err := examine(t, p, dataaccess.Sources{Accesses: rows(big, small)})
	require.NoError(t, err)
	require.Len(t, found, 2)
	for i, ref := range []string{big.Ref, small.Ref} {
		require.Equal(t, []string{ref}, found[i].Evidence)
	}
	var list []dataaccess.Access // three customers each
	for i, person := range []string{"ann", "ann", "ann", "eve", "eve", "eve"} {
		list = append(list, access(person, monday.Add(time.Duration(i)), opsec.TenantID(fmt.Sprint("c", i))))
	}
	found, err = examine(t, policy(), dataaccess.Sources{Accesses: rows(list...)})
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestFindingTellsFromWhenToWhenAndOfHowMany(t *testing.T) {
	p := policy()
	p.Listed = 2
	var list []dataaccess.Access
	for i := range 5 {
		a := access("eve", monday.Add(time.Duration(i)*time.Minute), "acme")
		a.Ticket = ""
		list = append(list, a)
	}
	found, err := examine(t, p, dataaccess.Sources{Accesses: rows(list...), Directory: &records{}})
	require.NoError(t, err)
	require.Equal(t, []dataaccess.Finding{{
		Kind: dataaccess.NoPurpose, Severity: opsec.SeverityHigh, Tenant: "acme", Operator: operator("eve"),
		Detail: "5 accesses without a ticket", Count: 5, Since: monday, Until: monday.Add(4 * time.Minute),
		Evidence: []string{list[0].Ref, list[1].Ref}, Omitted: 3,
	}}, found)
}

func TestTicketOfNobodyIsNobodys(t *testing.T) {
	a := access("", monday, "acme")
	dir := &records{purposes: map[string]dataaccess.Purpose{"T-acme": {Customer: "acme", Persons: []string{""}}}}
	found, err := examine(t, policy(), dataaccess.Sources{Accesses: rows(a), Directory: dir})
	require.NoError(t, err)
	require.Equal(t, []dataaccess.Kind{dataaccess.Unattributed, dataaccess.WrongPurpose}, kindsOf(found))
}

func TestAllAccountsOfAPersonAreOneOperator(t *testing.T) {
	p := policy()
	p.Duties["storage"] = dataaccess.Limits{Hours: office(), Records: 15}
	a, b := access("eve", monday, "acme"), access("eve", monday.Add(time.Minute), "acme")
	b.Operator.Account = "root"
	found, err := examine(t, p, dataaccess.Sources{Accesses: asIs(a, b)})
	require.NoError(t, err)
	require.Equal(t, []dataaccess.Kind{dataaccess.AboveCeiling}, kindsOf(found))
}

func TestOwnAndProvidersDataArePassedOver(t *testing.T) {
	own, internal := access("eve", monday, "acme"), access("eve", monday, opsec.Provider)
	own.Operator.Tenant = "acme"
	own.Ticket, internal.Ticket = "", ""
	partner := internal
	partner.Operator.Tenant = "partner"
	var s dataaccess.Summary
	found, err := examine(t, policy(), dataaccess.Sources{Accesses: rows(own, internal, partner), Directory: &records{}, Summary: &s})
	require.NoError(t, err)
	require.Empty(t, found)
	require.Equal(t, dataaccess.Summary{
		Rows: 3, Passed: 3, Findings: map[dataaccess.Kind]int64{}, Complete: true, Tested: s.Tested,
	}, s)
	own.Customer = "globex"
	found, err = examine(t, policy(), dataaccess.Sources{Accesses: rows(own), Directory: &records{}})
	require.NoError(t, err)
	require.Equal(t, []dataaccess.Kind{dataaccess.NoPurpose}, kindsOf(found), "a customer's staff with another's data")
}

func TestSilentDirectoryIsNeverNothing(t *testing.T) {
	var s dataaccess.Summary
	dir := &records{err: errDown}
	list := []dataaccess.Access{access("eve", monday, "acme"), access("eve", monday.Add(1), "globex")}
	found, err := examine(t, policy(), dataaccess.Sources{Accesses: rows(list...), Directory: dir, Summary: &s})
	require.NoError(t, err)
	require.Equal(t, []dataaccess.Kind{dataaccess.Untested, dataaccess.Untested}, kindsOf(found))
	require.Equal(t, dataaccess.WrongPurpose, found[0].Of)
	require.Equal(t, dataaccess.NoConsent, found[1].Of)
	for _, f := range found {
		require.Contains(t, f.Detail, "connection refused")
		require.EqualValues(t, 2, f.Count)
		require.Equal(t, opsec.Provider, f.Tenant)
	}
	for _, k := range []dataaccess.Kind{
		dataaccess.NoPurpose, dataaccess.WrongPurpose, dataaccess.NoConsent, dataaccess.LapsedConsent, dataaccess.LateConsent,
	} {
		require.NotContains(t, s.Tested, k)
		require.Contains(t, s.NotTested, dataaccess.NotTested{Kind: k, Why: "the directory did not answer", Count: 2})
	}
	require.Contains(t, s.Tested, dataaccess.OffHours)
	require.True(t, s.Complete)
}

func TestSilentDirectoryIsFoundForWhatIsLookedFor(t *testing.T) {
	dir := &records{err: errDown}
	for skip, want := range map[dataaccess.Kind][]dataaccess.Kind{
		dataaccess.WrongPurpose: {dataaccess.NoPurpose, dataaccess.NoConsent},
		dataaccess.NoPurpose:    {dataaccess.WrongPurpose, dataaccess.NoConsent},
		dataaccess.NoConsent:    {dataaccess.WrongPurpose, dataaccess.LapsedConsent},
	} {
		p := policy()
		p.Skip = []dataaccess.Kind{skip}
		found, err := examine(t, p, dataaccess.Sources{Accesses: rows(access("eve", monday, "acme")), Directory: dir})
		require.NoError(t, err)
		require.Equal(t, []dataaccess.Kind{dataaccess.Untested, dataaccess.Untested}, kindsOf(found))
		require.Equal(t, want, []dataaccess.Kind{found[0].Of, found[1].Of})
	}
	p := policy()
	p.Skip = []dataaccess.Kind{
		dataaccess.WrongPurpose, dataaccess.NoPurpose, dataaccess.NoConsent, dataaccess.LapsedConsent, dataaccess.LateConsent,
	}
	found, err := examine(t, p, dataaccess.Sources{Accesses: rows(access("eve", monday, "acme")), Directory: dir})
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestWhatWasNotLookedAtIsNamed(t *testing.T) {
	var s dataaccess.Summary
	a := access("eve", monday, "acme")
	a.Operator.Duty = "network" // without hours
	_, err := examine(t, dataaccess.Policy{Skip: []dataaccess.Kind{dataaccess.Breadth}},
		dataaccess.Sources{Accesses: rows(a, access("zoe", monday, "acme")), Summary: &s})
	require.NoError(t, err)
	require.Equal(t, []dataaccess.Kind{dataaccess.Unattributed, dataaccess.AboveCeiling}, s.Tested)
	untested := map[dataaccess.Kind]int64{}
	for _, n := range s.NotTested {
		untested[n.Kind] += n.Count
	}
	require.Equal(t, map[dataaccess.Kind]int64{
		dataaccess.NoPurpose: 2, dataaccess.WrongPurpose: 2, dataaccess.NoConsent: 2, dataaccess.LapsedConsent: 2,
		dataaccess.LateConsent: 2, dataaccess.OffHours: 2, dataaccess.AboveOwn: 2, dataaccess.AbovePeers: 2, dataaccess.Breadth: 0,
	}, untested)

	_, err = examine(t, dataaccess.Policy{Skip: []dataaccess.Kind{dataaccess.NoPurpose}}, dataaccess.Sources{Accesses: rows(a), Summary: &s})
	require.NoError(t, err)
	require.Equal(t, dataaccess.NotTested{Kind: dataaccess.NoPurpose, Why: "left out by the policy"}, s.NotTested[0])
	require.Equal(t, dataaccess.WrongPurpose, s.NotTested[1].Kind, "each once")

	_, err = examine(t, policy(), dataaccess.Sources{Accesses: rows(a), Norms: peers(t, 4, 10), Summary: &s})
	require.NoError(t, err)
	require.Contains(t, s.NotTested, dataaccess.NotTested{Kind: dataaccess.AbovePeers, Why: "a duty has too few peers", Count: 1})
}

func TestSinceMakesHistoryOfWhatWasBefore(t *testing.T) {
	list := weeks(2, "eve", 200)
	list[0].Ticket = ""
	a := access("eve", monday, "acme")
	a.Records, a.Ticket = 351, ""
	list = append(list, a)
	var s dataaccess.Summary
	found, err := examine(t, policy(), dataaccess.Sources{Accesses: rows(list...), Directory: &records{}, Since: monday, Summary: &s})
	require.NoError(t, err)
	require.Equal(t, []dataaccess.Kind{dataaccess.NoPurpose, dataaccess.AboveOwn}, kindsOf(found))
	require.EqualValues(t, 1, found[0].Count)
	require.EqualValues(t, 10, s.Earlier)
	require.Contains(t, s.Tested, dataaccess.AboveOwn, "the days before need no history of their own")
}

func TestThiefDoesNotBecomeTheNormAtOnce(t *testing.T) {
	list := weeks(2, "eve", 200)
	for d := range 5 {
		a := access("eve", monday.Add(time.Duration(d)*day), "acme")
		a.Records = 5000
		list = append(list, a)
	}
	found, err := examine(t, policy(), dataaccess.Sources{Accesses: rows(list...), Directory: &records{}})
	require.NoError(t, err)
	require.Len(t, found, 5)
	require.Contains(t, found[4].Detail, "explains up to 350")
}

func TestHistoryIsForgotten(t *testing.T) {
	p := policy()
	p.HistoryDays = 14
	list := weeks(2, "eve", 200)
	a := access("eve", monday, "acme")
	a.Records = 351
	for later, want := range []int{1, 0} { // the first of ten days is 14 days before, and then 15
		b := a
		b.Time = monday.Add(time.Duration(later) * day)
		found, err := examine(t, p, dataaccess.Sources{Accesses: rows(append(slices.Clone(list), b)...), Directory: &records{}})
		require.NoError(t, err)
		require.Len(t, found, want)
	}
}

func TestUnsortedRowsAreRefused(t *testing.T) {
	good := []dataaccess.Access{access("ann", monday, "acme"), access("eve", monday, "acme"), access("eve", monday.Add(1), "acme")}
	for name, list := range map[string][]dataaccess.Access{
		"operator": {good[1], good[0]}, "time": {good[0], good[2], good[1]},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := examine(t, policy(), dataaccess.Sources{Accesses: asIs(list...)})
			var order *dataaccess.OrderError
			require.ErrorAs(t, err, &order)
			require.EqualValues(t, len(list), order.Position)
			require.ErrorIs(t, err, opsec.ErrInvalid)
			_, err = policy().Norms(asIs(list...))
			require.ErrorAs(t, err, &order)
		})
	}
	_, err := examine(t, policy(), dataaccess.Sources{Accesses: asIs(good[0], good[1], good[1], good[2])})
	require.NoError(t, err, "several at once are possible")
}

func TestBadRowIsNamedByItsPlace(t *testing.T) {
	for name, spoil := range map[string]func(*dataaccess.Access){
		"time":             func(a *dataaccess.Access) { a.Time = time.Time{} },
		"1970 to 9999":     func(a *dataaccess.Access) { a.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"operator.account": func(a *dataaccess.Access) { a.Operator.Account = "" },
		"resource":         func(a *dataaccess.Access) { a.Resource = "" },
		"tenant id":        func(a *dataaccess.Access) { a.Customer = "a b" },
		"want at most":     func(a *dataaccess.Access) { a.Ticket = strings.Repeat("x", 1025) },
		"UTF-8":            func(a *dataaccess.Access) { a.Operator.Person = "e\xff" },
	} {
		bad := access("eve", monday, "acme")
		spoil(&bad)
		var s dataaccess.Summary
		_, err := examine(t, policy(), dataaccess.Sources{Accesses: asIs(access("ann", monday, "acme"), bad), Summary: &s})
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.ErrorContains(t, err, "row 2: ")
		require.ErrorContains(t, err, name)
		require.False(t, s.Complete)
	}
	failing := func(yield func(dataaccess.Access, error) bool) {
		_ = yield(access("eve", monday, "acme"), nil) && yield(dataaccess.Access{}, errDown)
	}
	_, err := examine(t, policy(), dataaccess.Sources{Accesses: failing})
	require.ErrorIs(t, err, errDown)
	require.ErrorContains(t, err, "after row 1")
	_, err = examine(t, policy(), dataaccess.Sources{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = examine(t, dataaccess.Policy{MinDays: -1}, dataaccess.Sources{Accesses: rows()})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestExaminationEndsWhenToldTo(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var seen, pulled int
	forever := func(yield func(dataaccess.Access, error) bool) {
		for {
			a := access("eve", monday.Add(time.Duration(pulled)*time.Hour), "acme")
			a.Ticket = ""
			if pulled++; !yield(a, nil) {
				return
			}
		}
	}
	var s dataaccess.Summary
	for _, err := range policy().Examine(ctx, dataaccess.Sources{Accesses: forever, Directory: &records{}, Summary: &s}) {
		if seen++; seen == 5 {
			cancel()
		}
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			break
		}
	}
	require.False(t, s.Complete)
	for range policy().Examine(context.Background(), dataaccess.Sources{Accesses: forever, Directory: &records{}, Summary: &s}) {
		break
	}
	require.False(t, s.Complete)
}

// cancelling is a directory during whose answer the work is called off.
type cancelling struct {
	*records
	cancel func()
}

func (c *cancelling) Purpose(context.Context, string) (dataaccess.Purpose, error) {
	c.cancel()
	return dataaccess.Purpose{}, context.Canceled
}

func TestWorkCalledOffAtTheLastRowIsNotComplete(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var s dataaccess.Summary
	var last error
	results := 0
	for _, err := range policy().Examine(ctx, dataaccess.Sources{
		Accesses: rows(access("eve", monday, "acme")), Directory: &cancelling{&records{}, cancel}, Summary: &s,
	}) {
		last = err
		results++
	}
	require.Equal(t, 1, results)
	require.ErrorIs(t, last, context.Canceled)
	require.False(t, s.Complete)
}

// More findings at once than are held in memory end early, and no access is lost.
func TestNoAccessIsLostAmongManyCustomers(t *testing.T) {
	var list []dataaccess.Access
	for i := range 5000 {
		a := access("eve", monday.Add(time.Duration(i)*time.Millisecond), opsec.TenantID(fmt.Sprint("c", i%2500)))
		a.Ticket = ""
		list = append(list, a)
	}
	var s dataaccess.Summary
	found, err := examine(t, policy(), dataaccess.Sources{Accesses: rows(list...), Directory: &records{}, Summary: &s})
	require.NoError(t, err)
	var missing uint64
	for _, f := range found {
		if f.Kind == dataaccess.NoPurpose {
			missing += f.Count
		}
	}
	require.EqualValues(t, 5000, missing)
	require.Greater(t, s.Findings[dataaccess.NoPurpose], int64(2500), "no more than 1024 are held at once")
	require.EqualValues(t, len(found), s.Findings[dataaccess.NoPurpose]+s.Findings[dataaccess.Breadth]+s.Findings[dataaccess.AboveCeiling])
	require.EqualValues(t, 1, s.Findings[dataaccess.Breadth], "one unbroken run")
}

// Nothing that names another customer, or its tickets, stands in what a customer may see.
func TestCustomersFindingNamesNoOther(t *testing.T) {
	names := []opsec.TenantID{"acme", "globex", "initech"}
	rapid.Check(t, func(t *rapid.T) {
		var list []dataaccess.Access
		for range rapid.IntRange(1, 40).Draw(t, "rows") {
			c := rapid.SampledFrom(names).Draw(t, "customer")
			a := access(rapid.SampledFrom([]string{"", "ann", "eve"}).Draw(t, "person"),
				monday.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "hour"))*time.Hour), c)
			a.Operator.Account, a.Ref = "ops", "log/"+string(c)
			a.Ticket = "T-" + string(rapid.SampledFrom(names).Draw(t, "ticket"))
			list = append(list, a)
		}
		dir := &records{}
		if rapid.Bool().Draw(t, "down") {
			dir.err = fmt.Errorf("T-acme T-globex T-initech: %w", errDown)
		}
		for f, err := range policy().Examine(context.Background(), dataaccess.Sources{Accesses: rows(list...), Directory: dir}) {
			require.NoError(t, err)
			text, err := json.Marshal(f)
			require.NoError(t, err)
			for _, other := range names {
				if f.Tenant != opsec.Provider && f.Tenant != other {
					require.NotContains(t, string(text), string(other))
				}
			}
		}
	})
}

func TestDirectoryIsAskedOnce(t *testing.T) {
	var list []dataaccess.Access
	for i := range 1000 {
		list = append(list, access("eve", monday.Add(time.Duration(i)), "acme"))
	}
	dir := &records{}
	_, err := examine(t, policy(), dataaccess.Sources{Accesses: rows(list...), Directory: dir})
	require.NoError(t, err)
	require.Equal(t, 2, dir.calls)
}

func TestFindingsAreTheSameEachTime(t *testing.T) {
	list := weeks(2, "eve", 200)
	for i := range list {
		list[i].Ticket, list[i].Time = "", list[i].Time.In(time.FixedZone("", 7200*(i%2)))
	}
	digests := func() (all []string) {
		found, err := examine(t, policy(), dataaccess.Sources{Accesses: rows(list...), Directory: &records{}})
		require.NoError(t, err)
		for _, f := range found {
			all = append(all, f.Digest())
		}
		return all
	}
	first := digests()
	require.Len(t, first, 10)
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(first))), 10)
	for i := range list {
		list[i].Time = list[i].Time.UTC()
	}
	require.Equal(t, first, digests())
}

func TestFindingBecomesAnEvent(t *testing.T) {
	a := access("eve", monday, "acme")
	a.Ticket = ""
	found, err := examine(t, policy(), dataaccess.Sources{Accesses: rows(a), Directory: &records{}})
	require.NoError(t, err)
	e := found[0].Event(monday.Add(day))
	require.NoError(t, e.Validate())
	require.Equal(t, dataaccess.ActionFinding, e.Action)
	require.Equal(t, opsec.Resource{Tenant: opsec.Provider, Type: "account", ID: "ops-eve"}, e.Resource)
	require.Equal(t, opsec.TenantID("acme"), e.Tenant)
	require.Contains(t, e.Attrs, opsec.Attr{Key: "kind", Value: "no-purpose", Mark: opsec.Public})
	require.Contains(t, e.Attrs, opsec.Attr{Key: "evidence", Value: a.Ref, Mark: opsec.Tenant})
	found[0].Evidence = slices.Repeat([]string{strings.Repeat("x", 1024)}, 1024)
	require.NoError(t, found[0].Event(monday.Add(day)).Validate())
}

func TestAccessFromEvent(t *testing.T) {
	e := opsec.NewEvent("storage.read", monday)
	e.Actor = opsec.Actor{Tenant: opsec.Provider, Account: "ops-eve", Person: "eve"}
	e.Resource = opsec.Resource{Tenant: "acme", Type: "volume", ID: "v1"}
	e.Attrs = []opsec.Attr{{Key: "records", Value: "10"}, {Key: "bytes", Value: "1024"}, {Key: "ticket", Value: "T-acme"},
		{Key: "consent", Value: "C-1"}, {Key: "duty", Value: "storage"}, {Key: "other", Value: "x"}}
	want := access("eve", monday, "acme")
	want.Ref, want.Consent = "log/1", "C-1"
	got, err := dataaccess.FromEvent(e, "log/1")
	require.NoError(t, err)
	require.Equal(t, want, got)
	for _, spoil := range []func(*opsec.Event){
		func(e *opsec.Event) { e.Attrs = []opsec.Attr{{Key: "records", Value: "-1"}} },
		func(e *opsec.Event) { e.Resource = opsec.Resource{} },
		func(e *opsec.Event) { e.Resource.ID = "" },
		func(e *opsec.Event) { e.Actor.Account = "" },
	} {
		bad := *e
		spoil(&bad)
		_, err := dataaccess.FromEvent(&bad, "log/1")
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}
