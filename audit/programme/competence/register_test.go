package competence_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/audit/programme/competence"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

// desk is a register whose clock stands at day 50, with what became of its events.
type desk struct {
	*competence.Register
	events func() []opsec.Event // since the last call, in any order
	auth   *rule
	clock  *time.Time
}

// rule is an Authorizer that denies one action.
type rule struct{ denied string }

func (r *rule) Authorize(_ context.Context, _ opsec.Actor, action string, _ opsec.Resource) error {
	if action == r.denied {
		return fmt.Errorf("not yours: %w", opsec.ErrDenied)
	}
	return nil
}

// desks runs a test over every States that there is.
func desks(t *testing.T, fn func(t *testing.T, d *desk)) {
	open := func(t *testing.T, states competence.States, events func() []opsec.Event) *desk {
		now := day(50)
		auth := &rule{}
		r, err := competence.New(states, policy(), &competence.Options{Now: func() time.Time { return now }, Authorizer: auth})
		require.NoError(t, err)
		return &desk{r, events, auth, &now}
	}
	t.Run("memory", func(t *testing.T) {
		recorder := audittest.New(t)
		fn(t, open(t, competence.NewMemory(recorder), since(func() []opsec.Event { return recorder.Events() })))
	})
	t.Run("stored", func(t *testing.T) {
		db, err := store.New(memory.New(), nil)
		require.NoError(t, err)
		fn(t, open(t, competence.NewStored(db), func() []opsec.Event {
			recorder := audittest.New(t)
			_, err := db.Deliver(t.Context(), db.Node(), recorder)
			require.NoError(t, err)
			return recorder.Events()
		}))
	})
	t.Run("own", func(t *testing.T) {
		own := &ownDatabase{}
		fn(t, open(t, own, since(func() []opsec.Event { return own.events })))
	})
}

// since makes a list of all events one of those since the last call.
func since(all func() []opsec.Event) func() []opsec.Event {
	seen := 0
	return func() []opsec.Event {
		list := all()[seen:]
		seen += len(list)
		return list
	}
}

func TestRegisterKeepsWhatItIsGiven(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		ctx := t.Context()
		none, err := d.Records(ctx, hr, "ann")
		require.NoError(t, err)
		require.Empty(t, none)

		berlin := time.FixedZone("", 3600)
		first, second := record(between(day(0).In(berlin), day(100))), record(about("networks"), between(day(10), time.Time{}))
		ref, err := d.Add(ctx, hr, first)
		require.NoError(t, err)
		require.Equal(t, first.Ref(), ref)
		_, err = d.Add(ctx, hr, second)
		require.NoError(t, err)
		_, err = d.Add(ctx, hr, record(of("bob")))
		require.NoError(t, err)
		got, err := d.Records(ctx, hr, "ann")
		require.NoError(t, err)
		require.Equal(t, []competence.Record{record(), second}, got)
		got, err = d.Of(ctx, "bob")
		require.NoError(t, err)
		require.Equal(t, []competence.Record{record(of("bob"))}, got)
		require.Len(t, d.events(), 3, "reading has no event")
	})
}

func TestQualifiedNamesTheRecordsItRestsOn(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		ctx := t.Context()
		ann := opsec.Actor{Tenant: opsec.Provider, Account: "ann-7", Person: "ann"}
		var wrong *competence.UnqualifiedError
		_, err := d.Qualified(ctx, ann, "audit virtualisation", day(50))
		require.ErrorAs(t, err, &wrong)
		first, err := d.Add(ctx, hr, record())
		require.NoError(t, err)
		got, err := d.Qualified(ctx, ann, "audit virtualisation", day(50))
		require.NoError(t, err)
		require.Equal(t, first, got)
		_, err = d.Qualified(ctx, ann, "audit data", day(50))
		require.ErrorAs(t, err, &wrong)
		second, err := d.Add(ctx, hr, record(about("data operations")))
		require.NoError(t, err)
		got, err = d.Qualified(ctx, ann, "audit data", day(50))
		require.NoError(t, err)
		require.Equal(t, second+" "+first, got, "in the order of the needs")

		_, err = d.Qualified(ctx, ann, "audit virtualisation", day(100))
		require.ErrorAs(t, err, &wrong)
		require.Len(t, wrong.Expired, 1)
		for name, who := range map[string]opsec.Actor{
			"somebody else":        {Tenant: opsec.Provider, Account: "ann-7", Person: "bob"},
			"nobody":               {Tenant: opsec.Provider, Account: "ann-7"},
			"a customer's own ann": {Tenant: "acme", Account: "ann-7", Person: "ann"},
		} {
			_, err = d.Qualified(ctx, who, "audit virtualisation", day(50))
			require.ErrorAs(t, err, &wrong, name)
			require.Equal(t, who.Person, wrong.Person, name)
			require.Len(t, wrong.Missing, 1, name)
		}
		for _, duty := range []string{"", "gardening"} {
			_, err = d.Qualified(ctx, ann, duty, day(50))
			require.ErrorIs(t, err, opsec.ErrInvalid)
		}
		_, err = d.Qualified(ctx, opsec.Actor{Tenant: opsec.Provider, Person: long}, "audit virtualisation", day(50))
		require.ErrorIs(t, err, opsec.ErrInvalid)
	})
}

func TestRevocationIsForGoodAndOnlyMovesToEarlier(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		ctx := t.Context()
		ref, err := d.Add(ctx, hr, record())
		require.NoError(t, err)
		d.events()
		end := func() time.Time {
			got, err := d.Of(ctx, "ann")
			require.NoError(t, err)
			require.Len(t, got, 1)
			return got[0].Revoked
		}
		require.NoError(t, d.Revoke(ctx, hr, "ann", ref, day(40), "no longer in practice"))
		require.Equal(t, day(40), end())
		require.NoError(t, d.Revoke(ctx, hr, "ann", ref, day(45), "again"))
		require.Equal(t, day(40), end())
		require.NoError(t, d.Revoke(ctx, hr, "ann", ref, day(-400), "forged"))
		require.Equal(t, day(0), end(), "not before its issue")
		_, err = d.Add(ctx, hr, record())
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.Equal(t, day(0), end())

		require.ErrorIs(t, d.Revoke(ctx, hr, "ann", sum(9), day(40), "no such record"), opsec.ErrNotFound)
		require.ErrorIs(t, d.Revoke(ctx, hr, "bob", ref, day(40), "of somebody else"), opsec.ErrNotFound)
		require.ErrorIs(t, d.Revoke(ctx, hr, "ann", ref, day(40), ""), opsec.ErrInvalid)
		require.ErrorIs(t, d.Revoke(ctx, hr, "ann", ref, time.Time{}, "when"), opsec.ErrInvalid)
		_, err = d.Add(ctx, hr, record(between(day(1), day(2)), revoked(day(1))))
		require.ErrorIs(t, err, opsec.ErrInvalid)
	})
}

func TestWhatIsOnRecordIsNotEnteredAgain(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		ctx := t.Context()
		for range 2 {
			_, err := d.Add(ctx, hr, record())
			require.NoError(t, err)
			require.NoError(t, d.Acquire(ctx, hr, certificate("a")))
		}
		require.Len(t, d.events(), 2)
		require.NoError(t, d.Acquire(ctx, hr, certificate("s", surveyed(competence.Surveillance{Due: day(20)}))))
		require.ErrorIs(t, d.Acquire(ctx, hr, certificate("s", surveyed(competence.Surveillance{Due: day(21)}))), opsec.ErrInvalid)
		got, err := d.Of(ctx, "ann")
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.ErrorIs(t, d.Acquire(ctx, hr, certificate("a", scope("less"))), opsec.ErrInvalid)
		due := surveyed(competence.Surveillance{Due: day(20)})
		require.ErrorIs(t, d.Acquire(ctx, hr, certificate("a", due)), opsec.ErrInvalid, "nobody would warn of that audit")
		require.NoError(t, d.Withdraw(ctx, hr, "a", day(40), "audit failed"))
		require.NoError(t, d.Acquire(ctx, hr, certificate("a")), "and does not come to life again")
		all, err := d.Certificates(ctx, hr)
		require.NoError(t, err)
		require.Equal(t, certificate("a", withdrawn(day(40))), all[0])
		require.Len(t, all, 2)
	})
}

// TestNobodyVouchesForThemselves: with whatever account, and an account with nobody behind it could be anybody's.
func TestNobodyVouchesForThemselves(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		ctx := t.Context()
		ref, err := d.Add(ctx, hr, record())
		require.NoError(t, err)
		for _, by := range []opsec.Actor{
			{Tenant: opsec.Provider, Account: "ann-1", Person: "ann", Kind: opsec.Human},
			{Tenant: "acme", Account: "ann-2", Person: "ann", Kind: opsec.Human},
			{Tenant: opsec.Provider, Account: "import", Kind: opsec.Service},
		} {
			_, err := d.Add(ctx, by, record(about("networks")))
			require.ErrorIs(t, err, competence.ErrSamePerson)
			require.ErrorIs(t, err, opsec.ErrDenied)
			require.ErrorIs(t, d.Revoke(ctx, by, "ann", ref, day(40), "why not"), competence.ErrSamePerson)
		}
		got, err := d.Of(ctx, "ann")
		require.NoError(t, err)
		require.Equal(t, []competence.Record{record()}, got)
		denied := 0
		for _, e := range d.events() {
			if e.Outcome == opsec.Denied {
				denied++
			}
		}
		require.Equal(t, 6, denied)
	})
}

func TestCertificatesAreFollowedFromAcquisitionToTheirEnd(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		ctx := t.Context()
		reasons := func(at time.Time) (list []competence.Reason) {
			*d.clock = at
			warnings, err := d.Renewals(ctx, hr)
			require.NoError(t, err)
			for _, w := range warnings {
				list = append(list, w.Reason)
			}
			return list
		}
		require.Empty(t, reasons(day(1)))
		require.NoError(t, d.Acquire(ctx, hr, certificate("a", surveyed(competence.Surveillance{Due: day(500)}))))
		require.Equal(t, []competence.Reason{competence.SurveillanceOverdue}, reasons(day(500)))
		done := competence.Surveillance{Due: day(500), Done: day(499), Evidence: sum(5)}
		require.NoError(t, d.Survey(ctx, hr, "a", done))
		require.NoError(t, d.Survey(ctx, hr, "a", done), "once more changes nothing")
		require.Empty(t, reasons(day(501)))
		require.Equal(t, []competence.Reason{competence.RenewalDue}, reasons(day(990)))
		require.NoError(t, d.Acquire(ctx, hr, certificate("b", runs(day(995), day(2000)), replaces("a"))))
		require.Empty(t, reasons(day(1000)))
		require.NoError(t, d.Withdraw(ctx, hr, "b", day(1500), "audit failed"))
		require.NoError(t, d.Withdraw(ctx, hr, "b", day(1600), "a later end is none"))
		require.Equal(t, []competence.Reason{competence.Withdrawn}, reasons(day(1500)))
		require.NoError(t, d.Drop(ctx, hr, "b", "we sell that no more"))
		require.NoError(t, d.Drop(ctx, hr, "b", "again"))
		require.Empty(t, reasons(day(1501)))

		var actions []string
		for _, e := range d.events() {
			actions = append(actions, e.Action+" "+e.Resource.ID)
		}
		require.ElementsMatch(t, []string{"competence.acquire a", "competence.survey a", "competence.acquire b",
			"competence.withdraw b", "competence.drop b"}, actions)
	})
}

func TestChangesOfCertificatesThatAreWrongChangeNothing(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		ctx := t.Context()
		good := certificate("a", surveyed(competence.Surveillance{Due: day(40)}))
		require.NoError(t, d.Acquire(ctx, hr, good))
		done := competence.Surveillance{Due: day(40), Done: day(41), Evidence: sum(5)}
		but := func(change func(*competence.Surveillance)) competence.Surveillance {
			s := done
			change(&s)
			return s
		}
		bad, gone := opsec.ErrInvalid, opsec.ErrNotFound
		for name, test := range map[string]struct{ got, want error }{
			"follows nothing":   {d.Acquire(ctx, hr, certificate("b", replaces("z"))), bad},
			"not valid":         {d.Acquire(ctx, hr, competence.Certificate{}), bad},
			"withdrawn before":  {d.Acquire(ctx, hr, certificate("b", withdrawn(day(1)))), bad},
			"dropped before":    {d.Acquire(ctx, hr, certificate("b", dropped(day(1)))), bad},
			"survey of what":    {d.Survey(ctx, hr, "z", done), gone},
			"survey when":       {d.Survey(ctx, hr, "a", but(func(s *competence.Surveillance) { s.Due = day(41) })), gone},
			"survey to come":    {d.Survey(ctx, hr, "a", but(func(s *competence.Surveillance) { s.Done = day(51) })), bad},
			"survey undated":    {d.Survey(ctx, hr, "a", but(func(s *competence.Surveillance) { s.Done = time.Time{} })), bad},
			"survey unproven":   {d.Survey(ctx, hr, "a", but(func(s *competence.Surveillance) { s.Evidence = "" })), bad},
			"withdraw what":     {d.Withdraw(ctx, hr, "z", day(1), "r"), gone},
			"withdraw early":    {d.Withdraw(ctx, hr, "a", day(-1), "r"), bad},
			"withdraw when":     {d.Withdraw(ctx, hr, "a", time.Time{}, "r"), bad},
			"withdraw why":      {d.Withdraw(ctx, hr, "a", day(1), ""), bad},
			"drop what":         {d.Drop(ctx, hr, "z", "r"), gone},
			"drop why":          {d.Drop(ctx, hr, "a", "\n"), bad},
			"drop what unnamed": {d.Drop(ctx, hr, "", "r"), bad},
		} {
			require.ErrorIs(t, test.got, test.want, name)
		}
		all, err := d.Certificates(ctx, hr)
		require.NoError(t, err)
		require.Equal(t, []competence.Certificate{good}, all)
		require.Len(t, d.events(), 1)

		require.NoError(t, d.Survey(ctx, hr, "a", done))
		require.ErrorIs(t, d.Survey(ctx, hr, "a", but(func(s *competence.Surveillance) { s.Done = day(45) })), opsec.ErrInvalid)
	})
}

func TestExaminationReadsTheRecordsOfStaff(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		ctx := t.Context()
		for _, r := range []competence.Record{record(), record(of("bob"), between(day(0), day(60)))} {
			_, err := d.Add(ctx, hr, r)
			require.NoError(t, err)
		}
		duty := []string{"audit virtualisation"}
		found, err := d.Examine(ctx, hr, []competence.Staff{{"ann", duty}, {"bob", duty}, {"bob", duty}, {"eve", duty}})
		require.NoError(t, err)
		require.Len(t, found, 2)
		require.Equal(t, []any{"bob", competence.Expiring}, []any{found[0].Person, found[0].Trouble})
		require.Equal(t, []any{"eve", competence.NeverTrained}, []any{found[1].Person, found[1].Trouble})
		_, err = d.Examine(ctx, hr, []competence.Staff{{}})
		require.ErrorIs(t, err, opsec.ErrInvalid)
	})
}

// verbs are all that need leave, by the action that is asked for.
func verbs(ctx context.Context, d *desk, ref string) map[string]func() error {
	return map[string]func() error{
		competence.ActionRecord:   func() error { _, err := d.Add(ctx, hr, record(about("x"))); return err },
		competence.ActionRevoke:   func() error { return d.Revoke(ctx, hr, "ann", ref, day(1), "r") },
		competence.ActionAcquire:  func() error { return d.Acquire(ctx, hr, certificate("b")) },
		competence.ActionWithdraw: func() error { return d.Withdraw(ctx, hr, "a", day(1), "r") },
		competence.ActionDrop:     func() error { return d.Drop(ctx, hr, "a", "r") },
		competence.ActionSurvey: func() error {
			return d.Survey(ctx, hr, "a", competence.Surveillance{Due: day(40), Done: day(41), Evidence: sum(5)})
		},
		competence.ActionRead: func() error {
			_, records := d.Records(ctx, hr, "ann")
			_, examine := d.Examine(ctx, hr, nil)
			_, certificates := d.Certificates(ctx, hr)
			_, renewals := d.Renewals(ctx, hr)
			for _, err := range []error{records, examine, certificates, renewals} {
				if !errors.Is(err, opsec.ErrDenied) {
					return err
				}
			}
			return records
		},
	}
}

func TestEveryActionNeedsLeaveAndHasItsEvent(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		ctx := t.Context()
		ref, err := d.Add(ctx, hr, record())
		require.NoError(t, err)
		require.NoError(t, d.Acquire(ctx, hr, certificate("a", surveyed(competence.Surveillance{Due: day(40)}))))
		require.Len(t, d.events(), 2)
		want := map[string]int{}
		for action, do := range verbs(ctx, d, ref) {
			d.auth.denied = action
			require.ErrorIs(t, do(), opsec.ErrDenied, action)
			want[action+" denied"]++
			d.auth.denied = ""
			if action != competence.ActionRead {
				require.NoError(t, do(), action)
				want[action+" success"]++
			} else {
				want[action+" denied"] += 3
			}
		}
		got := map[string]int{}
		for _, e := range d.events() {
			require.NoError(t, e.Validate())
			require.Equal(t, opsec.Critical, e.Class)
			require.Equal(t, hr, e.Actor)
			require.Equal(t, day(50), e.Time.UTC())
			require.Equal(t, opsec.Provider, e.Resource.Tenant)
			got[e.Action+" "+string(e.Outcome)]++
		}
		require.Equal(t, want, got)
	})
}

func TestEventsSayWhatWasDone(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		ctx := t.Context()
		ref, err := d.Add(ctx, hr, record())
		require.NoError(t, err)
		events := d.events()
		require.NoError(t, d.Revoke(ctx, hr, "ann", ref, day(7), "forged"))
		events = append(events, d.events()...)
		require.Len(t, events, 2)
		ann := opsec.Resource{Tenant: opsec.Provider, Type: competence.ResourcePerson, ID: "ann"}
		require.Equal(t, []opsec.Resource{ann, ann}, []opsec.Resource{events[0].Resource, events[1].Resource})
		attrs := func(e opsec.Event) map[string]string {
			m := map[string]string{}
			for _, a := range e.Attrs {
				if a.Key != store.AttrWrote {
					m[a.Key] = a.Value
				}
			}
			return m
		}
		require.Equal(t, map[string]string{
			"record": ref, "subject": "virtualisation", "kind": "certification", "evidence": sum(1)}, attrs(events[0]))
		require.Equal(t, map[string]string{"record": ref, "from": "2026-01-08T00:00:00Z"}, attrs(events[1]))
		require.Equal(t, "forged", events[1].Reason)
	})
}

func TestNothingIsKeptThatIsNotRecorded(t *testing.T) {
	recorder := audittest.New(t)
	states, o := competence.NewMemory(recorder), &competence.Options{Authorizer: opsec.CallerAuthorized{}}
	r, err := competence.New(states, policy(), o)
	require.NoError(t, err)
	broken := errors.New("log is full")
	recorder.Fail(broken)
	_, err = r.Add(t.Context(), hr, record())
	require.ErrorIs(t, err, broken)
	recorder.Fail(nil)
	got, err := r.Of(t.Context(), "ann")
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestARefusalThatIsNotRecordedIsARefusalStill(t *testing.T) {
	recorder := audittest.New(t)
	states, o := competence.NewMemory(recorder), &competence.Options{Authorizer: &rule{competence.ActionDrop}}
	r, err := competence.New(states, policy(), o)
	require.NoError(t, err)
	broken := errors.New("log is full")
	recorder.Fail(broken)
	err = r.Drop(t.Context(), hr, "a", "r")
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.ErrorIs(t, err, broken)
}

func TestStateIsBounded(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		var err error
		n := 0
		for ; err == nil && n < 1000; n++ { // of a kind that JSON makes six times as long
			err = d.Acquire(t.Context(), hr, certificate(fmt.Sprint(n), scope(strings.Repeat("<", 1024))))
		}
		require.ErrorIs(t, err, opsec.ErrInvalid)
		all, err := d.Certificates(t.Context(), hr)
		require.NoError(t, err)
		require.Len(t, all, n-1)
		require.Greater(t, n, 30)
		text, err := json.Marshal(competence.State{Certificates: all})
		require.NoError(t, err)
		require.LessOrEqual(t, len(text), competence.MaxState)
	})
}

func TestNothingIsLostWhenManyWriteAtOnce(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				for j := range 4 {
					_, err := d.Add(t.Context(), hr, record(about(fmt.Sprint(i, j))))
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		got, err := d.Of(t.Context(), "ann")
		require.NoError(t, err)
		require.Len(t, got, 32)
		require.Len(t, d.events(), 32)
	})
}

func TestWhatIsReturnedIsTheCallersOwn(t *testing.T) {
	desks(t, func(t *testing.T, d *desk) {
		ctx := t.Context()
		berlin := time.FixedZone("", 3600)
		due := competence.Surveillance{Due: day(40).In(berlin)}
		given := certificate("a", runs(day(0).In(berlin), day(1000).In(berlin)), surveyed(due))
		require.NoError(t, d.Acquire(ctx, hr, given))
		given.Surveillance[0].Due = day(41)
		_, err := d.Add(ctx, hr, record())
		require.NoError(t, err)
		for range 2 {
			all, err := d.Certificates(ctx, hr)
			require.NoError(t, err)
			require.Equal(t, day(0), all[0].Issued, "in UTC")
			require.Equal(t, day(40), all[0].Surveillance[0].Due)
			all[0].Surveillance[0].Due = day(42)
			got, err := d.Of(ctx, "ann")
			require.NoError(t, err)
			require.Equal(t, "ann", got[0].Person)
			got[0].Person = "bob"
		}
	})
}

func TestRegisterKeepsThePolicyThatItWasGiven(t *testing.T) {
	p := policy()
	o := &competence.Options{Authorizer: opsec.CallerAuthorized{}}
	r, err := competence.New(competence.NewMemory(audittest.New(t)), p, o)
	require.NoError(t, err)
	p.Duties["audit virtualisation"][0].Subject = "something else"
	delete(p.Duties, "audit data")
	_, err = r.Add(t.Context(), hr, record())
	require.NoError(t, err)
	ann := opsec.Actor{Tenant: opsec.Provider, Account: "ann-7", Person: "ann"}
	_, err = r.Qualified(t.Context(), ann, "audit virtualisation", day(50))
	require.NoError(t, err)
	_, err = r.Qualified(t.Context(), ann, "audit data", day(50))
	require.ErrorIs(t, err, opsec.ErrDenied)
}

func TestRegisterNeedsAllItsParts(t *testing.T) {
	states := competence.NewMemory(audittest.New(t))
	good := competence.Options{Authorizer: opsec.CallerAuthorized{}}
	_, err := competence.New(states, policy(), &good)
	require.NoError(t, err)
	for name, make := range map[string]func() (*competence.Register, error){
		"no states":     func() (*competence.Register, error) { return competence.New(nil, policy(), &good) },
		"no options":    func() (*competence.Register, error) { return competence.New(states, policy(), nil) },
		"no authorizer": func() (*competence.Register, error) { return competence.New(states, policy(), &competence.Options{}) },
		"no policy":     func() (*competence.Register, error) { return competence.New(states, competence.Policy{}, &good) },
	} {
		_, err := make()
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
}
