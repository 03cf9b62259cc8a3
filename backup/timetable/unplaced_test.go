package timetable_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/backup/timetable"
)

// reasons returns why jobs have no place.
func reasons(t require.TestingT, p *timetable.Problem) (*timetable.Timetable, map[string]string) {
	table, err := timetable.Arrange(p)
	require.NoError(t, err)
	require.NoError(t, table.Check(p))
	why := map[string]string{}
	for _, u := range table.Unplaced {
		why[u.Job] = u.Why
	}
	return table, why
}

func TestWhatDoesNotFitSaysWhy(t *testing.T) {
	p := &timetable.Problem{
		Start: evening, Slot: hour, Slots: 4, Links: []timetable.Link{{ID: "wan", Rate: 100}},
		Jobs: []timetable.Job{
			{ID: "too long", Bytes: 5 * 3600 * 10, Rate: 10, Links: []string{"wan"}},
			{ID: "no window", Bytes: 1, Rate: 10, Links: []string{"wan"}, Windows: []timetable.Window{{From: evening.Add(time.Minute), Until: evening.Add(time.Hour)}}},
			{ID: "a", Bytes: 100 * 3600, Rate: 60, Links: []string{"wan"}, Windows: timetable.Nightly(evening, 1, 18*time.Hour, 20*time.Hour)},
			{ID: "b", Bytes: 110 * 3600, Rate: 60, Links: []string{"wan"}, Windows: timetable.Nightly(evening, 1, 18*time.Hour, 20*time.Hour)},
		},
	}
	table, err := timetable.Arrange(p)
	require.NoError(t, err)
	require.NoError(t, table.Check(p))
	why := map[string]string{}
	for _, u := range table.Unplaced {
		why[u.Job] = u.Why
	}
	require.Contains(t, why["too long"], "5 slots; its windows have 4")
	require.Contains(t, why["no window"], "its windows have 0")
	require.Len(t, table.Runs, 1)
	_, ok := table.Gap(p)
	require.False(t, ok, "of some jobs")
	require.Contains(t, why["a"]+why["b"], "link wan: 2 jobs have 756000 bytes that must go in 2 slots, which hold 720000 beside others' 0")
	require.Equal(t, timetable.Ratio{Num: 756_000, Den: 720_000}, table.PeakBound)
	require.Equal(t, []string{"a", "b"}, table.Why.Jobs)
	require.Equal(t, []int{0, 1}, table.Why.Slots)
}

// What is said of a job without a place is so: a search through all arrangements finds none either.
func TestReasonsAreTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := whole(some(t))
		_, why := reasons(t, p)
		jobs := p.Jobs
		alone := p.Jobs[:0:0]
		shown := false
		for _, j := range jobs {
			if strings.HasPrefix(why[j.ID], "also alone: ") {
				p.Jobs = []timetable.Job{j}
				_, _, found := search(p)
				require.False(t, found, why[j.ID])
				continue
			}
			alone = append(alone, j)
			shown = shown || why[j.ID] != "" && !strings.Contains(why[j.ID], "there may be")
		}
		for _, j := range alone {
			p.Jobs = []timetable.Job{j}
			_, _, found := search(p)
			require.True(t, found, "%s can run alone", j.ID)
		}
		if p.Jobs = alone; shown {
			_, _, found := search(p)
			require.False(t, found, "%v", why)
		}
	})
}

func TestAJobThatCannotRunAloneSaysWhatIsInItsWay(t *testing.T) {
	two := timetable.Nightly(evening, 1, 18*time.Hour, 20*time.Hour)
	apart := append(timetable.Nightly(evening, 1, 18*time.Hour, 19*time.Hour), timetable.Nightly(evening, 1, 20*time.Hour, 21*time.Hour)...)
	for want, j := range map[string]timetable.Job{
		"take 5726628523 slots; its windows have 4":                                          {Bytes: 1 << 60, Rate: 55_924, Links: []string{"wan"}},
		"take 3 slots; its windows have 2":                                                   {Bytes: 3 * 3600, Rate: 1, Links: []string{"wan"}, Windows: two, Divisible: true},
		"its windows have 2, but not as many that follow each other":                         {Bytes: 2 * 3600, Rate: 1, Links: []string{"wan"}, Windows: apart},
		"link wan, of 100 a second, leaves too little in its windows beside others' traffic": {Bytes: 3600 * 101, Rate: 101, Links: []string{"lan", "wan"}, Tenant: "t"},
		"the cap of tenant \"t\", of 40 a second, leaves too little":                         {Bytes: 3600 * 41, Rate: 41, Links: []string{"lan", "wan"}, Tenant: "t"},
		"the cap of tenant \"t\", of 40 a second, leaves too little in its windows":          {Bytes: 3600 * 161, Rate: 200, Links: []string{"lan"}, Tenant: "t", Divisible: true},
		"its links and caps together leave too little in its windows":                        {Bytes: 3600 * 30, Rate: 30, Links: []string{"lan", "day", "night"}},
		"link day, of 100 a second, leaves too little in its windows beside others' traffic": {Bytes: 3600 * 201, Rate: 201, Links: []string{"lan", "day", "night"}, Divisible: true},
	} {
		j.ID = "a"
		_, why := reasons(t, &timetable.Problem{
			Start: evening, Slot: hour, Slots: 4, Jobs: []timetable.Job{j},
			Links: []timetable.Link{{ID: "wan", Rate: 100}, {ID: "lan", Rate: 1000}, {ID: "day", Rate: 100, Traffic: []int64{0, 0, 100, 100}}, {ID: "night", Rate: 100, Traffic: []int64{100, 100, 0, 0}}},
			Caps:  []timetable.Cap{{Kind: timetable.Tenant, Rate: 50, Jobs: 1}, {Kind: timetable.Tenant, ID: "t", Rate: 40}, {Kind: timetable.Tenant, Rate: 60}},
		})
		require.Contains(t, why["a"], "also alone: ")
		require.Contains(t, why["a"], want)
	}
}

// Each job without a place is told of a shortage that it is part of.
func TestEachShortageIsToldToItsOwnJobs(t *testing.T) {
	job := func(id, link, host string, hours int, windows []timetable.Window) timetable.Job {
		return timetable.Job{ID: id, Host: host, Bytes: int64(hours) * 3600 * 60, Rate: 60, Links: []string{link}, Windows: windows}
	}
	first, last := timetable.Nightly(evening, 1, 18*time.Hour, 20*time.Hour), timetable.Nightly(evening, 1, 20*time.Hour, 22*time.Hour)
	p := &timetable.Problem{
		Start: evening, Slot: hour, Slots: 4, Links: []timetable.Link{{ID: "wan", Rate: 100}, {ID: "lan", Rate: 110}, {ID: "free", Rate: 1000}},
		Jobs: []timetable.Job{
			job("w1", "wan", "", 2, first), job("w2", "wan", "", 2, first), job("w3", "wan", "", 2, last),
			job("l1", "lan", "", 2, first), job("l2", "lan", "", 2, first),
			job("h1", "free", "h", 2, first), job("h2", "free", "h", 1, first), job("h3", "free", "h", 2, last),
			job("r1", "free", "r", 2, last), job("r2", "free", "r", 2, last),
		},
		Caps: []timetable.Cap{{Kind: timetable.Host, ID: "h", Jobs: 1}, {Kind: timetable.Host, ID: "r", Rate: 119}},
	}
	p.Jobs = append(p.Jobs, job("a", "free", "", 5, nil), job("z", "free", "", 5, nil))
	table, why := reasons(t, p)
	require.True(t, slices.IsSortedFunc(table.Unplaced, func(a, b timetable.Unplaced) int { return strings.Compare(a.Job, b.Job) }))
	delete(why, "a")
	delete(why, "z")
	require.True(t, table.FinishBound.IsZero())
	require.Len(t, why, 4)
	require.Contains(t, why["w1"]+why["w2"], "link wan: 2 jobs have 864000 bytes that must go in 2 slots, which hold 720000 beside others' 0")
	require.Contains(t, why["l1"]+why["l2"], "link lan: 2 jobs have 864000 bytes that must go in 2 slots, which hold 792000 beside others' 0")
	require.Contains(t, why["h1"]+why["h2"], `the cap of host "h": 2 jobs need 3 slots that must be among 2, in each of which it lets 1 run`)
	require.Contains(t, why["r1"]+why["r2"], `the cap of host "r": 2 jobs have 864000 bytes that must go in 2 slots, in which it lets 856800 pass`)
}

func TestTheEndIsBoundByCaps(t *testing.T) {
	p := &timetable.Problem{Goal: timetable.Finish, Start: evening, Slot: hour, Slots: 12, Links: []timetable.Link{{ID: "wan", Rate: 1000}}}
	for i := range 6 {
		p.Jobs = append(p.Jobs, timetable.Job{ID: fmt.Sprint("j", i), Host: "h", Tenant: "t", Bytes: 3600 * 10, Rate: 10, Links: []string{"wan"}})
	}
	for hours, caps := range map[int][]timetable.Cap{
		1: nil, 3: {{Kind: timetable.Host, Jobs: 2}}, 5: {{Kind: timetable.Tenant, Rate: 12, Jobs: 2}}, 2: {{Kind: timetable.Tenant, Rate: 30}}, 6: {{Kind: timetable.Host, Jobs: 2}, {Kind: timetable.Tenant, ID: "t", Jobs: 1, Rate: 30}},
	} {
		p.Caps = caps
		table, _ := reasons(t, p)
		require.Equal(t, evening.Add(time.Duration(hours)*time.Hour), table.FinishBound)
		if hours != 5 { // which is of jobs that can be divided
			require.Equal(t, table.FinishBound, table.Finish)
		}
	}
}

func TestManyCapsCostNoMoreThanTheirNumber(t *testing.T) {
	p := &timetable.Problem{Start: evening, Slot: hour, Slots: 24, Links: []timetable.Link{{ID: "wan", Rate: 1 << 30}}}
	for i := range 2000 {
		p.Jobs = append(p.Jobs, timetable.Job{ID: fmt.Sprint(i), Tenant: fmt.Sprint(i % 7), Bytes: 1000, Rate: 1000, Links: []string{"wan"}})
	}
	for i := range timetable.MaxJobs {
		p.Caps = append(p.Caps, timetable.Cap{Kind: timetable.Tenant, ID: fmt.Sprint(i), Jobs: 20 + i})
	}
	began := time.Now()
	table, err := timetable.Arrange(p)
	require.NoError(t, err)
	require.NoError(t, table.Check(p))
	require.Empty(t, table.Unplaced)
	require.Less(t, time.Since(began), 20*time.Second, "2·10⁸ pairs of a job and a cap")
}
