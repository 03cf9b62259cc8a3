package htmlreport

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Markdown writes the page in GitHub Flavored Markdown. A page that is not valid is refused before anything is written.
func (p *Page) Markdown(w io.Writer) error {
	if err := p.validate(); err != nil {
		return err
	}
	m := &markdown{w: bufio.NewWriter(w)}
	m.printf("# %s\n", label(p.Title))
	if p.Subtitle != "" {
		m.printf("\n%s\n", label(p.Subtitle))
	}
	m.facts(p.Facts)
	m.sections(p.Sections, 2)
	if p.Footer != "" {
		m.printf("\n---\n\n%s\n", label(p.Footer))
	}
	return m.w.Flush()
}

type markdown struct{ w *bufio.Writer }

// printf leaves errors to Flush, which returns the first.
func (m *markdown) printf(format string, args ...any) { fmt.Fprintf(m.w, format, args...) }

func (m *markdown) sections(list []Section, level int) {
	for _, s := range list {
		m.printf("\n%s %s\n", strings.Repeat("#", level), label(s.Title))
		for _, b := range s.Blocks {
			m.block(b)
		}
		m.sections(s.Sections, level+1)
	}
}

func (m *markdown) block(b Block) {
	switch b := b.(type) {
	case Paragraph:
		m.printf("\n%s\n", spans(Text(b), "\\\n"))
	case List:
		m.printf("\n")
		for _, item := range b {
			m.printf("- %s\n", spans(item, " "))
		}
	case Facts:
		m.facts(b)
	case Table:
		m.table(b)
	case Callout:
		m.printf("\n> **%s.**", label(b.Title))
		if len(b.Text) > 0 {
			m.printf(" %s", spans(b.Text, "\\\n> "))
		}
		m.printf("\n")
	case Listing:
		m.caption(b.Caption)
		text := strings.TrimSuffix(clean(b.Text), "\n")
		fence := strings.Repeat("`", max(3, longest(text, '`')+1))
		m.printf("\n%stext\n%s\n%s\n", fence, text, fence)
	case Bars:
		m.bars(b)
	case Timeline:
		m.caption(b.Caption)
		m.printf("\n")
		for _, r := range b.Rows {
			m.printf("- %s: %s\n", label(r.Label), inline(r.Note, " "))
		}
	case Calendar:
		m.calendar(b)
	case Curve:
		m.curve(b)
	case Strip:
		m.strip(b)
	}
}

func (m *markdown) caption(s string) {
	if s != "" {
		m.printf("\n**%s**\n", label(s))
	}
}

func (m *markdown) facts(list Facts) {
	if len(list) > 0 {
		m.printf("\n")
	}
	for _, f := range list {
		m.printf("- **%s:** %s\n", label(f.Label), spans(f.Value, "<br>"))
	}
}

func (m *markdown) table(t Table) {
	m.caption(t.Caption)
	m.printf("\n|")
	for _, c := range t.Columns {
		m.printf(" %s |", inline(c.Title, " "))
	}
	m.printf("\n|")
	for _, c := range t.Columns {
		if c.Numbers {
			m.printf("---:|")
		} else {
			m.printf("---|")
		}
	}
	m.printf("\n")
	for _, r := range t.Rows {
		m.row(r, false)
	}
	m.row(t.Foot, true)
}

func (m *markdown) row(cells []Text, strong bool) {
	if len(cells) == 0 {
		return
	}
	m.printf("|")
	for _, c := range cells {
		text := spans(c, "<br>")
		if strong && text != "" && !strings.HasPrefix(text, "**") {
			text = "**" + text + "**"
		}
		m.printf(" %s |", text)
	}
	m.printf("\n")
}

func (m *markdown) bars(b Bars) {
	m.caption(b.Caption)
	m.printf("\n")
	for _, r := range b.Rows {
		var parts []string
		for _, p := range r.Parts {
			if p.Count > 0 {
				parts = append(parts, inline(p.says(), " "))
			}
		}
		if r.Note != "" {
			parts = append(parts, inline(r.Note, " "))
		}
		m.printf("- %s: %s\n", label(r.Label), strings.Join(parts, " · "))
	}
}

// spans returns a text in Markdown, with what a line break becomes.
func spans(t Text, br string) string {
	var b strings.Builder
	for _, s := range trimmed(t) {
		switch {
		case s.Link != "" && Linked(s.Link) && !strings.HasPrefix(s.Link, "#"):
			fmt.Fprintf(&b, "[%s](%s)", inline(s.Text, " "), s.Link)
		case s.Code:
			b.WriteString(code(s.Text))
		case s.Mark.loud() && strings.TrimSpace(s.Text) != "":
			fmt.Fprintf(&b, "**%s**", label(s.Text))
		default:
			b.WriteString(inline(s.Text, br))
		}
	}
	return b.String()
}

// loud says whether a mark stands out: one among many that do is not seen.
func (t Tone) loud() bool { return t == Bad || t == Unknown || t == Warn }

// trimmed returns a text that is clean and begins and ends with something that shows.
func trimmed(t Text) Text {
	t = cleanText(t)
	for len(t) > 0 {
		if t[0].Text = strings.TrimLeft(t[0].Text, " \n"); t[0].Text != "" {
			break
		}
		t = t[1:]
	}
	for len(t) > 0 {
		last := &t[len(t)-1]
		if last.Text = strings.TrimRight(last.Text, " \n"); last.Text != "" {
			break
		}
		t = t[:len(t)-1]
	}
	return t
}

// code returns a code span: in a fence longer than any within, and with what would end a cell of a table escaped, which is
// taken off again there (GFM, section 4.10). Outside of tables no text with '|' stands in code type.
func code(s string) string {
	s = strings.ReplaceAll(clean(s), "\n", " ")
	if strings.Trim(s, " ") == "" || strings.Contains(s, "|") {
		return inline(s, " ")
	}
	fence := strings.Repeat("`", longest(s, '`')+1)
	if len(fence) > 1 || s[0] == ' ' || s[len(s)-1] == ' ' {
		s = " " + s + " "
	}
	return fence + s + fence
}

// longest returns the length of the longest run of c in s.
func longest(s string, c byte) (most int) {
	n := 0
	for i := range len(s) {
		if s[i] != c {
			n = 0
			continue
		}
		n++
		most = max(most, n)
	}
	return most
}

// label escapes a text that begins what it stands in, or is strong: no space may come first, or last.
func label(s string) string { return inline(strings.TrimSpace(s), " ") }

// inline escapes a text so that Markdown shows it as it is, on one line but for br between its lines. What could begin a
// block, a link, a reference to a character, or a tag is escaped wherever it stands.
func inline(s, br string) string {
	var b strings.Builder
	for i, line := range strings.Split(clean(s), "\n") {
		if i > 0 {
			b.WriteString(br)
			line = strings.TrimLeft(line, " ")
		}
		escape(&b, line)
	}
	return b.String()
}

func escape(b *strings.Builder, line string) {
	start := len(line) - len(strings.TrimLeft(line, " "))
	digits := true // there were digits only
	for i := range len(line) {
		c := line[i]
		switch {
		case strings.IndexByte("\\`*_[]<>&|~$@^", c) >= 0,
			i == start && strings.IndexByte("#+-=:", c) >= 0,
			digits && i > start && (c == '.' || c == ')'),  // a numbered list
			c == ':' && strings.HasPrefix(line[i:], "://"), // a link of its own
			c == '.' && i >= 3 && strings.EqualFold(line[i-3:i], "www"):
			b.WriteByte('\\')
		}
		digits = digits && (i < start || '0' <= c && c <= '9')
		b.WriteByte(c)
	}
}
