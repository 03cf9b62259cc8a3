package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/examples/internal/program"
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
	return append([]string{"-points", "points.csv", "-policy", "policy.json", "-at", "2026-03-11T00:00:00Z"}, args...)
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// The sample: a chain, an old full one that alone was found whole, one on hold, and one whose host claims to be ten years ahead.
func TestSampleIsExplained(t *testing.T) {
	out := exits(t, 1, sample()...)
	for _, line := range []string{
		"keep 2026-03-10T02:00:00+01:00 db inc-4: needed by inc-5",
		"keep 2026-02-20T02:00:00+01:00 db full-1: the newest of its group that was found whole",
		"keep 2026-01-02T02:00:00+01:00 db old: on hold for case 7",
		"drop 2025-12-02T02:00:00+01:00 db older: no rule keeps it; the next that stays is old",
		"7 kept, 1 dropped, 1 findings",
	} {
		require.Contains(t, out, line+"\n")
	}
}

func TestJSONIsOneDocument(t *testing.T) {
	var r report
	require.NoError(t, json.Unmarshal([]byte(exits(t, 1, sample("-json")...)), &r))
	require.Len(t, r.Decisions, 8)
	require.Equal(t, []string{"older"}, r.Dropped())
}

func TestJSONHasListsEvenWhenTheyAreEmpty(t *testing.T) {
	out := exits(t, 0, "-points", file(t, "p.jsonl", ""), "-policy", "policy.json", "-json", "-at", "2026-03-11T00:00:00Z")
	require.JSONEq(t, `{"at": "2026-03-11T00:00:00Z", "decisions": [], "findings": []}`, out)
}

func TestPoliciesAreCompared(t *testing.T) {
	old := file(t, "old.json", `{"semantics": "copies", "zone": "UTC", "last": 9, "tolerance": "2h"}`)
	require.Contains(t, exits(t, 1, sample("-than", old)...), "the other policy keeps \"older\"\n")
}

func TestLinesAreReadAsTheTableIs(t *testing.T) {
	policy := file(t, "p.json", `{"semantics": "copies", "zone": "UTC", "last": 1}`)
	points := file(t, "p.jsonl", `{"id": "a", "claimed": "2026-03-01T00:00:00Z", "received": "2026-03-01T00:00:00Z", "replicated": true, "verified": "2026-03-02T00:00:00Z"}

{"id": "b", "claimed": "2026-02-01T00:00:00Z", "received": "2026-02-01T00:00:00Z", "replicated": true}
`)
	out := exits(t, 0, "-points", points, "-policy", policy, "-at", "2026-03-11T00:00:00Z")
	require.Contains(t, out, "1 kept, 1 dropped, 0 findings")
}

func TestWrongInputIsToldApart(t *testing.T) {
	for want, args := range map[string][]string{
		"usage":           {"-points", "points.csv"},
		"-at":             sample("-at", "yesterday"),
		"no head":         {"-points", file(t, "empty.csv", ""), "-policy", "policy.json"},
		"column \"nam\"":  {"-points", file(t, "a.csv", "id,nam\n"), "-policy", "policy.json"},
		"line 2: claimed": {"-points", file(t, "b.csv", "id,claimed\na,now\n"), "-policy", "policy.json"},
		"line 1":          {"-points", file(t, "c.jsonl", `{"id": "a", "size": 1}`), "-policy", "policy.json"},
		"no claimed":      {"-points", file(t, "d.jsonl", `{"id": "a"}`), "-policy", "policy.json"},
		"keeps nothing":   {"-points", "points.csv", "-policy", file(t, "e.json", `{"semantics": "restic", "zone": "UTC"}`)},
	} {
		require.Contains(t, strings.ToLower(exits(t, 2, args...)), want)
	}
}
