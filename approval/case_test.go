package approval_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
)

func TestStagesFollowOneAnother(t *testing.T) {
	c := open(t, plain(role("ops", 2), role("staff", 1)))
	require.Equal(t, approval.Pending, status(t, c, start))
	c = must(t)(c.Decide(approve(0, human("bob")), everybody, start))
	refused(t, c, approval.ErrStage)(c.Decide(approve(1, human("carol")), everybody, start))
	c = must(t)(c.Decide(approve(0, human("carol")), everybody, start))
	refused(t, c, approval.ErrStage)(c.Decide(approve(0, human("dave")), everybody, start))
	s, err := c.At(start)
	require.NoError(t, err)
	require.Equal(t, approval.Standing{Status: approval.Pending, Stage: 1, Deadline: start.Add(24 * time.Hour)}, s)
	refused(t, c, approval.StatusError{Status: approval.Pending})(c.Use(destroy(), human("alice"), everybody, start))

	at := start.Add(time.Minute)
	c = must(t)(c.Decide(approve(1, human("dave")), everybody, at))
	s, err = c.At(at)
	require.NoError(t, err)
	require.Equal(t, approval.Standing{Status: approval.Approved, Stage: 2, Deadline: at.Add(time.Hour)}, s)
	c = must(t)(c.Use(destroy(), human("alice"), everybody, at))
	s, err = c.At(at.Add(1000 * time.Hour))
	require.NoError(t, err)
	require.Equal(t, approval.Standing{Status: approval.Used, Stage: 2}, s)
}

func TestNobodyApprovesForThemselves(t *testing.T) {
	unknown := human("")
	unknown.Account = "shared-admin"
	elsewhere := human("alice")
	elsewhere.Tenant = opsec.Provider
	tests := []struct {
		name string
		by   opsec.Actor
		want error
	}{
		{"the requester", human("alice"), approval.ErrSamePerson},
		{"the requester by a sub-account", sub("alice"), approval.ErrSamePerson},
		{"a beneficiary", human("ben"), approval.ErrSamePerson},
		{"a beneficiary by a sub-account", sub("ben"), approval.ErrSamePerson},
		{"nobody known", unknown, approval.ErrSamePerson},
		{"another person of the same name, whose tenant has no say", elsewhere, approval.ErrNotEligible},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := open(t, plain(role("ops", 1)), human("ben"))
			for _, verb := range []approval.Verb{approval.Approve, approval.Reject} {
				refused(t, c, test.want)(c.Decide(approval.Decision{Verb: verb, By: test.by}, everybody, start))
			}
		})
	}
}

func TestAPersonDecidesOnce(t *testing.T) {
	policy := plain(role("ops", 2), role("staff", 1))
	c := must(t)(open(t, policy).Decide(approve(0, human("bob")), everybody, start))
	for _, by := range []opsec.Actor{human("bob"), sub("bob")} {
		refused(t, c, approval.ErrDecided)(c.Decide(approve(0, by), everybody, start))
		refused(t, c, approval.ErrDecided)(c.Decide(approval.Decision{Verb: approval.Reject, By: by}, everybody, start))
	}
	c = must(t)(c.Decide(approve(0, human("carol")), everybody, start))
	refused(t, c, approval.ErrDecided)(c.Decide(approve(1, sub("bob")), everybody, start))

	policy.InsecureManyStages = true
	c = must(t)(open(t, policy).Decide(approve(0, human("bob")), everybody, start))
	refused(t, c, approval.ErrDecided)(c.Decide(approve(0, sub("bob")), everybody, start))
	c = must(t)(c.Decide(approve(0, human("carol")), everybody, start))
	c = must(t)(c.Decide(approve(1, sub("bob")), everybody, start))
	require.Equal(t, approval.Approved, status(t, c, start))
}

func TestOnlyHumansCount(t *testing.T) {
	policy := plain(role("ops", 1))
	for _, kind := range []opsec.ActorKind{opsec.Service, opsec.System, ""} {
		robot := human("bob")
		robot.Kind = kind
		policy.InsecureNonHuman = false
		c := open(t, policy)
		refused(t, c, approval.ErrNotEligible)(c.Decide(approve(0, robot), everybody, start))
		policy.InsecureNonHuman = true
		c = must(t)(open(t, policy).Decide(approve(0, robot), everybody, start))
		require.Equal(t, approval.Approved, status(t, c, start))
	}
}

func TestARoleCountsOnItsSide(t *testing.T) {
	engineer := opsec.Actor{Tenant: opsec.Provider, Account: "eve", Person: "eve", Kind: opsec.Human}
	boss, customer, stranger := engineer, human("carol"), human("mallory")
	boss.Account, boss.Person, stranger.Tenant = "bob", "bob", "umbrella"
	tests := []struct {
		side approval.Side
		by   opsec.Actor
		want error
	}{
		{approval.RequesterSide, boss, nil},
		{approval.RequesterSide, customer, approval.ErrNotEligible},
		{approval.OwnerSide, customer, nil},
		{approval.OwnerSide, boss, approval.ErrNotEligible},
		{approval.OwnerSide, stranger, approval.ErrNotEligible},
		{approval.ProviderSide, boss, nil},
		{approval.ProviderSide, customer, approval.ErrNotEligible},
	}
	for _, test := range tests {
		c, _, err := approval.New(approval.Request{
			Action: destroy(), By: engineer, Policy: plain(approval.Rule{Role: "ops", Side: test.side}),
		}, start)
		require.NoError(t, err)
		got, _, err := c.Decide(approve(0, test.by), everybody, start)
		require.ErrorIs(t, err, test.want, "%q %s", test.side, test.by.Tenant)
		if err == nil {
			require.Equal(t, []string{"ops"}, got.History[0].Roles, "what counts is kept, nothing else")
		}
	}
}

func TestRejectionsEndTheCase(t *testing.T) {
	reject := func(by string) approval.Decision {
		return approval.Decision{Verb: approval.Reject, By: human(by), Reason: "no"}
	}
	policy := plain(role("ops", 2))
	c := must(t)(open(t, policy).Decide(reject("bob"), everybody, start))
	require.Equal(t, approval.Rejected, status(t, c, start), "one is enough")

	policy.Stages[0].Rejections = 2
	c = must(t)(open(t, policy).Decide(reject("bob"), everybody, start))
	require.Equal(t, approval.Pending, status(t, c, start))
	refused(t, c, approval.ErrDecided)(c.Decide(approve(0, human("bob")), everybody, start))
	c = must(t)(c.Decide(approve(0, human("carol")), everybody, start))
	c = must(t)(c.Decide(reject("dave"), everybody, start))
	require.Equal(t, approval.Rejected, status(t, c, start))

	c = open(t, policy)
	refused(t, c, approval.ErrNotEligible)(c.Decide(reject("bob"), holding(nil), start))
}

func TestAnApproverMayGoBackUntilTheUse(t *testing.T) {
	retract := func(stage int, by opsec.Actor) approval.Decision {
		return approval.Decision{Verb: approval.Retract, Stage: stage, By: by}
	}
	c := open(t, plain(role("ops", 1), role("ops", 1)))
	refused(t, c, approval.ErrNotEligible)(c.Decide(retract(0, human("bob")), everybody, start))
	c = must(t)(c.Decide(approve(0, human("bob")), everybody, start))
	refused(t, c, approval.ErrNotEligible)(c.Decide(retract(0, human("carol")), everybody, start))
	refused(t, c, approval.ErrNotEligible)(c.Decide(retract(1, human("bob")), everybody, start))
	early := must(t)(c.Decide(retract(0, sub("bob")), holding(nil), start)) // needs no role any more
	require.Equal(t, approval.Rejected, status(t, early, start))
	c = must(t)(c.Decide(approve(1, human("carol")), everybody, start))
	late := must(t)(c.Decide(retract(0, human("bob")), everybody, start))
	require.Equal(t, approval.Rejected, status(t, late, start))
	refused(t, late, approval.StatusError{Status: approval.Rejected})(late.Use(destroy(), human("alice"), everybody, start))
	c = must(t)(c.Use(destroy(), human("alice"), everybody, start))
	refused(t, c, approval.StatusError{Status: approval.Used})(c.Decide(retract(0, human("bob")), everybody, start))
}

func TestOnlyTheRequesterWithdraws(t *testing.T) {
	c := open(t, plain(role("ops", 1)), human("ben"))
	for _, by := range []opsec.Actor{human("bob"), human("ben")} {
		refused(t, c, approval.ErrNotEligible)(c.Withdraw(by, "", start))
	}
	approved := must(t)(c.Decide(approve(0, human("bob")), everybody, start))
	for _, c := range []approval.Case{c, approved} {
		c = must(t)(c.Withdraw(sub("alice"), "no longer needed", start))
		require.Equal(t, approval.Withdrawn, status(t, c, start))
	}
}

func TestOnlyTheExactActionIsRun(t *testing.T) {
	other := volume
	other.ID = "vol-8"
	foreign := volume
	foreign.Tenant = "umbrella"
	c := must(t)(open(t, plain(role("ops", 1))).Decide(approve(0, human("bob")), everybody, start))
	for _, a := range []approval.Action{
		approval.NewAction("volume.erase", volume, []byte(`{"wipe":true}`)),
		approval.NewAction("volume.destroy", other, []byte(`{"wipe":true}`)),
		approval.NewAction("volume.destroy", foreign, []byte(`{"wipe":true}`)),
		approval.NewAction("volume.destroy", volume, []byte(`{"wipe":false}`)),
		approval.NewAction("volume.destroy", volume, []byte(`{"wipe":`), []byte(`true}`)),
		approval.NewAction("volume.destroy", volume, []byte(`{"wipe":true}`), nil),
		approval.NewAction("volume.destroy", volume),
		{},
	} {
		refused(t, c, approval.ErrOtherAction)(c.Use(a, human("alice"), everybody, start))
		require.NotEqual(t, destroy().Digest(), a.Digest())
	}
	must(t)(c.Use(destroy(), human("alice"), everybody, start))
}

func TestAuthorityIsAskedAgainBeforeTheUse(t *testing.T) {
	then := holding(map[string][]string{"bob": {"ops", "staff"}, "carol": {"ops"}, "dave": {"ops"}})
	c := must(t)(open(t, plain(approval.Rule{Any: []approval.Rule{role("ops", 2), role("staff", 2)}})).Decide(
		approve(0, human("bob")), then, start))
	c = must(t)(c.Decide(approve(0, human("carol")), then, start))
	for name, now := range map[string]map[string][]string{
		"carol has gone":                    {"bob": {"ops", "staff"}},
		"bob has another role":              {"bob": {"staff"}, "carol": {"ops"}},
		"what came later counts for nought": {"bob": {"staff"}, "carol": {"staff"}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, c, approval.ErrLapsed)(c.Use(destroy(), human("alice"), holding(now), start))
		})
	}
	policy := plain(role("ops", 1))
	policy.Stages[0].Rejections = 2
	against := must(t)(open(t, policy).Decide(approval.Decision{Verb: approval.Reject, By: human("bob")}, then, start))
	against = must(t)(against.Decide(approve(0, human("carol")), then, start))
	without := holding(map[string][]string{"bob": {"ops"}})
	refused(t, against, approval.ErrLapsed)(against.Use(destroy(), human("alice"), without, start))

	down := errors.New("directory is down")
	failing := approval.Authority{Roles: func(opsec.Actor) ([]string, error) { return nil, down }}
	got, e, err := c.Use(destroy(), human("alice"), failing, start)
	require.ErrorIs(t, err, down)
	require.NotErrorIs(t, err, opsec.ErrDenied)
	require.Nil(t, e)
	require.Equal(t, c, got)
	_, e, err = open(t, plain(role("ops", 1))).Decide(approve(0, human("bob")), failing, start)
	require.ErrorIs(t, err, down)
	require.Nil(t, e)
	must(t)(c.Use(destroy(), human("alice"), then, start))
}

func TestTimeRunsOut(t *testing.T) {
	policy := plain(role("ops", 1))
	policy.Valid, policy.UseWithin = time.Hour, time.Minute
	last, over := start.Add(time.Hour-1), start.Add(time.Hour)
	c := open(t, policy)
	require.Equal(t, approval.Pending, status(t, c, last))
	require.Equal(t, approval.Expired, status(t, c, over))
	expired := approval.StatusError{Status: approval.Expired}
	refused(t, c, expired)(c.Decide(approve(0, human("bob")), everybody, over))
	refused(t, c, expired)(c.Withdraw(human("alice"), "", over))
	refused(t, c, approval.StatusError{Status: approval.Pending})(c.Expire(last))

	c = must(t)(c.Decide(approve(0, human("bob")), everybody, last))
	refused(t, c, expired)(c.Use(destroy(), human("alice"), everybody, last.Add(time.Minute)))
	c = must(t)(c.Expire(last.Add(time.Minute)))
	require.Equal(t, approval.Expired, status(t, c, start))
	refused(t, c, expired)(c.Expire(last.Add(time.Minute)))
}

func TestClockGoingBackRevivesNothing(t *testing.T) {
	policy := plain(role("ops", 2))
	policy.Valid = time.Hour
	c := must(t)(open(t, policy).Decide(approve(0, human("bob")), everybody, start.Add(59*time.Minute)))
	c = must(t)(c.Decide(approve(0, human("carol")), everybody, start.Add(-time.Hour)))
	require.Equal(t, start.Add(59*time.Minute), c.History[1].Time, "the case's clock stands still")
	policy.Stages[0].Rule.Min = 1
	policy.UseWithin = time.Minute
	c = must(t)(open(t, policy).Decide(approve(0, human("bob")), everybody, start))
	c = must(t)(c.Expire(start.Add(time.Minute)))
	for _, now := range []time.Time{start, start.Add(-time.Hour)} {
		refused(t, c, approval.StatusError{Status: approval.Expired})(c.Use(destroy(), human("alice"), everybody, now))
	}
}

func TestBadInputIsNamed(t *testing.T) {
	long := strings.Repeat("x", 3000)
	tests := []struct {
		field  string
		change func(*approval.Request)
	}{
		{"action", func(r *approval.Request) { r.Action.Name = "" }},
		{"action", func(r *approval.Request) { r.Action.Resource.ID = "\xff" }},
		{"action", func(r *approval.Request) { r.Action.Resource.Type = "" }},
		{"action.resource", func(r *approval.Request) { r.Action.Resource.Tenant = "" }},
		{"action.params", func(r *approval.Request) { r.Action.Params = "sha256:00" }},
		{"action.params", func(r *approval.Request) {
			r.Action.Params = "sha256:" + approval.Digest(strings.ToUpper(string(r.Action.Params[7:])))
		}},
		{"request.by", func(r *approval.Request) { r.By.Person = "" }},
		{"request.by.account", func(r *approval.Request) { r.By.Account = "" }},
		{"request.by", func(r *approval.Request) { r.By.Kind = "robot" }},
		{"request.by", func(r *approval.Request) { r.By.Session = long }},
		{"request.by", func(r *approval.Request) { r.By.Tenant = "" }},
		{"for", func(r *approval.Request) { r.For = []opsec.Actor{{Tenant: "acme", Account: "ben"}} }},
		{"request.for", func(r *approval.Request) { r.For = make([]opsec.Actor, 17) }},
		{"request.reason", func(r *approval.Request) { r.Reason = "" }},
		{"request.reason", func(r *approval.Request) { r.Reason = long }},
		{"policy", func(r *approval.Request) { r.Policy = approval.Policy{} }},
	}
	for i, test := range tests {
		t.Run(fmt.Sprint(i, test.field), func(t *testing.T) {
			r := approval.Request{Action: destroy(), By: human("alice"), Reason: "why", Policy: plain(role("ops", 1))}
			r.Policy.SkipReasons = false
			_, _, err := approval.New(r, start)
			require.NoError(t, err)
			test.change(&r)
			c, e, err := approval.New(r, start)
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.ErrorContains(t, err, test.field)
			require.Nil(t, e)
			require.Equal(t, approval.Case{}, c)
		})
	}
	_, _, err := approval.New(approval.Request{Action: destroy(), By: human("alice"), Reason: "why", Policy: plain(role("ops", 1))}, time.Time{})
	require.ErrorContains(t, err, "time")

	policy := plain(role("ops", 1))
	policy.SkipReasons = false
	c := open(t, policy)
	for i, d := range []approval.Decision{
		{Verb: approval.Approve, By: human("bob")},
		{Verb: "bless", By: human("bob"), Reason: "ok"},
		{Verb: approval.Use, By: human("bob"), Reason: "ok"},
		{Verb: approval.Approve, By: human("bob"), Reason: "ok", Stage: -1},
		{Verb: approval.Approve, By: human("bob"), Reason: long},
		{Verb: approval.Approve, By: human("bob"), Reason: "ok", SignedAt: start},
		{Verb: approval.Approve, By: human("bob"), Reason: "ok", Signature: []byte("x")},
		{Verb: approval.Approve, By: human("bob"), Reason: "ok", Signature: make([]byte, 9000), SignedAt: start},
		{Verb: approval.Approve, By: opsec.Actor{Tenant: "acme", Person: "bob", Kind: opsec.Human}, Reason: "ok"},
	} {
		got, e, err := c.Decide(d, everybody, start)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%d", i)
		require.Nil(t, e)
		require.Equal(t, c, got)
	}
	d := approve(0, human("bob"))
	d.Reason = "ok"
	_, _, err = c.Decide(d, approval.Authority{}, start)
	require.ErrorContains(t, err, "authority.roles")
	_, _, err = c.Use(destroy(), human("bob"), approval.Authority{}, start)
	require.ErrorContains(t, err, "authority.roles")
	_, _, err = c.Decide(d, everybody, time.Time{})
	require.ErrorContains(t, err, "time")
	_, _, err = approval.Case{}.Decide(d, everybody, start)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	must(t)(c.Decide(d, everybody, start))
}

func TestWhatTheCallerChangesLaterChangesNothing(t *testing.T) {
	policy := plain(role("ops", 2))
	c := open(t, policy)
	before, err := json.Marshal(c)
	require.NoError(t, err)
	policy.Stages[0].Rule.Min = 0
	policy.Stages[0].Rule.Role = "staff"
	after, err := json.Marshal(c)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))

	c = open(t, plain(role("ops", 9)))
	for i := range 8 {
		left := must(t)(c.Decide(approve(0, human(fmt.Sprint("left", i))), everybody, start))
		right := must(t)(c.Decide(approve(0, human("right")), everybody, start))
		require.Equal(t, "right", right.History[i].By.Person)
		require.Equal(t, fmt.Sprint("left", i), left.History[i].By.Person, "two futures of one case share nothing")
		c = left
	}
	signed := open(t, signing())
	d := sign(signed, approve(0, human("bob")), "bob", start)
	signed = must(t)(signed.Decide(d, keyed("bob"), start))
	d.Signature[0] ^= 1
	require.NoError(t, signed.Verify(keys("bob")))
}

func TestACrowdLeavesRoomForTheEnd(t *testing.T) {
	c := open(t, plain(approval.Rule{All: []approval.Rule{role("ops", 1), role("chief", 1)}}))
	for i := range approval.MaxSteps - 1 {
		c = must(t)(c.Decide(approve(0, human(fmt.Sprint("p", i))), everybody, start))
	}
	_, _, err := c.Decide(approve(0, human("late")), everybody, start)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	c = must(t)(c.Withdraw(human("alice"), "", start))
	require.Len(t, reread(t, c).History, approval.MaxSteps)
	c.History = append(c.History, c.History[0])
	_, err = c.At(start)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestRequestsAreNeverAlike(t *testing.T) {
	a, b := open(t, plain(role("ops", 1))), open(t, plain(role("ops", 1)))
	require.NotEqual(t, a.Request.ID, b.Request.ID)
	require.NotEqual(t, a.Request.Nonce, b.Request.Nonce)
	require.NotEqual(t, a.Request.Digest(), b.Request.Digest())
	b.Request.ID = a.Request.ID
	require.NotEqual(t, a.Request.Digest(), b.Request.Digest(), "the nonce counts by itself")
}

// What the bounds allow can be read again, and told of.
func TestTheLargestCaseIsReadBack(t *testing.T) {
	wide := func(n int) string { return strings.Repeat("\x01", n) } // six bytes in JSON
	large := func(i int) opsec.Actor {
		who := fmt.Sprintf("%0512d", i)
		return opsec.Actor{Tenant: "acme", Account: who, Person: who, Kind: opsec.Human, Session: wide(512), Terminal: wide(512)}
	}
	policy := approval.Policy{Valid: time.Hour, SkipReasons: true}
	var roles []string
	for i := range approval.MaxStages {
		rule := approval.Rule{}
		for j := range 4 {
			roles = append(roles, fmt.Sprint(i, j)+wide(125))
			rule.All = append(rule.All, role(roles[len(roles)-1], 0))
		}
		policy.Stages = append(policy.Stages, approval.Stage{Name: wide(128), Rule: rule})
	}
	r := approval.Request{Action: destroy(), By: large(1), Reason: wide(2 << 10), Policy: policy}
	for i := range 16 {
		r.For = append(r.For, large(i+2))
	}
	c, e, err := approval.New(r, start)
	c = must(t)(c, e, err)
	a := approval.Authority{Roles: func(opsec.Actor) ([]string, error) { return roles[:3], nil }, Keys: anyKey{}}
	for i := range approval.MaxSteps - 1 {
		c = must(t)(c.Decide(approval.Decision{
			Verb: approval.Approve, By: large(100 + i), Reason: wide(2 << 10), SignedAt: start, Signature: make([]byte, 8<<10),
		}, a, start))
	}
	c = must(t)(c.Withdraw(large(1), wide(2<<10), start))
	require.Equal(t, c, reread(t, c))
}

// anyKey takes every signature.
type anyKey struct{}

func (anyKey) Verify(opsec.Actor, []byte, []byte) error { return nil }
