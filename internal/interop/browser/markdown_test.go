package browser_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"

	"github.com/cloudopsec/opsec/audit/programme/report"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/document"
	"github.com/cloudopsec/opsec/sla/recompute"
)

// nasty are texts that would be more than text, were they not escaped.
var nasty = []string{
	"<script>alert(1)</script>", "*a* _b_ ~~c~~ `d`", "# no heading", "- no list", "1. no list", "a | b", "[x](javascript:alert(1))", "![x](y)",
	"&amp; &lt;b&gt;", `back\slash \* \\`, "``` fence", "> no quote", "=== ", "--- ", "https://x.example/a_b_c", "www.x.example", "a@x.example", "[^1]: note",
	"    indented", "a  \nb", "<br>", "\\", "`", "``", "|", "$x$", "http://x", ": x", "[ ] task", "<!-- x", "]]>", "+ x", "12) x", "\u00a0", "é日🦊",
}

// goldmark, which implements CommonMark and GitHub's extensions, makes of our Markdown what our HTML shows: each text as
// it is, with no element that a text has smuggled in.
func TestMarkdownIsReadAsItIsMeant(t *testing.T) {
	for _, s := range nasty {
		src := spring(t)
		a := &src.Audit
		a.Plan.Title, a.Plan.Objectives[0], a.Plan.Procedures[0].Title, a.Plan.Procedures[0].Steps[0] = s, s, s, s
		a.Results[1].Item, a.Results[1].Detail, a.Results[1].Evidence[0].Name = s, s, s
		f := &a.Findings[1]
		f.Condition, f.Cause, f.Effect, f.Subject, f.Items = s, s, s, s, []string{s}
		a.Actions[0].Text, a.Actions[0].Owner = s, s
		for name, who := range audiences {
			d, err := report.View(src, who)
			require.NoError(t, err)
			var text, page bytes.Buffer
			require.NoError(t, report.Markdown(&text, d))
			require.NoError(t, gfm().Convert(text.Bytes(), &page))
			elements, texts := read(t, page.String())
			for _, e := range elements {
				if to, ok := strings.CutPrefix(e, "to "); ok {
					require.True(t, strings.HasPrefix(to, "https://pkg.go.dev/") || to == "mailto:a.example", "%s: %q", to, s)
					continue
				}
				require.Contains(
					t,
					" h1 h2 h3 h4 p ul li strong code pre blockquote table thead tbody tr th td br hr a ",
					" "+e+" ",
					"%s: %q",
					name,
					s,
				)
			}
			want := strings.Join(strings.Fields(s), "")
			require.Contains(t, strings.Join(strings.Fields(texts), ""), want, "%s: %q", name, s)
			if who == report.Management { // where it stands in code and in tables, too
				require.GreaterOrEqual(t, strings.Count(strings.Join(strings.Fields(texts), ""), want), 8, "%s: %q", name, s)
			}
		}
	}
}

func gfm() goldmark.Markdown {
	return goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithXHTML(), html.WithUnsafe()))
}

// With any text in all of its texts, a document has the elements, and leads to the places, that it has with a word in them.
func TestDocumentsInMarkdown(t *testing.T) {
	shown := func(s string, reach func(*sla.Agreement) (*document.Document, error)) (elements []string, texts string) {
		yaml, err := os.ReadFile("../../../examples/slareport/iaas.yaml")
		require.NoError(t, err)
		a, err := sla.Parse(yaml)
		require.NoError(t, err)
		for _, text := range []*string{&a.Title, &a.Grade, &a.Parties[0].Name, &a.Parties[0].Contact, &a.Services[0].Title, &a.Services[0].Objectives[0].Title, &a.Exclusions[0].Text, &a.Liabilities[0].Text,
			&a.Clause.Emergency.Hotline, &a.Clause.Data.Physical.Text, &a.Clause.Monitoring.Objects[0].Trigger, &a.Clause.Certification.Held[0].Name, &a.Clause.Data.Encryption[0].Protection, &a.Credits[0].Source} {
			*text = s
		}
		d, err := reach(a)
		require.NoError(t, err, s)
		var text, page bytes.Buffer
		require.NoError(t, d.Markdown(&text))
		require.NoError(t, gfm().Convert(text.Bytes(), &page))
		elements, texts = read(t, page.String())
		return slices.DeleteFunc(elements, func(e string) bool { return e == "code" }), texts // what has '|' in it stands without
	}
	for name, reach := range map[string]func(string) func(*sla.Agreement) (*document.Document, error){
		"agreement": func(string) func(*sla.Agreement) (*document.Document, error) {
			return func(a *sla.Agreement) (*document.Document, error) { return document.Agreement{Agreement: a}.Document() }
		},
		"report": func(s string) func(*sla.Agreement) (*document.Document, error) {
			return func(a *sla.Agreement) (*document.Document, error) {
				r := aMonth(t, a, true)
				for i := range r.Report.Exclusions {
					x := &r.Report.Exclusions[i]
					x.ID, x.Rule, x.Reason, x.Evidence, x.Approved, x.Role, x.Why = s, s, s, s, s, s, s
				}
				r.Report.Services[0].Objectives[1].Worst[0].Resource, r.Report.Services[0].Credits[0].Service, r.Report.Services[0].Credits[0].Why = s, s, s
				r.Report.Findings = append(r.Report.Findings, recompute.Finding{Path: s, Rule: s, Text: s})
				r.Report.Exposures = append(r.Report.Exposures, recompute.Exposure{Source: s})
				r.Report.Why, r.Report.Supersedes = s, s
				return r.Provider()
			}
		},
		"comparison": func(s string) func(*sla.Agreement) (*document.Document, error) {
			return func(*sla.Agreement) (*document.Document, error) {
				return document.Comparison{Title: s, A: document.Side{Name: s, ID: s, Digest: s}, B: document.Side{Name: s, ID: s}, Rows: []document.Row{{Path: s, Clause: s, Verdict: s, A: s, B: s, Reason: s}}}.Document()
			}
		},
	} {
		want, _ := shown("word", reach("word"))
		for _, s := range nasty {
			if strings.TrimSpace(s) == "" || strings.Contains(s, "\n") {
				continue // a line break is an element
			}
			got, texts := shown(s, reach(s))
			require.Equal(t, want, got, "%s: %q", name, s)
			require.Contains(t, strings.Join(strings.Fields(texts), ""), strings.Join(strings.Fields(s), ""), "%s: %q", name, s)
		}
	}
}

// read returns the elements and the texts of a page.
func read(t *testing.T, page string) (elements []string, texts string) {
	var b strings.Builder
	dec := xml.NewDecoder(strings.NewReader("<page>" + strings.TrimPrefix(page, "<!DOCTYPE html>") + "</page>"))
	dec.Strict, dec.AutoClose, dec.Entity = false, []string{"br"}, xml.HTMLEntity
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return elements[1:], b.String()
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			elements = append(elements, token.Name.Local)
			for _, a := range token.Attr {
				if a.Name.Local == "href" {
					elements = append(elements, "to "+a.Value)
				}
			}
		case xml.CharData:
			b.Write(token)
		}
	}
}
