package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/timetable"
	"github.com/cloudopsec/opsec/examples/internal/script"
)

// printedBy runs the script, and returns what it prints.
func printedBy(t *testing.T, args ...string) (string, error) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	old := os.Stdout
	os.Stdout = w
	out := make(chan string)
	go func() {
		text, _ := io.ReadAll(r)
		out <- string(text)
	}()
	err = run(context.Background(), args)
	os.Stdout = old
	w.Close()
	return <-out, err
}

func TestSampleIsPlannedCheckedAndShown(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.html")
	text, err := printedBy(t, "-strategy", "strategy.yaml", "-observed", "observed.json", "-html", page)
	require.ErrorIs(t, err, script.ErrFindings)
	for _, want := range []string{"The strategy can be met", "the copy is not encrypted", "up to 19h42m would have been lost, want at most 6h",
		"the newest 43 of files, 8 of image", "kept by guards",
		"| `array-files` | array | files | 4h | 21m20s | 28 | 43 |"} {
		require.Contains(t, text, want)
	}
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(html), "<polygon")
	require.NotContains(t, string(html), "<script")
	again := filepath.Join(t.TempDir(), "again.html")
	_, err = printedBy(t, "-strategy", "strategy.yaml", "-observed", "observed.json", "-html", again)
	require.ErrorIs(t, err, script.ErrFindings)
	twice, err := os.ReadFile(again)
	require.NoError(t, err)
	require.Equal(t, string(html), string(twice), "the same files give the same page")
}

func TestPlanAloneIsClean(t *testing.T) {
	text, err := printedBy(t, "-strategy", "strategy.yaml", "-json", "-at", "2026-03-22T00:00:00Z")
	require.NoError(t, err)
	var report struct {
		Solution struct{ Best struct{ Cost int64 } }
	}
	require.NoError(t, json.Unmarshal([]byte(text), &report))
	require.Equal(t, int64(29_744_431), report.Solution.Best.Cost)
}

func TestAStrategyThatNothingMeetsIsAFinding(t *testing.T) {
	sample, err := os.ReadFile("strategy.yaml")
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "strict.yaml")
	require.NoError(t, os.WriteFile(name, []byte(strings.Replace(string(sample), "rto: 3h ", "rto: 30m", 1)), 0o600))
	text, err := printedBy(t, "-strategy", name)
	require.ErrorIs(t, err, script.ErrFindings)
	require.Contains(t, text, "| `rto` | at most 30m | 53m13s | yes |")
}

func TestANightIsArranged(t *testing.T) {
	text, err := printedBy(t, "-strategy", "strategy.yaml", "-timetable", "night.json", "-at", "2026-03-22T00:00:00Z")
	require.NoError(t, err)
	require.Contains(t, text, "- mail to vault: 2026-03-10 ")
	require.Contains(t, text, "- orders, image to vault: 2026-03-09 21:00 to 2026-03-10 06:00, 9h in 2 parts\n", "its host reads one at a time")
	p, err := read("night.json", decode[timetable.Problem])
	require.NoError(t, err)
	arranged, err := timetable.Arrange(&p)
	require.NoError(t, err)
	require.NoError(t, arranged.Check(&p))
	gap, ok := arranged.Gap(&p)
	require.True(t, ok)
	require.LessOrEqual(t, gap, 0.1)
	require.Contains(t, text, `**It comes to:** 69\.6 % of link wan at most`)
	require.Contains(t, text, `**No arrangement can do better than:** 69\.6 % of link wan`)
}

func TestWhatIsWrongWithANightNamesItsFile(t *testing.T) {
	night, err := os.ReadFile("night.json")
	require.NoError(t, err)
	for want, text := range map[string]string{
		"slot: want whole seconds": strings.Replace(string(night), `"30m"`, `"1ms"`, 1),
		"more than one JSON value": string(night) + "{}",
	} {
		name := filepath.Join(t.TempDir(), "other.json")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		_, err := printedBy(t, "-strategy", "strategy.yaml", "-timetable", name)
		require.ErrorContains(t, err, "other.json: ")
		require.ErrorContains(t, err, want)
	}
}

func TestWrongUse(t *testing.T) {
	for _, args := range [][]string{
		nil, {"-strategy", "gone.yaml"}, {"-strategy", "observed.json"}, {"-strategy", "strategy.yaml", "-observed", "strategy.yaml"},
		{"-strategy", "strategy.yaml", "-at", "noon"}, {"-strategy", "strategy.yaml", "-timetable", "observed.json"}, {"-strategy", "strategy.yaml", "more"}, {"-strategy", "strategy.yaml", "-html", "/no/such/folder/x"},
	} {
		_, err := printedBy(t, args...)
		require.Error(t, err, args)
		require.NotErrorIs(t, err, script.ErrFindings, args)
	}
}
