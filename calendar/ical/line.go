package ical

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
)

// Limits of one file beside those of Options.
const (
	maxLine   = 64 << 10 // bytes, unfolded
	maxParams = 32
	maxDepth  = 8
)

// line is a content line (RFC 5545, section 3.1), unfolded.
type line struct {
	number int               // of its first physical line
	name   string            // in capitals
	params map[string]string // names in capitals; a list of values stays one text
	value  string
}

// lines unfolds a text, piece by piece.
type lines struct {
	rest   []byte
	number int
}

// physical takes the next line as it stands.
func (l *lines) physical() []byte {
	text, rest, _ := bytes.Cut(l.rest, []byte("\n"))
	l.rest = rest
	l.number++
	return bytes.TrimSuffix(text, []byte("\r"))
}

// next returns the next content line; ok is false at the end. Empty lines count for nothing.
func (l *lines) next() (c line, ok bool, err error) {
	for len(l.rest) > 0 {
		text := l.physical()
		if len(text) == 0 {
			continue
		}
		number := l.number
		text = bytes.Clone(text) // what is appended below must not overwrite the rest
		for len(l.rest) > 0 && (l.rest[0] == ' ' || l.rest[0] == '\t') {
			text = append(text, l.physical()[1:]...)
		}
		c, err := parseLine(text)
		if err != nil {
			return line{}, false, fmt.Errorf("ical: line %d: %w", number, err)
		}
		c.number = number
		return c, true, nil
	}
	return line{}, false, nil
}

func parseLine(text []byte) (c line, err error) {
	if len(text) > maxLine {
		return c, fmt.Errorf("longer than %d bytes: %w", maxLine, opsec.ErrInvalid)
	}
	if !utf8.Valid(text) || bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return c, fmt.Errorf("not UTF-8, or with control characters: %w", opsec.ErrInvalid)
	}
	rest := string(text)
	bad := fmt.Errorf("%.40q is not a name, parameters and a value: %w", rest, opsec.ErrInvalid)
	var ok bool
	if c.name, rest, ok = token(rest); !ok {
		return c, bad
	}
	for strings.HasPrefix(rest, ";") {
		name, after, ok := token(rest[1:])
		value, after, ok2 := paramValue(after)
		if _, twice := c.params[name]; !ok || !ok2 || twice || len(c.params) == maxParams {
			return c, bad
		}
		if c.params == nil {
			c.params = map[string]string{}
		}
		c.params[name], rest = value, after
	}
	if !strings.HasPrefix(rest, ":") {
		return c, bad
	}
	c.value = rest[1:]
	return c, nil
}

// token takes a name.
func token(text string) (name, rest string, ok bool) {
	n := strings.IndexFunc(text, func(r rune) bool {
		return !('A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-')
	})
	if n <= 0 {
		return "", "", false
	}
	return strings.ToUpper(text[:n]), text[n:], true
}

// paramValue takes "=", and values between commas, each as it is or in quotes.
func paramValue(text string) (value, rest string, ok bool) {
	if !strings.HasPrefix(text, "=") {
		return "", "", false
	}
	quoted := false
	for n := 1; n < len(text); n++ {
		switch b := text[n]; {
		case b == '"':
			quoted = !quoted
		case (b == ';' || b == ':') && !quoted:
			return strings.ReplaceAll(text[1:n], `"`, ""), text[n:], true
		}
	}
	return "", "", false
}
