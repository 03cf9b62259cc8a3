package accounts_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
)

func TestAFindingSaysWhereItIsShown(t *testing.T) {
	w := newWorld()
	w.policy.Listed = 2
	for i := range 4 {
		w.grant("bob", fmt.Sprintf("key.%d", i)).Approved = time.Time{}
	}
	w.grant("bob", "key.2").Granted = ago(60 * day)
	found, summary := w.audit(t)
	require.Equal(t, []accounts.Finding{{
		Kind: accounts.OverGranted, Severity: opsec.SeverityHigh, Tenant: "acme", Account: name("bob"),
		Detail: "holds 4 permissions that neither an approval nor a role gives", Count: 4, Since: ago(60 * day),
		Permissions: []string{"key.0", "key.1"}, Evidence: []string{"grant:bob:key.0", "grant:bob:key.1"}, Omitted: 2,
	}}, found)
	require.Equal(t, map[accounts.Kind]int64{accounts.OverGranted: 1}, summary.Findings)

	w = newWorld()
	w.disable("bob", ago(9*day))
	w.try("bob", ago(8*day), opsec.Failure, "192.0.2.1")
	w.session("bob", ago(day), time.Hour)
	found, _ = w.audit(t)
	require.Equal(t, []accounts.Finding{{
		Kind: accounts.AbandonedAttempt, Severity: opsec.SeverityCritical, Tenant: "acme", Account: name("bob"),
		Detail: "the account is disabled since then: 2 attempts to sign in, not without success", Count: 2, Since: ago(8 * day),
		Evidence: []string{"try:192.0.2.1", "in:bob"},
	}}, found)

	w = newWorld()
	w.invent(3, 2, "2001:db8::7")
	found, summary = w.audit(t)
	require.Equal(t, []accounts.Finding{{
		Kind: accounts.InventedAttempt, Severity: opsec.SeverityMedium, Tenant: "acme", Origin: netip.MustParsePrefix("2001:db8::/64"),
		Detail: "2001:db8::/64 tried 3 names of accounts that do not exist, in 6 attempts", Count: 6, Since: ago(time.Minute),
		Evidence: []string{"try:2001:db8::7", "try:2001:db8::7", "try:2001:db8::7", "try:2001:db8::7"}, Omitted: 2,
	}}, found)
	require.Equal(t, accounts.Totals{Attempts: 6, Names: 3, Origins: 1}, summary.Attempts)

	w = newWorld()
	w.account("bob").Person = "p-ann"
	found, _ = w.audit(t)
	require.Equal(t, []accounts.Finding{{
		Kind: accounts.DuplicateMain, Severity: opsec.SeverityMedium, Tenant: "acme", Person: "p-ann",
		Detail: "one person has 2 main accounts: ann, bob", Count: 2, Evidence: []string{"register:ann", "register:bob"},
	}}, found)
}

func TestFindingsSurviveJSON(t *testing.T) {
	w := newWorld()
	w.invent(3, 1, "192.0.2.1")
	w.account("bob").Expires = ago(day)
	w.person("p-bob").Left = ago(day)
	found, _ := w.audit(t)
	require.Len(t, found, 3)
	text, err := json.Marshal(found)
	require.NoError(t, err)
	var again []accounts.Finding
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, found, again)
}

// swap exchanges two rows of a sequence that was in order.
func swap[T any](seq iter.Seq2[T, error], i, j int) iter.Seq2[T, error] {
	var rows []T
	for row := range seq {
		rows = append(rows, row)
	}
	rows[i], rows[j] = rows[j], rows[i]
	return seqOf(rows)
}

func twice[T any](seq iter.Seq2[T, error], i int) iter.Seq2[T, error] {
	var rows []T
	for row := range seq {
		rows = append(rows, row)
	}
	return seqOf(slices.Insert(rows, i, rows[i]))
}

func seqOf[T any](rows []T) iter.Seq2[T, error] { return seq(rows) }

func TestUnsortedSequencesAreRefusedWithThePosition(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*accounts.Sources)
		want  accounts.OrderError
	}{
		"accounts":     {func(s *accounts.Sources) { s.Accounts = swap(s.Accounts, 1, 2) }, accounts.OrderError{Sequence: "accounts", Position: 3, Ref: "register:ann/db"}},
		"entitlements": {func(s *accounts.Sources) { s.Entitlements = swap(s.Entitlements, 4, 5) }, accounts.OrderError{Sequence: "entitlements", Position: 6, Ref: "grant:bob:vm.start"}},
		"uses":         {func(s *accounts.Sources) { s.Uses = swap(s.Uses, 1, 2) }, accounts.OrderError{Sequence: "uses", Position: 3, Ref: "use:ann"}},
		"sign-ins":     {func(s *accounts.Sources) { s.SignIns = swap(s.SignIns, 0, 1) }, accounts.OrderError{Sequence: "sign-ins", Position: 2, Ref: "in:ann"}},
		"people":       {func(s *accounts.Sources) { s.People = swap(s.People, 0, 1) }, accounts.OrderError{Sequence: "people", Position: 2, Ref: "person:p-ann"}},
		"holdings":     {func(s *accounts.Sources) { s.Holdings = swap(s.Holdings, 0, 2) }, accounts.OrderError{Sequence: "holdings", Position: 2, Ref: "register:ann/db"}},

		"accounts twice":     {func(s *accounts.Sources) { s.Accounts = twice(s.Accounts, 0) }, accounts.OrderError{Sequence: "accounts", Position: 2, Ref: "register:ann", Twice: true}},
		"entitlements twice": {func(s *accounts.Sources) { s.Entitlements = twice(s.Entitlements, 3) }, accounts.OrderError{Sequence: "entitlements", Position: 5, Ref: "grant:ann/db:vm.stop", Twice: true}},
		"uses twice":         {func(s *accounts.Sources) { s.Uses = twice(s.Uses, 5) }, accounts.OrderError{Sequence: "uses", Position: 7, Ref: "use:bob", Twice: true}},
		"people twice":       {func(s *accounts.Sources) { s.People = twice(s.People, 1) }, accounts.OrderError{Sequence: "people", Position: 3, Ref: "person:p-bob", Twice: true}},
		"holdings twice":     {func(s *accounts.Sources) { s.Holdings = twice(s.Holdings, 2) }, accounts.OrderError{Sequence: "holdings", Position: 4, Ref: "register:bob", Twice: true}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			s := w.sources()
			var summary accounts.Summary
			s.Summary = &summary
			c.spoil(&s)
			_, err := failure(w.policy.Audit(s, now))
			var order *accounts.OrderError
			require.ErrorAs(t, err, &order)
			require.Equal(t, c.want, *order)
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Contains(t, err.Error(), fmt.Sprintf("%s: row %d (%s)", order.Sequence, order.Position, order.Ref))
			require.Empty(t, summary.Tested)
			require.Len(t, summary.NotTested, len(accounts.Kinds())-1)
		})
	}
}

// The position is right behind more rows than are read ahead.
func TestThePositionIsRightFarBehind(t *testing.T) {
	rows := make([]accounts.Account, 1000)
	for i := range rows {
		rows[i] = accounts.Account{Key: accounts.Key{Tenant: "acme", Main: fmt.Sprintf("a%04d", i)}, State: accounts.Deleted}
	}
	for _, at := range []int{1, 63, 64, 65, 127, 128, 129, 999} {
		bad := slices.Clone(rows)
		bad[at].Key = bad[at-1].Key
		_, err := failure(accounts.Policy{}.Audit(accounts.Sources{Accounts: seq(bad)}, now))
		require.Equal(t, &accounts.OrderError{Sequence: "accounts", Position: int64(at + 1), Twice: true}, err)
	}
	require.Empty(t, all(t, accounts.Policy{}.Audit(accounts.Sources{Accounts: seq(rows)}, now)))
}

func TestRowsAgainstTheRulesAreRefused(t *testing.T) {
	long := strings.Repeat("x", 1025)
	for name, c := range map[string]struct {
		with      func(w *world)
		row, want string
	}{
		"state":           {func(w *world) { w.account("bob").State = "" }, "accounts: row 3", "state"},
		"kind":            {func(w *world) { w.account("bob").Kind = "robot" }, "accounts: row 3", "kind"},
		"tenant":          {func(w *world) { w.account("ann").Tenant = "" }, "accounts: row 1", "opsec: tenant id"},
		"main":            {func(w *world) { w.account("ann").Main = "" }, "accounts: row 1", "main"},
		"a role":          {func(w *world) { w.account("ann").Roles = []string{""} }, "accounts: row 1", "roles"},
		"roles":           {func(w *world) { w.account("ann").Roles = make([]string, 65) }, "accounts: row 1", "roles"},
		"a long ref":      {func(w *world) { w.account("ann").Ref = long }, "accounts: row 1", "a text of 1025 bytes"},
		"permission":      {func(w *world) { w.grant("ann", "") }, "entitlements: row 1", "permission"},
		"used permission": {func(w *world) { w.use("ann", "").Denied = 1 }, "uses: row 1", "permission"},
		"count":           {func(w *world) { w.use("ann", "vm.stop").Count = 0 }, "uses: row 2", "count, last"},
		"last":            {func(w *world) { w.use("ann", "vm.stop").Last = time.Time{} }, "uses: row 2", "count, last"},
		"outcome":         {func(w *world) { w.signIns[0].Outcome = opsec.Pending }, "sign-ins: row 1", "outcome"},
		"time":            {func(w *world) { w.signIns[0].Time = time.Time{} }, "sign-ins: row 1", "time"},
		"began":           {func(w *world) { w.signIns[0].Began = ago(9 * time.Hour) }, "sign-ins: row 1", "began"},
		"began in future": {func(w *world) { w.signIns[1].Began = now }, "sign-ins: row 2", "began"},
		"a long name":     {func(w *world) { w.signIns[5].Sub = strings.Repeat("x", 8193) }, "sign-ins: row 6", "a text of 8193 bytes"},
		"person's id":     {func(w *world) { w.people[0].ID = "" }, "people: row 1", "id"},
		"person's tenant": {func(w *world) { w.people[0].Tenant = "a b" }, "people: row 1", "opsec: tenant id"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			c.with(w)
			_, err := failure(w.policy.Audit(w.sources(), now))
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.ErrorContains(t, err, "accounts: "+c.row)
			require.ErrorContains(t, err, ": "+c.want)
			require.NotContains(t, err.Error(), "xxx")
		})
	}
	h := accounts.Holding{Key: name("ann"), Person: "p", State: accounts.Active}
	for want, spoil := range map[string]func(*accounts.Holding){
		"person": func(h *accounts.Holding) { h.Person = "" },
		"state":  func(h *accounts.Holding) { h.State = "gone" },
		"kind":   func(h *accounts.Holding) { h.Kind = "robot" },
		"main":   func(h *accounts.Holding) { h.Main = "" },
	} {
		bad := h
		spoil(&bad)
		_, err := failure(accounts.Policy{}.Audit(accounts.Sources{Holdings: seq([]accounts.Holding{bad})}, now))
		require.ErrorContains(t, err, "accounts: holdings: row 1: "+want)
	}
}

// A sequence that breaks must not look as if the rest of it were not there.
func TestWhatIsMissingBehindAnErrorIsNotJudged(t *testing.T) {
	broken := errors.New("connection reset")
	for after := range 6 {
		w := newWorld()
		s := w.sources()
		whole := s.Entitlements
		s.Entitlements = func(yield func(accounts.Entitlement, error) bool) {
			n := 0
			for e := range whole {
				if n == after {
					yield(accounts.Entitlement{}, broken)
					return
				}
				n++
				if !yield(e, nil) {
					return
				}
			}
		}
		found, err := failure(w.policy.Audit(s, now))
		require.ErrorIs(t, err, broken)
		require.ErrorContains(t, err, fmt.Sprintf("entitlements: after row %d", after))
		require.Zero(t, found, "after %d rows", after)
	}
}

func TestSequencesAreReleased(t *testing.T) {
	w := newWorld()
	w.account("ann").Expires = ago(day)
	for i := range 200 { // more than are read ahead
		w.session("bob", ago(time.Duration(i+2)*12*time.Hour), time.Hour)
	}
	s := w.sources()
	open := 0
	whole := s.SignIns
	s.SignIns = func(yield func(accounts.SignIn, error) bool) {
		open++
		defer func() { open-- }()
		whole(yield)
	}
	var summary accounts.Summary
	s.Summary = &summary
	for range w.policy.Audit(s, now) {
		require.Equal(t, 1, open)
		break
	}
	require.Zero(t, open)
	require.Empty(t, summary.Tested)
	require.Contains(t, summary.NotTested[0].Why, "not read to their end")
}

func TestWhatWasNotLookedAtIsNotPassed(t *testing.T) {
	of := func(spoil func(*world, *accounts.Sources)) map[accounts.Kind]string {
		w := newWorld()
		s := w.sources()
		var summary accounts.Summary
		s.Summary = &summary
		spoil(w, &s)
		require.Empty(t, all(t, w.policy.Audit(s, now)))
		not := map[accounts.Kind]string{}
		for _, n := range summary.NotTested {
			not[n.Kind] = n.Why
			require.NotContains(t, summary.Tested, n.Kind)
		}
		require.Len(t, not, len(accounts.Kinds())-1-len(summary.Tested))
		return not
	}
	kinds := func(not map[accounts.Kind]string) (kinds []accounts.Kind) {
		for _, k := range accounts.Kinds() {
			if not[k] != "" {
				kinds = append(kinds, k)
			}
		}
		return kinds
	}
	require.Equal(t, []accounts.Kind{accounts.Overdue, accounts.Unregistered, accounts.OverGranted, accounts.OverAuthorised, accounts.UnderAuthorised, accounts.BeyondMain},
		kinds(of(func(_ *world, s *accounts.Sources) { s.Entitlements = nil })))
	require.Equal(t, []accounts.Kind{accounts.Unregistered, accounts.OverAuthorised, accounts.Refused},
		kinds(of(func(_ *world, s *accounts.Sources) { s.Uses = nil })))
	require.Equal(t, []accounts.Kind{accounts.Unregistered, accounts.AbandonedAttempt, accounts.Unclosed, accounts.Unopened, accounts.Shared, accounts.InventedAttempt},
		kinds(of(func(_ *world, s *accounts.Sources) { s.SignIns = nil })))
	require.Equal(t, []accounts.Kind{accounts.Orphan}, kinds(of(func(_ *world, s *accounts.Sources) { s.People = nil })))
	require.Equal(t, []accounts.Kind{accounts.Orphan, accounts.DuplicateMain}, kinds(of(func(_ *world, s *accounts.Sources) { s.Holdings = nil })))
	require.Equal(t, []accounts.Kind{accounts.InventedAttempt}, kinds(of(func(_ *world, s *accounts.Sources) { s.Key = nil })))
	require.Len(t, kinds(of(func(_ *world, s *accounts.Sources) { s.Accounts = nil })), len(accounts.Kinds())-3, "people are judged without")

	require.Equal(t, map[accounts.Kind]string{accounts.OverAuthorised: "not given: uses of a span as long as the policy's UnusedAfter"},
		of(func(_ *world, s *accounts.Sources) { s.Since = ago(90*day - 1) }))
	require.Empty(t, of(func(_ *world, s *accounts.Sources) { s.Since = ago(90 * day) }))
	require.Equal(t, map[accounts.Kind]string{accounts.Dormant: "left out by the policy"},
		of(func(w *world, s *accounts.Sources) { w.policy.Skip = []accounts.Kind{accounts.Dormant} }))
	require.Equal(t, map[accounts.Kind]string{accounts.UnderAuthorised: "1 accounts were not judged for it, or not fully"},
		of(func(w *world, s *accounts.Sources) {
			delete(w.policy.Roles, "reader")
			w.account("bob").Roles = []string{"operator", "typist"}
		}))
	require.Equal(t, map[accounts.Kind]string{accounts.UnderAuthorised: "not given: roles in the policy"},
		of(func(w *world, s *accounts.Sources) {
			w.policy.Roles = nil
			for i := range w.entitlements {
				w.entitlements[i].Approved = ago(day)
			}
		}))
}

// A register that does not know when an account was used, and a log that does not go back far enough, do not tell that it
// was not.
func TestUnusedForHowLongIsNotKnownIsNotDormant(t *testing.T) {
	for _, c := range []struct {
		name  string
		found int
		with  func(w *world, s *accounts.Sources)
	}{
		{"a log from when it counts", 1, func(w *world, s *accounts.Sources) { s.Since = ago(45 * day) }},
		{"a shorter log", 0, func(w *world, s *accounts.Sources) { s.Since = ago(45*day - 1) }},
		{"no log", 0, func(w *world, s *accounts.Sources) { s.Uses, s.SignIns = nil, nil }},
		{"a register that knows", 1, func(w *world, s *accounts.Sources) {
			s.Since = ago(day)
			w.account("bob").LastUsed = ago(300 * day)
		}},
	} {
		w := newWorld()
		w.idle("bob", time.Time{})
		s := w.sources()
		var summary accounts.Summary
		s.Summary = &summary
		c.with(w, &s)
		require.Len(t, all(t, w.policy.Audit(s, now)), c.found, c.name)
		require.Equal(t, c.found == 0, slices.Contains(summary.NotTested,
			accounts.NotTested{Kind: accounts.Dormant, Why: "1 accounts were not judged for it, or not fully"}), c.name)
	}
}

// Whatever somebody types for a name, perhaps a password, is shown nowhere; and it cannot end an audit.
func TestTypedNamesAreShownNowhere(t *testing.T) {
	const typed = "hunter2"
	w := newWorld()
	for i := range 20 {
		for _, k := range []accounts.Key{
			{Tenant: "acme", Main: fmt.Sprint(typed, i)}, {Tenant: "acme", Main: "ann", Sub: fmt.Sprint(typed, i)},
			{Tenant: opsec.TenantID(fmt.Sprint(typed, i)), Main: "ann"}, {Tenant: "acme", Main: fmt.Sprint(typed, "\x00\xff\n", i)},
			{}, {Tenant: "\x00"}, {Tenant: "acme"}, {Tenant: typed, Main: strings.Repeat(typed, 1000)},
		} {
			w.signIns = append(w.signIns, accounts.SignIn{
				Key: k, Time: ago(day), Outcome: opsec.Failure, IP: netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i)), Ref: "r",
			})
		}
	}
	found, summary := w.audit(t)
	require.Len(t, found, 20, "one for each origin, and for nothing else")
	text, err := json.Marshal(struct{ F, S any }{found, summary})
	require.NoError(t, err)
	require.NotContains(t, string(text), typed)
	for _, f := range found {
		require.Equal(t, accounts.InventedAttempt, f.Kind)
		require.Equal(t, opsec.Provider, f.Tenant, "several tenants were tried")
		require.NotContains(t, fmt.Sprintf("%+v %s", f, f.Event(now).AppendJSON(nil)), typed)
	}

	s := w.sources()
	var rows []accounts.SignIn
	for row := range s.SignIns {
		require.NotContains(t, fmt.Sprintf("%v %+v %s", row, &row, row), typed)
		rows = append(rows, row)
	}
	slices.Reverse(rows)
	s.SignIns = seq(rows)
	_, err = failure(w.policy.Audit(s, now))
	require.Error(t, err)
	require.NotContains(t, err.Error(), typed)
}

// Front ends record what was refused, whoever it was: such an event must not end an audit.
func TestUsesOfImpossibleNamesEndNoAudit(t *testing.T) {
	const typed = "hunter2"
	w := newWorld()
	for _, k := range []accounts.Key{
		{Tenant: "acme", Sub: typed}, {Tenant: "acme"}, {Tenant: "no such", Main: typed}, {Main: typed},
		{Tenant: "acme", Main: strings.Repeat(typed, 1000)},
	} {
		w.uses = append(w.uses, accounts.Use{Key: k, Permission: "vm.stop", Denied: 9, Ref: "r"})
	}
	found, summary := w.audit(t)
	require.Empty(t, found)
	require.Empty(t, summary.NotTested)

	u := &w.uses[slices.IndexFunc(w.uses, func(u accounts.Use) bool { return u.Tenant == "no such" })]
	u.Count, u.Last = 1, ago(day)
	found, _ = w.audit(t)
	require.Len(t, found, 1, "what was done under it is")
	require.Equal(t, accounts.Unregistered, found[0].Kind)
	require.Equal(t, opsec.Provider, found[0].Tenant)
	require.NoError(t, found[0].Event(now).Validate())
}

func TestSequencesAreReleasedWhenTheReaderPanics(t *testing.T) {
	w := newWorld()
	w.account("ann").Expires = ago(day)
	for i := range 200 { // more than are read ahead
		w.session("bob", ago(time.Duration(i+2)*12*time.Hour), time.Hour)
	}
	s := w.sources()
	open := 0
	whole := s.SignIns
	s.SignIns = func(yield func(accounts.SignIn, error) bool) {
		open++
		defer func() { open-- }()
		whole(yield)
	}
	require.Panics(t, func() {
		for range w.policy.Audit(s, now) {
			panic("of the reader")
		}
	})
	require.Zero(t, open)
}

// An audit of last month by a log that has gone on since.
func TestSessionsAreJudgedAsTheyStandNow(t *testing.T) {
	w := newWorld()
	w.logIn("bob", ago(time.Hour), "t1")
	w.logIn("bob", now.Add(14*time.Hour), "t2")
	w.logOut("bob", now.Add(40*time.Hour), now.Add(14*time.Hour))
	w.logOut("bob", now.Add(41*time.Hour), now.Add(39*time.Hour))
	found, _ := w.audit(t)
	require.Empty(t, found)
}

func TestMoreThanMemoryHoldsIsNotJudged(t *testing.T) {
	t.Run("sessions at once", func(t *testing.T) {
		w := newWorld()
		for i := range 300 {
			w.logIn("bob", ago(time.Hour+time.Duration(i)*time.Second), "t1")
		}
		found, summary := w.audit(t)
		require.Len(t, found, 1)
		require.Equal(t, accounts.Unjudged, found[0].Kind)
		require.Equal(t, name("bob"), found[0].Account)
		require.Len(t, summary.NotTested, 3)
	})
	t.Run("sessions that were never closed", func(t *testing.T) {
		w := newWorld()
		for i := range 300 {
			w.logIn("bob", ago(time.Duration(i+1)*day), "t1")
		}
		found, summary := w.audit(t)
		require.Len(t, found, 1)
		require.Equal(t, accounts.Unclosed, found[0].Kind)
		require.EqualValues(t, 300, found[0].Count)
		require.Empty(t, summary.NotTested)

		w.logOut("bob", ago(time.Hour), ago(300*day)) // the oldest, which is forgotten
		found, summary = w.audit(t)
		require.Len(t, found, 2)
		require.Equal(t, accounts.Unjudged, found[1].Kind)
		require.Equal(t, []accounts.NotTested{{accounts.Unopened, "1 accounts were not judged for it, or not fully"}}, summary.NotTested)

		w.signIns[len(w.signIns)-1].Began = ago(5 * time.Hour) // one that was never there
		found, _ = w.audit(t)
		require.Len(t, found, 2)
		require.Equal(t, accounts.Unopened, found[1].Kind)
	})
	t.Run("permissions of a main account", func(t *testing.T) {
		w := newWorld()
		w.policy.Skip = []accounts.Kind{accounts.OverAuthorised}
		for i := range 1<<16 + 1 {
			w.entitlements = append(w.entitlements, accounts.Entitlement{
				Key: name("ann"), Permission: fmt.Sprintf("a%06d", i), Granted: ago(day), Approved: ago(day),
			})
		}
		found, summary := w.audit(t)
		require.Len(t, found, 1)
		require.Equal(t, accounts.Unjudged, found[0].Kind)
		require.Equal(t, name("ann/db"), found[0].Account)
		require.Equal(t, []accounts.NotTested{
			{accounts.OverAuthorised, "left out by the policy"},
			{accounts.BeyondMain, "1 accounts were not judged for it, or not fully"},
		}, summary.NotTested)
	})
	t.Run("origins", func(t *testing.T) {
		w := newWorld()
		w.policy.Origins = 2
		w.invent(3, 2, "192.0.2.1")
		w.invent(1, 1, "192.0.2.2")
		w.invent(1, 1, "192.0.2.3")
		_, summary := w.audit(t)
		require.Equal(t, []accounts.NotTested{
			{accounts.InventedAttempt, "1 origins gave way to others: see Policy.Origins"},
		}, summary.NotTested)
	})
}

func TestAuditNeedsAGoodPolicyKeyAndSpan(t *testing.T) {
	_, err := failure(accounts.Policy{Places: -1}.Audit(accounts.Sources{}, now))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = failure(accounts.Policy{}.Audit(accounts.Sources{Key: key[:31]}, now))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.NotContains(t, err.Error(), string(key[:31]))
	_, err = failure(accounts.Policy{}.Audit(accounts.Sources{}, time.Time{}))
	require.ErrorIs(t, err, opsec.ErrInvalid, "no time")
	_, err = failure(accounts.Policy{}.Audit(accounts.Sources{Since: now.Add(1)}, now))
	require.ErrorIs(t, err, opsec.ErrInvalid, "a span that has not begun")
	require.Empty(t, all(t, accounts.Policy{}.Audit(accounts.Sources{Since: now}, now)))
}

func TestKeys(t *testing.T) {
	for _, c := range []struct{ account, main, sub string }{{"ann", "ann", ""}, {"ann/db", "ann", "db"}, {"ann/db/x", "ann", "db/x"}} {
		k := accounts.ParseAccount("acme", c.account)
		require.Equal(t, accounts.Key{Tenant: "acme", Main: c.main, Sub: c.sub}, k)
		require.Equal(t, c.account, k.Account())
		require.Equal(t, "acme/"+c.account, k.String())
	}
	require.Equal(t, `"acme/a\x1b[31m"`, accounts.Key{Tenant: "acme", Main: "a\x1b[31m"}.String())
	require.Negative(t, accounts.Key{Tenant: "a", Main: "z"}.Compare(accounts.Key{Tenant: "a.", Main: "a"}))
	require.Negative(t, name("ann").Compare(name("ann/a")))
	require.Negative(t, name("ann/z").Compare(name("ann.a")), "sub-accounts come right behind their main account")
	require.Zero(t, name("ann/z").Compare(name("ann/z")))
}

func TestSeverities(t *testing.T) {
	for _, k := range accounts.Kinds() {
		require.NotZero(t, k.Severity().Rank(), k)
	}
	require.Empty(t, accounts.Kind("none").Severity())
}
