package main

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/identity/lockout/spray"
)

// report is what a log would have been under a profile.
type report struct {
	Profile     string          `json:"profile"`
	Attempts    int             `json:"attempts"`
	Verified    int             `json:"verified"` // secrets that would have been looked at
	Refused     int             `json:"refused"`
	WithoutRule int             `json:"without_rule,omitempty"` // the profile has none for passwords
	Verdicts    []verdict       `json:"verdicts"`               // all but the plain admissions
	Omitted     int             `json:"omitted,omitempty"`      // verdicts that are too many to list
	Locks       []lock          `json:"locks"`
	Attacks     []spray.Verdict `json:"attacks"`
}

// counter is what a lock is on.
type counter struct {
	Account string        `json:"account"`
	Class   lockout.Class `json:"class,omitempty"`
	Device  string        `json:"device,omitempty"`
}

func counterOf(k lockout.Key) counter { return counter{k.Account, k.Class, k.Device} }

func (c counter) String() string {
	switch {
	case c.Device != "":
		return fmt.Sprintf("%q, device %q", c.Account, c.Device)
	case c.Class != lockout.Unknown:
		return fmt.Sprintf("%q, %s", c.Account, c.Class)
	}
	return fmt.Sprintf("%q", c.Account)
}

// verdict is what one attempt would have brought about.
type verdict struct {
	counter
	Time    time.Time  `json:"t"`
	Source  netip.Addr `json:"source"`
	Verdict string     `json:"verdict"`
}

// lock is from when to when a counter admits nobody.
type lock struct {
	counter
	Standing lockout.Standing `json:"standing"`
	From     time.Time        `json:"from"`
	Until    time.Time        `json:"until,omitzero"` // zero: until somebody unlocks it
	Failures int              `json:"failures"`
	Refused  int              `json:"refused"` // attempts meanwhile
	Right    int              `json:"right"`   // with the right secret
}

func (r *report) list(v verdict) {
	if len(r.Verdicts) == maxListed {
		r.Omitted++
		return
	}
	r.Verdicts = append(r.Verdicts, v)
}

// WriteText writes a line for each verdict, lock and attack.
func (r *report) WriteText(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, v := range r.Verdicts {
		from := "somewhere"
		if v.Source.IsValid() {
			from = v.Source.String()
		}
		fmt.Fprintf(out, "%s  %v from %s: %s\n", v.Time.Format(time.RFC3339), v.counter, from, v.Verdict)
	}
	for _, l := range r.Locks {
		until := "until it is unlocked"
		if !l.Until.IsZero() {
			until = fmt.Sprintf("to %s (%v)", l.Until.Format(time.RFC3339), l.Until.Sub(l.From).Round(time.Second))
		}
		fmt.Fprintf(out, "%-9s %v: %s %s, after %d failures; %d refused, %d of them with the right secret\n",
			l.Standing, l.counter, l.From.Format(time.RFC3339), until, l.Failures, l.Refused, l.Right)
	}
	for _, v := range r.Attacks {
		fmt.Fprintf(out, "%-9s %v\n", v.Severity, v)
	}
	if r.WithoutRule > 0 {
		fmt.Fprintf(out, "%d attempts were not judged: the profile has no rule for passwords\n", r.WithoutRule)
	}
	fmt.Fprintf(out, "%s: %d attempts, %d verified, %d refused; %d locks, %d attacks; %d verdicts not listed\n",
		r.Profile, r.Attempts, r.Verified, r.Refused, len(r.Locks), len(r.Attacks), r.Omitted)
	return out.Flush()
}
