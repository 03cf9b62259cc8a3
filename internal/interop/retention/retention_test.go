// Package retention holds backup/retention to what restic and borg themselves would keep.
package retention

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/retention"
)

const zone = "Europe/Vienna"

// history is times of backups, in order: years of few, then weeks of many around the turn of a year, the end of winter time and now.
func history(rnd *rand.Rand, n int) (times []time.Time) {
	vienna, err := time.LoadLocation(zone)
	if err != nil {
		panic(err)
	}
	now := time.Now()
	around := []time.Time{
		time.Date(2024, 12, 30, 0, 0, 0, 0, vienna), time.Date(2026, 1, 1, 0, 0, 0, 0, vienna), time.Date(2026, 3, 29, 3, 0, 0, 0, vienna),
	}
	seen := map[string]bool{}
	for len(times) < n {
		at := now.Add(-time.Duration(rnd.Int64N(int64(6 * 365 * 24 * time.Hour))))
		switch rnd.IntN(4) {
		case 0:
			at = now.Add(-time.Hour - time.Duration(rnd.Int64N(int64(10*24*time.Hour))))
		case 1, 2:
			at = around[rnd.IntN(len(around))].Add(time.Duration(rnd.Int64N(int64(8*24*time.Hour))) - 4*24*time.Hour)
		}
		at = at.Truncate(time.Second).In(vienna)
		if _, offset := at.Add(2 * time.Hour).Zone(); seen[at.Format(time.DateTime)] || offset != zoneOffset(at.Add(-2*time.Hour)) {
			continue // an hour that a clock shows twice, or never, is not one that either tool can be told
		}
		seen[at.Format(time.DateTime)] = true
		times = append(times, at)
	}
	slices.SortFunc(times, time.Time.Compare)
	times[1] = times[0].Truncate(time.Hour).Add(59 * time.Minute) // two in the oldest hour: the older may be kept as the oldest alone
	times[0] = times[1].Add(-time.Minute)
	return times
}

func zoneOffset(t time.Time) int {
	_, offset := t.Zone()
	return offset
}

func tool(t *testing.T, name, packet string) {
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is absent: apt-get install %s", name, packet)
		}
		t.Skipf("%s is absent: apt-get install %s", name, packet)
	}
}

func run(t *testing.T, env []string, name string, args ...string) []byte {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), append(env, "TZ="+zone, "LC_ALL=C.UTF-8")...)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	require.NoError(t, err, "%s %v: %s", name, args, errors.String())
	return append(out, errors.String()...)
}

func points(times []time.Time) (list []retention.Point) {
	for i, at := range times {
		list = append(list, retention.Point{ID: "p" + strconv.Itoa(i), Claimed: at, Received: at, Replicated: true})
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// kept returns what the rules of the policy keep, without the guards, and of it what is kept only since it is the oldest.
func kept(t *testing.T, list []retention.Point, p retention.Policy) (ids, oldest []string) {
	plan, err := retention.Plan(list, p, time.Now())
	require.NoError(t, err)
	for _, d := range plan.Decisions {
		if !d.ByRule() {
			continue
		}
		ids = append(ids, d.ID)
		if !slices.ContainsFunc(d.Reasons, func(r retention.Reason) bool { return !r.Rule.Guard() && !r.Oldest }) {
			oldest = append(oldest, d.ID)
		}
	}
	slices.Sort(ids)
	return ids, oldest
}

// fills says whether the restic that is here fills a count up with the oldest snapshot, as restic has since 0.16.0 (its change 3624).
func fills(t *testing.T) bool {
	var major, minor int
	_, err := fmt.Sscanf(string(run(t, nil, "restic", "version")), "restic %d.%d", &major, &minor)
	require.NoError(t, err)
	return major > 0 || minor >= 16
}

func count(rnd *rand.Rand) int {
	switch n := rnd.IntN(8); n {
	case 0:
		return retention.All
	case 1, 2, 3:
		return 0
	default:
		return n - 3 + rnd.IntN(4)
	}
}

func TestAgreesWithResticForget(t *testing.T) {
	t.Parallel()
	tool(t, "restic", "restic")
	rnd := rand.New(rand.NewPCG(9, 1))
	dir := t.TempDir()
	file := dir + "/f"
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	env := []string{"RESTIC_REPOSITORY=" + dir + "/repo", "RESTIC_PASSWORD=of no use", "RESTIC_CACHE_DIR=" + dir + "/cache"}
	run(t, env, "restic", "init", "--quiet")
	times := history(rnd, 16)
	tag := func(i int) string { return []string{"daily", "release"}[i%2] }
	for i, at := range times {
		run(t, env, "restic", "backup", "--quiet", "--host", "h", "--time", at.Format(time.DateTime), "--tag", tag(i), "--tag", fmt.Sprint("n", i%7), file)
	}
	list := points(times)
	for i := range list {
		n, err := strconv.Atoi(list[i].ID[1:])
		require.NoError(t, err)
		list[i].Tags = []string{tag(n), fmt.Sprint("n", n%7)}
	}
	fills, filled := fills(t), 0
	spans := []string{"36h", "5d", "1m", "1y2m", "2y6m3d1h"}
	for try := range 8 {
		p := retention.Policy{Semantics: retention.Restic, Zone: zone}
		args := []string{"forget", "--dry-run", "--json", "--group-by", "host"}
		for _, r := range []struct {
			name  string
			count *int
		}{{"last", &p.Last}, {"hourly", &p.Hourly}, {"daily", &p.Daily}, {"weekly", &p.Weekly}, {"monthly", &p.Monthly}, {"yearly", &p.Yearly}} {
			if *r.count = max(count(rnd), 0); try == 0 { // nothing but what is not used up
				*r.count = map[string]int{"daily": 40}[r.name]
			}
			if *r.count != 0 {
				args = append(args, "--keep-"+r.name, strconv.Itoa(*r.count))
			}
		}
		for _, r := range []struct {
			name string
			span *retention.Span
		}{{"within", &p.Within}, {"within-hourly", &p.WithinHourly}, {"within-daily", &p.WithinDaily}, {"within-weekly", &p.WithinWeekly},
			{"within-monthly", &p.WithinMonthly}, {"within-yearly", &p.WithinYearly}} {
			if rnd.IntN(5) == 0 && try > 0 {
				s := spans[rnd.IntN(len(spans))]
				var err error
				*r.span, err = retention.ParseSpan(s)
				require.NoError(t, err)
				args = append(args, "--keep-"+r.name, s)
			}
		}
		if rnd.IntN(3) == 0 && try > 0 || len(args) == 5 {
			p.Tags = [][]string{{"release", "n3"}, {"n1"}}
			args = append(args, "--keep-tag", "release,n3", "--keep-tag", "n1")
		}
		var groups []struct {
			Keep []struct {
				Time time.Time `json:"time"`
			} `json:"keep"`
		}
		out := run(t, env, "restic", args...)
		require.NoError(t, json.Unmarshal(out, &groups), "%s", out)
		var want []string
		for _, k := range groups[0].Keep {
			want = append(want, "p"+strconv.Itoa(slices.IndexFunc(times, k.Time.Equal)))
		}
		slices.Sort(want)
		got, oldest := kept(t, list, p)
		if filled += len(oldest); !fills {
			got = slices.DeleteFunc(got, func(id string) bool { return slices.Contains(oldest, id) })
		}
		require.Equal(t, want, got, "try %d: %v of %v", try, args, times)
	}
	require.Positive(t, filled, "no policy kept a point only since it is the oldest")
}

var borgKeeps = regexp.MustCompile(`(?m)^Keeping archive \(rule: [^)]*\): +(p\d+) `)

func TestAgreesWithBorgPrune(t *testing.T) {
	t.Parallel()
	tool(t, "borg", "borgbackup")
	rnd := rand.New(rand.NewPCG(9, 2))
	dir := t.TempDir()
	file := dir + "/f"
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	env := []string{"BORG_REPO=" + dir + "/repo", "BORG_BASE_DIR=" + dir + "/base"}
	run(t, env, "borg", "init", "--encryption", "none")
	times := history(rnd, 16)
	for i, at := range times {
		run(t, env, "borg", "create", "--timestamp", at.UTC().Format("2006-01-02T15:04:05"), "::p"+strconv.Itoa(i), file) // UTC, whatever TZ says
	}
	list, filled := points(times), 0
	for try := range 8 {
		p := retention.Policy{Semantics: retention.Borg, Zone: zone}
		args := []string{"prune", "--list", "--dry-run"}
		for _, r := range []struct {
			name  string
			count *int
		}{{"secondly", &p.Secondly}, {"minutely", &p.Minutely}, {"hourly", &p.Hourly}, {"daily", &p.Daily}, {"weekly", &p.Weekly},
			{"monthly", &p.Monthly}, {"yearly", &p.Yearly}} {
			if *r.count = count(rnd); try == 0 { // nothing but what is not used up
				*r.count = map[string]int{"daily": 40}[r.name]
			}
			if *r.count != 0 {
				args = append(args, "--keep-"+r.name, strconv.Itoa(*r.count))
			}
		}
		if rnd.IntN(3) == 0 && try > 0 || len(args) == 3 {
			p.Within = retention.Span{Days: 1 + rnd.IntN(9)}
			args = append(args, "--keep-within", p.Within.String())
		}
		var want []string
		for _, m := range borgKeeps.FindAllStringSubmatch(string(run(t, env, "borg", args...)), -1) {
			want = append(want, m[1])
		}
		slices.Sort(want)
		require.NotEmpty(t, want)
		got, oldest := kept(t, list, p)
		filled += len(oldest)
		require.Equal(t, want, got, "try %d: %v of %v", try, args, times)
	}
	require.Positive(t, filled, "no policy kept an archive only since it is the oldest")
}
