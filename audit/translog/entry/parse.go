package entry

import (
	"bytes"
	"encoding/base64"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
)

// Parse reads a leaf. It accepts what [Leaf.Append] writes and nothing else, not even the same JSON in other words: who
// parses a leaf and appends it has the same bytes. Anything else is an error wrapping [opsec.ErrInvalid] that tells
// where it went wrong. Besides the attributes, an event's leaf costs one allocation.
func Parse(leaf []byte) (Leaf, error) {
	if len(leaf) > MaxLeaf {
		return Leaf{}, bad("longer than 65535 bytes")
	}
	s := scanner{rest: leaf}
	var l Leaf
	s.want(`{"v":1,"`)
	switch {
	case s.take(`id":"`):
		s.event(&l)
	case s.take(`epoch":`):
		l.Kind, l.Number = Epoch, s.number(1)
		s.want(`,"time":"`)
		l.Time = s.time()
		s.want(`,"tenants":`)
		l.Tenants = s.number(0)
		s.want(`,"heads":"`)
		s.base64(l.Heads[:])
	case s.take(`log":`):
		l.Kind, l.Log = Shard, s.text(maxOrigin)
		if l.Log == "" {
			s.fail("an origin")
		}
		s.want(`,"time":"`)
		l.Time = s.time()
		s.want(`,"size":`)
		l.Size = s.number(0)
		s.want(`,"root":"`)
		s.base64(l.Root[:])
		s.want(`,"body":"`)
		s.base64(l.Body[:])
	default:
		s.fail("id, epoch or log")
	}
	s.want(`}`)
	if len(s.rest) > 0 {
		s.fail("the end")
	}
	if s.missing != "" {
		return Leaf{}, bad("want " + s.missing)
	}
	return l, nil
}

func (s *scanner) event(l *Leaf) {
	l.Kind = Event
	s.id(&l.ID)
	s.want(`","time":"`)
	l.Time = s.time()
	s.want(`,"class":"`)
	if l.Class = class(s.word()); l.Class == "" {
		s.fail("a class")
	}
	if s.take(`,"category":"`) {
		if l.Category = category(s.word()); l.Category == "" {
			s.fail("a category")
		}
	}
	s.want(`,"action":"`)
	if action := s.word(); validAction(action) {
		l.Action = string(action)
	} else {
		s.fail("an action")
	}
	s.want(`,"outcome":"`)
	if l.Outcome = outcome(s.word()); l.Outcome == "" {
		s.fail("an outcome")
	}
	if s.take(`,"attrs":[`) {
		l.Attrs = s.attrs()
	}
	s.want(`,"body":"`)
	s.base64(l.Body[:])
	s.want(`,"tenant":"`)
	s.base64(l.Tenant[:])
	s.want(`,"seq":`)
	if l.Seq = s.number(1); l.Seq > 1 {
		s.want(`,"prev":"`)
		s.base64(l.Prev[:])
	}
}

func (s *scanner) attrs() []opsec.Attr {
	begin := len(s.rest)
	var list []opsec.Attr
	for s.missing == "" {
		a := opsec.Attr{Mark: opsec.Public}
		s.want(`[`)
		a.Key = s.text(opsec.MaxKeyLen)
		s.want(`,`)
		a.Value = s.text(opsec.MaxValueLen)
		s.want(`]`)
		if list = append(list, a); a.Key == "" || len(list) > opsec.MaxAttrs || begin-len(s.rest) >= maxLeafAttrs {
			s.fail("attributes within their bounds")
		}
		if s.take(`]`) {
			break
		}
		s.want(`,`)
	}
	return list
}

// scanner reads a leaf from its front. After the first thing that it misses it reads nothing more.
type scanner struct {
	rest    []byte
	missing string
}

func (s *scanner) fail(want string) {
	if s.missing == "" {
		s.missing = want
	}
	s.rest = nil
}

func (s *scanner) take(text string) bool {
	if len(s.rest) < len(text) || string(s.rest[:len(text)]) != text {
		return false
	}
	s.rest = s.rest[len(text):]
	return true
}

func (s *scanner) want(text string) {
	if !s.take(text) {
		s.fail(text)
	}
}

// word returns what stands before the next quotation mark, and passes it.
func (s *scanner) word() []byte {
	n := bytes.IndexByte(s.rest, '"')
	if n < 0 {
		s.fail("a quotation mark")
		return nil
	}
	word := s.rest[:n]
	s.rest = s.rest[n+1:]
	return word
}

// number reads a number of at least least, without leading zeros.
func (s *scanner) number(least uint64) uint64 {
	var v uint64
	n := 0
	for ; n < len(s.rest) && '0' <= s.rest[n] && s.rest[n] <= '9'; n++ {
		d := uint64(s.rest[n] - '0')
		if n > 0 && v == 0 || v > (math.MaxUint64-d)/10 {
			n = 0
			break
		}
		v = 10*v + d
	}
	if n == 0 || v < least {
		s.fail("a number")
		return 0
	}
	s.rest = s.rest[n:]
	return v
}

// time reads RFC 3339 in UTC with as few digits as it takes, and its quotation mark.
func (s *scanner) time() time.Time {
	var t time.Time
	text := s.word()
	n := len(text)
	plain := n == len("2006-01-02T15:04:05Z") || 22 <= n && n <= 30 && text[19] == '.' && text[n-2] != '0'
	if !plain || text[n-1] != 'Z' || t.UnmarshalText(text) != nil || t.Year() < 1 {
		s.fail("a time in UTC")
	}
	return t
}

// id reads a UUID in lower case.
func (s *scanner) id(id *[16]byte) {
	if len(s.rest) < 36 || !parseID(id, s.rest[:36]) {
		s.fail("an id")
		return
	}
	s.rest = s.rest[36:]
}

func parseID[T ~string | ~[]byte](id *[16]byte, text T) bool {
	if len(text) != 36 {
		return false
	}
	at := 0
	for i := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			if text[at] != '-' {
				return false
			}
			at++
		}
		hi, lo := nibble(text[at]), nibble(text[at+1])
		if hi|lo > 15 {
			return false
		}
		id[i] = hi<<4 | lo
		at += 2
	}
	return true
}

// nibble returns more than 15 for what is no lower-case hexadecimal digit. The digits of ids are random, so that a
// processor guesses wrong about each of them: there is nothing to guess here.
func nibble(c byte) byte { return digits[c] - 1 }

// digits holds one more than what a digit stands for.
var digits = [256]byte{
	'0': 1, '1': 2, '2': 3, '3': 4, '4': 5, '5': 6, '6': 7, '7': 8, '8': 9, '9': 10,
	'a': 11, 'b': 12, 'c': 13, 'd': 14, 'e': 15, 'f': 16,
}

// base64 fills raw, of 16 or 32 bytes, and passes the quotation mark.
func (s *scanner) base64(raw []byte) {
	n, last := 43, "AEIMQUYcgkosw048" // characters that leave no bit over
	if len(raw) == 16 {
		n, last = 22, "AQgw"
	}
	if len(s.rest) <= n || s.rest[n] != '"' || strings.IndexByte(last, s.rest[n-1]) < 0 {
		s.fail("a hash")
		return
	}
	// A line end, which the decoder passes over, would leave too little.
	if got, err := base64.RawURLEncoding.Decode(raw, s.rest[:n]); err != nil || got != len(raw) {
		s.fail("a hash")
		return
	}
	s.rest = s.rest[n+1:]
}

// text reads a string of at most most bytes, with its quotation marks, escaped as appendString does.
func (s *scanner) text(most int) string {
	s.want(`"`)
	plain := 0 // most strings need no copy of their own but the last one
	for plain < len(s.rest) && ' ' <= s.rest[plain] && s.rest[plain] < 0x7f && s.rest[plain] != '"' && s.rest[plain] != '\\' {
		plain++
	}
	if plain < len(s.rest) && s.rest[plain] == '"' && plain <= most {
		text := string(s.rest[:plain])
		s.rest = s.rest[plain+1:]
		return text
	}
	var text []byte
	for len(s.rest) > 0 && len(text) <= most {
		r, n := utf8.DecodeRune(s.rest)
		switch {
		case r == '"':
			s.rest = s.rest[1:]
			return string(text)
		case r == '\\':
			r, n = s.escape()
		case escaped(r), r == utf8.RuneError && n == 1:
			n = 0
		}
		if n == 0 {
			break
		}
		text = utf8.AppendRune(text, r)
		s.rest = s.rest[n:]
	}
	s.fail("a string within its bounds")
	return ""
}

// escape returns the character that the escape before it stands for, and the escape's length.
func (s *scanner) escape() (rune, int) {
	e := s.rest
	if len(e) >= 2 && (e[1] == '"' || e[1] == '\\') {
		return rune(e[1]), 2
	}
	if len(e) < 6 || e[1] != 'u' {
		return 0, 0
	}
	var r rune
	for _, c := range e[2:6] {
		d := nibble(c)
		if d > 15 {
			return 0, 0
		}
		r = r<<4 | rune(d)
	}
	if !escaped(r) {
		return 0, 0
	}
	return r, 6
}
