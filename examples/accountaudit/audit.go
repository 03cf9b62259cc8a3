package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/cloudopsec/opsec/audit"
	"github.com/cloudopsec/opsec/audit/accounts"
	"github.com/cloudopsec/opsec/audit/accounts/correlate"
	"github.com/cloudopsec/opsec/audit/accounts/table"
	"github.com/cloudopsec/opsec/audit/accounts/tally"
)

// auditor has the sequences of an audit, sorted, in memory or in temporary files.
type auditor struct {
	accounts.Sources
	now    time.Time
	policy accounts.Policy
	rules  correlate.Policy
	engine *correlate.Engine
	report report
	files  []io.Closer
}

func (a *auditor) close() {
	for _, f := range a.files {
		f.Close()
	}
}

// sorted reads a file, if there is a name.
func sorted[T tally.Row](a *auditor, name string, read func(io.Reader, string) iter.Seq2[T, error],
	into *iter.Seq2[T, error]) error {
	if name == "" {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	rows, err := tally.Sort(read(f, filepath.Base(name)), tally.Options{})
	if err == nil {
		a.files, *into = append(a.files, rows), rows.Rows()
	}
	return err
}

func (a *auditor) holders() error {
	rows, err := tally.Holdings(a.Accounts, tally.Options{})
	if err == nil {
		a.files, a.Holdings = append(a.files, rows), rows.Rows()
	}
	return err
}

// read reads events, and correlates them. A table of sign-ins has no events to correlate.
func (a *auditor) read(ctx context.Context, name string) (err error) {
	if a.engine, err = correlate.New(a.rules); err != nil || name == "" {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	if first, _ := in.Peek(1); string(first) != "{" {
		return sorted(a, name, table.SignIns, &a.SignIns)
	}
	t := tally.New(tally.Options{})
	a.files, a.SignIns, a.Uses = append(a.files, t), t.SignIns(), t.Uses()
	first := a.now
	for e, err := range audit.Read(in) {
		ref := filepath.Base(name) + "/" + string(e.ID)
		if err = cmp.Or(err, ctx.Err()); err == nil {
			err = t.Add(&e, ref)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		a.report.Matches = append(a.report.Matches, a.engine.Add(&e, ref, a.now)...)
		if e.Time.Before(first) {
			first = e.Time
		}
	}
	a.Since = cmp.Or(a.Since, first)
	return nil
}

// audit also correlates what it finds with the events before.
func (a *auditor) audit(ctx context.Context) (*report, error) {
	r := &a.report
	r.Findings = []accounts.Finding{}
	r.Matches = append([]correlate.Match{}, r.Matches...)
	a.Key = make([]byte, 32)
	rand.Read(a.Key)
	a.Summary = &r.Summary
	for f, err := range a.policy.Audit(a.Sources, a.now) {
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return nil, err
		}
		r.Findings = append(r.Findings, f)
		r.Matches = append(r.Matches, a.engine.Add(f.Event(a.now), fmt.Sprint("finding/", len(r.Findings)), a.now)...)
	}
	r.Matches = append(r.Matches, a.engine.Flush()...)
	r.Correlation = a.engine.Status()
	return r, nil
}
