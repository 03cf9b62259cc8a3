package shares

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
)

// The paper form: lines of 20 bytes in Crockford's base32 (https://www.crockford.com/base32.html), which has no I, L, O and
// U, in groups of four, the last of which is a check of the line, of its place, and of whether it is the last.
const (
	lineBytes = 20
	groupSize = 4
	checkSize = groupSize
	maxLines  = (maxBinary + lineBytes - 1) / lineBytes
	maxText   = 8 << 10
	alphabet  = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)

func paper() *base32.Encoding { return base32.NewEncoding(alphabet).WithPadding(base32.NoPadding) }

// Text returns the share for paper, to be typed in again: a line that says what it is, which begins with '#', then groups
// of four letters and digits. The last group of each line is a checksum of it, so that a slip is found in its line.
func (s Share) Text() string {
	if s.held == nil {
		return ""
	}
	id := s.Set()
	var b strings.Builder
	fmt.Fprintf(&b, "# share %d of %d, any %d open set %s\n", s.Index(), s.Of(), s.Threshold(), id.String()[:8])
	for number, rest := 1, s.raw(); len(rest) > 0; number++ {
		n := min(lineBytes, len(rest))
		letters := paper().EncodeToString(rest[:n])
		for ; letters != ""; letters = letters[min(groupSize, len(letters)):] {
			b.WriteString(letters[:min(groupSize, len(letters))] + " ")
		}
		b.WriteString(check(number, n == len(rest), rest[:n]) + "\n")
		rest = rest[n:]
	}
	return b.String()
}

// check is 20 bits of a digest of the line and its place. There are fewer than 128 lines.
func check(number int, last bool, line []byte) string {
	place := byte(number)
	if last {
		place |= 0x80
	}
	sum := sha256.Sum256(append([]byte{place}, line...))
	return paper().EncodeToString(sum[:3])[:checkSize]
}

// ParseText reads what [Share.Text] returns: in either case of letters, I and L as 1 and O as 0, with spaces, hyphens and
// empty lines wherever they may be. Lines that begin with '#' are passed over. An error wraps [opsec.ErrInvalid] and names
// the line, counted without these; it does not show what is in it.
func ParseText(text string) (Share, error) {
	if len(text) > maxText {
		return Share{}, invalid("text: %d bytes, at most %d", len(text), maxText)
	}
	var lines []string
	for line := range strings.Lines(text) {
		if letters := strings.Map(letter, line); letters != "" && letters[0] != '#' {
			lines = append(lines, letters)
		}
	}
	if len(lines) > maxLines {
		return Share{}, invalid("text: %d lines, at most %d", len(lines), maxLines)
	}
	raw := make([]byte, 0, maxLines*lineBytes)
	defer func() { clear(raw[:cap(raw)]) }()
	for i, letters := range lines {
		line, err := parseLine(letters, i+1, i == len(lines)-1)
		if err != nil {
			return Share{}, err
		}
		raw = append(raw, line...)
		clear(line)
	}
	return ParseShare(raw)
}

func letter(r rune) rune {
	switch {
	case strings.ContainsRune(" \t\r\n-", r):
		return -1
	case strings.ContainsRune("iIlL", r):
		return '1'
	case r == 'o' || r == 'O':
		return '0'
	case 'a' <= r && r <= 'z':
		return r - 'a' + 'A'
	}
	return r
}

func parseLine(letters string, number int, last bool) ([]byte, error) {
	data := letters[:max(0, len(letters)-checkSize)]
	line, err := paper().DecodeString(data)
	switch {
	case err != nil || len(line) == 0 || len(line) > lineBytes || paper().EncodeToString(line) != data:
		return nil, invalid("text: line %d: want groups of four of %s", number, alphabet)
	case check(number, last, line) != letters[len(data):]:
		return nil, invalid("text: line %d: a slip in this line, or lines are missing or out of order", number)
	}
	return line, nil
}
