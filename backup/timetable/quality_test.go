package timetable_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/timetable"
)

// tight is a few jobs on two links that have little room.
func tight(seed uint64, goal timetable.Goal) *timetable.Problem {
	r := rand.New(rand.NewPCG(seed, 3))
	p := &timetable.Problem{Goal: goal, Start: evening, Slot: timetable.Duration(time.Second), Slots: 3 + r.IntN(4)}
	for l := range 2 {
		link := timetable.Link{ID: fmt.Sprint("l", l), Rate: 10 + r.Int64N(10)}
		for range p.Slots {
			link.Traffic = append(link.Traffic, r.Int64N(6))
		}
		p.Links = append(p.Links, link)
	}
	for i := range 3 + r.IntN(5) {
		j := timetable.Job{ID: fmt.Sprint("j", i), Bytes: 1 + r.Int64N(14), Rate: 1 + r.Int64N(9), Divisible: r.IntN(2) == 0, Tenant: "t"}
		j.Links = []string{"l0", "l1"}[r.IntN(2):]
		if r.IntN(2) == 0 {
			j.Links = []string{"l0"}
		}
		p.Jobs = append(p.Jobs, j)
	}
	if r.IntN(2) == 0 {
		p.Caps = []timetable.Cap{{Kind: timetable.Tenant, Jobs: 1 + r.IntN(3)}}
	}
	return p
}

// Each part of the search is what makes one of these as good as it is: a pass that makes it worse is taken back, jobs leave slots to others under
// a cap, jobs are taken out and placed again, what is arranged is drawn to the beginning, and what is urgent may go first.
func TestEachPartOfTheSearchIsGoodForSomething(t *testing.T) {
	for _, c := range []struct {
		seed uint64
		goal timetable.Goal
		peak timetable.Ratio
		end  time.Duration
	}{
		{26, timetable.Peak, timetable.Ratio{Num: 10, Den: 16}, 6 * time.Second},
		{17, timetable.Peak, timetable.Ratio{Num: 7, Den: 15}, 5 * time.Second},
		{7, timetable.Peak, timetable.Ratio{Num: 14, Den: 18}, 4 * time.Second},
		{44, timetable.Finish, timetable.Ratio{Num: 1, Den: 1}, 5 * time.Second},
		{18, timetable.Finish, timetable.Ratio{Num: 1, Den: 1}, 3 * time.Second},
	} {
		table, why := reasons(t, tight(c.seed, c.goal))
		require.Empty(t, why)
		require.LessOrEqual(t, table.Peak.Compare(c.peak), 0, "seed %d: %v", c.seed, table.Peak)
		require.LessOrEqual(t, table.Finish.Sub(evening), c.end, "seed %d", c.seed)
	}
}

// A few bytes that no level of use holds have a place too, and runs are in the order of their slots.
func TestSingleBytesHaveAPlace(t *testing.T) {
	p := &timetable.Problem{
		Start: evening, Slot: timetable.Duration(time.Second), Slots: 2, Links: []timetable.Link{{ID: "wan", Rate: 10, Traffic: []int64{9, 0}}, {ID: "lan", Rate: 100}},
		Jobs: []timetable.Job{{ID: "a", Bytes: 11, Rate: 10, Links: []string{"wan", "lan"}, Divisible: true}},
	}
	table, why := reasons(t, p)
	require.Empty(t, why)
	require.Equal(t, []timetable.Share{{Slot: 0, Bytes: 1}, {Slot: 1, Bytes: 10}}, table.Runs[0].Shares)
	require.Equal(t, timetable.Load{Link: "wan", Peak: timetable.Ratio{Num: 10, Den: 10}, Slot: 0, Bound: table.Loads[0].Bound}, table.Loads[0], "the first slot with the peak")
}

func TestCapsHoldAlsoWhereTheBoundIsExact(t *testing.T) {
	p := &timetable.Problem{Start: evening, Slot: hour, Slots: 4, Links: []timetable.Link{{ID: "wan", Rate: 100}}, Caps: []timetable.Cap{{Kind: timetable.Host, Jobs: 1}}}
	for i := range 3 {
		p.Jobs = append(p.Jobs, timetable.Job{ID: fmt.Sprint("j", i), Host: "h", Bytes: 3600 * 40, Rate: 100, Links: []string{"wan"}, Divisible: true})
	}
	_, why := reasons(t, p)
	require.Empty(t, why)
}

func TestReasonsForABoundAreListedInPart(t *testing.T) {
	p := &timetable.Problem{Start: evening, Slot: timetable.Duration(time.Second), Slots: 1500, Links: []timetable.Link{{ID: "wan", Rate: 1000}}}
	for i := range 150 {
		p.Jobs = append(p.Jobs, timetable.Job{ID: fmt.Sprint("j", i), Bytes: 1500, Rate: 1, Links: []string{"wan"}})
	}
	table, _ := reasons(t, p)
	require.Len(t, table.Why.Jobs, 100)
	require.Equal(t, 150, table.Why.JobsAll)
	require.Len(t, table.Why.Slots, 1000)
	require.Equal(t, 1500, table.Why.SlotsAll)
}

func TestCheckCountsWhatMustBeSentInTheSlotsOfAReason(t *testing.T) {
	p := &timetable.Problem{
		Start: evening, Slot: hour, Slots: 4, Links: []timetable.Link{{ID: "wan", Rate: 100, Traffic: []int64{0, 0, 50, 50}}},
		Jobs: []timetable.Job{{ID: "a", Bytes: 3600 * 200, Rate: 80, Links: []string{"wan"}, Divisible: true, Windows: timetable.Nightly(evening, 1, 18*time.Hour, 21*time.Hour)}},
	}
	table, why := reasons(t, p)
	require.Empty(t, why)
	require.Equal(t, 0, table.PeakBound.Compare(timetable.Ratio{Num: 90, Den: 100}))
	forged := *table
	forged.Why = &timetable.Certificate{Link: "wan", Jobs: []string{"a"}, JobsAll: 1, Slots: []int{0, 1}, SlotsAll: 2}
	forged.PeakBound = timetable.Ratio{Num: 200, Den: 200}
	require.ErrorContains(t, forged.Check(p), "the reason for its bound", "80 of 200 may go in another slot")
	forged.PeakBound = timetable.Ratio{Num: 120, Den: 200}
	require.NoError(t, forged.Check(p))
	forged.Why.Slots = []int{0, 0}
	forged.PeakBound = timetable.Ratio{Num: 40, Den: 200}
	require.ErrorContains(t, forged.Check(p), "the reason for its bound", "one slot twice")
}

func TestCheckIsExact(t *testing.T) {
	problem := func() *timetable.Problem {
		return &timetable.Problem{
			Start: evening, Slot: hour, Slots: 2, Links: []timetable.Link{{ID: "wan", Rate: 100}}, Caps: []timetable.Cap{{Kind: timetable.Host, Jobs: 2, Rate: 100}},
			Jobs: []timetable.Job{
				{ID: "a", Host: "h", Bytes: 3600 * 50, Rate: 50, Links: []string{"wan"}, Divisible: true},
				{ID: "b", Host: "h", Bytes: 3600 * 50, Rate: 50, Links: []string{"wan"}},
			},
		}
	}
	table := func(shares ...timetable.Share) *timetable.Timetable {
		end := evening.Add(time.Hour)
		return &timetable.Timetable{Peak: timetable.Ratio{Num: 1, Den: 1}, Finish: end, Runs: []timetable.Run{
			{Job: "a", From: evening, Until: end, Shares: shares},
			{Job: "b", From: evening, Until: end, Shares: []timetable.Share{{Slot: 0, Bytes: 3600 * 50}}},
		}}
	}
	all := timetable.Share{Slot: 0, Bytes: 3600 * 50}
	require.NoError(t, table(all).Check(problem()))
	half := timetable.Share{Slot: 0, Bytes: 3600 * 25}
	require.ErrorContains(t, table(half, half).Check(problem()), "not after the one before")
	for want, change := range map[string]func(*timetable.Problem){
		"slot 0: 360000 bytes, and it carries 356400":         func(p *timetable.Problem) { p.Links[0].Rate-- },
		"2 jobs and 360000 bytes, more than its cap":          func(p *timetable.Problem) { p.Caps[0].Jobs-- },
		`host "h": slot 0: 2 jobs and 360000 bytes, more tha`: func(p *timetable.Problem) { p.Caps[0].Rate-- },
	} {
		p := problem()
		change(p)
		require.ErrorContains(t, table(all).Check(p), want)
	}
}
