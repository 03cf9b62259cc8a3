package checkpoint

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode"
)

const (
	maxNote  = 128 << 10 // bytes of a signed note: 16 of the longest post-quantum signatures fit
	maxLines = 100       // as in note.Open
	dash     = "\u2014 " // begins a signature line
)

// signedNote is a note taken apart (C2SP signed-note); nothing of it is verified.
type signedNote struct {
	text  string
	lines []line
}

// line is one signature line.
type line struct {
	id
	sig  []byte
	text string // as it stood, with the newline
}

// id is what tells keys apart in a note: two keys may have one name.
type id struct {
	name string
	hash uint32
}

// split takes a signed note apart. It wants each signature in its one base64 form, so that no bit of a line can change
// unseen; the text is for Parse to judge.
func split(signed []byte) (signedNote, error) {
	if len(signed) > maxNote {
		return signedNote{}, invalid("note of %d bytes: want at most %d", len(signed), maxNote)
	}
	end := bytes.LastIndex(signed, []byte("\n\n"))
	if end < 0 {
		return signedNote{}, invalid("note has no empty line before its signatures")
	}
	n := signedNote{text: string(signed[:end+1])}
	var err error
	n.lines, err = parseLines(string(signed[end+2:]))
	return n, err
}

// bare returns a note that split has taken without the lines of the policy's witnesses.
func (r *rules) bare(signed []byte) []byte {
	n, err := split(signed)
	if err != nil {
		return signed
	}
	b := []byte(n.text + "\n")
	for _, l := range n.lines {
		if _, ok := r.witnesses[l.id]; !ok {
			b = append(b, l.text...)
		}
	}
	return b
}

// parseLines reads one or more signature lines.
func parseLines(s string) ([]line, error) {
	if s == "" {
		return nil, invalid("no signature line")
	}
	var lines []line
	for rest := s; rest != ""; {
		if len(lines) == maxLines {
			return nil, invalid("more than %d signature lines", maxLines)
		}
		text, after, ended := strings.Cut(rest, "\n")
		if !ended {
			return nil, invalid("signature line %d does not end", len(lines)+1)
		}
		l, ok := parseLine(text)
		if !ok {
			return nil, invalid("signature line %d is malformed", len(lines)+1)
		}
		l.text = rest[:len(text)+1]
		lines, rest = append(lines, l), after
	}
	return lines, nil
}

func parseLine(text string) (line, bool) {
	text, ok := strings.CutPrefix(text, dash)
	name, b64, _ := strings.Cut(text, " ")
	raw, err := base64.StdEncoding.DecodeString(b64)
	if !ok || !validName(name) || err != nil || len(raw) < 5 || base64.StdEncoding.EncodeToString(raw) != b64 {
		return line{}, false
	}
	return line{id: id{name, binary.BigEndian.Uint32(raw)}, sig: raw[4:]}, true
}

// validName reports whether s may be the name of a key: no spaces of any kind and no plus.
func validName(s string) bool {
	return printable(s, maxOrigin) && !strings.ContainsFunc(s, func(r rune) bool { return r == '+' || unicode.IsSpace(r) })
}
