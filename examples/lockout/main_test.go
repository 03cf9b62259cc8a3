package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/identity/lockout/spray"
)

// TestMain lets the test binary be the program.
func TestMain(m *testing.M) {
	if os.Getenv("LOCKOUT_TEST") == "be the program" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program runs the program, and wants an exit code.
func program(t *testing.T, code int, args ...string) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, args...)
	var out, problems strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &problems
	cmd.Env = append(os.Environ(), "LOCKOUT_TEST=be the program", "GORACE=atexit_sleep_ms=0")
	if err := cmd.Run(); err != nil {
		require.IsType(t, new(exec.ExitError), err)
	}
	require.Equal(t, code, cmd.ProcessState.ExitCode(), "%q\n%s\n%s", args, &out, &problems)
	require.Equal(t, code == 2, problems.Len() > 0, "standard error: %s", &problems)
	require.NotContains(t, problems.String(), "panic")
	return out.String() + problems.String()
}

func sample(t *testing.T, args ...string) (r report) {
	t.Helper()
	text := program(t, 1, append([]string{"replay", "-log", "sample.jsonl", "-json"}, args...)...)
	require.NoError(t, json.Unmarshal([]byte(text), &r))
	return r
}

// The sample: somebody guesses at ann's password from many addresses, bob's mail client repeats an old one, one secret is tried at
// many accounts from many sources, and stolen pairs from one.
func TestSampleHasWhatWasPlanted(t *testing.T) {
	r := sample(t)
	require.Equal(t, r.Attempts, r.Verified+r.Refused)
	require.Len(t, r.Locks, 3)
	for _, l := range r.Locks {
		require.Equal(t, counter{Account: "ann"}, l.counter, "strangers at ann's account; bob's client has one secret, which counts once")
		require.Equal(t, lockout.Locked, l.Standing)
		require.True(t, l.Until.After(l.From))
	}
	require.Greater(t, r.Locks[1].Until.Sub(r.Locks[1].From), r.Locks[0].Until.Sub(r.Locks[0].From), "they grow")
	require.Equal(t, 1, r.Locks[1].Right, "ann at another computer")
	var kinds []spray.Kind
	for _, v := range r.Attacks {
		kinds = append(kinds, v.Kind)
	}
	require.Equal(t, []spray.Kind{spray.SharedSecret, spray.Stuffing, spray.Entered}, kinds)
	require.Equal(t, "198.51.100.9/32", r.Attacks[1].Source.String())
	for _, v := range r.Verdicts {
		require.NotEqual(t, "198.51.100.20", v.Source.String(), "ann on her laptop is admitted meanwhile")
	}

	text := program(t, 1, "replay", "-log", "sample.jsonl")
	for _, line := range []string{
		`locked    "ann": 2026-03-02T08:31:40Z to 2026-03-02T08:32:42Z (1m2s), after 5 failures; 2 refused, 0 of them with the right secret`,
		`2026-03-02T08:33:30Z  "ann" from 2001:db8:77::5: refused: locked`,
		"critical  entered: 198.51.100.9/32",
		"recommendation: 138 attempts, 130 verified, 8 refused; 3 locks, 3 attacks",
	} {
		require.Contains(t, text, line)
	}
}

func TestEachPresetAndAFileReplay(t *testing.T) {
	for _, p := range lockout.Presets() {
		r := sample(t, "-policy", p.Name)
		require.Equal(t, p.Name, r.Profile)
		text, err := json.Marshal(p)
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), "profile.json")
		require.NoError(t, os.WriteFile(file, text, 0o600))
		require.Equal(t, r.Locks, sample(t, "-policy", file).Locks)
	}
	permanent := sample(t, "-policy", lockout.PresetSlapd)
	require.Equal(t, lockout.Permanent, permanent.Locks[0].Standing)
	require.Contains(t, program(t, 1, "replay", "-log", "sample.jsonl", "-policy", lockout.PresetSlapd), "until it is unlocked")
}

func written(t *testing.T, lines ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "log.jsonl")
	require.NoError(t, os.WriteFile(name, []byte(strings.Join(lines, "\n")), 0o600))
	return name
}

const line = `{"t":"2026-03-02T08:00:0%dZ","account":"ann","source":"192.0.2.1","secret":"x","ok":%v}`

func TestCleanLogExitsWithZero(t *testing.T) {
	text := program(t, 0, "replay", "-log", written(t, fmt.Sprintf(line, 1, false), fmt.Sprintf(line, 4, true), ""))
	require.Contains(t, text, "2 attempts, 2 verified, 0 refused; 0 locks, 0 attacks")
	var r report
	require.NoError(t, json.Unmarshal([]byte(program(t, 0, "replay", "-log", written(t), "-json")), &r))
	require.Zero(t, r.Attempts)
	require.NotNil(t, r.Locks)
}

func TestWrongLinesAreNamedAndNotShown(t *testing.T) {
	good := fmt.Sprintf(line, 5, true)
	for want, bad := range map[string]string{
		":2: earlier than the line before": fmt.Sprintf(line, 4, true),
		":2: want an object":               `{"t":"2026-03-02T08:00:06Z","account":"ann","source":"192.0.2.1","hunter2":"x","ok":true}`,
		":2: want an":                      `hunter2`,
		":2: want":                         `{"t":"2026-03-02T08:00:06Z","account":"ann","source":"hunter2","ok":true}`,
		":2: wan":                          `{"t":"2026-03-02T08:00:06Z","account":"ann","source":"192.0.2.1"}`,
		":2: wa":                           `{"t":"hunter2","account":"ann","source":"192.0.2.1","ok":true}`,
		":2: w":                            `{"account":"ann","source":"192.0.2.1","ok":true}`,
		":2: ":                             good + good,
		":2:":                              `{"t":"2026-03-02T08:00:06Z","account":"` + strings.Repeat("a", 1025) + `","source":"192.0.2.1","ok":true}`,
		":2: a line of more than":          strings.Repeat(" ", 9000) + good,
	} {
		text := program(t, 2, "replay", "-log", written(t, good, bad))
		require.Contains(t, text, want)
		require.NotContains(t, text, "hunter2")
	}
}

func TestSourceMayBeMissing(t *testing.T) {
	var lines []string
	for range 40 {
		lines = append(lines, `{"t":"2026-03-02T08:00:06Z","account":"ann","ok":false}`)
	}
	text := program(t, 1, "replay", "-log", written(t, lines...))
	require.Contains(t, text, `"ann" from somewhere: `)
	require.Contains(t, program(t, 2, "replay", "-log", written(t, `{"t":"1969-12-31T23:59:59Z","account":"ann","ok":true}`)), ":1: want an object")
}

func TestWrongUseExitsWithTwo(t *testing.T) {
	for want, args := range map[string][]string{
		"usage: ":             {"replay"},
		"replay|simulate":     {},
		"absent.jsonl":        {"replay", "-log", "absent.jsonl"},
		"absent.json":         {"replay", "-log", "sample.jsonl", "-policy", "absent.json"},
		"which is none of re": {"replay", "-log", "sample.jsonl", "-policy", "sample.jsonl"},
		"want 1 to 64 nodes":  {"simulate", "-nodes", "0"},
		"0 to 1000 guessers":  {"simulate", "-guessers", "-1"},
		"Everything is a fla": {"simulate", "more"},
	} {
		require.Contains(t, program(t, 2, args...), want)
	}
}

func TestHelp(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	for verb, flag := range map[string]string{"replay": "-policy", "simulate": "-sprayers"} {
		cmd := exec.CommandContext(t.Context(), self, verb, "-h")
		cmd.Env = append(os.Environ(), "LOCKOUT_TEST=be the program", "GORACE=atexit_sleep_ms=0")
		text, err := cmd.CombinedOutput()
		require.NoError(t, err)
		require.Contains(t, string(text), flag)
	}
}

func TestSimulationComparesPresets(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "timeline.svg")
	text := program(t, 0, "simulate", "-json", "-out", picture)
	var o outcome
	require.NoError(t, json.Unmarshal([]byte(text), &o))
	require.Len(t, o.Runs, len(lockout.Presets()))
	for _, r := range o.Runs {
		own := r.Victim[onDevice].Admitted == r.Victim[onDevice].Right && r.Victim[atHome].Admitted == r.Victim[atHome].Right
		require.Equal(t, r.Preset == lockout.PresetRecommendation, own, "%s: only budgets of their own keep the owner in", r.Preset)
		require.Less(t, r.By[guesser].Verified, r.By[guesser].Tried/20)
		require.Equal(t, 1, min(1, r.Attacks[spray.SharedSecret]), "what no account notices is found by its secret")
	}
	var table strings.Builder
	require.NoError(t, o.WriteText(&table))
	for i, p := range lockout.Presets() {
		require.Contains(t, table.String(), p.Name)
		if i > 0 {
			continue
		}
		for seed := range uint64(3) { // one seed, one course
			again, err := course{Seed: seed, Nodes: 3, Guessers: 4, Sprayers: 40}.simulate(t.Context(), p)
			require.NoError(t, err)
			require.Equal(t, seed == 1, assert.ObjectsAreEqual(o.Runs[i].By, again.By))
		}
	}

	f, err := os.Open(picture)
	require.NoError(t, err)
	defer f.Close()
	names := map[string]int{}
	for d := xml.NewDecoder(f); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if e, ok := token.(xml.StartElement); ok {
			names[e.Name.Local]++
		}
	}
	require.Greater(t, names["circle"], 100)
	require.Greater(t, names["rect"], len(o.Runs))
}

// Guesses of the same second, on as many nodes as there are, are no more than the policy lets through.
func TestNodesDoNotMultiplyGuesses(t *testing.T) {
	profile, err := lockout.Preset(lockout.PresetSlapd) // permanent after 5
	require.NoError(t, err)
	for _, nodes := range []int{1, 64} {
		r, err := course{Seed: 3, Nodes: nodes, Guessers: 100}.simulate(t.Context(), profile)
		require.NoError(t, err)
		require.Equal(t, 5, r.By[guesser].Verified)
		require.Equal(t, 100*hours*180, r.By[guesser].Tried)
	}
}

func TestMarkupInAPresetsNameStaysText(t *testing.T) {
	var b strings.Builder
	require.NoError(t, draw(&b, &outcome{Runs: []*run{newRun("<script>")}}))
	require.NotContains(t, b.String(), "<script>")
}

func FuzzLog(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(line, 1, true)))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		for a, err := range attempts(strings.NewReader(string(b))) {
			if n++; err == nil {
				require.True(t, a.valid())
			}
		}
		require.LessOrEqual(t, n, strings.Count(string(b), "\n")+1)
	})
}
