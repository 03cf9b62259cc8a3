package retention_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/backup/retention"
)

var all = []retention.Semantics{retention.Restic, retention.Borg, retention.Proxmox, retention.Calendar, retention.Copies}

func TestWhatIsKeptStaysKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points, p := drawPoints(t), drawPolicy(t, all...)
		once := kept(plan(t, points, p))
		points = slices.DeleteFunc(points, func(q retention.Point) bool { return !slices.Contains(once, q.ID) })
		require.Equal(t, once, kept(plan(t, points, p)))
	})
}

func TestNoKeptPointLosesWhatItNeeds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points := drawPoints(t)
		stays := kept(plan(t, points, drawPolicy(t, all...)))
		for _, q := range points {
			for _, parent := range q.Parents {
				there := slices.ContainsFunc(points, func(o retention.Point) bool { return o.ID == parent })
				if there && slices.Contains(stays, q.ID) {
					require.Contains(t, stays, parent)
				}
			}
		}
	})
}

func TestGuardedPointsStay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points, p := drawPoints(t), drawPolicy(t, all...)
		stays := kept(plan(t, points, p))
		verified := map[string]bool{}
		for _, q := range points {
			if q.Hold != "" || q.Locked.After(now) || !q.Replicated || q.Received.IsZero() && !p.SkipReceived {
				require.Contains(t, stays, q.ID)
			}
			verified[q.Group] = verified[q.Group] || !q.Verified.IsZero()
		}
		for _, q := range points {
			if !q.Verified.IsZero() && slices.Contains(stays, q.ID) {
				delete(verified, q.Group)
			}
		}
		for group, some := range verified {
			require.False(t, some, "the verified points of %q are gone", group)
		}
	})
}

func TestOrderOfTheListDecidesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points, p := drawPoints(t), drawPolicy(t, all...)
		mixed := rapid.Permutation(points).Draw(t, "mixed")
		require.Equal(t, plan(t, points, p), plan(t, mixed, p))
	})
}

// What is said of a decision can be looked up in the points and the other decisions.
func TestEveryExplanationIsTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points, p := drawPoints(t), drawPolicy(t, all...)
		r := plan(t, points, p)
		of := map[string]retention.Point{}
		for _, q := range points {
			of[q.ID] = q
		}
		timed := map[string][]retention.Decision{} // of each group, those whose time is known, the newest first
		for _, d := range r.Decisions {
			if !slices.ContainsFunc(d.Reasons, func(why retention.Reason) bool { return why.Rule == retention.GuardClock }) {
				timed[d.Group] = append(timed[d.Group], d)
			}
		}
		for _, d := range r.Decisions {
			group, q := timed[d.Group], of[d.ID]
			before := slices.IndexFunc(group, func(o retention.Decision) bool { return o.ID == d.ID })
			require.Equal(t, d.Keep, len(d.Reasons) > 0)
			if !d.Keep {
				stays := slices.DeleteFunc(slices.Clone(group[:before]), func(o retention.Decision) bool { return !o.Keep })
				require.NotEmpty(t, stays, "nothing newer than %s stays", d.ID)
				require.Equal(t, stays[len(stays)-1].ID, d.Instead)
			}
			for _, why := range d.Reasons {
				switch why.Rule {
				case retention.GuardNewest:
					require.Equal(t, why.Detail == "", before == 0)
				case retention.GuardVerified:
					require.False(t, q.Verified.IsZero())
					for _, o := range group[:max(before, 0)] {
						require.False(t, why.Detail == "" && !of[o.ID].Verified.IsZero(), "%s is newer", o.ID)
					}
				case retention.GuardHold:
					require.Equal(t, q.Hold, why.Detail)
				case retention.GuardLock:
					require.True(t, q.Locked.After(now))
				case retention.GuardReplication:
					require.False(t, q.Replicated)
				case retention.GuardClock:
					require.True(t, q.Received.IsZero() || d.Time.After(now))
				case retention.GuardChain:
					child := of[why.Detail]
					require.Contains(t, child.Parents, d.ID)
					require.Contains(t, kept(r), child.ID)
				case retention.GuardAge:
					require.Fail(t, "there is no least age")
				default:
					for _, o := range group[before+1:] { // a point that is believed is the oldest of such
						older := of[o.ID]
						require.False(t, why.Oldest && (older.Received.IsZero() || older.Claimed.Equal(older.Received)), "%s is older", o.ID)
					}
				}
			}
		}
	})
}

func TestGreaterCountsKeepAllThatSmallerOnesDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points, p := drawPoints(t), drawPolicy(t, retention.Restic, retention.Calendar, retention.Copies)
		more := p
		for _, count := range []*int{&more.Last, &more.Hourly, &more.Daily, &more.Weekly, &more.Monthly, &more.Yearly} {
			if *count != retention.All && (p.Semantics != retention.Copies || count == &more.Last) {
				*count += rapid.IntRange(0, 4).Draw(t, "more")
			}
		}
		require.True(t, more.AtLeast(&p))
		lost, err := retention.Shortened(p, more, points, now)
		require.NoError(t, err)
		require.Empty(t, lost)
	})
}

// What AtLeast says is so for whatever points there are.
func TestAtLeastIsNeverWrong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points, p := drawPoints(t), drawPolicy(t, all...)
		q := p
		for _, count := range []*int{&q.Hourly, &q.Daily, &q.Weekly, &q.Monthly} {
			if *count > 0 {
				*count += rapid.IntRange(-1, 2).Draw(t, "change")
			}
		}
		q.Within.Hours += rapid.IntRange(0, 30).Draw(t, "hours")
		if q.Validate() != nil || !q.AtLeast(&p) {
			return
		}
		lost, err := retention.Shortened(p, q, points, now)
		require.NoError(t, err)
		require.Empty(t, lost)
	})
}

// The week that ends on the first of March has two points. Weekly keeps the later and covers the other, which was February's last.
func TestWithProxmoxMoreOfARuleMayKeepLess(t *testing.T) {
	points := series(t, "2026-02-28 11:00", "2026-03-01 11:00")
	p := retention.Policy{Semantics: retention.Proxmox, Zone: vienna, Monthly: 2}
	more := p
	more.Weekly = 1
	lost, err := retention.Shortened(p, more, points, now)
	require.NoError(t, err)
	require.Equal(t, []string{"2026-02-28 11:00"}, lost)
	require.False(t, more.AtLeast(&p))
}

// What borg keeps as the oldest is kept since a count is not used up. All has no count.
func TestWithBorgAllMayKeepLessThanACount(t *testing.T) {
	points := series(t, "2026-03-02 09:00", "2026-03-02 10:00")
	p := retention.Policy{Semantics: retention.Borg, Zone: vienna, Daily: 5}
	more := p
	more.Daily = retention.All
	lost, err := retention.Shortened(p, more, points, now)
	require.NoError(t, err)
	require.Equal(t, []string{"2026-03-02 09:00"}, lost)
	require.False(t, more.AtLeast(&p))
	require.True(t, more.AtLeast(&more))
	require.False(t, p.AtLeast(&more))
	none := retention.Policy{Semantics: retention.Borg, Zone: vienna, Weekly: 1}
	more = none
	more.Daily = retention.All
	require.True(t, more.AtLeast(&none), "where there was no such rule there is no oldest of it")
}

// The point of the 22nd is within ten days, and has no received time. Once it is not judged any more, the one of the 20th takes up its
// week's place in the count, and pushes out that of the 10th.
func TestWithBorgAStricterGuardMayKeepLess(t *testing.T) {
	points := series(t, "2026-03-31 10:00", "2026-03-22 10:00", "2026-03-20 10:00", "2026-03-10 10:00", "2026-03-01 10:00")
	points[1].Received = time.Time{}
	p := retention.Policy{Semantics: retention.Borg, Zone: vienna, Within: retention.Span{Days: 10}, Weekly: 1, SkipReceived: true}
	strict := p
	strict.SkipReceived = false
	lost, err := retention.Shortened(p, strict, points, now)
	require.NoError(t, err)
	require.Equal(t, []string{"2026-03-10 10:00"}, lost)
	require.False(t, strict.AtLeast(&p))
	p.Semantics, p.Within, strict.Semantics, strict.Within = retention.Calendar, retention.Span{}, retention.Calendar, retention.Span{}
	require.True(t, strict.AtLeast(&p), "where rules do not see each other a point less covers nothing")
}

// Restic issue 5041, rest-server issue 292: who holds a host makes points with stamps of the future, or of times long gone, so that the
// next run of forget lets the good ones go.
func TestForgedStampsPushNoGoodPointOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points, p := drawPoints(t), drawPolicy(t, all...)
		points = slices.DeleteFunc(points, func(q retention.Point) bool { return !q.Received.IsZero() && !q.Claimed.Equal(q.Received) })
		before := kept(plan(t, points, p))
		forged := slices.Clone(points)
		for i := range rapid.IntRange(1, 20).Draw(t, "forged") {
			q := good(fmt.Sprintf("z%02d", i), now.Add(-time.Minute))
			q.Group = rapid.SampledFrom([]string{"", "b"}).Draw(t, "group of forged")
			q.Claimed = now.Add(time.Duration(rapid.IntRange(1, 24*365*5).Draw(t, "ahead")) * time.Hour)
			if rapid.Bool().Draw(t, "back") {
				q.Claimed = now.Add(-time.Duration(rapid.IntRange(1, 24*365*5).Draw(t, "behind")) * time.Hour)
			}
			forged = append(forged, q)
		}
		require.Subset(t, kept(plan(t, forged, p)), before)
	})
}
