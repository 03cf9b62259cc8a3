package snapshot

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cloudopsec/opsec"
)

// findings collects findings, the first maxFindings of a rule.
type findings struct {
	list  []Finding
	count map[string]int
	order []string
	worst map[string]opsec.Severity
}

// add takes a finding; what makes its path and text is called only when it is kept.
func (l *findings) add(rule string, s opsec.Severity, what func() (path, text string)) {
	if l.count == nil {
		l.count, l.worst = map[string]int{}, map[string]opsec.Severity{}
	}
	if l.count[rule]++; l.count[rule] == 1 {
		l.order = append(l.order, rule)
	}
	if l.count[rule] <= maxFindings {
		path, text := what()
		l.list = append(l.list, Finding{Path: path, Rule: rule, Severity: s, Text: text})
	} else if s.Rank() > l.worst[rule].Rank() {
		l.worst[rule] = s
	}
}

// done returns the list, with one finding more for each rule that had more of them.
func (l *findings) done() []Finding {
	for _, rule := range l.order {
		if more := l.count[rule] - maxFindings; more > 0 {
			l.list = append(l.list, Finding{Rule: rule, Severity: l.worst[rule], Text: fmt.Sprintf("%d more of these are left out", more)})
		}
	}
	return l.list
}

// Quote returns an id for people's eyes and for JSON. What is printable UTF-8 stays; anything else, and what begins with a
// quotation mark, becomes a string of Go in quotation marks. No two ids become the same text.
func Quote(id string) string {
	if strings.HasPrefix(id, `"`) {
		return strconv.Quote(id)
	}
	for _, r := range id {
		if !strconv.IsPrint(r) || r == 0xfffd {
			return strconv.Quote(id)
		}
	}
	return id
}
