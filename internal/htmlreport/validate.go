package htmlreport

import (
	"fmt"
	"strings"

	"github.com/cloudopsec/opsec"
)

// validate returns an error wrapping [opsec.ErrInvalid] that names the first thing that is wrong with the form of a page.
// Whoever builds the page has made that mistake, not who wrote the texts: they may be anything.
func (p *Page) validate() error {
	if strings.TrimSpace(p.Title) == "" {
		return invalid("a page without a title")
	}
	return validate(p.Sections, 1, map[string]bool{})
}

func validate(sections []Section, depth int, seen map[string]bool) error {
	for _, s := range sections {
		switch {
		case depth > 3:
			return invalid("section %q: more than three deep", s.ID)
		case !anchor(s.ID):
			return invalid("section %q: want an id of ASCII letters, digits and '-'", s.ID)
		case seen[s.ID]:
			return invalid("section %q: its id stands twice", s.ID)
		case strings.TrimSpace(s.Title) == "":
			return invalid("section %q: no title", s.ID)
		}
		seen[s.ID] = true
		for i, b := range s.Blocks {
			if what := wrong(b); what != "" {
				return invalid("section %q: block %d: %s", s.ID, i, what)
			}
		}
		if err := validate(s.Sections, depth+1, seen); err != nil {
			return err
		}
	}
	return nil
}

// wrong says what is wrong with a block; nothing is "".
func wrong(b Block) string {
	switch b := b.(type) {
	case nil:
		return "there is none"
	case Paragraph:
		return wrongText(Text(b))
	case List:
		return wrongTexts(b)
	case Facts:
		for _, f := range b {
			if what := wrongText(f.Value); what != "" {
				return what
			}
		}
	case Table:
		return wrongTable(b)
	case Callout:
		if !b.Tone.known() {
			return fmt.Sprintf("tone %q", b.Tone)
		}
		return wrongText(b.Text)
	case Bars:
		for _, r := range b.Rows {
			for _, p := range r.Parts {
				if p.Count < 0 || !p.Tone.known() {
					return fmt.Sprintf("bar %q: a count of %d, tone %q", r.Label, p.Count, p.Tone)
				}
			}
		}
	case Timeline:
		for _, r := range b.Rows {
			if r.From.IsZero() || r.Until.Before(r.From) || !r.Tone.known() {
				return fmt.Sprintf("period %q: from %v until %v, tone %q", r.Label, r.From, r.Until, r.Tone)
			}
		}
	default:
		return wrongChart(b)
	}
	return ""
}

func wrongTable(t Table) string {
	if len(t.Columns) == 0 {
		return "a table without columns"
	}
	for i, r := range append(t.Rows[:len(t.Rows):len(t.Rows)], t.Foot) {
		if len(r) != len(t.Columns) && (i < len(t.Rows) || len(r) > 0) {
			return fmt.Sprintf("row %d has %d cells, want %d", i, len(r), len(t.Columns))
		}
		if what := wrongTexts(r); what != "" {
			return what
		}
	}
	return ""
}

func wrongTexts(list []Text) string {
	for _, t := range list {
		if what := wrongText(t); what != "" {
			return what
		}
	}
	return ""
}

func wrongText(t Text) string {
	for _, s := range t {
		if s.Mark != "" && !s.Mark.known() {
			return fmt.Sprintf("mark with tone %q", s.Mark)
		}
	}
	return ""
}

func (t Tone) known() bool {
	switch t {
	case Good, Bad, Unknown, Warn, Mild, Calm, Neutral:
		return true
	}
	return false
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("htmlreport: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
