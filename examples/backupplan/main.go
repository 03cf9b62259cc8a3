// Backupplan finds the cheapest backups under a strategy, or says why there are none, and writes a page that shows them. With what a
// catalogue shows (-observed) it also checks what is there, decides what stays, and draws what would have been lost; with the jobs of a night
// (-timetable) it arranges them. Exit 0: all is well; 1: something needs attention: nothing meets the strategy, what is there does not,
// or not every job has a place; 2: wrong use or input.
//
//	backupplan -strategy strategy.yaml -observed observed.json -timetable night.json -html backups.html
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/backup/report"
	"github.com/cloudopsec/opsec/backup/timetable"
	"github.com/cloudopsec/opsec/examples/internal/script"
	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/internal/wholefile"
)

const mostBytes = 256 << 20 // of what is observed

func main() { script.Exit(run(script.Interruptible(), os.Args[1:])) }

func run(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("backupplan", flag.ContinueOnError)
	strategy := flags.String("strategy", "", "`file` with strategy, workload, targets and options, YAML or JSON; required")
	observed := flags.String("observed", "", "`file` of what a catalogue shows, JSON (plan.Observed)")
	night := flags.String("timetable", "", "`file` of jobs, links and caps to arrange, JSON (timetable.Problem)")
	page := flags.String("html", "", "`file` to write the page to")
	asJSON := flags.Bool("json", false, "print JSON instead of Markdown")
	at := flags.String("at", "", "`time` of the report, RFC 3339 (default: that of -observed, or now)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *strategy == "" || flags.NArg() > 0 {
		return errors.New("usage: backupplan -strategy FILE [-observed FILE] [-timetable FILE] [-html FILE] [-json]; -h lists the flags")
	}
	s, err := source(*strategy, *observed, *night, *at)
	if err != nil {
		return err
	}
	r, err := report.New(s)
	if err != nil {
		return err
	}
	if *page != "" {
		if err := wholefile.Write(*page, 0o644, r.HTML); err != nil {
			return err
		}
	}
	return script.Print(printed{r}, *asJSON, r.Clean())
}

// source reads the files and makes of them what is reported.
func source(strategy, observed, night, at string) (s report.Source, err error) {
	p, err := read(strategy, plan.ParseProblem)
	if err != nil {
		return s, err
	}
	solution, err := plan.Optimise(p)
	if err != nil {
		return s, err
	}
	s = report.Source{Title: "Backups of " + p.Strategy.Source, At: time.Now(), Strategy: &p.Strategy, Solution: &solution}
	if observed != "" {
		o, err := read(observed, decode[plan.Observed])
		if err != nil {
			return s, err
		}
		s.Observed, s.At = &o, o.At
		if s.Retention, err = retain(p, solution, o); err != nil {
			return s, err
		}
	}
	if night != "" {
		jobs, err := read(night, decode[timetable.Problem])
		if err != nil {
			return s, err
		}
		arranged, err := timetable.Arrange(&jobs)
		if err != nil {
			return s, fmt.Errorf("%s: %w", night, err)
		}
		s.Timetable = report.Arranged(arranged)
	}
	if at != "" {
		if s.At, err = time.Parse(time.RFC3339, at); err != nil {
			return s, fmt.Errorf("-at: %w", err)
		}
	}
	return s, nil
}

func read[T any](name string, parse func(io.Reader) (T, error)) (v T, err error) {
	f, err := os.Open(name)
	if err != nil {
		return v, err
	}
	defer f.Close()
	if v, err = parse(f); err != nil {
		return v, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

func decode[T any](r io.Reader) (o T, err error) {
	text, err := io.ReadAll(io.LimitReader(r, mostBytes+1))
	if err != nil {
		return o, err
	}
	if len(text) > mostBytes {
		return o, fmt.Errorf("more than %d bytes", mostBytes)
	}
	err = strictjson.Decode(text, &o)
	return o, err
}

// printed is a report as text.
type printed struct{ *report.Report }

// WriteText writes it as Markdown.
func (p printed) WriteText(w io.Writer) error { return p.Markdown(w) }
