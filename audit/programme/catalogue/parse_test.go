package catalogue_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
)

const house = `# Rules of the house
id: house
title: House rules
version: "3"
source: Security office
categories:
- id: doors
  title: Doors and keys
  requirement: H-1
requirements:
- id: H-1
  clause: 1.10
  title: Doors are audited
  text: |
    Once a year
    somebody tries every door.
  categories: [doors]
  refs:
    NIST SP 800-53 Rev. 5: [pe-3]
    ISO/IEC 27001:2022: [A.7.2, A.7.3]
- {id: H-2, title: Keys are counted, text: "Each month: all of them."}
`

func TestParseReadsTheForm(t *testing.T) {
	want := &catalogue.Catalogue{
		ID: "house", Title: "House rules", Version: "3", Source: "Security office",
		Categories: []catalogue.Category{{ID: "doors", Title: "Doors and keys", Requirement: "H-1"}},
		Requirements: []catalogue.Requirement{
			{
				ID: "H-1", Clause: "1.10", Title: "Doors are audited", Text: "Once a year\nsomebody tries every door.\n",
				Categories: []string{"doors"},
				Refs: []catalogue.Ref{
					{Framework: catalogue.SP80053, ID: "pe-3"},
					{Framework: "ISO/IEC 27001:2022", ID: "A.7.2"}, {Framework: "ISO/IEC 27001:2022", ID: "A.7.3"},
				},
			},
			{ID: "H-2", Title: "Keys are counted", Text: "Each month: all of them."},
		},
	}
	got, err := catalogue.Parse(strings.NewReader(house))
	require.NoError(t, err)
	require.Equal(t, want, got)

	got, err = catalogue.Parse(strings.NewReader(`{"id": "j", "title": "As JSON", "version": "1",
		"requirements": [{"id": "1", "title": "One", "text": "Only.", "refs": {"F": ["1"]}}]}`))
	require.NoError(t, err)
	require.Equal(t, "j/1", got.Name())
}

// TestTheDocumentedFormIsRead reads the catalogue that the package's documentation shows.
func TestTheDocumentedFormIsRead(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	_, form, found := strings.Cut(string(doc), "# The form\n")
	require.True(t, found)
	form, _, found = strings.Cut(form, "# Promises")
	require.True(t, found)
	var text strings.Builder
	for line := range strings.Lines(form) {
		if code, ok := strings.CutPrefix(line, "//\t"); ok {
			text.WriteString(code)
		}
	}
	c, err := catalogue.Parse(strings.NewReader(text.String()))
	require.NoError(t, err)
	require.Equal(t, "house/3", c.Name())
	require.Equal(t, "Once a year somebody tries every door.", c.Requirements[0].Text)
	require.Equal(t, []catalogue.Ref{{Framework: catalogue.SP80053, ID: "pe-3"}}, c.Requirements[0].Refs)
}

// TestWhatIsNotInTheFormIsRefusedWithItsLine changes one thing of a good file each time.
func TestWhatIsNotInTheFormIsRefusedWithItsLine(t *testing.T) {
	tests := []struct {
		name, old, new string
		line           int
		what           string
	}{
		{"unknown field", "source:", "sauce:", 5, "not in the form"},
		{"unknown field of a category", "  requirement: H-1", "  Requirement: H-1", 9, "not in the form"},
		{"unknown field of a requirement", "  clause: 1.10", "  severity: high", 12, "not in the form"},
		{"field twice", "source: Security office", "title: House rules", 5, "a second time"},
		{"field twice in a requirement", "  clause: 1.10", "  id: H-1", 12, "a second time"},
		{"framework twice", "ISO/IEC 27001:2022:", "NIST SP 800-53 Rev. 5:", 20, "a second time"},
		{"merge", "  clause: 1.10", "  <<: {clause: 1}", 12, "not in the form"},
		{"requirement twice", "id: H-2", "id: H-1", 21, "its id stands twice"},
		{"category twice", "requirements:\n", "- {id: doors, title: Again}\nrequirements:\n", 10, "its id stands twice"},
		{"dangling category", "[doors]", "[windows]", 11, "a category that is not in the catalogue"},
		{"category twice in a requirement", "[doors]", "[doors, doors]", 11, "a category that stands twice"},
		{"dangling requirement", "requirement: H-1", "requirement: H-7", 7, "its requirement is not there"},
		{"reference twice", "[A.7.2, A.7.3]", "[A.7.2, A.7.2]", 11, "a reference that stands twice"},
		{"anchor", "[doors]", "&a [doors]", 17, "an anchor or an alias"},
		{"anchor at a key", "source:", "&a source:", 5, "an anchor or an alias"},
		{"alias", "version: \"3\"", "version: &v \"3\"", 4, "an anchor or an alias"},
		{"tag", "source: Security", "source: !!str Security", 5, "a tag"},
		{"tag of one's own", "- id: doors", "- !door\n  id: doors", 7, "a tag"},
		{"list for a text", "source: Security office", "source: [Security, office]", 5, "want a text"},
		{"fields for a text", "source: Security office", "source: {by: us}", 5, "want a text"},
		{"nothing for a text", "source: Security office", "source:", 5, "nothing is there"},
		{"text for a list", "categories: [doors]", "categories: doors", 17, "want a list"},
		{"list for fields", "  refs:\n    NIST SP 800-53 Rev. 5: [pe-3]\n    ISO/IEC 27001:2022:", "  refs:", 18, "want fields"},
		{"text for fields", "- id: doors\n  title: Doors and keys\n  requirement: H-1", "- doors", 7, "want fields"},
		{"no id", "id: house\n", "", 2, "id: want"},
		{"bad id", "id: house", "id: House", 2, "id: want"},
		{"no version", "version: \"3\"\n", "", 2, "version: want"},
		{"no title", "title: House rules\n", "", 2, "title: want"},
		{"title of two lines", "House rules", "\"House\\nrules\"", 2, "title: want"},
		{"turned title", "House rules", "\"House \\u202Eselur\"", 2, "title: want"},
		{"long source", "Security office", strings.Repeat("x", catalogue.MaxTitle+1), 2, "source: want"},
		{"id with a space", "id: H-2", "id: H 2", 21, "id: want"},
		{"requirement without text", ", text: \"Each month: all of them.\"", "", 21, "text: want"},
		{"requirement without title", "title: Keys are counted, ", "", 21, "title: want"},
		{"category's bad id", "- id: doors\n", "- id: Doors\n", 7, "id: want"},
		{"category without title", "  title: Doors and keys\n", "", 7, "title: want"},
		{"escape in a text", "all of them.", "\\e[2J", 21, "text: want"},
		{"reference with a space", "[pe-3]", "[pe 3]", 11, "a reference's id"},
		{"framework without name", "ISO/IEC 27001:2022:", "\"\":", 11, "a reference's framework"},
		{"long clause", "clause: 1.10", "clause: " + strings.Repeat("1", catalogue.MaxID+1), 11, "clause: want"},
		{"deep", "[doors]", strings.Repeat("[", 9) + "doors" + strings.Repeat("]", 9), 17, "depth"},
		{"no YAML", "[doors]", "[doors", 18, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.Contains(t, house, test.old)
			c, err := catalogue.Parse(strings.NewReader(strings.Replace(house, test.old, test.new, 1)))
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Nil(t, c)
			var wrong *catalogue.SyntaxError
			require.ErrorAs(t, err, &wrong)
			require.Contains(t, err.Error(), test.what)
			require.Contains(t, err.Error(), fmt.Sprintf("line %d:", test.line))
			require.Equal(t, test.line, wrong.Line, err)
		})
	}
}

func TestWhatIsNoCatalogueIsRefused(t *testing.T) {
	for _, bad := range []string{
		"", "\n", "---\n", "# nothing\n", "null", "[]", "text", "\x00", "\xff\xfe", "\xff", "a: *a", "%YAML 9.9\n--- a",
		"id: a\ntitle: b\nversion: c\n", "id: a\ntitle: b\nversion: c\nrequirements: []\n", house + "...\n---\n" + house,
	} {
		c, err := catalogue.Parse(strings.NewReader(bad))
		require.ErrorIs(t, err, opsec.ErrInvalid, "%q", bad)
		require.Nil(t, c)
	}
}

func TestSizeIsBounded(t *testing.T) {
	pad := func(n int) string { return house + "#" + strings.Repeat("x", n-len(house)-1) }
	_, err := catalogue.Parse(strings.NewReader(pad(catalogue.MaxBytes)))
	require.NoError(t, err)
	_, err = catalogue.Parse(strings.NewReader(pad(catalogue.MaxBytes + 1)))
	require.ErrorIs(t, err, opsec.ErrInvalid)

	marks := func(n int) string { return house + "#" + strings.Repeat(",", n-strings.Count(house, ",")-2*4) }
	require.Equal(t, 4, strings.Count(house, "[")+strings.Count(house, "{"))
	_, err = catalogue.Parse(strings.NewReader(marks(1 << 16)))
	require.NoError(t, err)
	_, err = catalogue.Parse(strings.NewReader(marks(1<<16 + 1)))
	require.ErrorIs(t, err, opsec.ErrInvalid)

	endless := io.LimitReader(zeros{}, 1<<40)
	_, err = catalogue.Parse(endless)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.Equal(t, int64(1<<40-catalogue.MaxBytes-1), endless.(*io.LimitedReader).N, "no more is read than is needed")
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestErrorOfTheReaderIsReturned(t *testing.T) {
	broken := errors.New("broken")
	_, err := catalogue.Parse(io.MultiReader(strings.NewReader(house), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, opsec.ErrInvalid)
}

func TestValidateHoldsForValuesMadeInGo(t *testing.T) {
	good := func() *catalogue.Catalogue {
		c, err := catalogue.Parse(strings.NewReader(house))
		require.NoError(t, err)
		return c
	}
	require.NoError(t, good().Validate())
	tests := map[string]func(*catalogue.Catalogue){
		"id":                     func(c *catalogue.Catalogue) { c.ID = "" },
		"long id":                func(c *catalogue.Catalogue) { c.ID = strings.Repeat("x", catalogue.MaxID+1) },
		"not UTF-8":              func(c *catalogue.Catalogue) { c.Requirements[0].Title = "\xff" },
		"long text":              func(c *catalogue.Catalogue) { c.Requirements[0].Text = strings.Repeat("x", catalogue.MaxText+1) },
		"empty lines alone":      func(c *catalogue.Catalogue) { c.Requirements[0].Text = "\n" },
		"no requirements":        func(c *catalogue.Catalogue) { c.Requirements = nil },
		"category is not there":  func(c *catalogue.Catalogue) { c.Categories = nil },
		"space around the title": func(c *catalogue.Catalogue) { c.Title += " " },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			c := good()
			change(c)
			err := c.Validate()
			require.ErrorIs(t, err, opsec.ErrInvalid)
			var wrong *catalogue.SyntaxError
			require.ErrorAs(t, err, &wrong)
			require.Zero(t, wrong.Line)
			require.NotContains(t, err.Error(), "line 0")
		})
	}
}

func TestBoundsAreTheLastThatIsTaken(t *testing.T) {
	type made = catalogue.Catalogue
	for name, fill := range map[string]struct {
		most int
		with func(c *made, n int)
	}{
		"id":      {catalogue.MaxID, func(c *made, n int) { c.ID = strings.Repeat("x", n) }},
		"version": {catalogue.MaxID, func(c *made, n int) { c.Version = strings.Repeat("1", n) }},
		"title":   {catalogue.MaxTitle, func(c *made, n int) { c.Title = strings.Repeat("x", n) }},
		"clause":  {catalogue.MaxID, func(c *made, n int) { c.Requirements[0].Clause = strings.Repeat("x", n) }},
		"text":    {catalogue.MaxText, func(c *made, n int) { c.Requirements[0].Text = strings.Repeat("x", n) }},
		"categories": {catalogue.MaxCategories, func(c *made, n int) {
			c.Categories = nil
			for i := range n {
				c.Categories = append(c.Categories, catalogue.Category{ID: fmt.Sprint(i), Title: "One"})
			}
			c.Requirements[0].Categories = nil
		}},
		"requirements": {catalogue.MaxRequirements, func(c *made, n int) {
			c.Categories, c.Requirements = nil, nil
			for i := range n {
				c.Requirements = append(c.Requirements, catalogue.Requirement{ID: fmt.Sprint(i), Title: "One", Text: "Of many."})
			}
		}},
		"references": {catalogue.MaxRefs, func(c *made, n int) {
			c.Requirements[0].Refs = nil
			for i := range n {
				c.Requirements[0].Refs = append(c.Requirements[0].Refs, catalogue.Ref{Framework: "F", ID: fmt.Sprint(i)})
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := catalogue.Parse(strings.NewReader(house))
			require.NoError(t, err)
			fill.with(c, fill.most)
			require.NoError(t, c.Validate())
			fill.with(c, fill.most+1)
			require.ErrorIs(t, c.Validate(), opsec.ErrInvalid)
		})
	}
}

// FuzzParse: what is read is valid, can be written as JSON, and has nothing that would not be shown.
func FuzzParse(f *testing.F) {
	f.Add([]byte(house))
	f.Add([]byte(strings.ReplaceAll(house, "\n", "\r\n")))
	f.Add([]byte("a: &a [*a, *a]\nb: &b [*a, *a]\n"))
	f.Add([]byte("{id: a, title: b, version: c, requirements: [{id: d, title: e, text: f}]}"))
	f.Add([]byte("? - ? [{"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := catalogue.Parse(strings.NewReader(string(text)))
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		require.NoError(t, c.Validate())
		again, err := json.Marshal(c)
		require.NoError(t, err)
		var back catalogue.Catalogue
		require.NoError(t, json.Unmarshal(again, &back))
		require.NoError(t, back.Validate())
		require.Equal(t, c.Name(), back.Name())
	})
}
