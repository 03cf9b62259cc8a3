package budget_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/budget"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// tool finds a program that a test runs beside; with CI=true it has to be there.
func tool(t *testing.T, name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed, and CI=true", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

var source = budget.Source{
	Name: "availability", Service: "vm.eu-1",
	Bad: `sum(rate(http_requests_total{code=~"5..",job="vm"}[$window]))`,
	All: `sum(rate(http_requests_total{job="vm"}[$window]))`,
}

type file struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Record, Alert, Expr, For string
			Labels, Annotations      map[string]string
		}
	}
}

func TestPrometheusRulesSayWhatThePolicySays(t *testing.T) {
	text, err := workbook(t, "99.9%", 30*day).Prometheus(source)
	require.NoError(t, err)
	var f file
	require.NoError(t, yaml.Load(text, &f, yaml.WithKnownFields()))
	require.Len(t, f.Groups, 1)
	var names []string
	for _, r := range f.Groups[0].Rules[:5] {
		names = append(names, r.Record)
		window := strings.TrimPrefix(r.Record, "slo:bad:ratio_")
		require.Equal(t, fmt.Sprintf(`(sum(rate(http_requests_total{code=~"5..",job="vm"}[%s]))) / (sum(rate(http_requests_total{job="vm"}[%[1]s])))`, window), r.Expr)
		require.Equal(t, map[string]string{"slo": "availability", "service": "vm.eu-1"}, r.Labels)
	}
	require.Equal(t, []string{"slo:bad:ratio_5m", "slo:bad:ratio_30m", "slo:bad:ratio_1h", "slo:bad:ratio_6h", "slo:bad:ratio_3d"}, names)
	alerts := f.Groups[0].Rules[5:]
	require.Len(t, alerts, 4)
	require.Equal(t, "SLOBudgetBurn_fast", alerts[0].Alert)
	require.Equal(t, `slo:bad:ratio_1h{slo="availability",service="vm.eu-1"} > 0.0144 and slo:bad:ratio_5m{slo="availability",service="vm.eu-1"} > 0.0144`, alerts[0].Expr)
	require.Equal(t, "page", alerts[0].Labels["severity"])
	require.Equal(t, "availability of vm.eu-1 burns its error budget more than 14.4 times too fast: 2% of it in 1h", alerts[0].Annotations["summary"])
	require.Contains(t, alerts[2].Expr, " > 0.001 and ")
	require.Equal(t, "ticket", alerts[2].Labels["severity"])
	require.Equal(t, "SLOEvidenceMissing", alerts[3].Alert)
	require.Equal(t, `absent(slo:bad:ratio_5m{slo="availability",service="vm.eu-1"})`, alerts[3].Expr)
	require.Equal(t, "5m", alerts[3].For)
	again, err := workbook(t, "99.9%", 30*day).Prometheus(source)
	require.NoError(t, err)
	require.Equal(t, string(text), string(again))
}

func TestPrometheusRefuses(t *testing.T) {
	p := workbook(t, "99.9%", 30*day)
	for name, change := range map[string]func(*budget.Source){
		"no name":          func(s *budget.Source) { s.Name = "" },
		"a quote":          func(s *budget.Source) { s.Name = `a"b` },
		"a template":       func(s *budget.Source) { s.Service = "{{ $value }}" },
		"a long name":      func(s *budget.Source) { s.Service = strings.Repeat("a", 101) },
		"no window":        func(s *budget.Source) { s.Bad = "up" },
		"two lines":        func(s *budget.Source) { s.All += "\n" },
		"a long one":       func(s *budget.Source) { s.All += strings.Repeat(" ", 4096) },
		"a line of YAML":   func(s *budget.Source) { s.All += "\u0085" },
		"what YAML lacks":  func(s *budget.Source) { s.All += "\ufffe" },
		"what is no UTF-8": func(s *budget.Source) { s.Bad += "\xff" },
	} {
		s := source
		change(&s)
		_, err := p.Prometheus(s)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
	s := source
	s.All += strings.Repeat(" ", 4096-len(s.All))
	_, err := p.Prometheus(s)
	require.NoError(t, err, "the longest")
	p.Target = of(t, "90%")
	_, err = p.Prometheus(source)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func write(t *testing.T, dir, name, text string) string {
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// TestPromtoolAccepts checks the rules of many policies with the promtool of Debian.
func TestPromtoolAccepts(t *testing.T) {
	promtool := tool(t, "promtool")
	dir := t.TempDir()
	args := []string{"check", "rules"}
	for _, target := range []string{"99.9%", "99.95%", "2/3", "95%", "99.9999999%"} {
		for _, window := range []time.Duration{144 * time.Minute, 7 * day, 28 * day, 30 * day, 31 * day, 365 * day} {
			p, err := budget.Workbook(of(t, "99.999%"), window)
			require.NoError(t, err)
			p.Target = of(t, target)
			for p.Validate() != nil {
				p.Rules = p.Rules[1:] // those that cannot fire
			}
			text, err := p.Prometheus(source)
			require.NoError(t, err)
			args = append(args, write(t, dir, fmt.Sprintf("%d.yaml", len(args)), string(text)))
		}
	}
	out, err := exec.Command(promtool, args...).CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, 30, strings.Count(string(out), "SUCCESS: "), string(out))
	broken := source
	broken.Bad = "rate(x[$window]"
	text, err := workbook(t, "99.9%", 30*day).Prometheus(broken)
	require.NoError(t, err)
	out, err = exec.Command(promtool, "check", "rules", write(t, dir, "broken.yaml", string(text))).CombinedOutput()
	require.Error(t, err, "what is no PromQL is promtool's to find")
	require.Contains(t, string(out), "FAILED")
}

// TestPrometheusFiresAsJudge lets promtool run the rules on series of requests, and compares with Judge.
func TestPrometheusFiresAsJudge(t *testing.T) {
	promtool := tool(t, "promtool")
	p := workbook(t, "99.9%", 30*day)
	dir := t.TempDir()
	text, err := p.Prometheus(source)
	require.NoError(t, err)
	rules := write(t, dir, "rules.yaml", string(text))
	for name, c := range map[string]struct {
		minutes [3]int    // of a good time, of an outage, and after it
		bad     [3]uint64 // of 10,000 requests a minute
	}{
		"all good":                 {[3]int{600, 0, 0}, [3]uint64{0, 0, 0}},
		"an outage":                {[3]int{600, 10, 0}, [3]uint64{0, 10_000, 0}},
		"an outage that is over":   {[3]int{600, 10, 10}, [3]uint64{0, 10_000, 0}},
		"a fast burn, not yet 1 h": {[3]int{600, 30, 0}, [3]uint64{0, 160, 0}},
		"a fast burn":              {[3]int{600, 70, 0}, [3]uint64{0, 160, 0}},
		"a slow burn":              {[3]int{600, 380, 0}, [3]uint64{0, 70, 0}},
		"a steady burn":            {[3]int{0, 1200, 0}, [3]uint64{0, 11, 0}},
		"just below":               {[3]int{0, 1200, 0}, [3]uint64{0, 9, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			ring, err := budget.NewRing(time.Minute, []time.Duration{5 * time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour, 3 * day}, 0)
			require.NoError(t, err)
			minute := int64(0)
			good, bad := "0", "0"
			for i, n := range c.minutes {
				for range n {
					ring.Advance(minute * 60_000)
					require.NoError(t, ring.Add(minute*60_000, budget.Counts{Good: 10_000 - c.bad[i], Bad: c.bad[i]}))
					minute++
				}
			}
			var g, b uint64
			var goods, bads []string
			for i, n := range c.minutes {
				if n > 0 {
					goods = append(goods, fmt.Sprintf("%d+%dx%d", g+10_000-c.bad[i], 10_000-c.bad[i], n-1))
					bads = append(bads, fmt.Sprintf("%d+%dx%d", b+c.bad[i], c.bad[i], n-1))
					g, b = g+(10_000-c.bad[i])*uint64(n), b+c.bad[i]*uint64(n)
				}
			}
			good, bad = good+" "+strings.Join(goods, " "), bad+" "+strings.Join(bads, " ")
			alerts, err := p.Judge(ring.Over)
			require.NoError(t, err)
			var test strings.Builder
			fmt.Fprintf(&test, "rule_files: [%q]\nevaluation_interval: 10m\ntests:\n  - interval: 1m\n    input_series:\n", rules)
			fmt.Fprintf(&test, "      - {series: 'http_requests_total{code=\"200\",job=\"vm\"}', values: '%s'}\n", good)
			fmt.Fprintf(&test, "      - {series: 'http_requests_total{code=\"500\",job=\"vm\"}', values: '%s'}\n    alert_rule_test:\n", bad)
			for _, a := range alerts {
				fmt.Fprintf(&test, "      - {eval_time: %dm, alertname: SLOBudgetBurn_%s, exp_alerts: [", minute, a.Rule)
				if a.State == budget.Firing {
					r := map[string]string{"fast": "14.4 times too fast: 2% of it in 1h", "slow": "6 times too fast: 5% of it in 6h", "steady": "1 times too fast: 10% of it in 3d"}
					fmt.Fprintf(&test, "{exp_labels: {severity: %s, slo: availability, service: vm.eu-1}, exp_annotations: {summary: %q}}",
						a.Urgency, "availability of vm.eu-1 burns its error budget more than "+r[a.Rule])
				}
				test.WriteString("]}\n")
			}
			fmt.Fprintf(&test, "      - {eval_time: %dm, alertname: SLOEvidenceMissing, exp_alerts: []}\n", minute)
			out, err := exec.Command(promtool, "test", "rules", write(t, t.TempDir(), "test.yaml", test.String())).CombinedOutput()
			require.NoError(t, err, "%s\n%+v", out, alerts)
		})
	}
	t.Run("no evidence", func(t *testing.T) {
		test := fmt.Sprintf("rule_files: [%q]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series: []\n    alert_rule_test:\n"+
			"      - {eval_time: 10m, alertname: SLOEvidenceMissing, exp_alerts: [{exp_labels: {severity: ticket, slo: availability, service: vm.eu-1}, "+
			"exp_annotations: {summary: \"nothing tells whether availability of vm.eu-1 is met: unknown is not good\"}}]}\n", rules)
		out, err := exec.Command(promtool, "test", "rules", write(t, dir, "test.yaml", test)).CombinedOutput()
		require.NoError(t, err, string(out))
	})
}

// TestPrometheusAgreesOnAnyTraffic draws policies and traffic, and compares each rule at each end with Judge, but for burns of
// exactly the factor, where floats err.
func TestPrometheusAgreesOnAnyTraffic(t *testing.T) {
	promtool := tool(t, "promtool")
	random := rand.New(rand.NewPCG(20, 26))
	pick := func(list ...int) int { return list[random.IntN(len(list))] }
	seen := map[budget.State]int{}
	for _, target := range []string{"99.9%", "99%", "95%", "2/3"} {
		p := budget.Policy{Target: of(t, target), Window: budget.Duration(day)}
		for i := 0; i < 6; {
			long := pick(10, 20, 30, 60, 120)
			share, _ := ratio.New(uint64(1+random.IntN(300)), 1000)
			rule := budget.Rule{Name: fmt.Sprintf("r-%d", i), Urgency: budget.Page, Share: share,
				Long: budget.Duration(time.Duration(long) * time.Minute), Short: budget.Duration(time.Duration(pick(2, 5, 10)) * time.Minute)}
			p.Rules = append(p.Rules, rule)
			if p.Validate() != nil { // it could never fire
				p.Rules = p.Rules[:i]
				continue
			}
			i++
		}
		dir := t.TempDir()
		text, err := p.Prometheus(source)
		require.NoError(t, err)
		var f file
		require.NoError(t, yaml.Load(text, &f))
		said := map[string]string{}
		for _, r := range f.Groups[0].Rules {
			said[r.Alert] = r.Annotations["summary"]
		}
		var test strings.Builder
		fmt.Fprintf(&test, "rule_files: [%q]\nevaluation_interval: 1m\ntests:\n", write(t, dir, "rules.yaml", string(text)))
		for range 12 {
			ring, err := p.Ring(0)
			require.NoError(t, err)
			good, bad := []string{"0"}, []string{"0"}
			var g, b uint64
			minutes := 1 + random.IntN(150)
			perMille := 0
			for m := range minutes {
				if m%20 == 0 {
					perMille = pick(0, 1, 2, 5, 10, 20, 50, 100, 300, 500, 900, 1000)
				}
				c := budget.Counts{}
				for range pick(0, 10, 100, 500) {
					if random.IntN(1000) < perMille {
						c.Bad++
					} else {
						c.Good++
					}
				}
				g, b = g+c.Good, b+c.Bad
				good, bad = append(good, fmt.Sprint(g)), append(bad, fmt.Sprint(b))
				ring.Advance(int64(m+1)*minute - 1)
				require.NoError(t, ring.Add(int64(m)*minute, c))
			}
			fmt.Fprintf(&test, "  - interval: 1m\n    input_series:\n      - {series: 'http_requests_total{code=\"200\",job=\"vm\"}', values: '%s'}\n"+
				"      - {series: 'http_requests_total{code=\"500\",job=\"vm\"}', values: '%s'}\n    alert_rule_test:\n", strings.Join(good, " "), strings.Join(bad, " "))
			alerts, err := p.Judge(ring.Over)
			require.NoError(t, err)
			for _, a := range alerts {
				if a.Long.Low.Cmp(a.Factor) == 0 || a.Short.Low.Cmp(a.Factor) == 0 {
					continue
				}
				seen[a.State]++
				name := "SLOBudgetBurn_" + strings.ReplaceAll(a.Rule, "-", "_")
				require.NotEmpty(t, said[name])
				fmt.Fprintf(&test, "      - {eval_time: %dm, alertname: %s, exp_alerts: [", minutes, name)
				if a.State == budget.Firing {
					fmt.Fprintf(&test, "{exp_labels: {severity: page, slo: availability, service: vm.eu-1}, exp_annotations: {summary: %q}}", said[name])
				}
				test.WriteString("]}\n")
			}
		}
		out, err := exec.Command(promtool, "test", "rules", write(t, dir, "test.yaml", test.String())).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	require.Greater(t, seen[budget.Firing], 50)
	require.Greater(t, seen[budget.Quiet], 50)
}

// TestNothingBadYet: a counter of failures that is not there before the first is no evidence, but where the source says so.
func TestNothingBadYet(t *testing.T) {
	promtool := tool(t, "promtool")
	for orZero, want := range map[string]string{
		"": `{exp_labels: {severity: ticket, slo: availability, service: vm.eu-1}, ` +
			`exp_annotations: {summary: "nothing tells whether availability of vm.eu-1 is met: unknown is not good"}}`,
		" or 0 * " + source.All: "",
	} {
		s := source
		s.Bad += orZero
		text, err := workbook(t, "99.9%", 30*day).Prometheus(s)
		require.NoError(t, err)
		dir := t.TempDir()
		test := fmt.Sprintf("rule_files: [%q]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n"+
			"      - {series: 'http_requests_total{code=\"200\",job=\"vm\"}', values: '0+100x60'}\n    alert_rule_test:\n"+
			"      - {eval_time: 30m, alertname: SLOEvidenceMissing, exp_alerts: [%s]}\n"+
			"      - {eval_time: 30m, alertname: SLOBudgetBurn_fast, exp_alerts: []}\n", write(t, dir, "rules.yaml", string(text)), want)
		out, err := exec.Command(promtool, "test", "rules", write(t, dir, "test.yaml", test)).CombinedOutput()
		require.NoError(t, err, string(out))
	}
}

// FuzzPrometheus looks for names and expressions that are taken, and come out of the YAML as something else.
func FuzzPrometheus(f *testing.F) {
	f.Add(source.Name, source.Service, source.Bad, source.All)
	f.Add("a", "b", "\u00a0\u0085\u2028[$window]: 'x' # <\">", `\x00\"$window`)
	f.Add("a", "b", "é😀[$window]: 'x' # <\">&{{ }} - ? |", `%!@\x00\"$window$window`)
	f.Fuzz(func(t *testing.T, name, service, bad, all string) {
		text, err := workbook(t, "99.9%", 30*day).Prometheus(budget.Source{Name: name, Service: service, Bad: bad, All: all})
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		var read file
		require.NoError(t, yaml.Load(text, &read, yaml.WithKnownFields()))
		require.Len(t, read.Groups, 1)
		require.Len(t, read.Groups[0].Rules, 9)
		in := func(s string) string { return "(" + strings.ReplaceAll(s, "$window", "5m") + ")" }
		require.Equal(t, in(bad)+" / "+in(all), read.Groups[0].Rules[0].Expr)
		require.Equal(t, name, read.Groups[0].Rules[5].Labels["slo"])
		require.Equal(t, service, read.Groups[0].Rules[5].Labels["service"])
	})
}
