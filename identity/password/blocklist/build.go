package blocklist

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/FastFilter/xorfilter"
)

const (
	defaultMost = 10_000_000  // keys
	maxMost     = 500_000_000 // keys
	maxLine     = 64 << 10    // bytes
)

// Options bound a build. The zero value does.
type Options struct {
	Bits       int // of a fingerprint: 8 or 16. Default: 16
	LeastCount int // Pwned: passwords seen less often are left out
	Most       int // keys; more is an error. Default: 10 million; at most 500 million
}

// FromPwned builds a list from a file as Have I Been Pwned publishes it: a line "SHA1:COUNT" for each password, 40 hexadecimal
// digits and a number, in any order. It reads the file once and keeps 8 bytes a password, and about 34 while it builds.
//
// Malformed lines and what is over the bounds give an error that wraps [opsec.ErrInvalid] and names the line.
func FromPwned(r io.Reader, opts *Options) (*List, error) {
	return build(r, Pwned, opts, func(line []byte, least int) (uint64, bool, error) {
		digest, count, found := bytes.Cut(line, []byte(":"))
		n, err := strconv.Atoi(string(count))
		if !found || len(digest) != 40 || err != nil || n < 0 {
			return 0, false, errors.New(`want 40 hexadecimal digits, ":" and a number`)
		}
		var sum [20]byte
		if _, err := hex.Decode(sum[:], digest); err != nil {
			return 0, false, errors.New("not hexadecimal")
		}
		return binary.BigEndian.Uint64(sum[:]), n >= least, nil
	})
}

// FromWords builds a list from one password a line, UTF-8. Letter case does not count. Empty lines are left out, and so is the mark
// that some programs begin a file with; spaces are parts of a password.
// Memory and errors are those of [FromPwned].
func FromWords(r io.Reader, opts *Options) (*List, error) {
	return build(r, Words, opts, func(line []byte, _ int) (uint64, bool, error) {
		if !utf8.Valid(line) {
			return 0, false, errors.New("not UTF-8")
		}
		line = bytes.TrimPrefix(line, []byte("\ufeff")) // which no password holds
		return Words.key(string(line)), len(line) > 0, nil
	})
}

func build(r io.Reader, kind Kind, opts *Options, read func(line []byte, least int) (key uint64, take bool, err error)) (*List, error) {
	o := Options{}
	if opts != nil {
		o = *opts
	}
	if o.Bits == 0 {
		o.Bits = 16
	}
	if o.Most == 0 {
		o.Most = defaultMost
	}
	if (o.Bits != 8 && o.Bits != 16) || o.Most < 1 || o.Most > maxMost || o.LeastCount < 0 {
		return nil, invalid("options: bits %d, most %d, least count %d: want 8 or 16, 1 to %d, 0 or more", o.Bits, o.Most, o.LeastCount, maxMost)
	}
	var keys []uint64
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	n := 0
	for lines.Scan() {
		n++
		key, take, err := read(lines.Bytes(), o.LeastCount)
		switch {
		case err != nil:
			return nil, invalid("line %d: %v", n, err)
		case !take:
		case len(keys) == o.Most:
			return nil, invalid("line %d: more than %d passwords", n, o.Most)
		default:
			keys = append(keys, key)
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, invalid("line %d: longer than %d bytes", n+1, maxLine)
	} else if err != nil {
		return nil, err
	}
	return fromKeys(keys, kind, o.Bits)
}

// fromKeys sorts the keys, so that the same set gives the same bytes.
func fromKeys(keys []uint64, kind Kind, bits int) (*List, error) {
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if len(keys) == 0 {
		return nil, invalid("no password")
	}
	l := &List{kind: kind, count: len(keys)}
	var err error
	if bits == 8 {
		l.narrow, err = xorfilter.NewBinaryFuse[uint8](keys)
	} else {
		l.wide, err = xorfilter.NewBinaryFuse[uint16](keys)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}
