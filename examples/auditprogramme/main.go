// Auditprogramme audits a sample provider, from the plan to the follow-up: its images of virtual machines, accounts,
// operators, key store and log are real, what is wrong with them is found by other rooms of this module, and all that
// is done stands in a transparency log. It writes the reports, the OSCAL documents, and what an outsider needs to draw
// the samples again.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/audit/programme/oscal"
	"github.com/cloudopsec/opsec/audit/programme/report"
	"github.com/cloudopsec/opsec/audit/programme/sample"
	"github.com/cloudopsec/opsec/examples/internal/script"
)

func main() {
	flags := flag.NewFlagSet("auditprogramme", flag.ContinueOnError)
	dir := flags.String("dir", "auditprogramme.out", "`directory` to make, for the provider, its log and all documents")
	asJSON := flags.Bool("json", false, "print the outcome as JSON")
	err := flags.Parse(os.Args[1:])
	if err == nil {
		err = run(script.Interruptible(), *dir, *asJSON)
	}
	script.Exit(err)
}

// outcome is what is printed.
type outcome struct {
	Refused   string                   `json:"refused"` // who could not be on the team
	Attempt   string                   `json:"attempt"` // what came of freezing after the draw
	Seed      bool                     `json:"seed"`    // an outsider has drawn the same samples
	Results   map[programme.Status]int `json:"results"`
	Findings  []programme.Finding      `json:"findings"`
	Stage     programme.Stage          `json:"stage"`
	Documents []string                 `json:"documents"`
}

func (o *outcome) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "refused for the team: %s\nfrozen after the draw: %s\n", o.Refused, o.Attempt)
	fmt.Fprintf(w, "an outsider draws the same samples: %v\nresults: %v\n", o.Seed, o.Results)
	for _, f := range o.Findings {
		fmt.Fprintf(w, "%s  %-8s %s: %s\n", f.ID, f.Risk, f.Subject, f.Condition)
	}
	_, err := fmt.Fprintf(w, "the audit is %s; see\n", o.Stage)
	for _, name := range o.Documents {
		_, err = fmt.Fprintf(w, "  %s\n", name)
	}
	return err
}

func run(ctx context.Context, dir string, asJSON bool) (err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	p, err := openProvider(ctx, dir)
	if err != nil {
		return err
	}
	b, stop, err := openBook(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	o := new(outcome)
	a, dossier, err := hold(ctx, p, b, o)
	if err != nil {
		return err
	}
	if o.Documents, err = publish(dir, a, dossier); err != nil {
		return err
	}
	for _, r := range a.Results {
		if o.Results == nil {
			o.Results = map[programme.Status]int{}
		}
		o.Results[r.Status]++
	}
	o.Findings, o.Stage = a.Findings, a.Stage
	return script.Print(o, asJSON, len(a.Findings) == 0)
}

// publish writes the documents of an audit.
func publish(dir string, a programme.Audit, d sample.Dossier) (names []string, err error) {
	save := func(name string, data []byte, failed error) {
		name = filepath.Join(dir, name)
		names, err = append(names, name), errors.Join(err, failed, os.WriteFile(name, data, 0o644))
	}
	src := report.Source{Audit: a, Catalogue: catalogue.X1642(), At: a.History[len(a.History)-1].Time}
	for name, who := range map[string]report.Audience{
		"management": report.Management, "auditor": report.Auditor, "acme": report.Tenant("acme"), "globex": report.Tenant("globex"),
	} {
		doc, failed := report.View(src, who)
		if failed != nil {
			return nil, failed
		}
		var page, text bytes.Buffer
		failed = errors.Join(report.HTML(&page, doc), report.Markdown(&text, doc))
		save(name+".html", page.Bytes(), failed)
		save(name+".md", text.Bytes(), failed)
	}
	about := oscal.Options{Provider: "provider.example"}
	for name, document := range map[string]func(programme.Audit, oscal.Options) ([]byte, error){
		"assessment-plan": oscal.Plan, "assessment-results": oscal.Results, "plan-of-action-and-milestones": oscal.POAM,
	} {
		data, failed := document(a, about)
		save(name+".json", data, failed)
	}
	data, failed := oscal.Catalogue(catalogue.X1642(), src.At)
	save("catalog.json", data, failed)
	data, failed = json.MarshalIndent(d, "", "  ")
	save("dossier.json", data, failed)
	slices.Sort(names)
	return names, err
}
