package catalogue_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/catalogue"
	"github.com/cloudopsec/opsec/backup/retention"
	"github.com/cloudopsec/opsec/store/memory"
)

// newest is a Retainer that keeps the newest points: {"last": 3}.
type newest struct{}

func (newest) read(policy json.RawMessage) (n int, err error) {
	var p struct{ Last int }
	err = json.Unmarshal(policy, &p)
	if err != nil || p.Last < 1 {
		return 0, opsec.ErrInvalid
	}
	return p.Last, nil
}

func (r newest) Drop(policy json.RawMessage, points []retention.Point, _ time.Time) (ids []string, err error) {
	n, err := r.read(policy)
	slices.SortFunc(points, func(a, b retention.Point) int { return b.Received.Compare(a.Received) })
	for i := n; err == nil && i < len(points); i++ {
		ids = append(ids, points[i].ID)
	}
	return ids, err
}

func (r newest) AtLeast(was, next json.RawMessage) (bool, error) {
	a, err := r.read(was)
	b, _ := r.read(next)
	return b >= a, err
}

func last(n string) json.RawMessage { return json.RawMessage(`{ "last": ` + n + ` }`) }

// keep puts a first policy in force, with all that it takes.
func (b *bench) keep(policy json.RawMessage) catalogue.Order {
	b.t.Helper()
	o, asked, err := b.SetRetention(bg, alice, "acme", "vol-7", policy)
	require.NoError(b.t, err)
	require.True(b.t, asked)
	b.now = b.agree(o).Ready
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(b.t, err)
	return o
}

func (b *bench) policy() string {
	b.t.Helper()
	s, err := b.Source(bg, alice.Actor, "acme", "vol-7")
	require.NoError(b.t, err)
	if s.Keep == nil {
		return ""
	}
	return string(s.Keep.Policy)
}

func TestShorterRetentionTakesQuorumAndDelayAndLongerDoesNot(t *testing.T) {
	b := standard(t)
	for _, id := range []string{"a", "b", "c"} {
		b.add(id)
	}
	first, asked, err := b.SetRetention(bg, alice, "acme", "vol-7", last("2")) // before it everything was kept
	require.NoError(t, err)
	require.True(t, asked)
	require.Equal(t, 1, first.Terms.Drops)
	require.Empty(t, b.policy())
	b.agree(first)
	_, err = b.Execute(bg, alice, "acme", first.ID)
	require.ErrorIs(t, err, opsec.ErrDenied)
	b.now = b.now.Add(catalogue.DefaultDelay)
	_, err = b.Execute(bg, alice, "acme", first.ID)
	require.NoError(t, err)
	require.Equal(t, `{"last":2}`, b.policy())

	_, asked, err = b.SetRetention(bg, alice, "acme", "vol-7", last("9"))
	require.NoError(t, err)
	require.False(t, asked)
	require.Equal(t, `{"last":9}`, b.policy())
	s, err := b.Source(bg, alice.Actor, "acme", "vol-7")
	require.NoError(t, err)
	require.Equal(t, first.ID, s.Keep.Order)

	// Shorter, though of the three points that are there none would go: later ones would.
	o, asked, err := b.SetRetention(bg, alice, "acme", "vol-7", last("8"))
	require.NoError(t, err)
	require.True(t, asked)
	require.Zero(t, o.Terms.Drops)
	require.Equal(t, `{"last":9}`, b.policy())
	b.now = b.agree(o).Ready
	_, asked, err = b.SetRetention(bg, alice, "acme", "vol-7", nil) // everything, at once
	require.NoError(t, err)
	require.False(t, asked)
	require.Empty(t, b.policy())
	_, err = b.Execute(bg, alice, "acme", o.ID) // what was approved was a step from 9 to 8
	require.ErrorIs(t, err, catalogue.ErrChanged)
	require.Empty(t, b.policy())

	for _, bad := range []string{"", "{", `{"last":0}`, `{"last":1} {}`} {
		_, _, err = b.SetRetention(bg, alice, "acme", "vol-7", json.RawMessage(bad))
		require.ErrorIs(t, err, opsec.ErrInvalid, bad)
	}
	require.Len(t, b.events(catalogue.ActionLengthen), 2)
	require.Len(t, b.events(catalogue.ActionShorten), 1)
	b.sound()
}

func TestWhatThePolicyDropsGoesByApprovalUnlessThePolicySaysOtherwise(t *testing.T) {
	b := standard(t)
	for _, id := range []string{"a", "b", "c"} {
		b.add(id)
	}
	_, some, err := b.ProposeExpiry(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	require.False(t, some) // no policy
	first := b.keep(last("1"))
	o, some, err := b.ProposeExpiry(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	require.True(t, some)
	require.Equal(t, []string{"a", "b"}, o.Terms.Points)
	require.Equal(t, catalogue.Asked, o.State)
	_, some, err = b.ProposeExpiry(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	require.False(t, some) // it is asked for already
	_, err = b.Cancel(bg, alice, "acme", o.ID)
	require.NoError(t, err)

	p := unsigned(catalogue.DefaultPolicy())
	p.SkipApprovalUnderRetention = true
	b.reopen(p)
	o, some, err = b.ProposeExpiry(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	require.True(t, some)
	require.Equal(t, first.ID, o.Standing)
	require.Equal(t, catalogue.Waiting, o.State)
	_, err = b.Decide(bg, "acme", o.ID, approve(bob))
	require.ErrorIs(t, err, opsec.ErrDenied)
	b.now = o.Ready.Add(-time.Second)
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.ErrorIs(t, err, opsec.ErrDenied) // the delay remains
	b.now = o.Ready
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, 2, o.Gone)
	require.Equal(t, []string{"c"}, b.present())
}

func TestWhatThePolicyKeepsByThenStays(t *testing.T) {
	b := newBench(t, memory.New(), func(p *catalogue.Policy) { p.SkipApprovalUnderRetention = true })
	for _, id := range []string{"a", "b", "c"} {
		b.add(id)
	}
	b.keep(last("1"))
	o, some, err := b.ProposeExpiry(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	require.True(t, some)
	_, asked, err := b.SetRetention(bg, alice, "acme", "vol-7", last("2"))
	require.NoError(t, err)
	require.False(t, asked)
	b.now = o.Ready
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, []catalogue.KeptError{{Point: "b", Why: catalogue.ByRetention}}, o.Kept)
	require.Equal(t, []string{"b", "c"}, b.present())

	// With no policy left, nothing goes by one.
	b.add("d")
	o, some, err = b.ProposeExpiry(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	require.True(t, some)
	_, _, err = b.SetRetention(bg, alice, "acme", "vol-7", nil)
	require.NoError(t, err)
	b.now = o.Ready
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Zero(t, o.Gone)
	require.Len(t, b.present(), 3)
}

func TestChainsGoFromTheirTipsInOrdersOfBoundedSize(t *testing.T) {
	b := newBench(t, memory.New(), func(p *catalogue.Policy) { p.SkipApprovalUnderRetention = true })
	b.fill(catalogue.MaxOrder + 60)
	b.keep(last("40"))
	o, some, err := b.ProposeExpiry(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	require.True(t, some)
	require.Len(t, o.Terms.Points, catalogue.MaxOrder)
	b.now = o.Ready
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, catalogue.MaxOrder, o.Gone)
	o, some, err = b.ProposeExpiry(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	require.True(t, some)
	require.Len(t, o.Terms.Points, 20)
	b.now = o.Ready
	_, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Len(t, b.present(), 40)
}

// With the policies of package retention: what it keeps for the sake of a chain or of the last verified point is not asked for, and a
// change of a count up is not asked about, nor is one down let through.
func TestPoliciesAreThoseOfPackageRetention(t *testing.T) {
	b := standard(t)
	b.keeper = catalogue.Policies{}
	p := unsigned(catalogue.DefaultPolicy())
	p.SkipApprovalUnderRetention = true
	b.reopen(p)
	for _, id := range []string{"a", "base", "b"} {
		b.add(id)
	}
	b.add("tip", "base")
	b.verify("a", true)
	_, _, err := b.SetRetention(bg, alice, "acme", "vol-7", json.RawMessage(`{"semantics":"copies","zone":"UTC"}`))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	policy := func(last string) json.RawMessage {
		return json.RawMessage(`{"semantics":"copies","zone":"UTC","last":` + last + `,"tolerance":"1h","skip_replication":true}`)
	}
	b.keep(policy("1"))
	o, some, err := b.ProposeExpiry(bg, alice, "acme", "vol-7")
	require.NoError(t, err)
	require.True(t, some)
	require.Equal(t, []string{"b"}, o.Terms.Points)
	b.now = o.Ready
	o, err = b.Execute(bg, alice, "acme", o.ID)
	require.NoError(t, err)
	require.Equal(t, 1, o.Gone)
	require.Equal(t, []string{"a", "base", "tip"}, b.present())
	_, asked, err := b.SetRetention(bg, alice, "acme", "vol-7", policy("3"))
	require.NoError(t, err)
	require.False(t, asked)
	_, asked, err = b.SetRetention(bg, alice, "acme", "vol-7", policy("2"))
	require.NoError(t, err)
	require.True(t, asked)
	b.sound()
}
