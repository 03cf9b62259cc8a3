package export

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"
)

// appendKey writes "name": with a comma before it, unless it is an object's first member.
func appendKey(b []byte, name string) []byte {
	if c := b[len(b)-1]; c != '{' && c != '[' {
		b = append(b, ',')
	}
	if name == "" { // an element of an array
		return b
	}
	return append(append(append(b, '"'), name...), '"', ':')
}

// appendField writes a member of type string, unless it is empty.
func appendField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendString(appendKey(b, name), value)
}

func appendInt(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(appendKey(b, name), n, 10)
}

func appendUint(b []byte, name string, n uint64) []byte {
	return strconv.AppendUint(appendKey(b, name), n, 10)
}

func appendBase64(b []byte, name string, value []byte) []byte {
	b = append(appendKey(b, name), '"')
	return append(base64.StdEncoding.AppendEncode(b, value), '"')
}

func appendStrings(b []byte, name string, list []string) []byte {
	b = append(appendKey(b, name), '[')
	for _, s := range list {
		b = appendString(appendKey(b, ""), s)
	}
	return append(b, ']')
}

// appendString writes a JSON string as [opsec.Event.AppendJSON] does: beside what RFC 8259 asks for, DEL, the C1
// controls and the separators U+2028 and U+2029 are escaped, so that no value ends a line or reaches a terminal as a
// command, and a byte that is not UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	done := 0 // s[:done] is written
	for i := 0; i < len(s); {
		c := s[i]
		if 0x20 <= c && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[done:i]...)
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20, 0x7f <= r && r <= 0x9f, r == '\u2028', r == '\u2029':
			b = append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
		i += n
		done = i
	}
	return append(append(b, s[done:]...), '"')
}

func appendHash(b []byte, h [32]byte) []byte { return base64.StdEncoding.AppendEncode(b, h[:]) }
