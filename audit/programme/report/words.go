package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

// none stands where there is nothing.
const none = "–"

func plain(s string) htmlreport.Text {
	if s == "" {
		s = none
	}
	return htmlreport.Plain(s)
}

func code(s string) htmlreport.Text {
	if s == "" {
		return htmlreport.Plain(none)
	}
	return htmlreport.Code(s)
}

// codes returns ids with commas between them.
func codes(list []string) (text htmlreport.Text) {
	for i, s := range list {
		if i > 0 {
			text = append(text, htmlreport.Span{Text: ", "})
		}
		text = append(text, htmlreport.Span{Text: s, Code: true})
	}
	if text == nil {
		return htmlreport.Plain(none)
	}
	return text
}

func number(n int) htmlreport.Text { return htmlreport.Plain(strconv.Itoa(n)) }

// loud returns a number as a mark, unless it is 0.
func loud(n int, t htmlreport.Tone) htmlreport.Text {
	if n == 0 {
		return number(n)
	}
	return htmlreport.Mark(t, strconv.Itoa(n))
}

// some returns a number with its noun: "1 item", "2 items".
func some(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "y") {
		noun = strings.TrimSuffix(noun, "y") + "ie"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// day returns a date where it is given.
func day(t time.Time) string {
	if t.IsZero() {
		return none
	}
	return t.Format(time.DateOnly)
}

// instant returns a time in UTC, to the minute.
func instant(t time.Time) string {
	if t.IsZero() {
		return none
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

func join(list []string, between string) string {
	if len(list) == 0 {
		return none
	}
	return strings.Join(list, between)
}

func customer(t opsec.TenantID) string {
	if ours(t) {
		return "the provider"
	}
	return string(t)
}

func customers(list []opsec.TenantID) string {
	var names []string
	for _, t := range list {
		names = append(names, customer(t))
	}
	return join(names, ", ")
}

func statusTone(s programme.Status) htmlreport.Tone {
	switch s {
	case programme.Passed:
		return htmlreport.Good
	case programme.Failed:
		return htmlreport.Bad
	case programme.NotApplicable:
		return htmlreport.Neutral
	}
	return htmlreport.Unknown
}

func statusMark(s programme.Status) htmlreport.Text {
	return htmlreport.Mark(statusTone(s), string(status(s)))
}

func riskTone(r opsec.Severity) htmlreport.Tone {
	switch r {
	case opsec.SeverityCritical:
		return htmlreport.Bad
	case opsec.SeverityHigh:
		return htmlreport.Warn
	case opsec.SeverityMedium:
		return htmlreport.Mild
	case opsec.SeverityLow:
		return htmlreport.Calm
	case opsec.SeverityInfo:
		return htmlreport.Neutral
	}
	return htmlreport.Unknown
}

func riskWord(r opsec.Severity) string {
	if r == "" {
		return "not rated"
	}
	return string(r)
}

func riskMark(r opsec.Severity) htmlreport.Text { return htmlreport.Mark(riskTone(r), riskWord(r)) }

func stateMark(s State) htmlreport.Text {
	tone := htmlreport.Mild
	switch s {
	case Overdue, NoAction:
		tone = htmlreport.Bad
	case Lapsed:
		tone = htmlreport.Warn
	case Waiting:
		tone = htmlreport.Calm
	case Verified:
		tone = htmlreport.Good
	case Accepted:
		tone = htmlreport.Neutral
	}
	return htmlreport.Mark(tone, string(s))
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func were(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}
