package catalogue_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/backup/catalogue"
	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/store/memory"
)

func expiring(p *catalogue.Policy) { p.SkipApprovalUnderRetention = true }

// expiry has points a and b, of which the policy drops a without another approval.
func expiry(t *testing.T) (*bench, catalogue.Order) {
	b := newBench(t, memory.New(), expiring)
	b.add("a")
	b.add("b")
	b.keep(last("1"))
	o, some, err := b.ProposeExpiry(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	require.True(t, some)
	return b, o
}

// What a host registers that was taken over does not take the place of what can be restored.
func TestAPointThatCannotBeRestoredReplacesNone(t *testing.T) {
	for name, other := range map[string]func(*bench){
		"without a copy": func(b *bench) {
			_, err := b.Register(bg, agent, "acme", catalogue.Registration{Source: "vol-7", ID: "junk", Level: plan.Image, Claimed: b.now})
			require.NoError(t, err)
		},
		"not yet safe": func(b *bench) {
			_, err := b.Register(bg, agent, "acme", catalogue.Registration{Source: "vol-7", ID: "junk", Level: plan.Image, Claimed: b.now, Copies: []catalogue.Copy{local()}})
			require.NoError(t, err)
		},
		"damaged": func(b *bench) {
			b.add("junk")
			b.verify("junk", false)
		},
		"on a damaged one": func(b *bench) {
			b.add("base")
			b.add("junk", "base")
			b.verify("base", false)
		},
	} {
		b := standard(t)
		b.add("real")
		other(b)
		o := b.remove(false, "real")
		require.Zero(t, o.Gone, name)
		require.Equal(t, catalogue.LastPoint, o.Kept[0].Why, name)
		o = b.remove(false, "junk") // which is not worth keeping beside it
		require.Equal(t, 1, o.Gone, name)
		require.Equal(t, 1, b.remove(true, "real").Gone, name)
	}

	// Of points that are of no use the last stays all the same.
	b := standard(t)
	for _, id := range []string{"a", "b"} {
		b.add(id)
		b.verify(id, false)
	}
	require.Equal(t, 1, b.remove(false, "a").Gone)
	require.Equal(t, catalogue.LastPoint, b.remove(false, "b").Kept[0].Why)
}

// Of many points without use the newest are looked at and no more; then the point stays.
func TestTheSearchForAnotherPointEnds(t *testing.T) {
	b := standard(t)
	b.add("first")
	b.add("second")
	for i := range 9 {
		b.add(string(rune('a' + i)))
		b.verify(string(rune('a'+i)), false)
	}
	require.Equal(t, 1, b.remove(false, "first").Gone)
	b.add("third")
	for i := range 10 {
		b.add(string(rune('A' + i)))
		b.verify(string(rune('A'+i)), false)
	}
	require.Equal(t, catalogue.LastPoint, b.remove(false, "second").Kept[0].Why)
}

func TestWithoutApprovalNothingGoesOnceApprovalIsWanted(t *testing.T) {
	b, o := expiry(t)
	b.reopen(unsigned(catalogue.DefaultPolicy()))
	b.now = o.Ready
	_, err := b.Execute(bg, alice, "acme", o.ID)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.ErrorIs(t, err, catalogue.ErrChanged)
	require.Equal(t, []string{"a", "b"}, b.present())
	denied := b.events(catalogue.ActionExecute)
	require.Equal(t, opsec.Denied, denied[len(denied)-1].Outcome)
	p := unsigned(catalogue.DefaultPolicy())
	expiring(&p)
	b.reopen(p)
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, 1, o.Gone)
}

func TestWhatNobodyWasAskedAboutLapsesToo(t *testing.T) {
	b, o := expiry(t)
	b.now = o.Ready.Add(7*day - time.Second)
	require.NoError(t, b.Lapse(bg, alice, "acme", "vol-7"))
	require.Len(t, collect(t, b.Orders(bg, alice.Actor, "acme", "vol-7")), 1)
	b.now = o.Ready.Add(7 * day)
	_, err := b.Execute(bg, alice, "acme", o.ID)
	require.ErrorIs(t, err, approval.StatusError{Status: approval.Expired})
	next, some, err := b.ProposeExpiry(bg, alice, "acme", "vol-7") // which ends it, and asks anew
	require.NoError(t, err)
	require.True(t, some)
	require.Equal(t, b.now.Add(catalogue.DefaultDelay), next.Ready)
	got, err := b.Order(bg, alice.Actor, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, catalogue.Ended, got.State)
	require.Equal(t, "expired", got.Why)
	require.Len(t, b.events(catalogue.ActionExpire), 1)
	b.sound()
}

// The policy that an order stands on has made way for everything, and that for another policy.
func TestAnOrderStandsOnOneApprovalAndNoOther(t *testing.T) {
	b, o := expiry(t)
	_, _, err := b.SetRetention(bg, alice, "acme", "vol-7", nil)
	require.NoError(t, err)
	b.keep(last("1"))
	require.False(t, b.now.Before(o.Ready))
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, catalogue.ByRetention, o.Kept[0].Why)
	require.Equal(t, []string{"a", "b"}, b.present())
}

func TestAPolicyThatKeepsMoreStopsAnExpiryThatHasBegun(t *testing.T) {
	b := newBench(t, memory.New(), expiring)
	for _, id := range []string{"a", "b", "c"} {
		b.add(id)
	}
	b.keep(last("1"))
	o, _, err := b.ProposeExpiry(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	b.now = o.Ready
	b.shred.before = func(string) {
		b.shred.before = nil
		_, asked, err := b.SetRetention(bg, alice, "acme", "vol-7", last("2"))
		require.NoError(t, err)
		require.False(t, asked)
	}
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.ErrorIs(t, err, catalogue.ErrChanged)
	require.Equal(t, catalogue.Executing, o.State)
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, []catalogue.KeptError{{Point: "b", Why: catalogue.ByRetention}}, o.Kept)
	require.Equal(t, []string{"b", "c"}, b.present())
}

// An order is not let through by fewer than the policy asks for when it is executed.
func TestAQuorumThatWasRaisedHoldsForOrdersOnTheirWay(t *testing.T) {
	b := newBench(t, memory.New(), func(p *catalogue.Policy) { p.Delete.Stages[0].Rule.Min = 1 })
	b.add("a")
	b.add("b")
	var orders []catalogue.Order
	for range 2 {
		o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
		require.NoError(t, err)
		orders = append(orders, o)
	}
	o, err := b.Decide(bg, "acme", orders[0].ID, approve(bob))
	require.NoError(t, err)
	require.Equal(t, catalogue.Waiting, o.State)
	b.reopen(unsigned(catalogue.DefaultPolicy()))
	_, err = b.Decide(bg, "acme", orders[1].ID, approve(bob))
	require.ErrorIs(t, err, catalogue.ErrChanged)
	reject := approve(bob)
	reject.Verb = approval.Reject
	_, err = b.Decide(bg, "acme", orders[1].ID, reject)
	require.NoError(t, err)
	b.now = o.Ready
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.ErrorIs(t, err, catalogue.ErrChanged)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.Equal(t, []string{"a", "b"}, b.present())

	for name, weaken := range map[string]func(*approval.Policy){
		"signatures": func(p *approval.Policy) { p.SkipSignatures = false },
		"services":   func(p *approval.Policy) { p.InsecureNonHuman = true },
		"role":       func(p *approval.Policy) { p.Stages[0].Rule.Role = "other" },
	} {
		p := unsigned(catalogue.DefaultPolicy())
		p.Delete.Stages[0].Rule.Min = 1
		weaken(&p.Delete)
		b.reopen(p)
		_, err = b.Execute(bg, alice, "acme", o.ID)
		require.ErrorIs(t, err, catalogue.ErrChanged, name)
	}
	p := unsigned(catalogue.DefaultPolicy())
	p.Delete.Stages[0].Rule.Min = 1
	p.Delete.Valid, p.Delete.UseWithin = time.Hour, time.Hour // what was approved keeps its time
	b.reopen(p)
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
}

// While a deletion waits for its store, the point beside it is found damaged, or is gone by then.
func TestADeletionThatHasBegunStopsAtTheLastPoint(t *testing.T) {
	for _, verified := range []bool{true, false} {
		b := standard(t)
		b.add("a")
		b.add("b")
		if verified {
			b.verify("a", true)
			b.verify("b", true)
		}
		b.shred.fail["a@rack-1"] = errors.New("down")
		o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
		require.NoError(t, err)
		b.now = b.agree(o).Ready
		_, err = b.Execute(bg, alice, "acme", o.ID)
		require.ErrorContains(t, err, "down")
		delete(b.shred.fail, "a@rack-1")
		b.verify("b", false)
		o, err = b.Execute(bg, alice, "acme", o.ID)
		want := catalogue.LastPoint
		if verified {
			want = catalogue.LastVerified
		}
		require.Equal(t, want, why(err))
		require.Equal(t, catalogue.Executing, o.State)
		require.Empty(t, b.shred.gone)
		b.add("c")
		b.verify("c", true)
		_, err = b.Execute(bg, alice, "acme", o.ID)
		require.NoError(t, err)
		require.Equal(t, []string{"b", "c"}, b.present())
	}
}

// What a Deleter says is about the copy: it does not end the order, whatever type it is of.
func TestADeletersRefusalIsNoReasonToForgetACopy(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b")
	b.shred.fail["a@rack-1"] = &catalogue.KeptError{Point: "a", Why: catalogue.Locked}
	o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
	require.NoError(t, err)
	b.now = b.agree(o).Ready
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.Equal(t, catalogue.Locked, why(err))
	require.Equal(t, catalogue.Executing, o.State)
	delete(b.shred.fail, "a@rack-1")
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, 1, o.Gone)
}

// Of two executions of one order the first finds that a point is held; then the hold ends, and the second marks the point and fails. The
// first does not end the order with a copy that nobody would ask for again.
func TestOfTwoExecutionsNoneForgetsWhatTheOtherHasBegun(t *testing.T) {
	b := standard(t)
	for _, id := range []string{"a", "b", "c"} {
		b.add(id)
	}
	o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a", "b"}, false)
	require.NoError(t, err)
	b.now = b.agree(o).Ready
	h, err := b.HoldPoint(bg, alice, "acme", "vol-7", "a")
	require.NoError(t, err)
	release, err := b.ProposeRelease(bg, alice, "acme", "vol-7", "a", h.ID)
	require.NoError(t, err)
	b.agree(release)
	b.shred.fail["a@rack-1"] = errors.New("down")
	b.shred.before = func(what string) {
		if what != "b@rack-1" {
			return
		}
		b.shred.before = nil
		_, err = b.Execute(bg, alice, "acme", release.ID)
		require.NoError(t, err)
		_, err := b.Execute(bg, bob, "acme", o.ID)
		require.ErrorContains(t, err, "down")
	}
	got, err := b.Execute(bg, alice, "acme", o.ID)
	require.ErrorContains(t, err, "another execution")
	require.Equal(t, catalogue.Executing, got.State)
	delete(b.shred.fail, "a@rack-1")
	got, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, 2, got.Gone)
	b.sound()

	// The other way round: what the first has ended the second does not begin.
	b = standard(t)
	b.add("a")
	b.add("b", "a")
	b.add("c")
	o, err = b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a", "b"}, false)
	require.NoError(t, err)
	b.now = b.agree(o).Ready
	h, err = b.HoldPoint(bg, alice, "acme", "vol-7", "a")
	require.NoError(t, err)
	release, err = b.ProposeRelease(bg, alice, "acme", "vol-7", "a", h.ID)
	require.NoError(t, err)
	b.agree(release)
	b.shred.before = func(string) {
		b.shred.before = nil
		got, err := b.Execute(bg, bob, "acme", o.ID) // all of it, but for what is held
		require.NoError(t, err)
		require.Equal(t, catalogue.Held, got.Kept[0].Why)
		_, err = b.Execute(bg, alice, "acme", release.ID)
		require.NoError(t, err)
	}
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.ErrorIs(t, err, catalogue.ErrEnded)
	require.Equal(t, catalogue.Present, b.point("a").State)
	b.sound()
}

// A refusal that could not be recorded is none: what no event can hold is refused before anybody is asked.
func TestNoAttemptIsTooLongForTheRecord(t *testing.T) {
	b := standard(t)
	b.add("a")
	long := strings.Repeat("x", 1<<20)
	for _, deny := range []bool{false, true} {
		if deny {
			b.gate.refuse = []string{catalogue.ActionHold, catalogue.ActionCancel, catalogue.ActionExpire, catalogue.ActionRead}
		}
		for name, try := range map[string]func() error{
			"source": func() error { _, err := b.HoldSource(bg, alice, "acme", long); return err },
			"point":  func() error { _, err := b.HoldPoint(bg, alice, "acme", "vol-7", long); return err },
			"order":  func() error { _, err := b.Cancel(bg, alice, "acme", opsec.ID(long)); return err },
			"lapse":  func() error { return b.Lapse(bg, alice, "acme", long) },
			"read":   func() error { _, err := b.Point(bg, alice.Actor, "acme", "vol-7", long); return err },
			"list":   func() error { _, _, err := b.Page(bg, alice.Actor, "acme", "a\nb", "", 1); return err },
		} {
			err := try()
			require.Error(t, err, name)
			require.Less(t, len(err.Error()), 200, name)
			require.NotErrorIs(t, err, opsec.ErrDenied, name)
		}
	}
	widest := strings.Repeat("/", catalogue.MaxName)
	seen := len(b.events())
	_, err := b.HoldPoint(bg, alice, "acme", widest, widest)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.Len(t, b.events(), seen+1)
}

func TestAPolicyIsKeptAsItWasApproved(t *testing.T) {
	b := standard(t)
	b.add("a")
	policy := `{"last":1,"x":"<&>` + strings.Repeat("x", 100) + `"}`
	o := b.keep(json.RawMessage(policy))
	require.Equal(t, string(o.Terms.Policy), b.policy())
	var read struct{ X string }
	require.NoError(t, json.Unmarshal([]byte(b.policy()), &read))
	require.Equal(t, "<&>", read.X[:3])
	o, asked, err := b.SetRetention(bg, alice, "acme", "vol-7", json.RawMessage(strings.Replace(policy, `1,`, `1 ,`, 1)))
	require.NoError(t, err)
	require.False(t, asked, o)

	for _, bad := range []string{"{\"last\":1,\"x\":\"\xff\"}", `{"last":1,"x":"` + strings.Repeat("<", 2000) + `"}`} { // it would come back as another, or fit into no event
		_, _, err := b.SetRetention(bg, alice, "acme", "vol-7", json.RawMessage(bad))
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestTimesThatNoStoreHoldsAreRefused(t *testing.T) {
	b := standard(t)
	good := b.add("a").Registration
	good.ID = "new"
	for _, at := range []time.Time{time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(-1<<62, 0)} {
		for name, spoil := range map[string]func(*catalogue.Copy){
			"locked":  func(c *catalogue.Copy) { c.LockedUntil = at },
			"durable": func(c *catalogue.Copy) { c.Durable = at },
		} {
			r := good
			r.Copies = []catalogue.Copy{local()}
			spoil(&r.Copies[0])
			_, err := b.Register(bg, agent, "acme", r)
			require.ErrorIs(t, err, opsec.ErrInvalid, "%s %v", name, at)
		}
		r := good
		r.Claimed = at
		_, err := b.Register(bg, agent, "acme", r)
		require.ErrorIs(t, err, opsec.ErrInvalid, at)
	}
}

// An answer that was lost, and the test entered again: it was one test.
func TestARecoveryTestCountsOnce(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.tested("t1", "a", false, time.Hour)
	for range 2 {
		_, err := b.Tested(bg, agent, "acme", catalogue.Test{ID: "t1", Source: "vol-7", Point: "a", Location: "rack-1", Passed: true})
		require.ErrorIs(t, err, catalogue.ErrExists)
		b.now = b.now.Add(time.Minute)
	}
	p := b.point("a")
	require.True(t, p.Verified().IsZero())
	s, err := b.Summary(bg, alice.Actor, "acme", "vol-7", noon, time.Time{})
	require.NoError(t, err)
	require.Equal(t, 1, s.Tests)
	require.Zero(t, s.Passed)
	b.sound()
}

// Of several nodes one has a clock that has gone back: what is approved there waits no less.
func TestAClockThatHasGoneBackShortensNoDelay(t *testing.T) {
	ahead := 8 * day
	b := standard(t)
	b.add("a")
	b.add("b")
	o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
	require.NoError(t, err)
	asked := b.now
	_, err = b.Decide(bg, "acme", o.ID, approve(bob))
	require.NoError(t, err)
	b.now = asked.Add(-ahead)
	o, err = b.Decide(bg, "acme", o.ID, approve(carol))
	require.NoError(t, err)
	require.Equal(t, asked.Add(catalogue.DefaultDelay), o.Ready)

	o, err = b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
	require.NoError(t, err)
	o = b.agree(o)
	require.Equal(t, asked.Add(catalogue.DefaultDelay), o.Ready) // the newest point was received then
	b.now = asked
	_, err = b.Execute(bg, alice, "acme", o.ID)
	wait, ok := errors.AsType[*catalogue.DelayError](err)
	require.True(t, ok, err)
	require.Equal(t, o.Ready, wait.Until)

	// One that is so far behind that all lapses before the others come to it, or a point from so far ahead: no more is made of it.
	b.now = asked.Add(-14 * day)
	o, err = b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
	require.NoError(t, err)
	require.Equal(t, b.now.Add(catalogue.DefaultDelay), b.agree(o).Ready)
	b.now = asked
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.ErrorIs(t, err, approval.StatusError{Status: approval.Expired})

	h, err := b.HoldPoint(bg, alice, "acme", "vol-7", "b")
	require.NoError(t, err)
	b.now = asked.Add(-time.Hour)
	o, err = b.ProposeRelease(bg, alice, "acme", "vol-7", "b", h.ID) // which has no delay
	require.NoError(t, err)
	b.agree(o)
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)

	b, o = expiry(t)
	_, err = b.Cancel(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	b.add("c")
	asked = b.now
	b.now = asked.Add(-ahead)
	o, some, err := b.ProposeExpiry(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	require.True(t, some)
	require.Equal(t, asked.Add(catalogue.DefaultDelay), o.Ready)
}
