package htmlreport

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean returns a text in which every character shows, and where it stands: a control character, and what turns the
// direction of the text around it, becomes U+FFFD. Tabs are spaces; line breaks stay.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029', r > 0xfffd && r <= 0xffff:
			return utf8.RuneError
		}
		return r
	}, strings.ReplaceAll(strings.ToValidUTF8(s, string(utf8.RuneError)), "\r\n", "\n"))
}

func cleanText(t Text) Text {
	list := make(Text, len(t))
	for i, s := range t {
		s.Text = clean(s.Text)
		if s.Link != "" && !Linked(s.Link) {
			s.Link = ""
		}
		list[i] = s
	}
	return list
}

// Linked says whether something may be linked to: a place in the page, a file beside it, or a page of the web.
func Linked(to string) bool {
	if id, ok := strings.CutPrefix(to, "#"); ok {
		return anchor(id)
	}
	if file, ok := strings.CutPrefix(to, "./"); ok {
		return anchor(strings.NewReplacer(".", "-", "_", "-").Replace(strings.TrimSuffix(file, "?download"))) && !strings.Contains(file, "..")
	}
	if !strings.HasPrefix(to, "https://") && !strings.HasPrefix(to, "http://") {
		return false
	}
	return !strings.ContainsFunc(to, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"'<>\\^`{|}()[]", r)
	})
}

// anchor says whether s is the id of a section.
func anchor(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}
