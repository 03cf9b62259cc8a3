package oscal

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Namespace is the ns of properties and parts that are ours and not OSCAL's.
const Namespace = "https://github.com/cloudopsec/opsec/audit/programme/oscal"

// nist is OSCAL's own namespace, and the naming system of its facets.
const nist = "http://csrc.nist.gov/ns/oscal"

// uuid5 returns the UUID of version 5 (RFC 9562, section 5.5) of the parts, under our namespace. OSCAL takes versions 4
// and 5 alone. Each part is led by its length, so that no two lists are one name.
func uuid5(parts ...string) string {
	url := [16]byte{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	var name strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&name, "%d:%s", len(p), p)
	}
	u := version5(version5(url, Namespace), name.String())
	x := hex.EncodeToString(u[:])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

func version5(space [16]byte, name string) (u [16]byte) {
	sum := sha1.Sum(append(space[:], name...))
	copy(u[:], sum[:])
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return u
}

// controlToken returns the id of a requirement's control, "x1642-8.11.1-1": a token of OSCAL, and another one for each id
// of a catalogue. What a token cannot have stands as its code point in hexadecimal between underscores; an underscore, as
// two. With "_smt" behind it, it is the id of the control's statement, with "_clause" a group's: no control has such an id.
func controlToken(catalogue, id string) string { return token(catalogue + "-" + id) }

func token(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case unicode.IsLetter(r), i > 0 && (unicode.IsNumber(r) || r == '.' || r == '-'):
			b.WriteRune(r)
		case r == '_':
			b.WriteString("__")
		default:
			b.WriteString("_" + strconv.FormatInt(int64(r), 16) + "_")
		}
	}
	return b.String()
}

// line returns s as OSCAL's string: in one line, no space around it.
func line(s string) string {
	return strings.Join(strings.FieldsFunc(s, blank), " ")
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\ufeff' }

// marked returns s so that it is read as it stands where OSCAL takes markup: a subset of CommonMark in which quotes, '^'
// and '~' mean something too, and "{{" begins a parameter.
func marked(s string) string {
	s = line(s)
	var b strings.Builder
	for i, r := range s {
		begins := i == 0 && strings.ContainsRune("#+-=", r) || (r == '.' || r == ')') && digits(s[:i])
		if begins || strings.ContainsRune("\\`*_[]<>{}~^&\"|$!", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// text is marked, and never empty.
func text(s string) string {
	if s = marked(s); s == "" {
		return "-"
	}
	return s
}

// prose is a paragraph of markup for each line of the texts that is not empty; when all are, it is "".
func prose(texts ...string) string {
	var all []string
	for p := range strings.SplitSeq(strings.Join(texts, "\n"), "\n") {
		if p = marked(p); p != "" {
			all = append(all, p)
		}
	}
	return strings.Join(all, "\n\n")
}

// list is a paragraph and a list below it, or "" when the list is empty.
func list(about string, texts []string) string {
	all := []string{about, ""}
	for _, s := range texts {
		if s = marked(s); s != "" {
			all = append(all, "- "+s)
		}
	}
	if len(all) == 2 {
		return ""
	}
	return strings.Join(all, "\n")
}

// labelled is a text behind what it is, or "" when it is empty.
func labelled(label, s string) string {
	if line(s) == "" {
		return ""
	}
	return label + ": " + s
}
