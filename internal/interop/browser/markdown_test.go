package browser_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"

	"github.com/cloudopsec/opsec/audit/programme/report"
)

// goldmark, which implements CommonMark and GitHub's extensions, makes of our Markdown what our HTML shows: each text as
// it is, with no element that a text has smuggled in.
func TestMarkdownIsReadAsItIsMeant(t *testing.T) {
	nasty := []string{
		"<script>alert(1)</script>", "*a* _b_ ~~c~~ `d`", "# no heading", "- no list", "1. no list", "a | b", "[x](javascript:alert(1))", "![x](y)",
		"&amp; &lt;b&gt;", `back\slash \* \\`, "``` fence", "> no quote", "=== ", "--- ", "https://x.example/a_b_c", "www.x.example", "a@x.example", "[^1]: note",
		"    indented", "a  \nb", "<br>", "\\", "`", "``", "|", "$x$", "http://x", ": x", "[ ] task", "<!-- x", "]]>", "+ x", "12) x", "\u00a0", "é日🦊",
	}
	md := goldmark.New(
		goldmark.WithExtensions(extension.GFM),
		goldmark.WithRendererOptions(html.WithXHTML(), html.WithUnsafe()),
	)
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
			require.NoError(t, md.Convert(text.Bytes(), &page))
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
