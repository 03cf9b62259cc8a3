package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/cloudopsec/opsec/examples/internal/script"
	"github.com/cloudopsec/opsec/internal/wholefile"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/comparison"
	"github.com/cloudopsec/opsec/sla/document"
)

// compare says where the second of two agreements is weaker or stronger than the first. Exit 0: nowhere weaker and nowhere incomparable.
func compare(_ context.Context, flags *flag.FlagSet, parse func() error) error {
	asJSON := flags.Bool("json", false, "print the comparison as JSON")
	html := flags.String("html", "", "write the comparison, as HTML, to this `file`")
	meets := flags.Bool("meets", false, "take the first for what a customer asks for, and say only where the second falls short")
	if err := parse(); err != nil {
		return err
	}
	names := flags.Args()
	if len(names) > 2 { // flags after the files
		if err := flags.Parse(names[2:]); err != nil {
			return err
		}
		names = append(names[:2:2], flags.Args()...)
	}
	if len(names) != 2 {
		return errors.New("usage: slareport compare [-meets] [-json] [-html FILE] A B; -h lists the flags")
	}
	a, err := read(names[0], sla.Parse)
	if err != nil {
		return err
	}
	b, err := read(names[1], sla.Parse)
	if err != nil {
		return err
	}
	c := compared{Differences: comparison.Compare(a, b)}
	if *meets {
		c.Differences = comparison.Meets(b, a)
	}
	c.Clauses, c.Verdict = comparison.Elements(c.Differences), comparison.Overall(c.Differences)
	if *html != "" {
		d, err := c.document(a, b)
		if err != nil {
			return err
		}
		if err := wholefile.Write(*html, 0o644, d.HTML); err != nil {
			return err
		}
	}
	return script.Print(&c, *asJSON, c.Verdict == comparison.Equal || c.Verdict == comparison.Stronger)
}

// compared is what is printed.
type compared struct {
	Verdict     comparison.Verdict      `json:"verdict"` // on the second
	Clauses     []comparison.Element    `json:"clauses"`
	Differences []comparison.Difference `json:"differences"`
}

// WriteText writes what people read.
func (c *compared) WriteText(to io.Writer) error {
	w := bufio.NewWriter(to)
	for _, e := range c.Clauses {
		fmt.Fprintf(w, "%-8s %-32s %-13s %d differences\n", e.Clause, e.Title, e.Verdict, e.Differences)
	}
	for _, d := range c.Differences {
		fmt.Fprintf(w, "\n%s: %s\n  %q, then %q: %s\n", d.Path, d.Verdict, d.A, d.B, d.Reason)
	}
	fmt.Fprintf(w, "\nthe second is %s\n", c.Verdict)
	return w.Flush()
}

func (c *compared) document(a, b *sla.Agreement) (*document.Document, error) {
	page := document.Comparison{A: side(a), B: side(b)}
	for _, d := range c.Differences {
		page.Rows = append(page.Rows, document.Row{Path: d.Path, Clause: d.Clause, Verdict: string(d.Verdict), A: d.A, B: d.B, Reason: d.Reason})
	}
	return page.Document()
}

func side(a *sla.Agreement) document.Side {
	digest, _ := a.Digest() // empty where it is not one that can be written
	return document.Side{Name: cmp.Or(a.Title, a.ID), ID: a.ID, Version: a.Version, Digest: digest}
}
