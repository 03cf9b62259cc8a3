package document_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/document"
	"github.com/cloudopsec/opsec/sla/recompute"
)

// spoil puts odd values in some places of a JSON document, of the kinds that stand there.
func spoil(t *rapid.T, text []byte) []byte {
	var v any
	require.NoError(t, json.Unmarshal(text, &v))
	for range rapid.IntRange(1, 6).Draw(t, "places") {
		v = spoiled(t, v)
	}
	out, err := json.Marshal(v)
	require.NoError(t, err)
	return out
}

func spoiled(t *rapid.T, v any) any {
	switch x := v.(type) {
	case map[string]any:
		if len(x) > 0 {
			k := rapid.SampledFrom(slices.Sorted(maps.Keys(x))).Draw(t, "key")
			if rapid.IntRange(0, 30).Draw(t, "drop") == 0 {
				delete(x, k)
			} else {
				x[k] = spoiled(t, x[k])
			}
		}
		return x
	case []any:
		if len(x) == 0 || rapid.IntRange(0, 30).Draw(t, "empty") == 0 {
			return []any{}
		}
		i := rapid.IntRange(0, len(x)-1).Draw(t, "item")
		if rapid.IntRange(0, 30).Draw(t, "again") == 0 {
			return append(x, x[i])
		}
		x[i] = spoiled(t, x[i])
		return x
	case float64:
		return json.Number(rapid.SampledFrom([]string{"0", "1", "-1", "9223372036854775807", "-9223372036854775808", "18446744073709551615", "4611686018427387904", "1772319600000", "86400000"}).Draw(t, "number"))
	case string:
		return rapid.SampledFrom([]string{"", "\u0000\u202e<b>", "|", "0s", "-1ns", "2562047h47m16.854775807s", "1ns", "0", "100%", "1/18446744073709551615", "18446744073709551615/1", "9999-12-31T23:59:59Z",
			"0001-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "critical", "met", "time", "requests", "mean-rate", "slices", "instance", "month", "UTC", "Asia/Kathmandu", "compute/x", "\xff"}).Draw(t, "text")
	case bool:
		return !x
	}
	return v
}

// What another party has sent is foreign: it is shown or refused, and what is shown is well-formed.
func TestHostileReports(t *testing.T) {
	r := compute(t, input(t))
	text, err := r.Report.JSON()
	require.NoError(t, err)
	shown := 0
	rapid.Check(t, func(t *rapid.T) {
		got, err := recompute.Read(spoil(t, text))
		if err != nil {
			return
		}
		got.Agreement.Digest = r.Report.Agreement.Digest
		for _, incidents := range []document.Report{{Report: got, Agreement: r.Agreement}, {Report: got, Agreement: r.Agreement, Incidents: r.Incidents}} {
			if d, err := incidents.Provider(); err == nil {
				texts(t, html(t, d))
				markdown(t, d)
				shown++
			}
			if d, err := incidents.Customer(document.Customer{Tenant: "acme"}); err == nil {
				texts(t, html(t, d))
			}
		}
	})
	require.Positive(t, shown)
}

func TestHostileAgreements(t *testing.T) {
	a := agreement(t, "iaas")
	text, err := a.JSON()
	require.NoError(t, err)
	shown := 0
	rapid.Check(t, func(t *rapid.T) {
		got, err := sla.Parse(spoil(t, text))
		if err != nil {
			return
		}
		if _, err := got.Digest(); err != nil {
			return
		}
		d, err := document.Agreement{Agreement: got}.Document()
		require.NoError(t, err)
		texts(t, html(t, d))
		markdown(t, d)
		shown++
	})
	require.Positive(t, shown)
}

// shape is the elements of a page with the names of their attributes, and where its links lead.
func shape(t require.TestingT, page string) (elements, links []string) {
	dec := xml.NewDecoder(strings.NewReader(page))
	dec.Entity = map[string]string{"nbsp": "\u00a0"}
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return elements, links
		}
		require.NoError(t, err)
		if e, ok := token.(xml.StartElement); ok {
			text := e.Name.Local
			for _, a := range e.Attr {
				if a.Name.Local != "class" { // of texts that are short
					text += " " + a.Name.Local
				}
				if a.Name.Local == "href" {
					links = append(links, a.Value)
				}
			}
			elements = append(elements, text)
		}
	}
}

// Whatever stands in any text of an agreement, a report or a comparison, the page has the elements that it has with a plain word.
func TestTextsChangeNoPage(t *testing.T) {
	documents := func(s string) (list []*document.Document) {
		a := agreement(t, "iaas")
		leaves(reflect.ValueOf(a), "", func(path string, v reflect.Value) {
			if v.Type() == reflect.TypeFor[string]() && !strings.Contains(path, "Hours") && path != "Clause.Emergency.Targets.Share" && path != "Clause.Documents.Where" {
				v.SetString(s)
			}
		})
		d, err := document.Agreement{Agreement: a, Signatures: []sla.Signature{{Party: s, Digest: s}}}.Document()
		if _, bad := a.Digest(); bad == nil {
			require.NoError(t, err, s)
		} else { // what no agreement may say
			require.ErrorIs(t, err, opsec.ErrInvalid)
			d, err = document.Agreement{Agreement: agreement(t, "iaas"), Signatures: []sla.Signature{{Party: s, Digest: s}}}.Document()
			require.NoError(t, err)
		}
		list = append(list, d)

		r := eventful(t)
		leaves(reflect.ValueOf(r.Report), "", func(path string, v reflect.Value) {
			if v.Type() == reflect.TypeFor[string]() && !slices.Contains([]string{"Period.Zone", "Agreement.Digest", "Evidence.Incidents", "Services.Objectives.Objective.Scope", "Services.Credits.Service", "Services.ID", "Findings.Rule"}, path) {
				v.SetString(s)
			}
		})
		customer, err := r.Customer(document.Customer{Tenant: "acme", Owns: func(string) bool { return true }})
		require.NoError(t, err)
		list = append(list, provider(t, r), customer)

		c, err := document.Comparison{Title: s, A: document.Side{Name: s, ID: s, Digest: s}, B: document.Side{Name: s}, Rows: []document.Row{{Path: s, Clause: s, Verdict: s, A: s, B: s, Reason: s}}}.Document()
		require.NoError(t, err)
		return append(list, c)
	}
	plainly := documents("word")
	for _, s := range []string{
		"</td><script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "' onload='x", "</style><style>*{}", "]]><!-- <![CDATA[", "&lt;script&gt;&#60;", "{{.}}{{template \"page\"}}", "javascript:alert(1)", "https://evil.example/", "//evil.example",
		"\u202egnp.exe", "\u2066x\u2069", "a\x00b\x1bc", "a\nb\r\nc", "\ufeff\ufffe", "<svg/onload=alert(1)>", "url(#hatch)", "| a |", "خدمة", strings.Repeat("w", 1000),
	} {
		for i, d := range documents(s) {
			page := html(t, d)
			want, wantLinks := shape(t, html(t, plainly[i]))
			got, links := shape(t, page)
			if i == 0 { // how many faults there are depends on the texts
				slices.Sort(want)
				slices.Sort(got)
				want, got = slices.Compact(want), slices.Compact(got)
			}
			require.Equal(t, want, got, "%q", s)
			require.Equal(t, wantLinks, links, "%q", s)
			require.NotContains(t, page, "\u202e")
			require.NotContains(t, page, "\u2066")
			require.True(t, json.Valid([]byte(data(t, d))))
		}
	}
}

// What cannot be a link is there to be read.
func TestPlacesOfDocuments(t *testing.T) {
	for where, want := range map[string]string{
		"https://portal.example/a?b=c": "[portal.example](https://portal.example/a?b=c)", "javascript://host/%0aalert(1)": `javascript\://host/%0aalert(1)`, "ftp://files.example/x": `ftp\://files.example/x`,
		"https://user@evil.example/": `https\://user\@evil.example/`, "https://x.example/(a)": `https\://x.example/(a)`, "//evil.example/x": "//evil.example/x", "https:///x": `https\:///x`, "the intranet": "the intranet",
		"HTTPS://X.EXAMPLE/": `HTTPS\://X.EXAMPLE/`, "https://x.example/%zz": `https\://x.example/%zz`,
	} {
		a := agreement(t, "iaas")
		a.Clause.Documents.Where = where
		d, err := document.Agreement{Agreement: a}.Document()
		require.NoError(t, err)
		require.Contains(t, markdown(t, d), "- **Where:** "+want+"\n")
	}
}
