package credit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// of reads a ratio that is known to be one.
func of(s string) ratio.Ratio {
	r, err := ratio.Parse(s)
	if err != nil {
		panic(err)
	}
	return r
}

func table() credit.Table {
	return credit.Table{
		ID: "compute-credit", Objective: "compute",
		Bands: []credit.Band{{of("99.95%"), of("10%")}, {of("99%"), of("25%")}, {of("95%"), of("100%")}},
	}
}

func span(low, high string) ratio.Range { return ratio.Range{Low: of(low), High: of(high)} }

func exactly(s string) ratio.Range { return span(s, s) }

// end is the end of March.
func end(zone string) time.Time {
	l, err := time.LoadLocation(zone)
	if err != nil {
		panic(err)
	}
	return time.Date(2026, 4, 1, 0, 0, 0, 0, l)
}

func TestExactlyAtTheEdgeOfABandIsNotInIt(t *testing.T) {
	zero := ratio.Ratio{}
	for _, tab := range append(credit.Published(), table()) {
		before := zero
		for _, b := range tab.Bands {
			require.Equal(t, before, tab.Credit(b.Below), "%s at %s", tab.ID, b.Below)
			n, d := b.Below.Num(), b.Below.Den()
			scale := (math.MaxUint64 - 1) / d // as near as 64 bits go
			less, err := ratio.New(n*scale-1, d*scale)
			require.NoError(t, err)
			require.Equal(t, b.Credit, tab.Credit(less), "%s below %s", tab.ID, b.Below)
			more, err := ratio.New(n*scale+1, d*scale)
			require.NoError(t, err)
			require.Equal(t, before, tab.Credit(more), "%s above %s", tab.ID, b.Below)
			before = b.Credit
		}
		require.Equal(t, before, tab.Credit(zero))
		require.Equal(t, zero, tab.Credit(ratio.One()))
	}
	require.Equal(t, zero, credit.Table{}.Credit(zero))
}

func TestOfATableOutOfOrderTheGreatestCreditIsOwed(t *testing.T) {
	tab := table()
	tab.Bands[0], tab.Bands[2] = tab.Bands[2], tab.Bands[0]
	require.Error(t, tab.Validate())
	require.Equal(t, of("100%"), tab.Credit(of("90%")))
	require.Equal(t, of("10%"), tab.Credit(of("99.9%")))
}

func TestPublishedTablesAreValid(t *testing.T) {
	seen := map[string]bool{}
	for _, tab := range credit.Published() {
		require.Equal(t, []string{"objective"}, paths(tab.Validate()), tab.ID)
		tab.Objective = "x"
		require.NoError(t, tab.Validate(), tab.ID)
		require.Len(t, tab.Bands, 3)
		require.False(t, seen[tab.ID])
		seen[tab.ID] = true
		require.Contains(t, tab.Source, "Service Level Agreement, last updated 20")
	}
	credit.Published()[0].Bands[0].Credit = ratio.Ratio{}
	require.NotZero(t, credit.Published()[0].Bands[0].Credit, "each caller has its own")
}

// What the pages that are cited say, as far as they could be read: once more on 2026-11-29.
func TestPublishedTablesAreAsTheirSourcesSay(t *testing.T) {
	got := map[string]string{}
	for _, tab := range credit.Published() {
		var s strings.Builder
		for _, b := range tab.Bands {
			fmt.Fprintf(&s, "<%s %s, ", b.Below, b.Credit)
		}
		got[tab.ID] = fmt.Sprintf("%sover %q, %d months, cap %s", &s, tab.Minimum, tab.Months, tab.Cap)
	}
	require.Equal(t, map[string]string{
		"aws-kms":                  `<99.999% 10%, <99% 25%, <95% 100%, over "1.00 USD", 2 months, cap 0%`,
		"aws-s3-infrequent-access": `<99% 10%, <98% 25%, <95% 100%, over "", 2 months, cap 0%`,
		"aws-s3-standard":          `<99.9% 10%, <99% 25%, <95% 100%, over "", 2 months, cap 0%`,
		"aws-security-lake":        `<99.9% 10%, <99% 25%, <95% 100%, over "1.00 USD", 2 months, cap 0%`,
	}, got)
}

// paths lists the faults that were joined.
func paths(err error) (list []string) {
	if err == nil {
		return nil
	}
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var f *credit.Fault
		if !errors.As(e, &f) {
			panic(e)
		}
		list = append(list, f.Path)
	}
	return list
}

func TestFaultsHaveTheirPaths(t *testing.T) {
	tab := table()
	tab.Minimum, tab.Cap, tab.Claim, tab.Rounding = "1.00 EUR", of("100%"), credit.Duration(720*time.Hour), credit.HalfEven
	require.NoError(t, tab.Validate())
	require.NoError(t, table().Validate())
	require.Equal(t, []string{"id", "objective", "bands"}, paths(credit.Table{}.Validate()))

	many := make([]credit.Band, 101)
	for i := range many {
		many[i].Below, _ = ratio.New(uint64(200-i), 200)
		many[i].Credit, _ = ratio.New(uint64(1+i), 200)
	}
	for want, change := range map[string]func(*credit.Table){
		"id":             func(t *credit.Table) { t.ID = strings.Repeat("x", 201) },
		"objective":      func(t *credit.Table) { t.Objective = strings.Repeat("x", 201) },
		"bands":          func(t *credit.Table) { t.Bands = many },
		"bands[0].below": func(t *credit.Table) { t.Bands[0].Below = of("100.01%") },
		"bands[2].below": func(t *credit.Table) { t.Bands[2].Below = ratio.Ratio{} },
		"bands[1].below": func(t *credit.Table) { t.Bands[1].Below = t.Bands[0].Below },
		"bands[0].credit bands[1].credit": func(t *credit.Table) {
			t.Cap, t.Bands = of("5%"), t.Bands[:2]
		},
		"bands[1].credit": func(t *credit.Table) { t.Bands[1].Credit = of("10%") },
		"bands[2].credit": func(t *credit.Table) { t.Bands[2].Credit = of("101%") },
		"bands[0].credit": func(t *credit.Table) { t.Bands[0].Credit = ratio.Ratio{} },
		"cap":             func(t *credit.Table) { t.Cap = of("100.000001%") },
		"group":           func(t *credit.Table) { t.Group = strings.Repeat("x", 201) },
		"minimum":         func(t *credit.Table) { t.Minimum = "EUR 1.00" },
		"rounding":        func(t *credit.Table) { t.Rounding = "bankers" },
		"claim":           func(t *credit.Table) { t.Claim = -1 },
		"claimMonths":     func(t *credit.Table) { t.Months = -1 },
		"claim claimMonths claimMonths": func(t *credit.Table) {
			t.Claim, t.Months = credit.Duration(3661*24*time.Hour), 121
		},
		"source": func(t *credit.Table) { t.Source = strings.Repeat("x", 1001) },
	} {
		tab := table()
		change(&tab)
		err := tab.Validate()
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.Equal(t, want, strings.Join(paths(err), " "))
		require.Contains(t, err.Error(), "credit: ")
	}
	tab = table()
	tab.Bands = many[:100]
	require.NoError(t, tab.Validate())
}

func TestDueBySituation(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*credit.Table)
		figure  ratio.Range
		verdict ratio.Verdict
		fee     string
		credit  ratio.Range
		amount  [2]string
		why     bool
	}{
		{"breach", nil, exactly("99.9%"), ratio.Breach, "1200.00 EUR", exactly("10%"), [2]string{"120.00 EUR", "120.00 EUR"}, false},
		{"not known", nil, span("94%", "99.9%"), ratio.Breach, "1200.00 EUR", span("10%", "100%"), [2]string{"120.00 EUR", "1200.00 EUR"}, false},
		{"undecided", nil, span("94%", "99.9%"), ratio.Undecided, "1200.00 EUR", span("0%", "100%"), [2]string{"0.00 EUR", "1200.00 EUR"}, false},
		{"met", nil, span("94%", "99.9%"), ratio.Met, "1200.00 EUR", ratio.Range{}, [2]string{"0.00 EUR", "0.00 EUR"}, false},
		{"at the edge", nil, exactly("99.95%"), ratio.Breach, "1200.00 EUR", ratio.Range{}, [2]string{"0.00 EUR", "0.00 EUR"}, false},
		{"no fee", func(t *credit.Table) { t.Minimum = "1.00 EUR" }, exactly("99.9%"), ratio.Breach, "", exactly("10%"), [2]string{}, false},
		{"fee of nothing", nil, exactly("0%"), ratio.Breach, "0 EUR", exactly("100%"), [2]string{"0.00 EUR", "0.00 EUR"}, false},
		{"at the minimum", func(t *credit.Table) { t.Minimum = "1.00 EUR" }, exactly("99.9%"), ratio.Breach, "10.00 EUR", ratio.Range{}, [2]string{"0.00 EUR", "0.00 EUR"}, true},
		{"above the minimum", func(t *credit.Table) { t.Minimum = "1.00 EUR" }, exactly("99.9%"), ratio.Breach, "10.10 EUR", exactly("10%"), [2]string{"1.01 EUR", "1.01 EUR"}, false},
		{"what is paid is at the minimum", func(t *credit.Table) { t.Minimum = "1.00 EUR" }, exactly("99.9%"), ratio.Breach, "10.04 EUR", ratio.Range{}, [2]string{"0.00 EUR", "0.00 EUR"}, true},
		{"minimum finer than a coin", func(t *credit.Table) { t.Minimum = "0.999 EUR" }, exactly("99.9%"), ratio.Breach, "9.99 EUR", exactly("10%"), [2]string{"1.00 EUR", "1.00 EUR"}, false},
		{"minimum at the low end alone", func(t *credit.Table) { t.Minimum = "1.00 EUR" }, span("98%", "99.9%"), ratio.Breach, "10.00 EUR", span("0%", "25%"), [2]string{"0.00 EUR", "2.50 EUR"}, true},
		{"met, with a minimum", func(t *credit.Table) { t.Minimum = "1.00 EUR" }, exactly("99%"), ratio.Met, "10.00 EUR", ratio.Range{}, [2]string{"0.00 EUR", "0.00 EUR"}, false},
		{"cap of a table that is not valid", func(t *credit.Table) { t.Cap = of("50%") }, exactly("90%"), ratio.Breach, "10.00 EUR", exactly("50%"), [2]string{"5.00 EUR", "5.00 EUR"}, false},
		{"cap above the fee", func(t *credit.Table) { t.Cap, t.Bands[2].Credit = of("300%"), of("200%") }, exactly("90%"), ratio.Breach, "10.00 EUR", exactly("100%"), [2]string{"10.00 EUR", "10.00 EUR"}, false},
		{"never more than the fee", func(t *credit.Table) { t.Rounding = credit.Up }, exactly("90%"), ratio.Breach, "0.999 EUR", exactly("100%"), [2]string{"0.99 EUR", "0.99 EUR"}, false},
		{"a great fee", nil, exactly("98%"), ratio.Breach, "999999999999999999.999999999999 KWD", exactly("25%"), [2]string{"250000000000000000.000 KWD", "250000000000000000.000 KWD"}, false},
	} {
		tab := table()
		if c.change != nil {
			c.change(&tab)
		}
		d, err := tab.Due("compute", c.figure, c.verdict, c.fee, time.Time{})
		require.NoError(t, err, c.name)
		require.Equal(t, 0, d.Credit.Low.Cmp(c.credit.Low), "%s: %s", c.name, d.Credit.Low)
		require.Equal(t, 0, d.Credit.High.Cmp(c.credit.High), "%s: %s", c.name, d.Credit.High)
		require.Equal(t, c.amount, d.Amount, c.name)
		require.Equal(t, c.why, d.Why != "", c.name)
		require.Equal(t, []string{"compute-credit", "compute", "compute", string(c.verdict), c.fee},
			[]string{d.Table, d.Objective, d.Service, string(d.Verdict), d.Fee}, c.name)
	}
}

func TestRounding(t *testing.T) {
	for _, c := range []struct {
		rule             credit.Rounding
		fee, share, want string
	}{
		{"", "0.05 EUR", "10%", "0.01 EUR"}, // half a cent
		{"", "0.049 EUR", "10%", "0.00 EUR"},
		{credit.HalfUp, "0.25 EUR", "10%", "0.03 EUR"},
		{credit.HalfEven, "0.25 EUR", "10%", "0.02 EUR"},
		{credit.HalfEven, "0.35 EUR", "10%", "0.04 EUR"},
		{credit.HalfEven, "0.250000000001 EUR", "10%", "0.03 EUR"},
		{credit.Down, "0.29 EUR", "10%", "0.02 EUR"},
		{credit.Up, "0.210000000001 EUR", "10%", "0.03 EUR"},
		{credit.Up, "0.20 EUR", "10%", "0.02 EUR"},
		{credit.HalfUp, "1000 JPY", "1/3", "333 JPY"},
		{credit.HalfUp, "15 JPY", "10%", "2 JPY"},
		{credit.HalfUp, "1.235 KWD", "10%", "0.124 KWD"},
		{credit.HalfUp, "1 CLF", "1/3", "0.3333 CLF"},
		{credit.HalfUp, "1 UYW", "1/3", "0.3333 UYW"},
		{credit.HalfUp, "1000 UYI", "1/3", "333 UYI"},
		{credit.HalfUp, "1.00 EUR", "18446744073709551614/18446744073709551615", "1.00 EUR"},
		{credit.Down, "1.00 EUR", "18446744073709551614/18446744073709551615", "0.99 EUR"},
		{credit.Up, "1.00 EUR", "1/18446744073709551615", "0.01 EUR"},
	} {
		tab := table()
		tab.Bands = []credit.Band{{of("99%"), of(c.share)}}
		tab.Rounding = c.rule
		d, err := tab.Due("s", exactly("98%"), ratio.Breach, c.fee, time.Time{})
		require.NoError(t, err)
		require.Equal(t, [2]string{c.want, c.want}, d.Amount, "%v", c)
	}
}

func TestClaimsHaveATime(t *testing.T) {
	for _, c := range []struct {
		claim  time.Duration
		months int
		end    string
		zone   string
		want   string
	}{
		{720 * time.Hour, 0, "2026-04-01T00:00:00", "UTC", "2026-05-01T00:00:00Z"},
		{720 * time.Hour, 0, "2026-03-01T00:00:00", "Europe/Berlin", "2026-03-31T00:00:00+02:00"}, // the clock is set forward in between
		{721 * time.Hour, 0, "2026-03-01T00:00:00", "Europe/Berlin", "2026-03-31T01:00:00+02:00"},
		{48 * time.Hour, 0, "2026-10-24T00:00:00", "Europe/Berlin", "2026-10-26T00:00:00+01:00"},
		{time.Nanosecond, 0, "2026-04-01T00:00:00", "UTC", "2026-04-01T00:00:00.000000001Z"},
		{0, 2, "2026-04-01T00:00:00", "Europe/Berlin", "2026-06-01T00:00:00+02:00"},
		{0, 2, "2026-12-31T00:00:00", "UTC", "2027-02-28T00:00:00Z"},
		{0, 14, "2026-12-31T00:00:00", "UTC", "2028-02-29T00:00:00Z"}, // leap day
		{0, 12, "2028-02-29T00:00:00", "UTC", "2029-02-28T00:00:00Z"},
		{0, 1, "2026-01-31T12:30:15", "America/New_York", "2026-02-28T12:30:15-05:00"},
		{0, 120, "2026-01-01T00:00:00", "UTC", "2036-01-01T00:00:00Z"},
		{0, 1, "2028-01-31T00:00:00", "UTC", "2028-02-29T00:00:00Z"},
		{24*time.Hour - 1, 0, "2026-10-25T00:00:00", "Europe/Berlin", "2026-10-25T22:59:59.999999999+01:00"},
		// Midnights that never come.
		{720 * time.Hour, 0, "2026-08-07T00:00:00", "America/Santiago", "2026-09-06T01:00:00-03:00"},
		{721 * time.Hour, 0, "2026-08-07T00:00:00", "America/Santiago", "2026-09-06T02:00:00-03:00"},
		{720 * time.Hour, 0, "2026-03-25T00:00:00", "Africa/Cairo", "2026-04-24T01:00:00+03:00"},
		{720 * time.Hour, 0, "2026-03-25T00:30:00", "Africa/Cairo", "2026-04-24T01:00:00+03:00"},
		{720 * time.Hour, 0, "2026-02-06T00:00:00", "America/Havana", "2026-03-08T01:00:00-04:00"},
		{0, 1, "2026-09-04T02:15:00", "Australia/Lord_Howe", "2026-10-04T02:30:00+11:00"},          // a gap of half an hour
		{0, 1, "2011-11-30T00:00:00", "Pacific/Apia", "2011-12-31T00:00:00+14:00"},                 // a day that never came
		{720 * time.Hour, 0, "2026-10-02T00:00:00", "America/Havana", "2026-11-01T00:00:00-04:00"}, // twice: when the day begins
		{0, 1, "2026-09-25T02:30:00", "Europe/Berlin", "2026-10-25T02:30:00+02:00"},
		{0, 1, "2040-11-30T00:00:00", "Europe/Berlin", "2040-12-30T00:00:00+01:00"}, // beyond the tables of zones
		{24 * time.Hour, 0, "2040-12-30T12:00:00", "Europe/Berlin", "2040-12-31T12:00:00+01:00"},
		{48 * time.Hour, 0, "2040-12-30T12:00:00", "Europe/Berlin", "2041-01-01T12:00:00+01:00"},
	} {
		zone, err := time.LoadLocation(c.zone)
		require.NoError(t, err)
		end, err := time.ParseInLocation("2006-01-02T15:04:05", c.end, zone)
		require.NoError(t, err)
		tab := table()
		tab.Claim, tab.Months = credit.Duration(c.claim), c.months
		d, err := tab.Due("s", exactly("98%"), ratio.Breach, "", end)
		require.NoError(t, err)
		require.Equal(t, c.want, d.ClaimBy.Format(time.RFC3339Nano))
		require.True(t, d.Claimable(d.ClaimBy))
		require.True(t, d.Claimable(end))
		require.False(t, d.Claimable(d.ClaimBy.Add(1)))

		d, err = tab.Due("s", exactly("98%"), ratio.Met, "", end)
		require.NoError(t, err)
		require.Zero(t, d.ClaimBy, "nothing is owed")
	}
	// An hour that comes twice, from its second time on.
	second := time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC).In(end("Europe/Berlin").Location())
	short := table()
	short.Claim = credit.Duration(time.Hour)
	d, err := short.Due("s", exactly("98%"), ratio.Breach, "", second)
	require.NoError(t, err)
	require.Equal(t, second.Add(time.Hour), d.ClaimBy)

	d, err = table().Due("s", exactly("98%"), ratio.Breach, "", end("UTC"))
	require.NoError(t, err)
	require.Zero(t, d.ClaimBy)
	require.True(t, d.Claimable(end("UTC").AddDate(100, 0, 0)))
}

// The same by a walk in quarters of an hour: a window of days or months ends when the clock first shows that day, or a later one.
func TestClaimWindowsBesideAWalk(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/Havana", "America/Santiago", "Africa/Cairo", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Apia"}
	rapid.Check(t, func(t *rapid.T) {
		zone := end(rapid.SampledFrom(zones).Draw(t, "zone")).Location()
		from := time.Date(2010, 1, rapid.IntRange(1, 7300).Draw(t, "day"), 0, 15*rapid.IntRange(0, 20).Draw(t, "quarter"), 0, 0, zone)
		tab := table()
		wall := time.Date(from.Year(), from.Month(), from.Day(), from.Hour(), from.Minute(), 0, 0, time.UTC)
		if rapid.Bool().Draw(t, "months") {
			tab.Months = rapid.IntRange(1, 30).Draw(t, "many")
			day := wall.Day()
			for wall = wall.AddDate(0, 0, 1-day).AddDate(0, tab.Months, 0); day > 1 && wall.AddDate(0, 0, 1).Month() == wall.Month(); day-- {
				wall = wall.AddDate(0, 0, 1)
			}
		} else {
			days := rapid.IntRange(1, 400).Draw(t, "many")
			tab.Claim = credit.Duration(days) * credit.Duration(24*time.Hour)
			wall = wall.AddDate(0, 0, days)
		}
		d, err := tab.Due("s", exactly("98%"), ratio.Breach, "", from)
		if err != nil {
			t.Fatal(err)
		}
		at := wall.Add(-26 * time.Hour)
		for {
			_, offset := at.In(zone).Zone()
			if !at.Add(time.Duration(offset) * time.Second).Before(wall) {
				break
			}
			at = at.Add(15 * time.Minute)
		}
		if !d.ClaimBy.Equal(at) {
			t.Fatalf("from %s: %s, want %s", from, d.ClaimBy, at.In(zone))
		}
	})
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	due := func(change func(*credit.Table), figure ratio.Range, v ratio.Verdict, fee string) error {
		tab := table()
		change(&tab)
		_, err := tab.Due("s", figure, v, fee, time.Time{})
		return err
	}
	late := func(end time.Time, change func(*credit.Table)) error {
		tab := table()
		change(&tab)
		_, err := tab.Due("s", exactly("98%"), ratio.Breach, "", end)
		return err
	}
	same := func(*credit.Table) {}
	for want, err := range map[string]error{
		"figure":    due(same, span("99%", "98%"), ratio.Breach, ""),
		"verdict":   due(same, exactly("98%"), "late", ""),
		"fee":       due(same, exactly("98%"), ratio.Breach, "12 Euro"),
		"minimum":   due(func(t *credit.Table) { t.Minimum = "1.00 USD" }, exactly("98%"), ratio.Breach, "12 EUR"),
		"minimum ":  due(func(t *credit.Table) { t.Minimum = "1.00" }, exactly("98%"), ratio.Breach, "12 EUR"),
		"rounding":  due(func(t *credit.Table) { t.Rounding = "x" }, exactly("98%"), ratio.Breach, "12 EUR"),
		"periodEnd": due(func(t *credit.Table) { t.Claim = 1 }, exactly("98%"), ratio.Breach, "12 EUR"),
		"claim":     late(end("UTC").AddDate(8000, 0, 0), func(t *credit.Table) { t.Months = 2 }), // no time of JSON
		"claim ":    late(end("UTC"), func(t *credit.Table) { t.Months = math.MaxInt }),
		"claim  ":   late(end("UTC"), func(t *credit.Table) { t.Claim = math.MaxInt64 }),
	} {
		var f *credit.Fault
		require.ErrorAs(t, err, &f, want)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.Equal(t, strings.TrimSpace(want), f.Path)
	}
}

func TestFormsOfAmounts(t *testing.T) {
	for _, fee := range []string{"0 EUR", "0.00 EUR", "1 EUR", "999999999999999999 EUR", "0.000000000001 EUR", "10.5 XYZ"} {
		_, err := table().Due("s", exactly("98%"), ratio.Breach, fee, time.Time{})
		require.NoError(t, err, fee)
	}
	for _, fee := range []string{
		" ", "EUR", "1", "1.00", "1.00EUR", "1.00  EUR", "1.00 EUR ", " 1.00 EUR", "1.00 eur", "1.00 EURO", "1.00 EU", "1,00 EUR", "1. EUR",
		".5 EUR", "-1 EUR", "+1 EUR", "1e3 EUR", "NaN EUR", "Infinity EUR", "0x1 EUR", "1_000 EUR", "01.00 EUR", "00 EUR", "1.2.3 EUR",
		"1000000000000000000 EUR", "0.0000000000001 EUR", "١ EUR", "1.00\u00a0EUR", "1.00\tEUR", "1.00 ÄEU", "EUR 1.00", strings.Repeat("9", 1<<20),
	} {
		_, err := table().Due("s", exactly("98%"), ratio.Breach, fee, time.Time{})
		var f *credit.Fault
		require.ErrorAs(t, err, &f, "%.40q", fee)
		require.Equal(t, "fee", f.Path)
		require.Less(t, len(err.Error()), 400)
	}
}

func TestADueIsShortInJSONAndReadsBack(t *testing.T) {
	tab := table()
	d, err := tab.Due("compute", span("98%", "99.9%"), ratio.Breach, "", time.Time{})
	require.NoError(t, err)
	text, err := json.Marshal(d)
	require.NoError(t, err)
	require.JSONEq(t, `{"table":"compute-credit","objective":"compute","service":"compute","credit":{"low":"10%","high":"25%"},"verdict":"breach"}`, string(text))

	tab.Claim, tab.Cap, tab.Group, tab.Minimum = credit.Duration(720*time.Hour), of("50%"), "g", "1.00 EUR"
	tab.Bands = tab.Bands[:2]
	d, err = tab.Due("compute", span("98%", "99.9%"), ratio.Breach, "8.00 EUR", end("UTC"))
	require.NoError(t, err)
	text, err = json.Marshal(d)
	require.NoError(t, err)
	require.JSONEq(t, `{"table":"compute-credit","objective":"compute","service":"compute","credit":{"low":"0%","high":"25%"},"fee":"8.00 EUR",
		"amount":["0.00 EUR","2.00 EUR"],"cap":"50%","group":"g","claimBy":"2026-05-01T00:00:00Z","verdict":"breach",
		"why":"an amount that does not exceed 1.00 EUR is not due"}`, string(text))
	var back credit.Due
	require.NoError(t, json.Unmarshal(text, &back))
	again, err := json.Marshal(back)
	require.NoError(t, err)
	require.Equal(t, string(text), string(again))

	text, err = json.Marshal(tab)
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"compute-credit","objective":"compute","bands":[{"below":"99.95%","credit":"10%"},{"below":"99%","credit":"25%"}],
		"cap":"50%","group":"g","minimum":"1.00 EUR","claim":"720h0m0s"}`, string(text))
}

func TestEachResourceIsJudgedAlone(t *testing.T) {
	tab := table()
	each := tab.Each()
	require.NoError(t, each.Add(exactly("100%"), ratio.Met))
	require.NoError(t, each.Add(exactly("99.99%"), ratio.Met))
	d, err := each.Due("vm", "300.00 EUR", time.Time{})
	require.NoError(t, err)
	require.Equal(t, ratio.Met, d.Verdict)
	require.Equal(t, [2]string{"0.00 EUR", "0.00 EUR"}, d.Amount)

	require.NoError(t, each.Add(span("94%", "100%"), ratio.Undecided))
	d, err = each.Due("vm", "300.00 EUR", time.Time{})
	require.NoError(t, err)
	require.Equal(t, ratio.Undecided, d.Verdict)
	require.Equal(t, [2]string{"0.00 EUR", "100.00 EUR"}, d.Amount)

	require.NoError(t, each.Add(span("98%", "99.9%"), ratio.Breach)) // of four: [10 %, 100 % + 25 %] / 4
	require.NoError(t, each.Add(exactly("100%"), ratio.Met))
	require.NoError(t, each.Add(exactly("100%"), ratio.Undecided))
	require.Error(t, each.Add(span("2%", "1%"), ratio.Breach))
	require.Error(t, each.Add(exactly("1%"), ""))
	d, err = each.Due("vm", "300.00 EUR", time.Time{})
	require.NoError(t, err)
	require.Equal(t, ratio.Breach, d.Verdict, "the worst stays")
	require.Equal(t, 0, d.Credit.Low.Cmp(of("1/60")), d.Credit.Low)
	require.Equal(t, 0, d.Credit.High.Cmp(of("125/600")), d.Credit.High)
	require.Equal(t, [2]string{"5.00 EUR", "62.50 EUR"}, d.Amount)

	d, err = tab.Each().Due("vm", "300.00 EUR", time.Time{})
	require.NoError(t, err)
	require.Equal(t, ratio.Undecided, d.Verdict, "nothing is known")
	require.Equal(t, [2]string{"0.00 EUR", "300.00 EUR"}, d.Amount)
}

func TestASumKeepsTheTableThatItBeganWith(t *testing.T) {
	tab := table()
	each := tab.Each()
	tab.Bands[0].Credit, tab.Bands[0].Below = of("99%"), of("50%")
	require.NoError(t, each.Add(exactly("99.9%"), ratio.Breach))
	d, err := each.Due("vm", "", time.Time{})
	require.NoError(t, err)
	require.Equal(t, "10%", d.Credit.Low.String())
}

// Of a table that is not valid a resource gives no more alone than it does to Due.
func TestNoResourceGivesMoreThanTheCap(t *testing.T) {
	tab := table()
	tab.Cap, tab.Bands[2].Credit = of("30%"), of("18446744073709551615/1")
	each := tab.Each()
	require.NoError(t, each.Add(exactly("90%"), ratio.Breach))
	require.NoError(t, each.Add(exactly("100%"), ratio.Met))
	d, err := each.Due("vm", "", time.Time{})
	require.NoError(t, err)
	require.Equal(t, [2]string{"15%", "15%"}, [2]string{d.Credit.Low.String(), d.Credit.High.String()})
}

func TestAMeanThat64BitsDoNotHoldIsRoundedOutward(t *testing.T) {
	tab := table()
	tab.Bands = []credit.Band{{of("99%"), of("1/18446744073709551615")}}
	each := tab.Each()
	for range 2 {
		require.NoError(t, each.Add(exactly("98%"), ratio.Breach))
	}
	require.NoError(t, each.Add(exactly("100%"), ratio.Met))
	d, err := each.Due("vm", "", time.Time{})
	require.NoError(t, err)
	require.Equal(t, "0/1000000000000000000 1/1000000000000000000",
		fmt.Sprintf("%d/%d %d/%d", d.Credit.Low.Num(), d.Credit.Low.Den(), d.Credit.High.Num(), d.Credit.High.Den()))
}
