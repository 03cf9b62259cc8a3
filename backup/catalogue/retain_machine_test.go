package catalogue_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/catalogue"
	"github.com/cloudopsec/opsec/internal/race"
	"github.com/cloudopsec/opsec/store/memory"
)

// keeper is what the test knows by itself of a source whose points go by policy.
type keeper struct {
	*bench
	rt       *rapid.T
	ids      []string
	orders   []opsec.ID
	asked    map[opsec.ID]time.Time
	approved map[opsec.ID]map[string]time.Time
	skips    bool // approval, under the policy of now
}

// agreed reports whether two persons other than alice, who asks, have approved, and their delay is over.
func (k *keeper) agreed(o opsec.ID) bool {
	var last time.Time
	n := 0
	for who, at := range k.approved[o] {
		if who != "pa" {
			n++
		}
		if at.After(last) {
			last = at
		}
	}
	return n >= 2 && !k.now.Before(last.Add(catalogue.DefaultDelay))
}

// keeps returns how many points the policy of now keeps; 0 for all.
func (k *keeper) keeps() (n int) {
	if p := k.policy(); p != "" {
		_, err := fmt.Sscanf(p, `{"last":%d}`, &n)
		require.NoError(k.rt, err)
	}
	return n
}

func (k *keeper) step() {
	rt := k.rt
	before, policy := k.present(), k.keeps()
	keepOrder := opsec.ID("")
	if s, err := k.Source(bg, alice.Actor, "acme", "vol-7"); err == nil && s.Keep != nil {
		keepOrder = s.Keep.Order
	}
	opened := func(o catalogue.Order) {
		k.orders = append(k.orders, o.ID)
		k.asked[o.ID], k.approved[o.ID] = k.now, map[string]time.Time{}
	}
	actions := []string{"add", "retain", "retain", "expire", "expire", "wait", "wait", "skip", "everything"}
	if len(k.orders) > 0 {
		actions = append(actions, "decide", "decide", "agree", "agree", "agree", "agree", "execute", "execute", "execute")
	}
	k.now = k.now.Add(time.Minute)
	order := func() opsec.ID {
		return k.orders[max(0, len(k.orders)-1-rapid.IntRange(0, 3).Draw(rt, "order"))]
	}
	decide := func(o opsec.ID, by catalogue.By) {
		if _, err := k.Decide(bg, "acme", o, approve(by)); err == nil {
			k.approved[o][by.Actor.Person] = k.now
		}
	}
	var executed opsec.ID
	switch rapid.SampledFrom(actions).Draw(rt, "action") {
	case "add":
		k.ids = append(k.ids, fmt.Sprint(len(k.ids)))
		k.add(k.ids[len(k.ids)-1])
		before = append(before, k.ids[len(k.ids)-1])
	case "retain":
		o, asked, err := k.SetRetention(bg, alice, "acme", "vol-7", last(fmt.Sprint(rapid.IntRange(1, 6).Draw(rt, "last"))))
		require.NoError(rt, err)
		if asked {
			opened(o)
		}
	case "everything":
		if rapid.IntRange(0, 5).Draw(rt, "really") == 5 {
			_, _, err := k.SetRetention(bg, alice, "acme", "vol-7", nil)
			require.NoError(rt, err)
		}
	case "expire":
		if o, some, err := k.ProposeExpiry(bg, alice, "acme", "vol-7"); some {
			require.NoError(rt, err)
			opened(o)
		}
	case "wait":
		k.now = k.now.Add(time.Duration(rapid.IntRange(1, 5*24).Draw(rt, "hours")) * time.Hour)
	case "skip":
		k.skips = rapid.Bool().Draw(rt, "skips")
		p := unsigned(catalogue.DefaultPolicy())
		p.SkipApprovalUnderRetention = k.skips
		k.reopen(p)
	case "decide":
		decide(order(), person(rapid.SampledFrom([]string{"pa", "pb", "pc", "pd"}).Draw(rt, "person")))
	case "agree":
		o := order()
		decide(o, bob)
		decide(o, carol)
		k.now = k.now.Add(catalogue.DefaultDelay + time.Duration(rapid.IntRange(-2, 5).Draw(rt, "minutes"))*time.Minute)
		executed = o
		_, _ = k.Execute(bg, alice, "acme", o)
	case "execute":
		executed = order()
		_, _ = k.Execute(bg, alice, "acme", executed)
	}

	// A policy that keeps less came in force by an order that people have agreed to.
	if now := k.keeps(); now != 0 && (policy == 0 || now < policy) {
		require.True(rt, k.agreed(executed), "%d after %d without approval", now, policy)
	}
	// What went was dropped by the policy in force, and approved itself, or by way of that policy.
	after := k.present()
	if len(after) == len(before) {
		return
	}
	o, err := k.Order(bg, alice.Actor, "acme", executed)
	require.NoError(rt, err)
	for i, id := range before {
		if slices.Contains(after, id) {
			continue
		}
		require.NotZero(rt, policy, "%s went without a policy", id)
		require.Less(rt, i, len(before)-policy, "%s went, which the policy keeps", id)
	}
	if o.Case != nil {
		require.True(rt, k.agreed(executed))
		return
	}
	require.True(rt, k.skips, "it went without approval, which the policy of now does not let it")
	require.True(rt, k.agreed(keepOrder), "the policy was not approved")
	require.Equal(rt, keepOrder, o.Standing)
	waited := k.now.Sub(k.asked[executed])
	require.True(rt, catalogue.DefaultDelay <= waited && waited < catalogue.DefaultDelay+7*day, "after %s", waited)
}

// Whatever is asked, decided and done about retention, in whatever order, under policies that change: nothing is kept for less, and nothing
// goes, without the people and the time that it takes.
func TestRetentionIsShortenedByPeopleAndTimeAlone(t *testing.T) {
	gone, free := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		k := &keeper{bench: newBench(t, memory.New(), nil), rt: rt, asked: map[opsec.ID]time.Time{}, approved: map[opsec.ID]map[string]time.Time{}}
		k.roles["pd"] = []string{"other"}
		for i := range 6 {
			k.ids = append(k.ids, fmt.Sprint(i))
			k.add(k.ids[i])
		}
		for range rapid.IntRange(race.Fewer(20), race.Fewer(60)).Draw(rt, "steps") {
			k.step()
		}
		gone += len(k.shred.gone)
		for p, err := range k.Deleted(bg, alice.Actor, "acme", "vol-7", time.Time{}, time.Time{}) {
			require.NoError(rt, err)
			if o, err := k.Order(bg, alice.Actor, "acme", p.Order); err == nil && o.Case == nil {
				free++
			}
		}
		k.sound()
	})
	t.Logf("%d copies deleted, %d of them without an approval of their own", gone, free)
	if !race.Enabled {
		require.Positive(t, free, "nothing was ever deleted by way of a policy: the test has shown nothing")
	}
}
