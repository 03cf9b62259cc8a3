package evidence_test

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/evidence"
	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// logs are what the exporter wrote: 0.23 as logfmt and JSON, and later ones.
const logs = `ts=2026-03-01T00:00:00.000Z caller=main.go:78 level=info msg="Starting blackbox_exporter" version="(version=0.23.0)"
ts=2026-03-01T00:00:00.007Z caller=handler.go:184 module=http_2xx target=http://127.0.0.1:18080/ level=debug msg="Beginning probe" probe=http timeout_seconds=2
ts=2026-03-01T00:00:00.008Z caller=handler.go:184 module=http_2xx target=http://127.0.0.1:18080/ level=debug msg="Resolving target address" target=127.0.0.1 ip_protocol=ip4
ts=2026-03-01T00:00:00.010Z caller=handler.go:184 module=http_2xx target=http://127.0.0.1:18080/ level=debug msg="Probe succeeded" duration_seconds=0.002201872
ts=2026-03-01T00:00:05.000Z caller=handler.go:184 module=tcp_connect target=127.0.0.1:18080 level=debug msg="Probe succeeded" duration_seconds=5.37834e-05
ts=2026-03-01T00:00:15.888Z caller=handler.go:184 module=http_2xx target="http://127.0.0.1:18080/none \"x" level=debug msg="Invalid HTTP response status code, wanted 2xx" status_code=404
ts=2026-03-01T00:00:15.889Z caller=handler.go:184 module=http_2xx target="http://127.0.0.1:18080/none \"x" level=debug msg="Probe failed" duration_seconds=0.889
{"caller":"handler.go:184","duration_seconds":0.01,"level":"debug","module":"http_2xx","msg":"Probe failed","target":"http://127.0.0.1:18080/","ts":"2026-03-01T00:00:15.02Z"}

{"caller":"handler.go:184","level":"debug","module":"http_2xx","msg":"Error for HTTP request","err":"Probe failed","target":"http://127.0.0.1:18080/","ts":"2026-03-01T00:00:15.02Z"}
time=2026-03-01T01:00:30.040+01:00 level=ERROR source=handler.go:141 msg="Probe failed" module=http_2xx target=http://127.0.0.1:18080/ duration_seconds=0.03
time=2026-03-01T01:00:40.000+01:00 level=DEBUG source=handler.go:139 msg="Probe succeeded" module=http_2xx target=http://127.0.0.1:18080/ duration_seconds=20
`

func TestBlackboxLog(t *testing.T) {
	const a, b, c = "http://127.0.0.1:18080/", "127.0.0.1:18080", `http://127.0.0.1:18080/none "x`
	s := func(source, resource string, start, end int64, is meter.State) meter.Evidence {
		return state(source, uint64(march+start), resource, march+start, march+end, is)
	}
	track := &evidence.Track{Source: "bb", Gap: 30 * time.Second}
	require.Equal(t, []meter.Evidence{
		s("bb/http_2xx", a, 7, 15_010, meter.Up),
		s("bb/http_2xx", a, 15_010, 30_010, meter.Down),
	}, all(t, evidence.BlackboxLog(strings.NewReader(logs), "f", track, nil)))
	require.Equal(t, []meter.Evidence{
		s("bb/tcp_connect", b, 4_999, 34_999, meter.Up),
		s("bb/http_2xx", a, 30_010, 60_010, meter.Down), // what began before it, and was up, does not take that back
		s("bb/http_2xx", c, 15_000, 45_000, meter.Down),
	}, track.End(march+100_000))

	track = &evidence.Track{Source: "bb", Gap: 30 * time.Second}
	tcp := func(module, target string) string {
		if module == "tcp_connect" {
			return "db"
		}
		return ""
	}
	half := strings.Index(logs, "ts=2026-03-01T00:00:15")
	require.Empty(t, all(t, evidence.BlackboxLog(strings.NewReader(logs[:half]), "f.1", track, tcp)))
	require.Empty(t, all(t, evidence.BlackboxLog(strings.NewReader(logs[half:]), "f", track, tcp)))
	require.Equal(t, []meter.Evidence{s("bb/tcp_connect/9d876e73acea26d4", "db", 4_999, 20_000, meter.Up)}, track.End(march+20_000))
}

// TestNoModuleTakesBackWhatAnotherSaw is of one target that two modules probe in turn, and of two targets that are one resource.
func TestNoModuleTakesBackWhatAnotherSaw(t *testing.T) {
	for _, targets := range [][2]string{{"api", "api"}, {"http://10.0.0.1/?token=secret", "http://10.0.0.2/"}} {
		for _, modules := range [][2]string{{"get", "get"}, {"get", "post"}, {"get", "\x01"}, {strings.Repeat("x", meter.MaxName), "get"}} {
			if targets[0] == targets[1] && modules[0] == modules[1] {
				continue
			}
			var log strings.Builder
			for second := range 60 {
				i, is := second%2, "succeeded"
				if i == 1 && second >= 20 && second < 40 {
					is = "failed"
				}
				fmt.Fprintf(&log, `{"time":"2026-03-01T00:00:%02dZ","msg":"Probe %s","module":%s,"target":%q,"duration_seconds":0,"target":"x"}`+"\n",
					second, is, strings.ReplaceAll(strconv.Quote(modules[i]), `\x`, `\u00`), targets[i])
			}
			track := &evidence.Track{Source: "log", Gap: 3 * time.Second}
			list := all(t, evidence.BlackboxLog(strings.NewReader(log.String()), "f", track, func(string, string) string { return "api" }))
			m := meter.New()
			for _, e := range append(list, track.End(march+60_000)...) {
				require.NotContains(t, e.Source, "secret")
				require.NoError(t, m.Add(e))
			}
			m.Resources(timeline.Span{Start: march, End: march + 60_000}, func(_ string, in metric.Input) bool {
				down := timeline.Union(slices.Clone(in.States.Down))
				require.Equal(t, timeline.Line{{Start: march + 21_000, End: march + 41_000}}, down, "%q %q", targets, modules)
				return true
			})
		}
	}
}

func TestBlackboxLogRefuses(t *testing.T) {
	const good = `ts=2026-03-01T00:00:00Z module=m target=a msg="Probe failed" duration_seconds=0.5` + "\n"
	for _, c := range []struct{ in, want string }{
		{`Mar  1 00:00:00 host blackbox[7]: ` + good, "is neither logfmt nor JSON"},
		{`{"msg":"Probe failed","target":"a","ts":"2026-03-01T00:00:00Z","duration_seconds":0} {"x":1}`, "is neither logfmt nor JSON"},
		{`{"msg":"Probe failed"`, "is neither logfmt nor JSON"},
		{`{"msg":"Probe failed","target":"a","ts":"2026-03-01T00:00:00Z","duration_seconds":0}}`, "is neither logfmt nor JSON"},
		{`{"msg":"Probe failed",` + strings.Repeat(`"a":{`, 13_000), "is neither logfmt nor JSON"}, // as in a line of 64 KiB
		{`ts=2026-03-01T00:00:00Z target="a msg="Probe failed" duration_seconds=0`, "is neither logfmt nor JSON"},
		{`ts=2026-03-01T00:00:00Z target="a"b msg="Probe failed" duration_seconds=0`, "is neither logfmt nor JSON"},
		{`target=a msg="Probe failed" duration_seconds=0`, "want a time"},
		{`ts=yesterday target=a msg="Probe failed" duration_seconds=0`, "want a time"},
		{`ts=1970-01-01T00:00:00Z target=a msg="Probe failed" duration_seconds=1`, "want a time"},
		{`ts=2026-03-01T00:00:00Z target=a msg="Probe failed"`, "duration_seconds: want seconds"},
		{`ts=2026-03-01T00:00:00Z target=a msg="Probe failed" duration_seconds=NaN`, "duration_seconds: want seconds"},
		{`ts=2026-03-01T00:00:00Z target=a msg="Probe failed" duration_seconds=-1`, "duration_seconds: want seconds"},
		{`ts=2026-03-01T00:00:00Z target=a msg="Probe failed" duration_seconds=1e99`, "duration_seconds: want seconds"},
		{`ts=2026-03-01T00:00:00Z msg="Probe failed" duration_seconds=1`, "target: is missing"},
		{`ts=2026-03-01T00:00:00Z target="a\nb" msg="Probe failed" duration_seconds=1`, "without control characters"},
		{strings.Repeat("x", 70_000), "a line of more than 65536 bytes"},
	} {
		_, err := collect(evidence.BlackboxLog(strings.NewReader(good+c.in+"\n"), "f", &evidence.Track{Source: "s", Gap: time.Minute}, nil))
		require.ErrorContains(t, err, "evidence: f:2: ", c.in)
		require.ErrorContains(t, err, c.want)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err := collect(evidence.BlackboxLog(strings.NewReader(good), "f", &evidence.Track{}, nil))
	require.ErrorContains(t, err, "track: source")
	_, err = collect(evidence.BlackboxLog(iotest.ErrReader(io.ErrClosedPipe), "f", &evidence.Track{}, nil))
	require.ErrorIs(t, err, io.ErrClosedPipe)
	line := strings.TrimSuffix(good, "\n")
	widest := line + strings.Repeat(" ", 64<<10-len(line))
	for _, end := range []string{"", "\n"} {
		_, err = collect(evidence.BlackboxLog(strings.NewReader(widest+end), "f", &evidence.Track{Source: "s", Gap: time.Minute}, nil))
		require.NoError(t, err)
		_, err = collect(evidence.BlackboxLog(strings.NewReader(widest+" "+end), "f", &evidence.Track{Source: "s", Gap: time.Minute}, nil))
		require.EqualError(t, err, "evidence: f:1: a line of more than 65536 bytes")
	}
	for range evidence.BlackboxLog(strings.NewReader(logs), "f", &evidence.Track{Source: "s", Gap: time.Minute}, nil) {
		break
	}
}

func FuzzBlackboxLog(f *testing.F) {
	f.Add([]byte(logs))
	for line := range strings.Lines(logs) {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		track := &evidence.Track{Source: "s", Gap: time.Minute}
		list, _ := collect(evidence.BlackboxLog(bytes.NewReader(in), "f", track, nil))
		m := meter.New()
		for _, e := range append(list, track.End(march+3_600_000)...) {
			require.NoError(t, m.Add(e))
		}
	})
}
