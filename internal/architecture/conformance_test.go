package architecture_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const conformanceHeader = "| id | in our words | state | symbol, or the room to come | proof |"

var quoted = regexp.MustCompile("`([^`]*)`")

// requirement is a row of docs/conformance.md.
type requirement struct{ id, words, state, where, proof string }

func requirements(doc string) (list []requirement, err error) {
	_, table, found := strings.Cut(doc, conformanceHeader+"\n|---|---|---|---|---|\n")
	if !found {
		return nil, fmt.Errorf("no table under %q", conformanceHeader)
	}
	for line := range strings.Lines(table) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(line, "|")
		if len(cells) != 7 {
			return nil, fmt.Errorf("%d cells, want 5: %s", len(cells)-2, line)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		list = append(list, requirement{cells[1], cells[2], cells[3], cells[4], cells[5]})
	}
	return list, nil
}

// claims returns what docs/conformance.md gets wrong: ids that are missing, extra or out of order, and served
// requirements whose symbol or proof is not in the tree.
func claims(doc string, ids []string, tree []room) (broken []string) {
	list, err := requirements(doc)
	if err != nil {
		return []string{err.Error()}
	}
	var got []string
	known, proven := symbols(tree), proofs(tree)
	for _, r := range list {
		got = append(got, r.id)
		if r.words == "" {
			broken = append(broken, r.id+": says nothing")
		}
		switch r.state {
		case "served":
			broken = append(broken, missing(r.id+": symbol", r.where, known)...)
			broken = append(broken, missing(r.id+": proof", r.proof, proven)...)
		case "in part":
			here, toCome, _ := strings.Cut(r.where, ";")
			broken = append(broken, missing(r.id+": symbol", here, known)...)
			broken = append(broken, missing(r.id+": proof", r.proof, proven)...)
			broken = append(broken, unplanned(requirement{id: r.id, where: strings.TrimSpace(toCome)})...)
		case "planned":
			broken = append(broken, unplanned(r)...)
		default:
			broken = append(broken, fmt.Sprintf("%s: state %q", r.id, r.state))
		}
	}
	if !slices.Equal(got, ids) {
		broken = append(broken, difference(got, ids))
	}
	return broken
}

// missing takes a cell of back-quoted names.
func missing(what, cell string, exist map[string]bool) (broken []string) {
	names := quoted.FindAllStringSubmatch(cell, -1)
	if len(names) == 0 {
		return []string{what + ": none named"}
	}
	for _, name := range names {
		if !exist[name[1]] {
			broken = append(broken, fmt.Sprintf("%s %s does not exist", what, name[1]))
		}
	}
	return broken
}

// unplanned checks that a planned row names rooms of the plan and nothing that would read as a promise kept.
func unplanned(r requirement) (broken []string) {
	if r.proof != "" || strings.Contains(r.where, "`") {
		broken = append(broken, r.id+": planned, but names a symbol or a proof")
	}
	for room := range strings.SplitSeq(r.where, ", ") {
		if !slices.ContainsFunc(plan, func(r row) bool { return r.room == room }) {
			broken = append(broken, fmt.Sprintf("%s: %q is no room of the plan", r.id, room))
		}
	}
	return broken
}

func difference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("row %d is %s, want %s", i+1, got[i], want[i])
		}
	}
	return fmt.Sprintf("%d requirements, want %d", len(got), len(want))
}

func requirementIDs(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/requirement_ids.txt")
	require.NoError(t, err)
	return strings.Fields(string(text))
}

func TestConformanceNamesWhatExists(t *testing.T) {
	doc, err := os.ReadFile(top + "/docs/conformance.md")
	require.NoError(t, err)
	ids := requirementIDs(t)
	require.Len(t, ids, 125)
	for _, broken := range claims(string(doc), ids, rooms(t, os.DirFS(top))) {
		t.Error(broken)
	}
}

// The list of requirements is kept beside the checkout where the project is developed; elsewhere our copy of its ids
// stands alone.
func TestRequirementIDsAreThoseOfTheSpecification(t *testing.T) {
	text, err := os.ReadFile(top + "/../shared/spec/requirements.csv")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no ../shared/spec/requirements.csv beside this checkout")
	}
	require.NoError(t, err)
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	require.NoError(t, err)
	var ids []string
	for _, record := range records[1:] {
		ids = append(ids, record[0])
	}
	require.Equal(t, ids, requirementIDs(t))
}

func TestFalseClaimsAreFound(t *testing.T) {
	tree := rooms(t, synthetic(map[string]string{
		"audit/a.go": "package audit\n\n// T is.\ntype T struct{ Field, hidden int }\n\n" +
			"// Do does.\nfunc (*T) Do() {}\n\n// I is.\ntype I interface{ Act() }\n",
		"audit/a_test.go": "package audit_test\n\nfunc TestT() {}\n\nfunc ExampleT() {}\n\n" +
			"func FuzzT() {}\n\nfunc helper() {}\n",
	}))
	good := "| 1-1 | w | served | `audit.T.Do`, `audit.T.Field`, `audit.I.Act` | " +
		"`audit.TestT`, `audit.ExampleT`, `audit.FuzzT` |\n"
	table := func(rows string) string {
		return conformanceHeader + "\n|---|---|---|---|---|\n" + rows + "\nmore | text\n"
	}
	require.Empty(t, claims(table(good), []string{"1-1"}, tree))
	part := strings.Replace(strings.Replace(good, "served", "in part", 1), "`audit.I.Act`", "`audit.I.Act`; audit, store", 1)
	require.Empty(t, claims(table(part), []string{"1-1"}, tree))
	tests := []struct{ name, rows, want string }{
		{"no such symbol", strings.Replace(good, "audit.T.Do", "audit.T.Undo", 1), "symbol audit.T.Undo does not exist"},
		{"unexported field", strings.Replace(good, "T.Field", "T.hidden", 1), "symbol audit.T.hidden does not exist"},
		{"no symbol", "| 1-1 | w | served | audit | `audit.TestT` |\n", "symbol: none named"},
		{"no such test", strings.Replace(good, "TestT", "TestU", 1), "proof audit.TestU does not exist"},
		{"not a test", strings.Replace(good, "TestT", "helper", 1), "proof audit.helper does not exist"},
		{"no proof", "| 1-1 | w | served | `audit.T` | |\n", "proof: none named"},
		{"state", "| 1-1 | w | soon | audit | |\n", `state "soon"`},
		{"in part without the rest", strings.Replace(good, "served", "in part", 1), `"" is no room`},
		{"in part without a symbol", "| 1-1 | w | in part | audit | `audit.TestT` |\n", "symbol: none named"},
		{"in part without a proof", "| 1-1 | w | in part | `audit.T`; audit | |\n", "proof: none named"},
		{"planned with a symbol", "| 1-1 | w | planned | `audit.T` | |\n", "planned, but names a symbol"},
		{"planned with a proof", "| 1-1 | w | planned | audit | `audit.TestT` |\n", "planned, but names a symbol"},
		{"planned nowhere", "| 1-1 | w | planned | attic | |\n", `"attic" is no room`},
		{"no words", "| 1-1 | | planned | audit | |\n", "says nothing"},
		{"wrong id", strings.Replace(good, "1-1", "1-2", 1), "row 1 is 1-2, want 1-1"},
		{"twice", good + good, "2 requirements, want 1"},
		{"absent", "", "0 requirements, want 1"},
		{"cells", "| 1-1 | w | planned |\n", "3 cells, want 5"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.Contains(t, strings.Join(claims(table(test.rows), []string{"1-1"}, tree), "\n"), test.want)
		})
	}
	require.Contains(t, claims("no table", nil, tree)[0], "no table")
}
