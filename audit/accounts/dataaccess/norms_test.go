package dataaccess_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts/dataaccess"
)

// drawAccesses are of a few operators within some days.
func drawAccesses(t *rapid.T, persons ...string) (list []dataaccess.Access) {
	for range rapid.IntRange(1, 60).Draw(t, "rows") {
		a := access(rapid.SampledFrom(persons).Draw(t, "person"),
			monday.Add(time.Duration(rapid.IntRange(0, 30*24).Draw(t, "hour"))*time.Hour), opsec.TenantID(rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "customer")))
		a.Operator.Duty = rapid.SampledFrom([]string{"storage", "network"}).Draw(t, "duty")
		a.Records = uint64(rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(0, 100), rapid.IntRange(0, 5000)).Draw(t, "records"))
		a.Bytes = rapid.Uint64Range(0, 4<<20).Draw(t, "bytes")
		list = append(list, a)
	}
	return list
}

// busiest says how much each operator took on the busiest day, plainly.
func busiest(list []dataaccess.Access, duty string, of func(dataaccess.Access) uint64) []uint64 {
	days := map[string]map[string]uint64{}
	for _, a := range list {
		if a.Operator.Duty == duty {
			if days[a.Operator.Person] == nil {
				days[a.Operator.Person] = map[string]uint64{}
			}
			days[a.Operator.Person][a.Time.Format(time.DateOnly)] += of(a)
		}
	}
	var most []uint64
	for _, d := range days {
		var m uint64
		for _, v := range d {
			m = max(m, v)
		}
		most = append(most, m)
	}
	slices.Sort(most)
	return most
}

func recordsOf(a dataaccess.Access) uint64 { return max(a.Records, 1) }
func bytesOf(a dataaccess.Access) uint64   { return a.Bytes }

func TestNormsAreTheMedianPeersBusiestDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawAccesses(t, "ann", "bob", "eve", "joe", "zoe")
		norms, err := dataaccess.Policy{}.Norms(rows(list...))
		require.NoError(t, err)
		for _, duty := range []string{"storage", "network"} {
			records, bytes, operators := norms.Usual(duty)
			for what, got := range map[string]struct {
				usual uint64
				want  []uint64
			}{"records": {records, busiest(list, duty, recordsOf)}, "bytes": {bytes, busiest(list, duty, bytesOf)}} {
				require.EqualValues(t, len(got.want), operators)
				if operators == 0 {
					require.Zero(t, got.usual)
					continue
				}
				median := got.want[(len(got.want)-1)/2]
				require.GreaterOrEqual(t, got.usual, median, what)
				require.LessOrEqual(t, got.usual, median+median/16, what)
			}
		}
	})
}

func TestNormsOfSitesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, other := drawAccesses(t, "ann", "bob"), drawAccesses(t, "eve", "zoe")
		whole, err := dataaccess.Policy{}.Norms(rows(slices.Concat(one, other)...))
		require.NoError(t, err)
		var sum dataaccess.Norms
		for _, list := range [][]dataaccess.Access{one, other} {
			part, err := dataaccess.Policy{}.Norms(rows(list...))
			require.NoError(t, err)
			require.NoError(t, sum.Merge(part))
		}
		require.Equal(t, *whole, sum)
		text, err := json.Marshal(sum)
		require.NoError(t, err)
		var back dataaccess.Norms
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, *whole, back)
	})
}

func TestNormsHoldTheLargest(t *testing.T) {
	a := access("eve", monday, "acme")
	a.Records, a.Bytes = math.MaxUint64, math.MaxUint64
	b := a
	b.Time = b.Time.Add(1)
	norms, err := dataaccess.Policy{}.Norms(rows(a, b))
	require.NoError(t, err)
	records, bytes, _ := norms.Usual("storage")
	require.Equal(t, []uint64{math.MaxUint64, math.MaxUint64}, []uint64{records, bytes})
}

func TestOneOfManyPeersDoesNotShiftTheNorm(t *testing.T) {
	var list []dataaccess.Access
	for i := range 5 {
		list = append(list, weeks(4, fmt.Sprintf("peer%d", i), 20)...)
	}
	before, err := policy().Norms(rows(list...))
	require.NoError(t, err)
	for _, a := range weeks(4, "thief", 1) {
		for i := range 50 {
			a.Time, a.Records = a.Time.Add(time.Duration(i)), 10_000
			list = append(list, a)
		}
	}
	after, err := policy().Norms(rows(list...))
	require.NoError(t, err)
	r1, b1, _ := before.Usual("storage")
	r2, b2, operators := after.Usual("storage")
	require.Equal(t, []uint64{r1, b1, 6}, []uint64{r2, b2, operators})
}

func TestNormsAreBounded(t *testing.T) {
	var list []dataaccess.Access
	for i := range 1025 {
		a := access(fmt.Sprintf("p%04d", i), monday, "acme")
		a.Operator.Duty = fmt.Sprint("duty", i)
		list = append(list, a)
	}
	_, err := dataaccess.Policy{}.Norms(rows(list...))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	whole, err := dataaccess.Policy{}.Norms(rows(list[:1024]...))
	require.NoError(t, err)
	rest, err := dataaccess.Policy{}.Norms(rows(list[1024:]...))
	require.NoError(t, err)
	require.ErrorIs(t, whole.Merge(rest), opsec.ErrInvalid)
	for i := range list {
		list[i].Operator = operator("eve")
		list[i].Operator.Duty = fmt.Sprint("duty", i)
	}
	_, err = dataaccess.Policy{}.Norms(rows(list...))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, "one operator")
	for i := range list {
		list[i].Time = monday.Add(time.Duration(i%3) * day)
	}
	_, err = dataaccess.Policy{}.Norms(rows(list...))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	for i := range list {
		list[i].Operator.Duty = fmt.Sprint("duty", i%1000)
	}
	_, err = dataaccess.Policy{}.Norms(rows(list...))
	require.NoError(t, err, "a duty of every day counts once")
}

func TestNormsThatNobodyMeasuredAreRefused(t *testing.T) {
	good := `{"duties":{"storage":{"operators":2,"records":{"7":2},"bytes":{"975":1,"0":1}}}}`
	var n dataaccess.Norms
	require.NoError(t, json.Unmarshal([]byte(good), &n))
	for _, bad := range []string{
		`{"duties":{"storage":null}}`, `{"duties":{"storage":{"operators":0,"records":{},"bytes":{}}}}`,
		`{"duties":{"storage":{"operators":2,"records":{"7":1},"bytes":{"7":2}}}}`,
		`{"duties":{"storage":{"operators":2,"records":{"7":3},"bytes":{"7":2}}}}`,
		`{"duties":{"storage":{"operators":2,"records":{"976":2},"bytes":{"7":2}}}}`,
		`{"duties":{"storage":{"operators":2,"records":{"7":2,"8":0},"bytes":{"7":2}}}}`,
		`{"duties":{"storage":{"operators":2,"records":{"7":2},"bytes":null}}}`,
		`{"duties":{"storage":{"operators":2,"records":{"7":2},"bytes":{"7":2},"x":1}}}`, `{"duty":{}}`, `[]`,
	} {
		before := n
		require.ErrorIs(t, json.Unmarshal([]byte(bad), &n), opsec.ErrInvalid, bad)
		require.Equal(t, before, n)
	}
}

// A plain examination in memory, with sums over whole lists, finds the same volumes.
func TestVolumesAgreeWithAPlainCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawAccesses(t, "ann", "eve", "zoe")
		p := dataaccess.Policy{
			MinDays: rapid.IntRange(1, 4).Draw(t, "min"), HistoryDays: rapid.IntRange(4, 40).Draw(t, "history"),
			Deviations: rapid.IntRange(1, 6).Draw(t, "deviations"), PeerFactor: 1, MinPeers: 2,
			FloorRecords: uint64(rapid.SampledFrom([]int{1, 100}).Draw(t, "floor")),
			Duties:       map[string]dataaccess.Limits{"": {Records: 1000, Bytes: 3 << 20}},
		}
		norms, err := p.Norms(rows(drawAccesses(t, "p1", "p2", "p3")...))
		require.NoError(t, err)
		got := map[string]int{}
		for f, err := range p.Examine(t.Context(), dataaccess.Sources{Accesses: rows(list...), Norms: norms}) {
			require.NoError(t, err)
			if f.Kind != dataaccess.Breadth {
				got[fmt.Sprint(f.Kind, f.Operator.Person, f.Since.Format(time.DateOnly))]++
			}
		}
		require.Equal(t, plainly(list, p, norms), got)
	})
}

func plainly(list []dataaccess.Access, p dataaccess.Policy, norms *dataaccess.Norms) map[string]int {
	type sums struct{ records, bytes uint64 }
	found := map[string]int{}
	for _, person := range []string{"ann", "eve", "zoe"} {
		var past []struct {
			day int
			sums
		}
		for d := range 32 {
			date := monday.Add(time.Duration(d) * day).Format(time.DateOnly)
			total, duties, any := sums{}, map[string]sums{}, false
			for _, a := range list {
				if a.Operator.Person == person && a.Time.Format(time.DateOnly) == date {
					any = true
					total.records, total.bytes = total.records+recordsOf(a), total.bytes+a.Bytes
					s := duties[a.Operator.Duty]
					duties[a.Operator.Duty] = sums{s.records + recordsOf(a), s.bytes + a.Bytes}
				}
			}
			if !any {
				continue
			}
			for duty, s := range duties {
				if s.records > 1000 || s.bytes > 3<<20 {
					found[fmt.Sprint(dataaccess.AboveCeiling, person, date)]++
				}
				if r, b, n := norms.Usual(duty); n >= 2 && (s.records > max(p.FloorRecords, r) || s.bytes > max(1<<20, b)) {
					found[fmt.Sprint(dataaccess.AbovePeers, person, date)]++
				}
			}
			var records, bytes []uint64
			for _, h := range past {
				if h.day >= d-p.HistoryDays {
					records, bytes = append(records, h.records), append(bytes, h.bytes)
				}
			}
			if len(records) >= p.MinDays {
				usual := sums{max(p.FloorRecords, usual(records, p.Deviations)), max(1<<20, usual(bytes, p.Deviations))}
				if total.records > usual.records || total.bytes > usual.bytes {
					found[fmt.Sprint(dataaccess.AboveOwn, person, date)]++
				}
				total = sums{min(total.records, usual.records), min(total.bytes, usual.bytes)}
			}
			past = append(past, struct {
				day int
				sums
			}{d, total})
		}
	}
	return found
}

func usual(list []uint64, deviations int) uint64 {
	middle := func(list []uint64) int64 {
		sorted := slices.Sorted(slices.Values(list))
		return int64(sorted[(len(sorted)-1)/2])
	}
	m := middle(list)
	var apart []uint64
	for _, v := range list {
		apart = append(apart, uint64(max(int64(v)-m, m-int64(v))))
	}
	return uint64(m + int64(deviations)*max(middle(apart), m/8, 1))
}
