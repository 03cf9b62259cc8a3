package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/examples/internal/program"

	"github.com/cloudopsec/opsec/internal/race"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/recompute"
)

// TestMain lets the test binary be the program.
func TestMain(m *testing.M) { program.Main(m, main) }

// exits runs the program, and wants an exit code.
func exits(t *testing.T, code int, args ...string) string {
	t.Helper()
	out, problems := program.Run(t, "", code, args...)
	return out + problems
}

func sample(args ...string) []string {
	return append([]string{"-agreement", "iaas.yaml", "-evidence", "states.csv", "-incidents", "incidents.csv", "-exclusions", "exclusions.json",
		"-period", "2026-03", "-fee", "compute=1200.00 EUR"}, args...)
}

func TestSampleMonth(t *testing.T) {
	out := exits(t, 1, sample()...)
	for _, line := range []string{
		"  compute-region       99.711380 to 99.756243 %, wanted 99.95%: missed",
		"  storage-region       99.955015 to 100.000000 %, wanted 99.9%: met",
		"  credit: 10% of the fee, 120.00 EUR",
		"  mttr                 4, 1 of them open, mean 2h19m15s or more: not decided",
	} {
		require.Contains(t, out, line+"\n")
	}
	var s summary
	require.NoError(t, json.Unmarshal([]byte(exits(t, 1, sample("-json")...)), &s))
	require.Equal(t, "acme-iaas", s.Agreement.ID)
	require.Equal(t, "2026-03", s.Period)
	require.Equal(t, "99.9%", s.Services[1].Availability.Target)
	require.True(t, *s.Services[1].Availability.Met)
	require.EqualValues(t, 7200, s.Services[1].Excluded, "one work was announced in time, the other was not")
	require.Zero(t, s.Services[0].Excluded)
	require.Equal(t, "120.00 EUR", s.Services[0].Credits[0].Amount[0])
	require.Contains(t, out, s.Digest)
	out = exits(t, 1, "-agreement", "iaas.yaml", "-evidence", "states.csv", "-period", "2026-03")
	require.Contains(t, out, "  credit: 10% of the fee\n")
	require.Contains(t, out, "note: -incidents is not given")
}

func TestTheOtherPartyGetsTheSameReport(t *testing.T) {
	dir := t.TempDir()
	ours, pages := filepath.Join(dir, "ours.json"), filepath.Join(dir, "r.html")
	exits(t, 1, sample("-report", ours, "-html", pages)...)
	require.Contains(t, exits(t, 1, sample("-recompute", ours)...), " 0 differences\n")

	text, err := os.ReadFile("states.csv")
	require.NoError(t, err)
	rows := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i, j := 1, len(rows)-1; i < j; i, j = i+1, j-1 { // in another order, of which each row is numbered otherwise
		rows[i], rows[j] = rows[j], rows[i]
	}
	other := filepath.Join(dir, "other.csv")
	require.NoError(t, os.WriteFile(other, []byte(strings.Join(rows[:len(rows)-1], "\n")+"\n"), 0o600)) // and a row is missing
	args := sample("-recompute", ours)
	args[3] = other
	out := exits(t, 1, args...)
	require.Contains(t, out, "services[0].objectives[0].tally.counted.unknown: theirs ")

	require.NotContains(t, exits(t, 1, sample()...), "theirs")
	args[3] = filepath.Join(dir, "states of March.csv") // the same, in another place under another name
	require.NoError(t, os.WriteFile(args[3], text, 0o600))
	require.Contains(t, exits(t, 1, args...), " 0 differences\n")

	page, err := os.ReadFile(pages)
	require.NoError(t, err)
	require.Contains(t, string(page), "vm-3")
	exits(t, 1, sample("-customer", "acme", "-html", pages)...)
	require.Contains(t, exits(t, 2, sample("-customer", "umbrella", "-html", pages)...), "not found")
}

// A report that restates another, as of an hour that it names, is made again as it is.
func TestRestatedReportIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	ours := filepath.Join(dir, "ours.json")
	exits(t, 1, sample("-report", ours, "-at", "2026-03-20T00:00:00Z")...)
	text, err := os.ReadFile(ours)
	require.NoError(t, err)
	r, err := recompute.Read(text)
	require.NoError(t, err)
	r.Supersedes, r.Why = "sha256:"+strings.Repeat("0", 64), "a log was found"
	text, err = r.JSON()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(ours, text, 0o600))
	require.Contains(t, exits(t, 1, sample("-recompute", ours)...), " 0 differences\n")
	require.Contains(t, exits(t, 1, sample("-recompute", ours, "-at", "2026-03-21T00:00:00Z")...), "asOf: theirs ")
}

func TestAgreementsOfTheSampleAreCompared(t *testing.T) {
	page := filepath.Join(t.TempDir(), "c.html")
	out := exits(t, 1, "compare", "iaas.yaml", "saas.yaml", "-html", page)
	require.Contains(t, out, "the second is incomparable\n")
	require.FileExists(t, page)
	require.Contains(t, exits(t, 0, "compare", "iaas.yaml", "iaas.yaml"), "the second is equal\n")
	var c compared
	require.NoError(t, json.Unmarshal([]byte(exits(t, 1, "compare", "-json", "-meets", "iaas.yaml", "saas.yaml")), &c))
	require.NotEmpty(t, c.Differences)
	for _, name := range []string{"iaas.yaml", "saas.yaml"} {
		a, err := read(name, sla.Parse)
		require.NoError(t, err)
		require.NoError(t, a.Validate(), name)
	}
}

// A day of probes, with what the faults of the sample say of it.
func TestProbesSeeTheFaults(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("a month of probes takes its time: go test -run Probes ./examples/slareport")
	}
	name := filepath.Join(t.TempDir(), "states.csv")
	exits(t, 0, "probe", "-out", name)
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	var down, up time.Duration
	for _, r := range rows[1:] {
		start, err := time.Parse(time.RFC3339, r[1])
		require.NoError(t, err)
		end, err := time.Parse(time.RFC3339, r[2])
		require.NoError(t, err)
		switch r[3] {
		case "down":
			down += end.Sub(start)
		case "up", "degraded":
			up += end.Sub(start)
		}
	}
	require.Equal(t, 2*time.Hour+5*time.Hour+26*time.Minute, down)
	require.Equal(t, 4*(743*time.Hour-20*time.Minute)-down, up)
}

func TestWrongUse(t *testing.T) {
	for want, args := range map[string][]string{
		"usage":            {},
		"no such file":     {"-agreement", "none.yaml", "-evidence", "states.csv", "-period", "2026-03"},
		"period":           {"-agreement", "iaas.yaml", "-evidence", "states.csv", "-period", "2026-13"},
		"-at":              sample("-at", "noon"),
		"service=amount":   sample("-fee", "12 EUR"),
		"has one already":  sample("-fee", "compute=1.00 EUR"),
		`"compte" is no`:   sample("-fee", "compte=1.00 EUR"),
		"-html as well":    sample("-customer", "acme"),
		"want 2026-03-09":  {"-agreement", "iaas.yaml", "-evidence", "states.csv", "-period", "2026-3"},
		"regular file":     {"-agreement", "iaas.yaml", "-evidence", os.DevNull, "-period", "2026-03"},
		"usage: slareport": {"compare", "iaas.yaml"},
		"-out":             {"probe"},
		"recompute":        sample("-recompute", "exclusions.json"),
	} {
		require.Contains(t, exits(t, 2, args...), want)
	}
}
