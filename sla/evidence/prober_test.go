package evidence_test

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/evidence"
	"github.com/cloudopsec/opsec/sla/meter"
)

// steps is a clock that goes on only while somebody waits.
type steps struct{ now atomic.Int64 }

func (c *steps) Now() time.Time { return time.UnixMilli(c.now.Load()) }

func (c *steps) Wait(ctx context.Context, d time.Duration) error {
	c.now.Add(d.Milliseconds())
	return ctx.Err()
}

func minutely(source string) evidence.ProbePolicy {
	return evidence.ProbePolicy{Source: source, Interval: time.Minute, Timeout: 10 * time.Second, Gap: 2 * time.Minute, Parallel: 4}
}

func TestAWeekOfProbesAgainstAServer(t *testing.T) {
	clock := &steps{}
	clock.now.Store(march)
	end := time.UnixMilli(march).AddDate(0, 0, 7)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if minute := (clock.now.Load() - march) / 60_000; minute >= 1000 && minute < 1090 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	policy := minutely("probe-1")
	policy.Join = 24 * time.Hour
	p, err := evidence.NewProber([]evidence.Target{
		{Resource: "api", Check: &evidence.HTTP{URL: server.URL, Client: server.Client()}},
	}, policy, &evidence.ProbeOptions{Now: clock.Now, Wait: clock.Wait, Until: end})
	require.NoError(t, err)
	sum := map[meter.State]int64{}
	n := 0
	require.NoError(t, p.Run(t.Context(), func(e meter.Evidence) error {
		require.Equal(t, "probe-1", e.Source)
		require.Equal(t, uint64(e.Span.Start), e.Seq)
		sum[e.State] += e.Span.End - e.Span.Start
		n++
		return nil
	}))
	require.Equal(t, map[meter.State]int64{meter.Up: (7*1440 - 90) * 60_000, meter.Down: 90 * 60_000}, sum)
	require.Equal(t, 7+2, n, "a span a day, and one outage within a day")
}

func TestRunEndsWithItsContextAndHandsOutWhatItHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		begun := time.Now().UnixMilli()
		p, err := evidence.NewProber([]evidence.Target{
			{Resource: "b", Check: always(meter.Up)},
			{Resource: "a", Check: always(meter.Degraded)},
			{Resource: "hangs", Check: evidence.CheckFunc(func(ctx context.Context) (meter.State, error) {
				<-ctx.Done()
				return meter.Down, ctx.Err()
			})},
		}, minutely("p"), nil)
		require.NoError(t, err)
		var got []meter.Evidence
		require.NoError(t, p.Run(ctx, func(e meter.Evidence) error { got = append(got, e); return nil }))
		at := func(s int64) int64 { return begun + s*1000 }
		seq := func(s int64) uint64 { return uint64(at(s)) }
		require.Equal(t, []meter.Evidence{
			state("p", seq(0), "b", at(0), at(60), meter.Up),
			state("p", seq(0), "a", at(0), at(60), meter.Degraded),
			state("p", seq(0), "hangs", at(0), at(60), meter.Down),
			state("p", seq(60), "b", at(60), at(120), meter.Up),
			state("p", seq(60), "a", at(60), at(120), meter.Degraded),
			state("p", seq(60), "hangs", at(60), at(120), meter.Down),
			state("p", seq(120), "a", at(120), at(150), meter.Degraded),
			state("p", seq(120), "b", at(120), at(150), meter.Up),
			state("p", seq(120), "hangs", at(120), at(150), meter.Down),
		}, got)
	})
}

func always(s meter.State) evidence.Check {
	return evidence.CheckFunc(func(context.Context) (meter.State, error) { return s, nil })
}

func TestACheckThatTheEndCutsOffHasNoResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 65*time.Second)
		defer cancel()
		begun := time.Now().UnixMilli()
		first := true
		p, err := evidence.NewProber([]evidence.Target{{Resource: "a", Check: evidence.CheckFunc(func(ctx context.Context) (meter.State, error) {
			if first {
				first = false
				return meter.Up, nil
			}
			<-ctx.Done()
			return meter.Down, ctx.Err()
		})}}, minutely("p"), nil)
		require.NoError(t, err)
		var got []meter.Evidence
		require.NoError(t, p.Run(ctx, func(e meter.Evidence) error { got = append(got, e); return nil }))
		require.Equal(t, []meter.Evidence{state("p", uint64(begun), "a", begun, begun+65_000, meter.Up)}, got)
	})
}

func TestWhatFailsWhileTheControlFailsIsUnknown(t *testing.T) {
	clock := &steps{}
	clock.now.Store(march)
	round := func() int64 { return (clock.now.Load() - march) / 60_000 }
	by := func(states ...meter.State) evidence.Check {
		return evidence.CheckFunc(func(context.Context) (meter.State, error) { return states[round()], nil })
	}
	const u, d, g = meter.Up, meter.Down, meter.Degraded
	p, err := evidence.NewProber([]evidence.Target{
		{Resource: "a", Check: by(u, d, d, u, g)},
	}, minutely("p"), &evidence.ProbeOptions{
		Now: clock.Now, Wait: clock.Wait, Until: time.UnixMilli(march + 300_000), Control: by(u, u, d, d, g),
	})
	require.NoError(t, err)
	var got []meter.Evidence
	require.NoError(t, p.Run(t.Context(), func(e meter.Evidence) error { got = append(got, e); return nil }))
	require.Equal(t, []meter.Evidence{
		state("p", march, "a", march, march+60_000, u),
		state("p", march+60_000, "a", march+60_000, march+120_000, d),
		state("p", march+180_000, "a", march+180_000, march+240_000, u),
	}, got)
}

func TestAClockThatGoesBackShiftsNothing(t *testing.T) {
	clock := &steps{}
	clock.now.Store(march)
	rounds := 0
	wait := func(ctx context.Context, d time.Duration) error {
		require.Positive(t, d)
		require.LessOrEqual(t, d, time.Minute)
		if rounds++; rounds == 3 {
			clock.now.Add(-600_500) // 10 minutes and a half second
		}
		return clock.Wait(ctx, d)
	}
	p, err := evidence.NewProber([]evidence.Target{{Resource: "a", Check: always(meter.Up)}},
		minutely("p"), &evidence.ProbeOptions{Now: clock.Now, Wait: wait, Until: time.UnixMilli(march + 240_000)})
	require.NoError(t, err)
	var got []meter.Evidence
	require.NoError(t, p.Run(t.Context(), func(e meter.Evidence) error { got = append(got, e); return nil }))
	for i, e := range got {
		require.Less(t, e.Span.Start, e.Span.End)
		if i > 0 {
			require.GreaterOrEqual(t, e.Span.Start, got[i-1].Span.End)
		}
	}
	require.Equal(t, int64(march), got[0].Span.Start)
	require.Equal(t, int64(march+240_000), got[len(got)-1].Span.End)
}

func TestARoundThatTakesTooLongLeavesOutThoseItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var at []time.Duration
		slow := evidence.CheckFunc(func(ctx context.Context) (meter.State, error) {
			at = append(at, time.Since(begun))
			<-ctx.Done()
			return meter.Down, nil
		})
		p, err := evidence.NewProber([]evidence.Target{{"a", slow}, {"b", slow}, {"c", slow}}, evidence.ProbePolicy{
			Source: "p", Interval: time.Minute, Timeout: 30 * time.Second, Gap: time.Minute, Parallel: 1,
		}, &evidence.ProbeOptions{Until: begun.Add(2 * time.Minute)})
		require.NoError(t, err)
		var got []meter.Evidence
		require.NoError(t, p.Run(t.Context(), func(e meter.Evidence) error { got = append(got, e); return nil }))
		require.Equal(t, []time.Duration{0, 30 * time.Second, 60 * time.Second}, at)
		for _, e := range got {
			require.Equal(t, int64(60_000), e.Span.End-e.Span.Start, "no longer than the gap")
		}
		require.Len(t, got, 3)
	})
}

func TestAnErrorOfWhoTakesTheEvidenceEndsTheRun(t *testing.T) {
	clock := &steps{}
	clock.now.Store(march)
	for _, until := range []int64{march + 1000, march + 600_000} {
		p, err := evidence.NewProber([]evidence.Target{{"a", always(meter.Up)}}, minutely("p"),
			&evidence.ProbeOptions{Now: clock.Now, Wait: clock.Wait, Until: time.UnixMilli(until)})
		require.NoError(t, err)
		require.ErrorIs(t, p.Run(t.Context(), func(meter.Evidence) error { return errFull }), errFull)
	}
	p, err := evidence.NewProber([]evidence.Target{{"a", always(9)}}, minutely("p"), nil)
	require.NoError(t, err)
	require.ErrorIs(t, p.Run(t.Context(), func(meter.Evidence) error { return nil }), opsec.ErrInvalid, "a state that is none")
}

func TestTheLogTellsChangesAndNoAddress(t *testing.T) {
	var text strings.Builder
	clock := &steps{}
	clock.now.Store(march)
	p, err := evidence.NewProber([]evidence.Target{{"a", &evidence.HTTP{URL: "http://user:secret@127.0.0.1:1/?token=secret"}}}, minutely("p"),
		&evidence.ProbeOptions{
			Now: clock.Now, Wait: clock.Wait, Until: time.UnixMilli(march + 300_000),
			Logger: slog.New(slog.NewTextHandler(&text, nil)),
		})
	require.NoError(t, err)
	require.NoError(t, p.Run(t.Context(), func(meter.Evidence) error { return nil }))
	require.Equal(t, 1, strings.Count(text.String(), "\n"), text.String())
	require.Contains(t, text.String(), "resource=a state=down why=")
	require.NotContains(t, text.String(), "secret")
}

func TestProbersThatAreNone(t *testing.T) {
	good := evidence.Target{Resource: "a", Check: always(meter.Up)}
	for name, change := range map[string]func(*evidence.ProbePolicy, *[]evidence.Target, *evidence.ProbeOptions){
		"source":   func(p *evidence.ProbePolicy, _ *[]evidence.Target, _ *evidence.ProbeOptions) { p.Source = "" },
		"interval": func(p *evidence.ProbePolicy, _ *[]evidence.Target, _ *evidence.ProbeOptions) { p.Interval = 0 },
		"timeout":  func(p *evidence.ProbePolicy, _ *[]evidence.Target, _ *evidence.ProbeOptions) { p.Timeout = 0 },
		"timeout > i": func(p *evidence.ProbePolicy, _ *[]evidence.Target, _ *evidence.ProbeOptions) {
			p.Timeout = p.Interval + 1
		},
		"gap": func(p *evidence.ProbePolicy, _ *[]evidence.Target, _ *evidence.ProbeOptions) { p.Gap = p.Interval - 1 },
		"gap > year": func(p *evidence.ProbePolicy, _ *[]evidence.Target, _ *evidence.ProbeOptions) {
			p.Gap = 367 * 24 * time.Hour
		},
		"join": func(p *evidence.ProbePolicy, _ *[]evidence.Target, _ *evidence.ProbeOptions) { p.Join = -1 },
		"join in µs": func(p *evidence.ProbePolicy, _ *[]evidence.Target, _ *evidence.ProbeOptions) {
			p.Join = time.Microsecond
		},
		"parallel":    func(p *evidence.ProbePolicy, _ *[]evidence.Target, _ *evidence.ProbeOptions) { p.Parallel = 0 },
		"no target":   func(_ *evidence.ProbePolicy, l *[]evidence.Target, _ *evidence.ProbeOptions) { *l = nil },
		"twice":       func(_ *evidence.ProbePolicy, l *[]evidence.Target, _ *evidence.ProbeOptions) { *l = append(*l, good) },
		"no check":    func(_ *evidence.ProbePolicy, l *[]evidence.Target, _ *evidence.ProbeOptions) { (*l)[0].Check = nil },
		"no resource": func(_ *evidence.ProbePolicy, l *[]evidence.Target, _ *evidence.ProbeOptions) { (*l)[0].Resource = "" },
		"long": func(_ *evidence.ProbePolicy, l *[]evidence.Target, _ *evidence.ProbeOptions) {
			(*l)[0].Resource = strings.Repeat("x", meter.MaxName+1)
		},
		"check": func(_ *evidence.ProbePolicy, l *[]evidence.Target, _ *evidence.ProbeOptions) {
			(*l)[0].Check = &evidence.TCP{Address: "x"}
		},
		"control": func(_ *evidence.ProbePolicy, _ *[]evidence.Target, o *evidence.ProbeOptions) {
			o.Control = &evidence.HTTP{URL: "ftp://x"}
		},
	} {
		p, list, o := minutely("p"), []evidence.Target{good}, evidence.ProbeOptions{}
		change(&p, &list, &o)
		none, err := evidence.NewProber(list, p, &o)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		require.Nil(t, none, name)
	}
}

func TestHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			w.Write([]byte("it works"))
		case "/moved":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/hang":
			<-r.Context().Done()
		case "/cut":
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("x"))
		case "/slow":
			time.Sleep(30 * time.Millisecond)
		case "/large":
			w.Write(make([]byte, 2*evidence.MaxBody))
			w.Write([]byte("end"))
		case "/head":
			if r.Method != http.MethodHead || r.Header.Get("X-Probe") != "1" || r.Host != "shop.example" {
				w.WriteHeader(http.StatusBadRequest)
			}
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	tls := httptest.NewUnstartedServer(http.NotFoundHandler())
	tls.Config.ErrorLog = log.New(io.Discard, "", 0)
	tls.StartTLS()
	defer tls.Close()
	for _, c := range []struct {
		path  string
		check evidence.HTTP
		want  meter.State
		why   string
	}{
		{"/ok", evidence.HTTP{}, meter.Up, ""},
		{"/ok", evidence.HTTP{Contains: "works", Slow: time.Minute}, meter.Up, ""},
		{"/ok", evidence.HTTP{Contains: "broken"}, meter.Down, "lacks"},
		{"/ok", evidence.HTTP{Statuses: []int{204}}, meter.Down, "status 200"},
		{"/moved", evidence.HTTP{}, meter.Down, "status 302"},
		{"/moved", evidence.HTTP{Statuses: []int{302}}, meter.Up, ""},
		{"/moved", evidence.HTTP{Client: http.DefaultClient}, meter.Up, ""},
		{"/none", evidence.HTTP{}, meter.Down, "status 404"},
		{"/hang", evidence.HTTP{}, meter.Down, "deadline"},
		{"/cut", evidence.HTTP{}, meter.Down, "body: unexpected EOF"},
		{"/slow", evidence.HTTP{Slow: time.Millisecond}, meter.Degraded, "more than 1ms"},
		{"/large", evidence.HTTP{}, meter.Up, ""},
		{"/large", evidence.HTTP{Contains: "end"}, meter.Down, "lacks"},
		{"/head", evidence.HTTP{Method: "HEAD", Header: http.Header{"X-Probe": {"1"}, "Host": {"shop.example"}}}, meter.Up, ""},
		{tls.URL, evidence.HTTP{}, meter.Down, "certificate"},
		{"http://127.0.0.1:1", evidence.HTTP{}, meter.Down, "refused"},
	} {
		c.check.URL = server.URL + c.path
		if strings.HasPrefix(c.path, "http") {
			c.check.URL = c.path
		}
		require.NoError(t, c.check.Validate())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		got, why := c.check.Check(ctx)
		cancel()
		require.Equal(t, c.want, got, "%s: %v", c.path, why)
		if c.want == meter.Up {
			require.NoError(t, why)
		} else {
			require.ErrorContains(t, why, c.why)
		}
	}
	for _, h := range []evidence.HTTP{{URL: "x"}, {URL: "ftp://x"}, {URL: "http://"}, {URL: "http://a b"}, {URL: "http://a", Method: "A B"},
		{URL: "http://a", Slow: -1}, {URL: "http://a", Statuses: []int{99}}, {URL: "http://a", Contains: strings.Repeat("x", evidence.MaxBody+1)}} {
		require.ErrorIs(t, h.Validate(), opsec.ErrInvalid)
	}
	for _, c := range []struct{ name, value string }{{"", "x"}, {"a b", "x"}, {"a:", "x"}, {"a\"", "x"}, {"é", "x"}, {"a\x7f", "x"}, {"a", "x\n"}, {"a", "\x7f"}} {
		h := evidence.HTTP{URL: server.URL + "/ok", Header: http.Header{c.name: {"good", c.value}}}
		require.ErrorIs(t, h.Validate(), opsec.ErrInvalid, "%q", c)
		got, why := h.Check(t.Context())
		require.Equal(t, meter.Down, got, "%q: if it works it is not wrong", c)
		require.ErrorContains(t, why, "invalid header")
	}
	odd := evidence.HTTP{URL: server.URL + "/ok", Header: http.Header{"!#$%&'*+-.^_`|~09azAZ": {"", "a\tb", "ü"}}}
	require.NoError(t, odd.Validate())
	got, why := odd.Check(t.Context())
	require.NoError(t, why)
	require.Equal(t, meter.Up, got)
}

func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &evidence.TCP{Address: l.Addr().String()}
	require.NoError(t, c.Validate())
	got, why := c.Check(t.Context())
	require.NoError(t, why)
	require.Equal(t, meter.Up, got)
	c.Slow = 1
	got, _ = c.Check(t.Context())
	require.Equal(t, meter.Degraded, got)
	l.Close()
	got, why = c.Check(t.Context())
	require.Error(t, why)
	require.False(t, errors.Is(why, opsec.ErrInvalid))
	require.Equal(t, meter.Down, got)
	for _, bad := range []evidence.TCP{{}, {Address: "x"}, {Address: ":1"}, {Address: "x:"}, {Address: "x:1", Slow: -1}} {
		require.ErrorIs(t, bad.Validate(), opsec.ErrInvalid)
	}
}

func TestNothingIsSaidOfTheTimeAfterTheEnd(t *testing.T) {
	clock := &steps{}
	clock.now.Store(march)
	p, err := evidence.NewProber([]evidence.Target{{"a", always(meter.Up)}}, minutely("p"),
		&evidence.ProbeOptions{Now: clock.Now, Wait: clock.Wait, Until: time.UnixMilli(march + 90_000)})
	require.NoError(t, err)
	var got []meter.Evidence
	require.NoError(t, p.Run(t.Context(), func(e meter.Evidence) error { got = append(got, e); return nil }))
	require.Len(t, got, 2)
	require.Equal(t, int64(march+90_000), got[1].Span.End)
}
