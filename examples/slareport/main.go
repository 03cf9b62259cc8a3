// Slareport makes the report of a period from an agreement and evidence, which the other party can make again. Exit 0: every target is met; 1: one
// is not, or is not decided, or the reports differ; 2: wrong use or input.
//
//	slareport -agreement iaas.yaml -evidence states.csv -incidents incidents.csv -exclusions exclusions.json -period 2026-03 \
//		-fee "compute=1200.00 EUR" -report march.json -html march.html
//	slareport ... -recompute march.json     # by the other party, with the same files: where its own report differs
//	slareport compare iaas.yaml saas.yaml   # clause by clause
//	slareport probe -out states.csv         # a month of probes of a server on this machine that fails now and then
//
// Evidence is a CSV file with the columns resource,start,end,state (times in RFC 3339; up, down, degraded or unknown; an end that is empty has not
// come), or with good,total instead of a state for requests. What a file is called does not matter, nor in which order files are given. Incidents are
// id,service,severity,security,occurred,reported,accepted,notified,restored,resolved. Exclusions are a JSON list, as in exclusions.json.
//
// -json prints agreement, period, services (id, availability of the first objective, excluded_seconds of it, credits, metrics by objective),
// responses (of incidents), findings, and the digest of the whole report, which -report writes.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/examples/internal/script"
	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/internal/wholefile"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/document"
	"github.com/cloudopsec/opsec/sla/evidence"
	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/recompute"
)

func main() {
	ctx := script.Interruptible()
	verbs := map[string]script.Verb{"compare": compare, "probe": probe}
	if len(os.Args) > 1 && verbs[os.Args[1]] != nil {
		flags := flag.NewFlagSet(os.Args[1], flag.ContinueOnError)
		script.Exit(verbs[os.Args[1]](ctx, flags, func() error { return flags.Parse(os.Args[2:]) }))
	}
	script.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("slareport", flag.ContinueOnError)
	agreement := flags.String("agreement", "", "`file` of the agreement, YAML or JSON; required")
	states := script.Strings(flags, "evidence", "CSV `file` of states: resource,start,end,state; required, may be repeated")
	incidents := flags.String("incidents", "", "CSV `file` of incidents: id,service,severity,security,occurred,reported,accepted,notified,restored,resolved")
	exclusions := flags.String("exclusions", "", "JSON `file`: a list of exclusions that are asked for")
	fees := script.Strings(flags, "fee", "`service=amount` in the period, such as compute=1200.00 EUR; may be repeated")
	period := flags.String("period", "", "`name`, such as 2026-03; required")
	at := flags.String("at", "", "`time` up to which evidence counts, RFC 3339 (default: that of the report to -recompute, the end of the period, or now if that is to come)")
	theirs := flags.String("recompute", "", "`file` with the report of the other party: tells where this one differs, and takes from it what it restates and why")
	asJSON := flags.Bool("json", false, "print the summary as JSON")
	full := flags.String("report", "", "write the whole report, as JSON, to this `file`")
	html := flags.String("html", "", "write the report, as HTML, to this `file`")
	tenant := flags.String("customer", "", "`tenant` of the customer that -html is for (default: the provider)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *agreement == "" || len(*states) == 0 || *period == "" || flags.NArg() > 0 {
		return errors.New("usage: slareport -agreement FILE -evidence FILE.csv [-incidents FILE.csv] -period 2026-03 [-json] [-html FILE]; -h lists the flags; see also slareport compare and slareport probe")
	}
	if *tenant != "" && *html == "" {
		return errors.New("-customer says for whom -html is: want -html as well")
	}
	a, err := read(*agreement, sla.Parse)
	if err != nil {
		return err
	}
	in := recompute.Input{Agreement: a, Period: *period, Fees: map[string]string{}}
	if in.AsOf, err = asOf(a, *period, *at); err != nil {
		return err
	}
	var other *recompute.Report
	if *theirs != "" {
		if other, err = read(*theirs, recompute.Read); err != nil {
			return err
		}
		in.Supersedes, in.Why = other.Supersedes, other.Why
		if *at == "" {
			in.AsOf = other.AsOf
		}
	}
	m := meter.New()
	for _, name := range *states {
		if err := observed(name, m); err != nil {
			return err
		}
	}
	in.States = m
	if *incidents != "" {
		if err := each(*incidents, evidence.Incidents, add(&in.Incidents)); err != nil {
			return err
		}
	}
	if *exclusions != "" {
		in.Exclusions, err = read(*exclusions, func(text []byte) (list []sla.Exclusion, err error) {
			return list, strictjson.Decode(text, &list)
		})
		if err != nil {
			return err
		}
	}
	for _, f := range *fees {
		service, amount, ok := strings.Cut(f, "=")
		if !ok {
			return fmt.Errorf("-fee %q: want service=amount", f)
		}
		if in.Fees[service] != "" {
			return fmt.Errorf("-fee %q: %s has one already", f, service)
		}
		in.Fees[service] = amount
	}
	r, err := recompute.Compute(ctx, in)
	if err != nil {
		return err
	}
	out, err := summarise(r)
	if err != nil {
		return err
	}
	if *incidents == "" {
		out.Findings = append(out.Findings, "-incidents is not given: it is taken that there were none")
	}
	if other != nil {
		if err := out.beside(r, other); err != nil {
			return err
		}
	}
	if *full != "" {
		text, err := r.JSON()
		if err != nil {
			return err
		}
		if err := wholefile.Write(*full, 0o644, func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
			return err
		}
	}
	if *html != "" {
		d, err := page(document.Report{Report: r, Agreement: a, Incidents: in.Incidents}, opsec.TenantID(*tenant))
		if err != nil {
			return err
		}
		if err := wholefile.Write(*html, 0o644, d.HTML); err != nil {
			return err
		}
	}
	return script.Print(out, *asJSON, out.kept())
}

// observed adds a file of evidence to a meter. What has no source comes from the file's content, by digest: so that it is the same evidence
// wherever the file lies.
func observed(name string, m *meter.Meter) error {
	digest, err := digestOf(name)
	if err != nil {
		return err
	}
	return each(name, evidence.States, func(e meter.Evidence) error {
		if e.Source == name {
			e.Source = digest
		}
		return m.Add(e)
	})
}

func digestOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if i, err := f.Stat(); err == nil && !i.Mode().IsRegular() {
		return "", fmt.Errorf("%s: it is read twice, so it must be a regular file", name)
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("sha256:%x", h.Sum(nil)), nil
}

// asOf is up to when evidence counts. Of a period that is over it is its end, so that who reports later reports the same.
func asOf(a *sla.Agreement, period, at string) (time.Time, error) {
	if at != "" {
		t, err := time.Parse(time.RFC3339, at)
		if err != nil {
			return t, fmt.Errorf("-at: %w", err)
		}
		return t, nil
	}
	span, err := recompute.Span(period, a.Zone)
	if err != nil {
		return time.Time{}, err
	}
	end, now := time.UnixMilli(span.End), time.Now()
	if now.Before(end) {
		return now, nil
	}
	return end, nil
}

func add[T any](list *[]T) func(T) error {
	return func(v T) error { *list = append(*list, v); return nil }
}

// each hands over what is read from a file, piece by piece.
func each[T any](name string, read func(io.Reader, string) iter.Seq2[T, error], add func(T) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for v, err := range read(f, name) {
		if err == nil {
			err = add(v)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

const maxFile = 16 << 20 // of what is read as a whole

func read[T any](name string, parse func([]byte) (T, error)) (v T, err error) {
	f, err := os.Open(name)
	if err != nil {
		return v, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("more than %d bytes", maxFile)
	}
	if err == nil {
		v, err = parse(text)
	}
	if err != nil {
		return v, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// page is the report as its reader may see it.
func page(r document.Report, customer opsec.TenantID) (*document.Document, error) {
	if customer == "" {
		return r.Provider()
	}
	return r.Customer(document.Customer{Tenant: customer, Owns: func(string) bool { return true }}) // all machines of the sample are one customer's
}
