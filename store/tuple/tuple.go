package tuple

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// Key is a tuple of texts, byte strings, integers, booleans, times and tuples. Keys are compared with ==. The zero Key
// is the empty tuple.
type Key struct{ enc string }

// The type codes of the tuple layer.
const (
	codeEnd   = 0x00
	codeBytes = 0x01
	codeText  = 0x02
	codeTuple = 0x05
	codeZero  = 0x14 // integers: 8 bytes below to 8 bytes above
	codeFalse = 0x26
	codeTrue  = 0x27
)

// Text returns the key of one text: the usual id.
func Text(s string) Key { return Key{}.Text(s) }

// Text appends a text. Any bytes will do; they sort bytewise.
func (k Key) Text(s string) Key { return Key{appendString(k.enc, codeText, s)} }

// Bytes appends a byte string.
func (k Key) Bytes(b []byte) Key { return Key{appendString(k.enc, codeBytes, string(b))} }

func appendString(enc string, code byte, s string) string {
	b := make([]byte, 0, len(enc)+len(s)+2+strings.Count(s, "\x00"))
	b = append(append(b, enc...), code)
	for i := range len(s) {
		b = append(b, s[i])
		if s[i] == 0 {
			b = append(b, 0xff)
		}
	}
	return string(append(b, codeEnd))
}

// Int appends an integer.
func (k Key) Int(n int64) Key {
	if n >= 0 {
		return k.Uint(uint64(n))
	}
	size := (bits.Len64(uint64(-n)) + 7) / 8 // right for the least integer too: its negative is itself
	return Key{k.enc + string([]byte{codeZero - byte(size)}) + bigEndian(^uint64(-n), size)}
}

// Uint appends an integer; it sorts among those of [Key.Int].
func (k Key) Uint(n uint64) Key {
	size := (bits.Len64(n) + 7) / 8
	return Key{k.enc + string([]byte{codeZero + byte(size)}) + bigEndian(n, size)}
}

func bigEndian(n uint64, size int) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	return string(b[8-size:])
}

// Bool appends a boolean; false sorts first.
func (k Key) Bool(v bool) Key {
	if v {
		return Key{k.enc + string(rune(codeTrue))}
	}
	return Key{k.enc + string(rune(codeFalse))}
}

// Time appends an instant as two integers, its Unix seconds and nanoseconds. The zone is not kept.
func (k Key) Time(t time.Time) Key { return k.Int(t.Unix()).Int(int64(t.Nanosecond())) }

// Join appends the parts of other.
func (k Key) Join(other Key) Key { return Key{k.enc + other.enc} }

// Tuple appends a whole tuple as one part; [Parse] reads them 16 deep. A prefix of that tuple is no prefix of the key, but [Key.Open] is.
func (k Key) Tuple(inner Key) Key {
	return Key{k.enc + string(rune(codeTuple)) + inner.enc + string(rune(codeEnd))}
}

// Open returns the bytes with which the encoding of every key begins that has the parts of k and then a tuple that
// begins with those of inner.
func (k Key) Open(inner Key) string { return k.enc + string(rune(codeTuple)) + inner.enc }

// IsZero reports whether k is the empty tuple.
func (k Key) IsZero() bool { return k.enc == "" }

// HasPrefix reports whether k begins with all parts of prefix.
func (k Key) HasPrefix(prefix Key) bool {
	rest, ok := strings.CutPrefix(k.enc, prefix.enc)
	return ok && !strings.HasPrefix(rest, "\xff") // a zero byte goes on in the text: it is no end
}

// Compare is negative, zero or positive as k sorts before, with or behind other.
func (k Key) Compare(other Key) int { return strings.Compare(k.enc, other.enc) }

// Encode returns the encoding, for a database of your own or as a cursor; [Parse] reads it.
func (k Key) Encode() string { return k.enc }

// Parse reads what [Key.Encode] returns. Any other string is an error wrapping [opsec.ErrInvalid]: each key has one
// encoding.
func Parse(enc string) (Key, error) {
	for rest := enc; rest != ""; {
		_, n, err := part(rest)
		if err != nil {
			return Key{}, err
		}
		rest = rest[n:]
	}
	return Key{enc}, nil
}

// Parts returns the parts in order: string, []byte, int64 (uint64 above its range), bool or Key. A time is two integers.
func (k Key) Parts() []any {
	var parts []any
	for rest := k.enc; rest != ""; {
		p, n, err := part(rest)
		if err != nil {
			return parts // of no Key that this package made
		}
		parts, rest = append(parts, p), rest[n:]
	}
	return parts
}

// String returns the parts in parentheses, to read.
func (k Key) String() string {
	var b strings.Builder
	for i, p := range k.Parts() {
		if i > 0 {
			b.WriteString(", ")
		}
		switch p := p.(type) {
		case string:
			b.WriteString(strconv.Quote(p))
		case []byte:
			fmt.Fprintf(&b, "%#x", p)
		default:
			fmt.Fprint(&b, p)
		}
	}
	return "(" + b.String() + ")"
}

// part decodes the first part of enc and returns its length.
func part(enc string) (value any, n int, err error) {
	switch code := enc[0]; {
	case code == codeText || code == codeBytes:
		s, n, err := parseString(enc)
		if code == codeBytes {
			return []byte(s), n, err
		}
		return s, n, err
	case code == codeTuple:
		k, rest, err := CutTuple(enc)
		return k, len(enc) - len(rest), err
	case code == codeFalse || code == codeTrue:
		return code == codeTrue, 1, nil
	case codeZero-8 <= code && code <= codeZero+8:
		return parseInt(enc)
	}
	return nil, 0, invalid("key: a part of unknown type %#02x", enc[0])
}

func parseString(enc string) (s string, n int, err error) {
	end := strings.IndexByte(enc[1:], 0) + 1
	if end > 0 && (end+1 == len(enc) || enc[end+1] != 0xff) {
		return enc[1:end], end + 1, nil // no zero byte inside
	}
	var b []byte
	for i := 1; i < len(enc); i++ {
		b = append(b, enc[i])
		if enc[i] == 0 {
			if i+1 == len(enc) || enc[i+1] != 0xff {
				return string(b[:len(b)-1]), i + 1, nil
			}
			i++
		}
	}
	return "", 0, invalid("key: a text or byte string without an end")
}

func parseInt(enc string) (value any, n int, err error) {
	size := int(enc[0]) - codeZero
	negative := size < 0
	size = max(size, -size)
	if len(enc) < 1+size {
		return nil, 0, invalid("key: an integer of %d bytes is cut", size)
	}
	var b [8]byte
	copy(b[8-size:], enc[1:])
	u := binary.BigEndian.Uint64(b[:])
	if negative {
		u = ^u & (1<<(8*size) - 1) // the absolute value; a shift by 64 gives 0, less 1 is all bits
	}
	switch {
	case (bits.Len64(u)+7)/8 != size:
		return nil, 0, invalid("key: an integer is longer than it needs to be")
	case negative && u > 1<<63:
		return nil, 0, invalid("key: an integer is below the range of int64")
	case negative:
		return int64(-u), 1 + size, nil
	case u > 1<<63-1:
		return u, 1 + size, nil
	}
	return int64(u), 1 + size, nil
}

// CutTuple splits the tuple off with which an encoding begins.
func CutTuple(enc string) (k Key, rest string, err error) {
	return cutTuple(enc, maxDepth)
}

// maxDepth bounds how deep tuples lie in each other when they are read.
const maxDepth = 16

func cutTuple(enc string, depth int) (k Key, rest string, err error) {
	if enc == "" || enc[0] != codeTuple || depth == 0 {
		return Key{}, "", invalid("key: no tuple, or more than %d deep", maxDepth)
	}
	for i := 1; i < len(enc); {
		n := 0
		switch {
		case enc[i] == codeEnd:
			return Key{enc[1:i]}, enc[i+1:], nil
		case enc[i] == codeTuple:
			_, rest, err := cutTuple(enc[i:], depth-1)
			if err != nil {
				return Key{}, "", err
			}
			n = len(enc) - i - len(rest)
		default:
			if _, n, err = part(enc[i:]); err != nil {
				return Key{}, "", err
			}
		}
		i += n
	}
	return Key{}, "", invalid("key: a tuple without an end")
}

// CutText splits the text off with which an encoding begins; ok is false when it begins with something else.
func CutText(enc string) (text, rest string, ok bool) {
	if enc == "" || enc[0] != codeText {
		return "", enc, false
	}
	text, n, err := parseString(enc)
	if err != nil {
		return "", enc, false
	}
	return text, enc[n:], true
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("tuple: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
