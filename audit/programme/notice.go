package programme

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/cloudopsec/opsec"
)

// Sweep tells people what is overdue in all audits, and of findings without an action or an acceptance after the report. It
// returns how many messages the Notifier took. A matter has a message for each week that it lasts, always with the same
// id: however often Sweep runs, a Notifier that knows ids delivers it once. The owner gets the first; from the second week
// on the lead and senior management of the team get it too.
func (d *Desk) Sweep(ctx context.Context) (sent int, err error) {
	if d.opts.Notifier == nil {
		return 0, invalid("sweep: the desk has no Notifier")
	}
	now := d.opts.Now()
	var errs []error
	for id, err := range d.audits.IDs(ctx) {
		if err != nil {
			return sent, errors.Join(append(errs, err)...)
		}
		a, err := d.load(ctx, id)
		if err != nil {
			errs = append(errs, fmt.Errorf("programme: audit %s: %w", short(id), err))
			continue
		}
		for _, m := range a.notices(now) {
			if err := d.opts.Notifier.Notify(ctx, m); err != nil {
				errs = append(errs, err)
				continue
			}
			sent++
		}
		if ctx.Err() != nil {
			break
		}
	}
	return sent, errors.Join(append(errs, ctx.Err())...)
}

const week = 7 * 24 * time.Hour

// notices are the messages about an audit that are due.
func (a *Audit) notices(now time.Time) (list []opsec.Message) {
	for _, x := range a.Overdue(now) {
		f := a.finding(x.Finding)
		subject, to := "Action "+x.ID+" of audit "+a.ID+" is overdue", x.Owner
		switch {
		case x.ID == "":
			subject = "The risk of finding " + x.Finding + " of audit " + a.ID + " is no longer accepted"
		case !x.Completed.IsZero():
			subject, to = "Action "+x.ID+" of audit "+a.ID+" is not verified", a.lead()
		}
		key := []string{x.ID, x.Finding, strconv.Itoa(x.Rejected), strconv.FormatBool(x.Completed.IsZero())}
		list = append(list, a.notice(now, x.Due, f.Risk, to, subject, x.Text, key))
	}
	if a.Stage != Reported {
		return list
	}
	for _, f := range a.Findings {
		about := func(x Action) bool { return x.Finding == f.ID }
		if f.Accepted == nil && !slices.ContainsFunc(a.Actions, about) {
			subject := "Finding " + f.ID + " of audit " + a.ID + " has no action, and its risk is not accepted"
			list = append(list, a.notice(now, f.Raised, f.Risk, a.lead(), subject, f.Subject, []string{"open", f.ID}))
		}
	}
	return list
}

func (a *Audit) lead() string {
	if i := slices.IndexFunc(a.Team, func(m Member) bool { return m.Lead }); i >= 0 {
		return a.Team[i].Person
	}
	return ""
}

// notice is a message about something that should have been by due. Its id depends on nothing but what it is about, and
// the week.
func (a *Audit) notice(now, due time.Time, risk opsec.Severity, to, subject, text string, key []string) opsec.Message {
	weeks := int(now.Sub(due) / week)
	m := opsec.Message{
		Tenant: opsec.Provider, Severity: risk, Subject: subject,
		Body: fmt.Sprintf("%s\nAudit: %s\nDue: %s\nRisk: %s\n", text, a.Plan.Title, due.Format(time.RFC3339), risk),
	}
	if to != "" {
		m.To = []string{to}
	}
	for _, member := range a.Team {
		senior := member.Lead || member.Function == SeniorManagement
		if senior && (weeks > 0 || to == "") && member.Person != to {
			m.To = append(m.To, member.Person)
		}
	}
	h := sha256.New()
	for _, part := range append([]string{"opsec/programme/notice/v1", a.ID, due.Format(time.RFC3339Nano), strconv.Itoa(weeks)}, key...) {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	m.ID = idOf([32]byte(h.Sum(nil)))
	return m
}

// idOf makes a UUID of version 8 (RFC 9562, section 5.8) of a digest.
func idOf(sum [32]byte) opsec.ID {
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return opsec.ID(fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:]))
}
