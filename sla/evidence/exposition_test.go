package evidence_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/evidence"
	"github.com/cloudopsec/opsec/sla/meter"
)

func TestExposition(t *testing.T) {
	in := `# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1772323200000
http_requests_total{method="post",code="400",}    3

 something:weird { problem = "division \"by\" \\zero\n" , } +Inf	1
empty{} 1.5e3
x NaN
_y -0x1p-2` + "\r\n# the end may be cut"
	list := all(t, evidence.Exposition(strings.NewReader(in), "f"))
	require.True(t, math.IsNaN(list[4].Value))
	list[4].Value = 0
	require.Equal(t, []evidence.Sample{
		{"http_requests_total", map[string]string{"method": "post", "code": "200"}, 1027, march},
		{"http_requests_total", map[string]string{"method": "post", "code": "400"}, 3, 0},
		{"something:weird", map[string]string{"problem": "division \"by\" \\zero\n"}, math.Inf(1), 1},
		{"empty", map[string]string{}, 1500, 0},
		{"x", nil, 0, 0},
		{"_y", nil, -0.25, 0},
	}, list)
	require.Empty(t, all(t, evidence.Exposition(strings.NewReader(""), "f")))
}

func TestExpositionRefuses(t *testing.T) {
	for _, in := range []string{
		"1x 1", "{a=\"b\"} 1", "x", "x 1 2 3", "x y", "x 1 1.5", "x 1 -1", "x 1 253402300800000", "x{a} 1", "x{a=b} 1", `x{a="b} 1`, `x{a="b\q"} 1`,
		`x{a="b\`, `x{a="b" c="d"} 1`, `x{a="b",a="c"} 1`, `x{a:b="c"} 1`, `x{,} 1`, `x{a="b"`, "x\xff 1", "x{a=\"\xff\"} 1", "x-y 1",
		"x 1 # {trace=\"1\"} 1",
		strings.Repeat("x", 70_000) + " 1",
	} {
		_, err := collect(evidence.Exposition(strings.NewReader("ok 1\n"+in+"\n"), "f"))
		require.ErrorContains(t, err, "evidence: f:2: ", "%.40q", in)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err := collect(evidence.Exposition(iotest.ErrReader(io.ErrClosedPipe), "f"))
	require.ErrorIs(t, err, io.ErrClosedPipe)
	for in, want := range map[string]int{"": 0, "\n": 0, "# x": 0, "x 1\n": 1} {
		require.Len(t, all(t, evidence.Exposition(strings.NewReader(in), "f")), want)
	}
	_, err = collect(evidence.Exposition(strings.NewReader("x 1027\nx 10"), "f"))
	require.EqualError(t, err, "evidence: f:2: the last line does not end", "which may be 1028")
	comment := "#" + strings.Repeat("x", 1022) + "\n"
	most := strings.Repeat(comment, evidence.MaxAnswer/1024)
	require.Empty(t, all(t, evidence.Exposition(strings.NewReader(most), "f")))
	for _, more := range []string{"#", "\n", "x 1\n", comment + "x 1\n"} {
		_, err = collect(evidence.Exposition(strings.NewReader(most+more), "f"))
		require.ErrorContains(t, err, "evidence: f:65537: more than 67108864 bytes", "what is behind %q is not read", more)
	}
	widest := "x" + strings.Repeat(" ", 65_534) + "1"
	require.Len(t, all(t, evidence.Exposition(strings.NewReader(widest+"\n"+widest+"\n"), "f")), 2)
	_, err = collect(evidence.Exposition(strings.NewReader(widest+"\n"+widest+" \n"), "f"))
	require.EqualError(t, err, "evidence: f:2: a line of more than 65536 bytes")
	long := strings.Repeat("#"+strings.Repeat("x", 60_000)+"\n", evidence.MaxAnswer/60_001) + "x 1\n" + strings.Repeat("x 1\n", 20_000)
	list, err := collect(evidence.Exposition(strings.NewReader(long), "f"))
	require.ErrorContains(t, err, "more than 67108864 bytes")
	require.NotEmpty(t, list)
}

func FuzzExposition(f *testing.F) {
	f.Add([]byte("# x\nhttp_requests_total{method=\"post\",code=\"200\"} 1027 1772323200000\nx NaN\n"))
	f.Add([]byte("a{b=\"\\\\\\\"\\n\",} +Inf 1\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		list, _ := collect(evidence.Exposition(bytes.NewReader(in), "f"))
		var out strings.Builder // what is written again is read again
		for _, s := range list {
			out.WriteString(s.Name + "{")
			for k, v := range s.Labels {
				fmt.Fprintf(&out, `%s="%s",`, k, strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(v))
			}
			fmt.Fprintf(&out, "} %v %d\n", s.Value, s.At)
		}
		again, err := collect(evidence.Exposition(strings.NewReader(out.String()), "f"))
		require.NoError(t, err)
		require.Len(t, again, len(list))
		for i, s := range list {
			if s.Labels == nil {
				s.Labels = map[string]string{}
			}
			require.Equal(t, fmt.Sprint(s), fmt.Sprint(again[i]))
		}
	})
}

func TestReadings(t *testing.T) {
	page := all(t, evidence.Exposition(strings.NewReader(`x{code="200",a="b"} 9007199254740992
x{code="500"} 2
y 0.5
z{code="500"} 7
`), "f"))
	x := func(s evidence.Sample) bool { return s.Name == "x" }
	bad := func(s evidence.Sample) bool { return s.Name == "x" && s.Labels["code"] == "500" }
	got, err := evidence.Readings(page, x, bad)
	require.NoError(t, err)
	require.Equal(t, []evidence.Reading{
		{Series: `x{a="b",code="200"}`, Value: 1 << 53},
		{Series: `x{code="500"}`, Value: 2},
		{Series: `x{code="500"}`, Value: 2, Bad: true},
	}, got)
	none := func(evidence.Sample) bool { return false }
	for _, v := range []float64{-1, 0.5, math.NaN(), math.Inf(1), math.Inf(-1), 1<<53 + 2} {
		_, err = evidence.Readings([]evidence.Sample{{Name: "x", Value: v}}, x, none)
		require.ErrorIs(t, err, opsec.ErrInvalid, v)
		_, err = evidence.Readings([]evidence.Sample{{Name: "x", Value: v}}, none, x)
		require.ErrorIs(t, err, opsec.ErrInvalid, v)
	}
}

func TestMetric(t *testing.T) {
	var page, accept, timeout string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		accept, timeout = r.Header.Get("Accept"), r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds")
		if r.URL.Path == "/down" {
			w.WriteHeader(http.StatusBadGateway)
		}
		io.WriteString(w, page)
	}))
	defer server.Close()
	for _, c := range []struct {
		page string
		want meter.State
		why  string
	}{
		{"probe_success 1\nother 0\n", meter.Up, ""},
		{"probe_success{x=\"a\"} 0\nprobe_success{x=\"b\"} 1\n", meter.Down, "is 0"},
		{"probe_success 0.5\n", meter.Degraded, "is 0.5"},
		{"probe_success NaN\n", meter.Unknown, ""},
		{"probe_success 7\n", meter.Unknown, "want 0 to 1"},
		{"probe_success -1\n", meter.Unknown, "want 0 to 1"},
		{"other 1\n", meter.Unknown, "0 samples of probe_success, want one"},
		{"probe_success 1\nprobe_success 1\n", meter.Unknown, "2 samples"},
		{"probe_success 1 1772323200000\n", meter.Unknown, "has a timestamp"},
		{"probe_success 1", meter.Unknown, "scrape:1: the last line does not end"},
		{"<html>\n", meter.Unknown, "scrape:1: want a sample"},
	} {
		page = c.page
		m := &evidence.Metric{URL: server.URL + "/probe", Name: "probe_success"}
		if strings.Contains(c.page, "x=") {
			m.Labels = map[string]string{"x": "a"}
		}
		require.NoError(t, m.Validate())
		ctx, cancel := context.WithTimeout(t.Context(), 9500*time.Millisecond)
		got, why := m.Check(ctx)
		cancel()
		require.Equal(t, c.want, got, "%s: %v", c.page, why)
		if c.want == meter.Up {
			require.NoError(t, why)
		} else {
			require.ErrorContains(t, why, c.why)
		}
	}
	require.Equal(t, "text/plain;version=0.0.4", accept)
	require.Regexp(t, `^9\.\d{3}$`, timeout)
	got, why := (&evidence.Metric{URL: server.URL + "/down", Name: "x"}).Check(t.Context())
	require.ErrorContains(t, why, "status 502")
	require.Equal(t, meter.Unknown, got)
	got, why = (&evidence.Metric{URL: "http://u:secret@127.0.0.1:1/?secret", Name: "x"}).Check(t.Context())
	require.NotContains(t, why.Error(), "secret")
	require.Equal(t, meter.Unknown, got, "the exporter is away, not the service")
	for _, bad := range []evidence.Metric{{Name: "x"}, {URL: "ftp://x", Name: "x"}, {URL: "http://x"}, {URL: "http://x", Name: "a-b"}, {URL: "http://x y", Name: "a"}} {
		require.ErrorIs(t, bad.Validate(), opsec.ErrInvalid)
	}
	page = strings.Repeat("x 1\n", evidence.MaxResources+1)
	got, why = (&evidence.Metric{URL: server.URL, Name: "y"}).Check(t.Context())
	require.ErrorContains(t, why, "0 samples of y")
	require.Equal(t, meter.Unknown, got)
	_, err := evidence.Scrape(t.Context(), nil, server.URL)
	require.ErrorContains(t, err, "more than 1048576 samples")
	_, err = evidence.Scrape(t.Context(), nil, "http://x y")
	require.ErrorIs(t, err, opsec.ErrInvalid)
}
