package metric_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// paths returns the paths of the faults that an error joins.
func paths(err error) (list []string) {
	if err == nil {
		return nil
	}
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		list = append(list, e.(*metric.Fault).Path)
	}
	return list
}

func TestValidateNamesEverythingAtOnce(t *testing.T) {
	monthly := metric.Window{Calendar: "month", Zone: "Europe/Berlin"}
	slice := metric.Duration(time.Minute)
	target := parse(t, "99.95%")
	ok := metric.Objective{ID: "a", Target: target, Method: metric.Time, Window: monthly}
	change := func(f func(*metric.Objective)) metric.Objective {
		o := ok
		f(&o)
		return o
	}
	for _, c := range []struct {
		o    metric.Objective
		want []string
	}{
		{ok, nil},
		{change(func(o *metric.Objective) { o.Target, o.Degraded = ratio.One(), metric.DegradedUp }), nil},
		{change(func(o *metric.Objective) {
			o.Method, o.Slice, o.Run, o.Partial = metric.Slices, slice, 5, metric.PartialGood
		}), nil},
		{change(func(o *metric.Objective) {
			o.Method, o.Slice, o.Good, o.Least, o.Empty = metric.Slices, slice, target, 100, metric.EmptySkip
		}), nil},
		{change(func(o *metric.Objective) { o.Method, o.Empty = metric.Requests, metric.EmptyGood }), nil},
		{change(func(o *metric.Objective) { o.Method, o.Slice = metric.Requests, slice }), nil},
		{change(func(o *metric.Objective) { o.Method, o.Slice, o.Least = metric.MeanRate, 5*slice, 1 }), nil},
		{change(func(o *metric.Objective) { o.Window = metric.Window{Rolling: 30 * 24 * 60 * slice} }), nil},

		{metric.Objective{}, []string{"id", "target", "window.rolling", "method"}},
		{change(func(o *metric.Objective) {
			o.ID, o.Title, o.Scope = strings.Repeat("x", 200), strings.Repeat("x", 1000), strings.Repeat("x", 200)
		}), nil},
		{change(func(o *metric.Objective) { o.ID = strings.Repeat("x", 201) }), []string{"id"}},
		{change(func(o *metric.Objective) { o.Title = strings.Repeat("x", 1001) }), []string{"title"}},
		{change(func(o *metric.Objective) { o.Scope = strings.Repeat("x", 201) }), []string{"scope"}},
		{change(func(o *metric.Objective) { o.Target = parse(t, "100.1%") }), []string{"target"}},
		{change(func(o *metric.Objective) {
			o.Method, o.Slice, o.Good, o.Least, o.Run, o.Empty, o.Partial = "uptime", slice, target, 1, 1, metric.EmptyGood, metric.PartialBad
		}), []string{"method"}},
		{change(func(o *metric.Objective) {
			o.Method, o.Good, o.Run, o.Empty, o.Partial, o.Degraded = "uptime", parse(t, "101%"), -1, "x", "y", "z"
		}), []string{"method", "good", "minConsecutive", "empty", "partial", "degraded"}},
		{change(func(o *metric.Objective) { o.Slice = slice }), []string{"slice"}},
		{change(func(o *metric.Objective) { o.Good, o.Least, o.Run = target, 5, 1 }), []string{"good", "minRequests", "minConsecutive"}},
		{change(func(o *metric.Objective) { o.Empty, o.Partial, o.Degraded = "x", "y", "z" }), []string{"empty", "partial", "degraded"}},
		{change(func(o *metric.Objective) { o.Empty, o.Partial = metric.EmptyGood, metric.PartialBad }), []string{"empty", "partial"}},
		{change(func(o *metric.Objective) { o.Method, o.Run = metric.Slices, -1 }), []string{"slice", "minConsecutive"}},
		{change(func(o *metric.Objective) { o.Method, o.Slice = metric.Slices, 7*slice }), []string{"slice"}},
		{change(func(o *metric.Objective) { o.Method, o.Slice = metric.MeanRate, metric.Duration(time.Microsecond) }), []string{"slice"}},
		{change(func(o *metric.Objective) { o.Method, o.Slice = metric.MeanRate, metric.Duration(48*time.Hour) }), []string{"slice"}},
		{change(func(o *metric.Objective) { o.Method, o.Slice = metric.Requests, -slice }), []string{"slice"}},
		{change(func(o *metric.Objective) { o.Method, o.Slice, o.Run = metric.Slices, slice, 28*1440-120 }), nil}, // 28 days but for two hours
		{change(func(o *metric.Objective) { o.Method, o.Slice, o.Run = metric.Slices, slice, 28*1440-119 }), []string{"minConsecutive"}},
		{change(func(o *metric.Objective) {
			o.Method, o.Slice, o.Run, o.Window = metric.Slices, slice, 1440, metric.Window{Rolling: 1440 * slice}
		}), nil},
		{change(func(o *metric.Objective) {
			o.Method, o.Slice, o.Run, o.Window = metric.Slices, slice, 1441, metric.Window{Rolling: 1440 * slice}
		}), []string{"minConsecutive"}},
		{change(func(o *metric.Objective) { o.Method, o.Slice, o.Good = metric.Slices, slice, parse(t, "101%") }), []string{"good"}},
		{change(func(o *metric.Objective) {
			o.Method, o.Slice, o.Good, o.Partial, o.Degraded = metric.Slices, slice, target, metric.PartialGood, metric.DegradedUp
		}), []string{"partial", "degraded"}},
		{change(func(o *metric.Objective) { o.Method, o.Least = metric.Requests, 1 }), []string{"minRequests"}},
		{change(func(o *metric.Objective) {
			o.Window = metric.Window{Calendar: "fortnight", Zone: "Mars", Rolling: slice}
		}),
			[]string{"window.calendar", "window.rolling", "window.zone"}},
		{change(func(o *metric.Objective) { o.Window = metric.Window{Rolling: slice, Zone: "UTC"} }), []string{"window.zone"}},
		{change(func(o *metric.Objective) {
			o.Method, o.Slice, o.Window = metric.MeanRate, metric.Duration(10*time.Millisecond), metric.Window{Rolling: 3660 * 24 * 60 * slice}
		}), nil},
		{change(func(o *metric.Objective) {
			o.Method, o.Slice, o.Window = metric.Slices, metric.Duration(5*time.Millisecond), metric.Window{Rolling: 3660 * 24 * 60 * slice}
		}), nil},
		{change(func(o *metric.Objective) {
			o.Method, o.Slice, o.Window = metric.MeanRate, metric.Duration(time.Millisecond), metric.Window{Rolling: (1<<35 - 1) * metric.Duration(time.Millisecond)}
		}), nil},
		{change(func(o *metric.Objective) {
			o.Method, o.Slice, o.Window = metric.MeanRate, metric.Duration(time.Millisecond), metric.Window{Rolling: (1 << 35) * metric.Duration(time.Millisecond)}
		}), []string{"slice"}},
		{change(func(o *metric.Objective) {
			o.Method, o.Slice, o.Window = metric.MeanRate, metric.Duration(5*time.Millisecond), metric.Window{Rolling: 3660 * 24 * 60 * slice}
		}), []string{"slice"}},
		{change(func(o *metric.Objective) { o.Window = metric.Window{Rolling: 1} }), []string{"window.rolling"}},
		{change(func(o *metric.Objective) { o.Window = metric.Window{Rolling: 3661 * 24 * 60 * slice} }), []string{"window.rolling"}},
	} {
		err := c.o.Validate()
		require.Equal(t, c.want, paths(err), "%+v", c.o)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
		}
		require.Equal(t, c.o.Window.Validate() == nil, !strings.Contains(strings.Join(c.want, " "), "window"))
	}
}

func TestObjectiveInJSON(t *testing.T) {
	const text = `{"id":"api","target":"99.95%","method":"slices","window":{"calendar":"month","zone":"Europe/Berlin"},` +
		`"slice":"1m0s","good":"95%","minRequests":10,"minConsecutive":5,"empty":"good"}`
	var o metric.Objective
	require.NoError(t, json.Unmarshal([]byte(text), &o))
	require.NoError(t, o.Validate())
	again, err := json.Marshal(o)
	require.NoError(t, err)
	require.JSONEq(t, text, string(again))
	again, err = json.Marshal(metric.Result{Counted: metric.Tally{Good: 1}})
	require.NoError(t, err)
	require.JSONEq(t, `{"raw":{"good":0,"bad":0,"unknown":0,"excluded":0},"counted":{"good":1,"bad":0,"unknown":0,"excluded":0}}`, string(again))
}
