package snapshot_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/snapshot"
)

func writers(r *snapshot.Report) map[string]func(io.Writer) error {
	return map[string]func(io.Writer) error{"text": r.WriteText, "json": r.WriteJSON, "dot": r.WriteDOT, "svg": r.WriteSVG}
}

// hostile is a graph whose names, words and reasons try to get out of every form.
func hostile(t *testing.T) *snapshot.Report {
	t.Helper()
	names := []string{"\x1b[2J\"><script>&", `"quoted" \n`, "a\nb\u202e", "\xff\xfe", "]]>--><!--", "ordinary.qcow2"}
	var b snapshot.Builder
	for i, name := range names {
		n := snapshot.Node{ID: name, Restore: true, Format: name}
		if i > 0 {
			n.Needs = []snapshot.Need{{ID: names[i-1], As: name}, {ID: names[0] + "?", As: name}}
		} else {
			n.Broken = "</title>\x1b\xff"
		}
		require.NoError(t, b.Add(n))
	}
	g, _ := b.Build()
	r, err := g.Analyze(snapshot.FailureModel{P: 0.1}, nil)
	require.NoError(t, err)
	r.Add(snapshot.Finding{Path: "\x07", Rule: "r", Severity: opsec.SeverityInfo, Text: "\x1b]0;title\x07"})
	return r
}

func TestNoNameGetsOutOfAReport(t *testing.T) {
	for form, write := range writers(hostile(t)) {
		var b strings.Builder
		require.NoError(t, write(&b))
		for _, r := range b.String() {
			require.False(t, r != '\n' && r != '\t' && (r < ' ' || r == 0x7f || r == '\u202e' || r == 0xfffd && form != "json"), "%s: %q in\n%s", form, r, b.String())
		}
		if form == "svg" || form == "json" {
			require.NotContains(t, b.String(), "<script", form)
		}
	}
}

func TestSVGIsXMLThatAsksForNothing(t *testing.T) {
	var b strings.Builder
	require.NoError(t, hostile(t).WriteSVG(&b))
	d := xml.NewDecoder(strings.NewReader(b.String()))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if start, ok := token.(xml.StartElement); ok {
			require.Contains(t, []string{"svg", "title", "rect", "text", "tspan", "path", "circle", "g"}, start.Name.Local)
			for _, a := range start.Attr {
				require.NotContains(t, a.Value, "url(")
			}
		}
	}
}

func TestDOTIsWhatGraphvizReads(t *testing.T) {
	dot, err := exec.LookPath("dot")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no dot here")
		}
		t.Skip("no dot here")
	}
	var b strings.Builder
	require.NoError(t, hostile(t).WriteDOT(&b))
	cmd := exec.Command(dot, "-Tplain")
	cmd.Stdin = strings.NewReader(b.String())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", out, b.String())
	require.Equal(t, 7, strings.Count(string(out), "\nnode "))
	require.Equal(t, 10, strings.Count(string(out), "\nedge "))
}

// Graphviz takes what follows an ampersand for another character, which no reader of names would see.
func TestNamesComeOutOfGraphvizAsTheyAre(t *testing.T) {
	dot, err := exec.LookPath("dot")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no dot here")
		}
		t.Skip("no dot here")
	}
	var b snapshot.Builder
	require.NoError(t, b.Add(snapshot.Node{ID: "&#27;[2J&lt;b&gt;", Needs: []snapshot.Need{{ID: `\N\G`, As: "&quot;"}}}))
	g, _ := b.Build()
	r, err := g.Analyze(snapshot.FailureModel{P: 0.1}, nil)
	require.NoError(t, err)
	var text strings.Builder
	require.NoError(t, r.WriteDOT(&text))
	cmd := exec.Command(dot, "-Tplain")
	cmd.Stdin = strings.NewReader(text.String())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotContains(t, string(out), "\x1b")
	cmd = exec.Command(dot, "-Tsvg")
	cmd.Stdin = strings.NewReader(text.String())
	out, err = cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	seen := map[string]bool{}
	for d := xml.NewDecoder(strings.NewReader(string(out))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if text, ok := token.(xml.CharData); ok {
			seen[string(text)] = true
		}
	}
	for _, name := range []string{"&#27;[2J&lt;b&gt;", `\N\G`, "&quot;"} {
		require.True(t, seen[name], "%q in %v", name, seen)
	}
}

func TestJSONHasTheWholeGraph(t *testing.T) {
	var b snapshot.Builder
	require.NoError(t, b.Add(snapshot.Node{ID: "base", Format: "qcow2", Size: 10}))
	require.NoError(t, b.Add(snapshot.Node{ID: "mid", Restore: true, Needs: []snapshot.Need{{ID: "base", As: snapshot.AsBacking}}}))
	require.NoError(t, b.Add(snapshot.Node{ID: "tip", Restore: true, Needs: []snapshot.Need{
		{ID: "mid", As: snapshot.AsBacking}, {ID: "tip.raw", As: snapshot.AsDataFile}, {ID: "tip-s001", As: snapshot.AsExtent},
	}}))
	require.NoError(t, b.Add(snapshot.Node{ID: "tip-s001"}))
	require.NoError(t, b.Add(snapshot.Node{ID: "flat", Needs: []snapshot.Need{{ID: "flat-s001", As: snapshot.AsExtent}}}))
	require.NoError(t, b.Add(snapshot.Node{ID: "flat-s001"}))
	require.NoError(t, b.Add(snapshot.Node{ID: "tip.raw"}))
	require.NoError(t, b.Add(snapshot.Node{ID: "tip@noon", Restore: true, Needs: []snapshot.Need{{ID: "tip", As: snapshot.AsContains}}}))
	g, _ := b.Build()
	profile, _ := snapshot.ProfileNamed("opsec")
	r, err := g.Analyze(snapshot.FailureModel{P: 0.5, Now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}, &profile)
	require.NoError(t, err)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	var got struct {
		Images []struct {
			Path    string
			Depth   int
			Usable  float64
			Blast   int
			Restore bool
		}
		Edges  []struct{ From, To, As string }
		Chains []struct {
			Tip, Root string
			Depth     int
			Files     int
			Usable    float64
		}
		SPOF []struct {
			Path  string
			Blast int
		}
		ExpectedLost float64 `json:"expected_lost"`
		Findings     []snapshot.Finding
		LeftOut      map[string]int `json:"left_out"`
		Exact        bool
		Profile      snapshot.Profile
		Model        snapshot.FailureModel
	}
	require.NoError(t, json.Unmarshal(text, &got))
	require.Len(t, got.Images, 8)
	depths := map[string]int{}
	for _, i := range got.Images {
		depths[i.Path] = i.Depth
	}
	require.Equal(t, map[string]int{"base": 1, "mid": 2, "tip": 3, "tip@noon": 3, "tip.raw": 1, "tip-s001": 1, "flat": 1, "flat-s001": 1}, depths)
	require.Len(t, got.Edges, 6)
	require.Len(t, got.Chains, 2)
	require.Equal(t, "tip", got.Chains[0].Tip)
	require.Equal(t, "base", got.Chains[0].Root)
	require.Equal(t, 3, got.Chains[0].Depth, "a data file and a snapshot inside add no depth")
	require.Equal(t, 5, got.Chains[0].Files)
	require.InDelta(t, 1.0/32, got.Chains[0].Usable, 1e-12)
	require.InDelta(t, 1-1.0/4+1-1.0/32+1-1.0/64, got.ExpectedLost, 1e-12)
	require.Equal(t, "base", got.SPOF[0].Path)
	require.Equal(t, 3, got.SPOF[0].Blast)
	require.Equal(t, map[string]int{"chains": 0, "spof": 0}, got.LeftOut)
	require.True(t, got.Exact)
	require.Equal(t, profile, got.Profile)
	require.Equal(t, r.Model, got.Model)
	require.NotEmpty(t, got.Findings)
}

func TestTextSaysTheWorstFirst(t *testing.T) {
	r, err := chain(t, 30).Analyze(snapshot.FailureModel{P: 0.01, Now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}, &snapshot.Profiles()[0])
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, r.WriteText(&b))
	for _, line := range []string{
		"30 images, 29 references, 30 restore points\n",
		"expected to be lost: 4.23 of 30 points (0.3 if none needed another)\n",
		"a read may pass: 15.5 files on average, 30 at most\n",
		"     73.97 %  depth 30  s30 on s1\n",
		"  30 points lost with s1, which fails by 1.00 %\n",
		"  and 9 more\n",
		"  medium   chain-depth s30: 29 snapshots in its chain, more than the advised 3 (vmware)\n",
	} {
		require.Contains(t, b.String(), line)
	}
}

func TestNothingIsLeftOutOfATextOfTwenty(t *testing.T) {
	r, err := chain(t, 21).Analyze(snapshot.FailureModel{P: 0.01}, nil)
	require.NoError(t, err)
	require.Len(t, r.SPOF, 20)
	var b strings.Builder
	require.NoError(t, r.WriteText(&b))
	require.NotContains(t, b.String(), "more")
}

func TestChancesAreNotRoundedToCertainty(t *testing.T) {
	r, err := chain(t, 2).Analyze(snapshot.FailureModel{P: 1e-6}, nil)
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, r.WriteText(&b))
	require.Contains(t, b.String(), "above 99.99 %")
	require.Contains(t, b.String(), "fails by below 0.01 %")
	r, err = chain(t, 1).Analyze(snapshot.FailureModel{P: 0.00007}, nil)
	require.NoError(t, err)
	b.Reset()
	require.NoError(t, r.WriteText(&b))
	require.Contains(t, b.String(), "above 99.99 %")
}

func TestLargeDrawingsSayWhatTheyLeaveOut(t *testing.T) {
	var b snapshot.Builder
	for c := range 100 {
		for i := range 100 {
			n := snapshot.Node{ID: fmt.Sprintf("c%d-%d", c, i), Restore: true}
			if i > 0 {
				n.Needs = []snapshot.Need{{ID: fmt.Sprintf("c%d-%d", c, i-1)}}
			}
			require.NoError(t, b.Add(n))
		}
	}
	g, _ := b.Build()
	r, err := g.Analyze(snapshot.FailureModel{P: 0.01}, nil)
	require.NoError(t, err)
	var svg, dot strings.Builder
	require.NoError(t, r.WriteSVG(&svg))
	require.Contains(t, svg.String(), "Not drawn: 40 chains.")
	require.Equal(t, 60, strings.Count(svg.String(), "60 nodes are not drawn"))
	require.Equal(t, 60*40, strings.Count(svg.String(), "usable "))
	require.Less(t, svg.Len(), 1<<20)
	require.NoError(t, r.WriteDOT(&dot))
	require.Contains(t, dot.String(), "5000 more nodes")
}

func TestWhatTwoChainsShareIsDrawnOnce(t *testing.T) {
	g := graph(t, map[string][]string{"b": {"a"}, "c": {"b"}, "d": {"b"}}, "a", "b", "c", "d")
	r, err := g.Analyze(snapshot.FailureModel{P: 0.1}, nil)
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, r.WriteSVG(&b))
	var places []string
	for _, line := range strings.Split(b.String(), "\n") {
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "<g><title>"), ": usable"); ok {
			_, place, _ := strings.Cut(rest, "<rect ")
			places = append(places, name+" "+strings.Join(strings.Fields(place)[:2], " "))
		}
	}
	require.Equal(t, []string{`a x="23" y="69"`, `b x="53" y="69"`, `c x="83" y="69"`, `d x="83" y="103"`}, places)
}

func TestLargeCirclesAreDrawnAsFarAsTheyGo(t *testing.T) {
	var b snapshot.Builder
	for i := range 5010 {
		require.NoError(t, b.AddIndexed(snapshot.Indexed{Needs: []int{(i + 1) % 5010}}))
	}
	g, _ := b.Build()
	r, err := g.Analyze(snapshot.FailureModel{P: 0.01}, nil)
	require.NoError(t, err)
	var dot strings.Builder
	require.NoError(t, r.WriteDOT(&dot))
	require.NotContains(t, dot.String(), "n5000")
	require.Contains(t, dot.String(), "n4999")
	require.Contains(t, dot.String(), "10 more nodes")
}

// full is a writer that has no room after some bytes.
type full int

func (f *full) Write(p []byte) (int, error) {
	if *f -= full(len(p)); *f < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestWritersTellThatTheyCouldNot(t *testing.T) {
	for form, write := range writers(hostile(t)) {
		room := full(10)
		require.ErrorIs(t, write(&room), io.ErrShortWrite, form)
	}
}
