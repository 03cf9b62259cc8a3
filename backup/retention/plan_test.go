package retention_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/retention"
	"github.com/cloudopsec/opsec/internal/race"
)

const vienna = "Europe/Vienna"

func calendar() retention.Policy {
	return retention.Policy{Semantics: retention.Calendar, Zone: vienna}
}

// kopia issues 5096 and 2964: 2024-12-30 is of week 1 of 2025, 2027-01-01 of week 53 of 2026.
func TestWeeksAreThoseOfISO8601AtTheTurnOfAYear(t *testing.T) {
	points := series(t, "2024-12-29 10:00", "2024-12-30 10:00", "2024-12-31 10:00", "2025-01-01 10:00", "2025-01-05 10:00", "2025-01-06 10:00")
	p := calendar()
	p.Weekly = 3
	for _, semantics := range []retention.Semantics{retention.Calendar, retention.Restic, retention.Proxmox} {
		p.Semantics = semantics
		require.Equal(t, []string{"2024-12-29 10:00", "2025-01-05 10:00", "2025-01-06 10:00"}, ruled(plan(t, points, p)), semantics)
	}
	p = calendar()
	p.Yearly = 2
	require.Equal(t, []string{"2024-12-31 10:00", "2025-01-06 10:00"}, ruled(plan(t, points, p)), "the year is the calendar's, not that of weeks")
}

// kopia issue 5348: days in UTC, weeks in local time.
func TestAllPeriodsAreOfOneZone(t *testing.T) {
	points := series(t, "2026-03-01 23:30", "2026-03-02 00:30") // Sunday and Monday in Vienna, one day in UTC
	for name, count := range map[string]func(p *retention.Policy){
		"daily":  func(p *retention.Policy) { p.Daily = 2 },
		"weekly": func(p *retention.Policy) { p.Weekly = 2 },
	} {
		p := calendar()
		count(&p)
		require.Len(t, ruled(plan(t, points, p)), 2, name)
		p.Zone = "UTC"
		require.Len(t, ruled(plan(t, points, p)), 1, name)
	}
}

// kopia issue 814: weekly that kept only what hourly had kept.
func TestRulesDoNotDependOnFinerOnes(t *testing.T) {
	points := series(t, "2026-03-02 10:00", "2026-03-03 10:00", "2026-03-10 10:00", "2026-03-17 10:00")
	p := calendar()
	p.Weekly = 3
	alone := ruled(plan(t, points, p))
	require.Equal(t, []string{"2026-03-03 10:00", "2026-03-10 10:00", "2026-03-17 10:00"}, alone)
	p.Hourly = 1
	require.Equal(t, alone, ruled(plan(t, points, p)))
}

// kopia issue 3758: after a fortnight off all points were gone.
func TestMachineThatWasOffLosesNothing(t *testing.T) {
	points := series(t, "2025-06-01 10:00", "2025-06-02 10:00", "2025-06-03 10:00")
	p := calendar()
	p.Daily = 7
	require.Len(t, ruled(plan(t, points, p)), 3)
	borg := retention.Policy{Semantics: retention.Borg, Zone: vienna, Within: retention.Span{Days: 7}}
	r := plan(t, points, borg)
	require.Empty(t, ruled(r), "borg counts from now")
	require.Equal(t, []string{"2025-06-03 10:00"}, kept(r), "but the newest stays")
}

// kopia issue 4894: one period of lock for all.
func TestEachPointIsLockedForItsOwnTime(t *testing.T) {
	points := series(t, "2026-03-01 10:00", "2026-03-02 10:00", "2026-03-03 10:00")
	points[0].Locked, points[1].Locked = now.Add(time.Second), now
	r := plan(t, points, retention.Policy{Semantics: retention.Copies, Zone: vienna, Last: 1})
	require.Equal(t, []string{"2026-03-01 10:00", "2026-03-03 10:00"}, kept(r))
	require.Equal(t, "locked in the store until 2026-03-31T12:00:01Z", ptr(decision(t, r, "2026-03-01 10:00")).Explain())
}

func ptr[T any](v T) *T { return &v }

func TestDaysOfTheCalendarAreCountedEvenWhenEmpty(t *testing.T) {
	points := series(t, "2026-03-01 10:00", "2026-03-08 09:00", "2026-03-10 10:00", "2026-03-10 09:00")
	p := calendar()
	p.Daily = 3
	require.Equal(t, []string{"2026-03-08 09:00", "2026-03-10 10:00"}, ruled(plan(t, points, p)))
	p.Semantics = retention.Restic
	require.Equal(t, []string{"2026-03-01 10:00", "2026-03-08 09:00", "2026-03-10 10:00"}, ruled(plan(t, points, p)))
}

func TestDaysAreRightWhenClocksChange(t *testing.T) {
	points := series(t, "2026-03-28 23:59", "2026-03-29 00:01", "2026-03-29 23:59", "2026-03-30 00:01") // 29th: 23 hours
	p := calendar()
	p.Daily = 2
	require.Equal(t, []string{"2026-03-29 23:59", "2026-03-30 00:01"}, ruled(plan(t, points, p)))
	twice := []retention.Point{ // 2025-10-26: 02:00 to 03:00 comes twice
		good("first", time.Date(2025, 10, 26, 0, 50, 0, 0, time.UTC)), good("second", time.Date(2025, 10, 26, 1, 10, 0, 0, time.UTC)),
	}
	p = calendar()
	p.Hourly = 5
	require.Equal(t, []string{"second"}, ruled(plan(t, twice, p)))
}

// In St. John's the clock went from a minute past midnight to 23:01 of the day before.
func TestADayThatAClockShowsTwiceIsKeptOnce(t *testing.T) {
	utc := func(hour, minute int) time.Time { return time.Date(2010, 11, 7, hour, minute, 30, 0, time.UTC) }
	points := []retention.Point{good("7th", utc(12, 0)), good("6th", utc(3, 0)), good("first of the 7th", utc(2, 30)), good("6th too", utc(2, 0))}
	p := retention.Policy{Semantics: retention.Calendar, Zone: "America/St_Johns", Daily: 3}
	require.Equal(t, []string{"6th", "7th"}, ruled(plan(t, points, p)))
}

func TestWeeksAndDaysBefore1970(t *testing.T) {
	points := series(t, "1969-12-28 23:00", "1969-12-29 00:00", "1969-12-29 23:00", "1970-01-04 23:00", "1970-01-05 00:00")
	p := calendar()
	p.Weekly = 9
	require.Equal(t, []string{"1969-12-28 23:00", "1970-01-04 23:00", "1970-01-05 00:00"}, ruled(plan(t, points, p)))
	p.Weekly, p.Daily = 0, 9
	require.Equal(t, []string{"1969-12-28 23:00", "1969-12-29 23:00", "1970-01-04 23:00", "1970-01-05 00:00"}, ruled(plan(t, points, p)))
}

func TestWithinEndsBeforeItsSpanDoes(t *testing.T) {
	newest := at(t, "2026-03-31 10:00")
	points := []retention.Point{good("newest", newest), good("at", newest.AddDate(0, 0, -3)), good("after", newest.AddDate(0, 0, -3).Add(1))}
	for _, p := range []retention.Policy{{Semantics: retention.Restic, Zone: vienna, Within: retention.Span{Days: 3}},
		{Semantics: retention.Restic, Zone: vienna, WithinHourly: retention.Span{Days: 3}}} {
		require.Equal(t, []string{"after", "newest"}, ruled(plan(t, points, p)))
	}
	for name, span := range map[string]retention.Span{"31 days": {Months: 1}, "365 days": {Years: 1}} { // of 24 hours, for borg
		days := map[string]int{"31 days": 31, "365 days": 365}[name]
		from := now.Add(-time.Duration(days) * 24 * time.Hour)
		points := []retention.Point{good("newest", newest), good("at", from), good("after", from.Add(1))}
		require.Equal(t, []string{"after", "newest"}, ruled(plan(t, points, retention.Policy{Semantics: retention.Borg, Zone: vienna, Within: span})), name)
	}
}

func TestOfPointsOfOneSecondTheLaterIsTheNewerAndThenTheGreaterID(t *testing.T) {
	points := []retention.Point{good("c", now.Add(-3)), good("b", now.Add(-2)), good("a", now.Add(-3))}
	r := plan(t, points, retention.Policy{Semantics: retention.Copies, Zone: vienna, Last: 1})
	require.Equal(t, []string{"b", "c", "a"}, []string{r.Decisions[0].ID, r.Decisions[1].ID, r.Decisions[2].ID})
	require.Equal(t, []string{"b"}, kept(r))
}

func TestOldestFillsACount(t *testing.T) {
	points := series(t, "2026-03-01 09:00", "2026-03-01 10:00", "2026-03-02 10:00")
	r := plan(t, points, retention.Policy{Semantics: retention.Restic, Zone: vienna, Daily: 3})
	require.Equal(t, []retention.Reason{{Rule: retention.RuleDaily, Nth: 3, Oldest: true}}, decision(t, r, "2026-03-01 09:00").Reasons)
	r = plan(t, points, retention.Policy{Semantics: retention.Restic, Zone: vienna, Daily: 2})
	require.False(t, decision(t, r, "2026-03-01 09:00").Keep)
}

func TestBorgCountsWhatNoFinerRuleKeeps(t *testing.T) {
	points := series(t, "2026-03-01 10:00", "2026-03-02 10:00", "2026-03-03 10:00", "2026-03-04 10:00", "2026-03-04 11:00")
	r := plan(t, points, retention.Policy{Semantics: retention.Borg, Zone: vienna, Secondly: 1, Daily: 2})
	require.Equal(t, []string{"2026-03-02 10:00", "2026-03-03 10:00", "2026-03-04 11:00"}, ruled(r))
}

// The documentation of Proxmox Backup Server: "the next option does not take care of already covered backups. It will only consider older
// backups."
func TestProxmoxRulesCoverOnlyWhatIsOlder(t *testing.T) {
	points := series(t, "2026-03-01 10:00", "2026-03-02 10:00", "2026-03-03 10:00", "2026-03-04 10:00", "2026-03-04 10:30", "2026-03-04 11:00")
	r := plan(t, points, retention.Policy{Semantics: retention.Proxmox, Zone: vienna, Last: 1, Hourly: 1, Daily: 2})
	require.Equal(t, []string{"2026-03-02 10:00", "2026-03-03 10:00", "2026-03-04 10:30", "2026-03-04 11:00"}, ruled(r))
}

func TestFutureStampsAreJudgedByWhenTheyWereReceived(t *testing.T) {
	points := series(t, "2026-03-01 10:00", "2026-03-02 10:00")
	forged := good("forged", at(t, "2026-03-03 10:00"))
	forged.Claimed = at(t, "2036-03-03 10:00")
	r := plan(t, append(points, forged), retention.Policy{Semantics: retention.Copies, Zone: vienna, Last: 2})
	require.Len(t, kept(r), 3)
	require.True(t, decision(t, r, "forged").Time.Equal(forged.Received))
	require.Equal(t, []string{retention.FindingUnverified, retention.FindingClock}, []string{r.Findings[0].Rule, r.Findings[1].Rule})
	require.Contains(t, r.Findings[1].Text, "claims 2036")
}

// Whether nobody knows when they came, or the clock of the store went back.
func TestPointsOfATimeToComePushNothingOut(t *testing.T) {
	points := series(t, "2026-03-01 10:00", "2026-03-02 10:00", "2026-04-03 10:00", "2026-04-04 10:00")
	p := retention.Policy{Semantics: retention.Copies, Zone: vienna, Last: 2, SkipReceived: true}
	for range 2 {
		r := plan(t, points, p)
		require.Len(t, kept(r), 4)
		require.Equal(t, "no time to judge it by", ptr(decision(t, r, "2026-04-04 10:00")).Explain())
		require.Equal(t, retention.FindingFuture, r.Findings[1].Rule)
		points[2].Received, points[3].Received = time.Time{}, time.Time{}
	}
}

func TestToleranceIsForHonestClocks(t *testing.T) {
	slow := good("slow", at(t, "2026-03-03 10:00"))
	slow.Received = slow.Claimed.Add(3 * time.Hour)
	p := retention.Policy{Semantics: retention.Copies, Zone: vienna, Last: 1, Tolerance: retention.Duration(3 * time.Hour)}
	r := plan(t, []retention.Point{slow}, p)
	require.True(t, r.Decisions[0].Time.Equal(slow.Claimed))
	p.Tolerance--
	r = plan(t, []retention.Point{slow}, p)
	require.True(t, r.Decisions[0].Time.Equal(slow.Received))
	ahead := good("ahead", at(t, "2026-03-03 10:00"))
	ahead.Claimed = ahead.Received.Add(time.Hour)
	p.Tolerance++
	r = plan(t, []retention.Point{ahead}, p)
	require.True(t, r.Decisions[0].Time.Equal(ahead.Received), "nothing is received before it is taken")
}

func TestNewestVerifiedPointStaysWithItsChain(t *testing.T) {
	points := series(t, "2026-03-01 10:00", "2026-03-02 10:00", "2026-03-03 10:00", "2026-03-04 10:00", "2026-03-05 10:00")
	points[1].Parents = []string{points[0].ID}
	points[1].Verified = now
	points[2].Verified, points[2].Parents = now, []string{"gone"}
	r := plan(t, points, retention.Policy{Semantics: retention.Copies, Zone: vienna, Last: 1})
	require.Equal(t, []string{"2026-03-01 10:00", "2026-03-02 10:00", "2026-03-05 10:00"}, kept(r))
	require.Equal(t, "needed by 2026-03-02 10:00", ptr(decision(t, r, "2026-03-01 10:00")).Explain())
	require.Equal(t, "no rule keeps it; the next that stays is 2026-03-05 10:00", ptr(decision(t, r, "2026-03-04 10:00")).Explain())
	require.Len(t, r.Findings, 1)
	require.Equal(t, retention.FindingParent, r.Findings[0].Rule)
}

func TestAChainThatHasAGapFarDownIsNotWhole(t *testing.T) {
	points := series(t, "2026-03-01 10:00", "2026-03-02 10:00", "2026-03-03 10:00", "2026-03-04 10:00", "2026-03-05 10:00")
	points[1].Parents = []string{"gone"}
	points[2].Parents, points[3].Parents = []string{points[1].ID}, []string{points[1].ID}
	for _, i := range []int{0, 2, 3} {
		points[i].Verified = now
	}
	r := plan(t, points, retention.Policy{Semantics: retention.Copies, Zone: vienna, Last: 1})
	require.Equal(t, []string{"2026-03-01 10:00", "2026-03-05 10:00"}, kept(r))
	require.Equal(t, "the newest of its group that was found whole of those that are believed and have all that they need",
		ptr(decision(t, r, "2026-03-01 10:00")).Explain())
}

// The newest is of a liar, by when it was received. It stays, so does the newest that is believed, and neither is said to be the other.
func TestNewestPointStaysEvenWhenItsHostLies(t *testing.T) {
	points := series(t, "2026-03-01 10:00", "2026-03-02 10:00", "2026-03-03 10:00", "2026-03-04 10:00")
	for i := range points {
		points[i].Verified = now
	}
	points[2].Claimed, points[3].Claimed = at(t, "2036-03-03 10:00"), at(t, "2016-03-04 10:00")
	r := plan(t, points, retention.Policy{Semantics: retention.Restic, Zone: vienna, Tags: [][]string{{"release"}}})
	explained := map[string]string{}
	for _, d := range r.Decisions {
		explained[d.ID] = d.Explain()
	}
	require.Equal(t, map[string]string{
		"2026-03-04 10:00": "the newest of its group",
		"2026-03-03 10:00": "no rule keeps it; the next that stays is 2026-03-04 10:00",
		"2026-03-02 10:00": "the newest of its group of those that are believed; " +
			"the newest of its group that was found whole of those that are believed and have all that they need",
		"2026-03-01 10:00": "no rule keeps it; the next that stays is 2026-03-02 10:00",
	}, explained)
}

// When a point whose time has not come was taken is not known, so nothing is older than it.
func TestNothingGoesInFavourOfAPointWithoutTime(t *testing.T) {
	points := series(t, "2026-03-01 10:00", "2026-03-02 10:00", "2026-04-02 10:00")
	points[2].Received = time.Time{}
	r := plan(t, points, retention.Policy{Semantics: retention.Copies, Zone: vienna, Last: 1})
	require.Equal(t, "2026-03-02 10:00", decision(t, r, "2026-03-01 10:00").Instead)
	require.Equal(t, "no time to judge it by", ptr(decision(t, r, "2026-04-02 10:00")).Explain())
}

func TestLoopsAreFound(t *testing.T) {
	points := series(t, "2026-03-01 10:00", "2026-03-02 10:00")
	points[0].Parents, points[1].Parents = []string{points[1].ID}, []string{points[0].ID}
	r := plan(t, points, retention.Policy{Semantics: retention.Copies, Zone: vienna, Last: 1})
	require.Len(t, kept(r), 2)
	require.Equal(t, retention.FindingLoop, r.Findings[len(r.Findings)-1].Rule)
}

func TestYoungPointsStay(t *testing.T) {
	points := series(t, "2026-03-31 08:00", "2026-03-31 09:00", "2026-03-31 10:00")
	p := retention.Policy{Semantics: retention.Copies, Zone: vienna, Last: 1, MinimumAge: retention.Duration(5 * time.Hour)}
	require.Equal(t, []string{"2026-03-31 10:00"}, kept(plan(t, points, p))) // of noon in Greenwich, two in Vienna
	p.MinimumAge = retention.Duration(5*time.Hour + 1)
	require.Equal(t, []string{"2026-03-31 09:00", "2026-03-31 10:00"}, kept(plan(t, points, p)))
}

func TestPointsThatAreNoneAreRefused(t *testing.T) {
	p := retention.Policy{Semantics: retention.Copies, Zone: vienna, Last: 1}
	for want, list := range map[string][]retention.Point{
		"no id":           {good("", now)},
		"no claimed time": {{ID: "a"}},
		"twice":           {good("a", now), good("a", now)},
	} {
		_, err := retention.Plan(list, p, now)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
}

func TestTextObeysNoTerminal(t *testing.T) {
	q := good("a\x1b[2J", now.Add(-time.Hour))
	q.Hold = "b\n"
	r := plan(t, []retention.Point{q}, retention.Policy{Semantics: retention.Copies, Zone: vienna, Last: 1})
	var b bytes.Buffer
	require.NoError(t, r.WriteText(&b))
	require.NotContains(t, b.String(), "\x1b")
	require.Equal(t, 3, strings.Count(b.String(), "\n"))
}

func many(n int) []retention.Point {
	list := make([]retention.Point, n)
	for i := range list {
		list[i] = good(fmt.Sprintf("p%07d", i), now.Add(-time.Duration(i)*17*time.Minute))
		if i%7 != 0 && i > 0 {
			list[i-1].Parents = []string{fmt.Sprintf("p%07d", i)}
		}
	}
	return list
}

func BenchmarkMillionPoints(b *testing.B) {
	list := many(race.Fewer(1_000_000))
	p := retention.Policy{Semantics: retention.Restic, Zone: vienna, Last: 10, Hourly: 48, Daily: 30, Weekly: 52, Monthly: 60, Yearly: 30}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := retention.Plan(list, p, now); err != nil {
			b.Fatal(err)
		}
	}
}
