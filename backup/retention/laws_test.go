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
		require.Equal(t, kept(plan(t, points, p)), kept(plan(t, mixed, p)))
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
