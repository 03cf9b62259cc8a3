package zxcvbn_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/identity/password/strength"
)

// The release, and the digest that npm publishes of its package.
const (
	release   = "zxcvbn@4.4.2"
	integrity = "Bq0B+ixT/DMyG8kgX2xWcI5jUvCwqrMxSFam7m0lAf78nf04hv6lNCsyLYdyYTrCVMqNDY/206K7eExYCeSyUQ=="
)

// tool returns the path of a program. Without it the test is skipped, and fails in CI.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", name)
	}
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// unpack fetches the release by npm, and returns a folder with its script and its words.
func unpack(t *testing.T) string {
	t.Helper()
	npm, dir := tool(t, "npm"), t.TempDir()
	cmd := exec.Command(npm, "pack", "--silent", "--pack-destination", dir, release)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	b, err := os.ReadFile(filepath.Join(dir, "zxcvbn-4.4.2.tgz"))
	require.NoError(t, err)
	sum := sha512.Sum512(b)
	require.Equal(t, integrity, base64.StdEncoding.EncodeToString(sum[:]))
	z, err := gzip.NewReader(bytes.NewReader(b))
	require.NoError(t, err)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return dir
		}
		require.NoError(t, err)
		for _, name := range []string{"dist/zxcvbn.js", "lib/frequency_lists.js"} {
			if h.Name == "package/"+name {
				text, err := io.ReadAll(r)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(name)), text, 0o600))
			}
		}
	}
}

// node runs a script in dir, with in as JSON on its standard input, and decodes what it prints.
func node(t *testing.T, dir, script string, in, out any) {
	t.Helper()
	input, err := json.Marshal(in)
	require.NoError(t, err)
	cmd := exec.Command(tool(t, "node"), "-e", script)
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, bytes.NewReader(input), os.Stderr
	printed, err := cmd.Output()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(printed, out))
}

const (
	wordsScript = `const f=require("./frequency_lists.js"),o={};for(const k in f)o[k]=Array.isArray(f[k])?f[k]:f[k].split(",");console.log(JSON.stringify(o))`
	scoreScript = `const z=require("./zxcvbn.js");const q=JSON.parse(require("fs").readFileSync(0,"utf8"));` +
		`console.log(JSON.stringify(q.map(p=>{const r=z(p.text,p.words||[]);return{score:r.score,log10:r.guesses_log10}})))`
)

type question struct {
	Kind  string   `json:"-"`
	Text  string   `json:"text"`
	Words []string `json:"words,omitempty"`
}

type answer struct {
	Score int     `json:"score"`
	Log10 float64 `json:"log10"`
}

// questions are made from zxcvbn's own words, which is the harder half of the test: not all of them are ours.
func questions(lists map[string][]string, each int) []question {
	rng := rand.New(rand.NewPCG(8, 11642))
	names := []string{"english_wikipedia", "female_names", "male_names", "passwords", "surnames", "us_tv_and_film"}
	word := func() string {
		list := lists[names[rng.IntN(len(names))]]
		if rng.IntN(2) == 0 { // half of them from the front
			list = list[:min(len(list), 2000)]
		}
		return list[rng.IntN(len(list))]
	}
	random := func(n int, from string) string {
		var b strings.Builder
		for range n {
			b.WriteByte(from[rng.IntN(len(from))])
		}
		return b.String()
	}
	const lower, digits = "abcdefghijklmnopqrstuvwxyz", "0123456789"
	printable := lower + strings.ToUpper(lower) + digits + "!#$%&()*+,-./:;<=>?@[]^_{|}~"
	leet := strings.NewReplacer("a", "@", "e", "3", "o", "0", "s", "$", "i", "1", "t", "7")
	upper := func(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
	walk := func() string {
		rows := []string{"qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890", "1qaz2wsx3edc4rfv", "!qaz@wsx", "qazwsxedc", "poiuytrewq"}
		row := rows[rng.IntN(len(rows))]
		i := rng.IntN(len(row) - 3)
		return row[i : i+3+rng.IntN(len(row)-i-2)]
	}
	kinds := []struct {
		name string
		make func() string
	}{
		{"common", func() string { return lists["passwords"][rng.IntN(len(lists["passwords"]))] }},
		{"word", word},
		{"Word9", func() string { return upper(word()) + random(1+rng.IntN(4), digits) }},
		{"word and year", func() string { return word() + fmt.Sprint(1950+rng.IntN(70)) }},
		{"l33t", func() string { return leet.Replace(word()) + random(rng.IntN(2), "!?.#") }},
		{"mixed case", func() string {
			b := []byte(word())
			for i := range b {
				if rng.IntN(3) == 0 {
					b[i] = strings.ToUpper(string(b[i]))[0]
				}
			}
			return string(b)
		}},
		{"reversed", func() string { b := []byte(word()); slices.Reverse(b); return string(b) }},
		{"two words", func() string { return word() + []string{"", "-", " ", "_"}[rng.IntN(4)] + word() }},
		{"passphrase", func() string { return strings.Join([]string{word(), word(), word(), word()}[:3+rng.IntN(2)], " ") }},
		{"walk", func() string { return walk() + []string{"", walk(), random(2, digits)}[rng.IntN(3)] }},
		{"repeat", func() string {
			return strings.Repeat([]string{random(1, lower), random(3, lower), word()}[rng.IntN(3)], 2+rng.IntN(4))
		}},
		{"sequence", func() string { i := rng.IntN(18); return lower[i:i+3+rng.IntN(5)] + random(rng.IntN(4), digits) }},
		{"date", func() string {
			d, m, y := 1+rng.IntN(28), 1+rng.IntN(12), 1940+rng.IntN(80)
			return fmt.Sprintf([]string{"%02d%02d%d", "%d.%d.%d", "%d/%d/%d"}[rng.IntN(3)], d, m, y) + []string{"", word()}[rng.IntN(2)]
		}},
		{"digits", func() string { return random(4+rng.IntN(9), digits) }},
		{"random letters", func() string { return random(5+rng.IntN(8), lower) }},
		{"random", func() string { return random(4+rng.IntN(12), printable) }},
	}
	var all []question
	for _, k := range kinds {
		for range each {
			all = append(all, question{Kind: k.name, Text: k.make()})
		}
	}
	for range each {
		name := word() + random(3, lower)
		all = append(all, question{Kind: "own name", Text: name + random(rng.IntN(4), digits), Words: []string{name}})
	}
	return all
}

// How far we agree is said in the package's documentation, and printed by -v. What is asserted is a little less.
func TestScoresAgree(t *testing.T) {
	dir := unpack(t)
	var lists map[string][]string
	node(t, dir, wordsScript, nil, &lists)
	asked := questions(lists, 150)
	var theirs []answer
	node(t, dir, scoreScript, asked, &theirs)
	require.Len(t, theirs, len(asked))
	e, err := strength.New()
	require.NoError(t, err)

	type count struct{ all, equal, over, under, farOver int }
	counts := map[string]*count{}
	var order []string
	var off []float64
	for i, q := range asked {
		g := e.Estimate(q.Text, q.Words...)
		c := counts[q.Kind]
		if c == nil {
			c = &count{}
			counts[q.Kind] = c
			order = append(order, q.Kind)
		}
		c.all++
		ours := g.Score()
		switch {
		case ours == theirs[i].Score:
			c.equal++
		case ours > theirs[i].Score:
			c.over++
		default:
			c.under++
		}
		if ours >= theirs[i].Score+2 {
			c.farOver++
			t.Logf("%s: %q: %.1f, zxcvbn %.1f", q.Kind, q.Text, float64(g.MilliLog10)/1000, theirs[i].Log10)
		}
		off = append(off, math.Abs(float64(g.MilliLog10)/1000-theirs[i].Log10))
		if os.Getenv("ZXCVBN_SHOW") != "" && ours != theirs[i].Score {
			t.Logf("%s: %q: %.2f %v, zxcvbn %.2f", q.Kind, q.Text, float64(g.MilliLog10)/1000, g.Pieces, theirs[i].Log10)
		}
	}
	var sum count
	for _, kind := range order {
		c := counts[kind]
		t.Logf("%-16s %4d  equal %5.1f %%  over %3d  under %3d  over by 2 or more %d", kind, c.all, 100*float64(c.equal)/float64(c.all), c.over, c.under, c.farOver)
		sum.all, sum.equal, sum.over, sum.under, sum.farOver = sum.all+c.all, sum.equal+c.equal, sum.over+c.over, sum.under+c.under, sum.farOver+c.farOver
	}
	slices.Sort(off)
	t.Logf("of %d: equal %.1f %%, over %.1f %%, under %.1f %%, over by 2 or more %d; log10 of guesses apart by %.2f at the median, %.2f at 95 %%", sum.all,
		100*float64(sum.equal)/float64(sum.all), 100*float64(sum.over)/float64(sum.all), 100*float64(sum.under)/float64(sum.all), sum.farOver,
		off[len(off)/2], off[len(off)*95/100])
	require.GreaterOrEqual(t, sum.all, 2000)
	require.GreaterOrEqual(t, 100*sum.equal, 93*sum.all)
	require.LessOrEqual(t, 100*sum.over, 6*sum.all)
	require.LessOrEqual(t, 1000*sum.farOver, 5*sum.all) // all of them words that only zxcvbn knows
}
