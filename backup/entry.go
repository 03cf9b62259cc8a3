package backup

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/digest"
)

// The bounds of a manifest. Whatever exceeds them is refused, by [Build] and by [OpenManifest].
const (
	MaxPathLen = 4096    // bytes of a path, and of a link's target
	MaxEntries = 1 << 32 // entries of a manifest
	maxLineLen = 48 << 10
)

// Kind is the first letter of an entry's line: what stands at its path.
type Kind byte

// The kinds of entry.
const (
	Directory Kind = 'd'
	File      Kind = 'f'
	Sparse    Kind = 's' // a file with holes; its digest covers the holes as zeros
	Link      Kind = 'l' // a symbolic link: recorded, never followed
	Special   Kind = 'o' // FIFO, socket or device: recorded, never opened
)

// Entry is one line of a manifest.
type Entry struct {
	Path    string      // relative, slash-separated, of arbitrary bytes but NUL; no "." and no ".."
	Kind    Kind        // what it is
	Mode    fs.FileMode // permission bits with setuid, setgid and sticky; a Special also its type bits; 0 for a Link
	ModTime time.Time   // in UTC
	Sums    Sums        // size and digests of a File or Sparse
	Target  string      // of a Link, as it stands there

	groups int64    // where its chunk lines begin in the manifest, or 0
	cvs    []Digest // of its groups, on the way into a manifest
}

// content reports whether the entry has bytes to hash.
func (e *Entry) content() bool { return e.Kind == File || e.Kind == Sparse }

// specials are the words for the types of a Special.
var specials = []struct {
	word string
	mode fs.FileMode
}{
	{"fifo", fs.ModeNamedPipe},
	{"socket", fs.ModeSocket},
	{"char", fs.ModeDevice | fs.ModeCharDevice},
	{"block", fs.ModeDevice},
	{"other", fs.ModeIrregular},
}

// appendLine appends the entry's only line, with its newline: tab-separated fields, the path last.
//
//	d  mode  mtime  path
//	f  mode  mtime  size  blake3  [sha256]  path        (s likewise)
//	l  mtime  target  path
//	o  mode  mtime  fifo|socket|char|block|other  path
func (e *Entry) appendLine(b []byte, sha bool) []byte {
	b = append(b, byte(e.Kind), '\t')
	if e.Kind != Link {
		b = append(appendMode(b, e.Mode), '\t')
	}
	b = append(appendTime(b, e.ModTime), '\t')
	switch e.Kind {
	case File, Sparse:
		b = append(strconv.AppendInt(b, e.Sums.Size, 10), '\t')
		b = append(appendHex(b, e.Sums.BLAKE3), '\t')
		if sha {
			b = append(appendHex(b, e.Sums.SHA256), '\t')
		}
	case Link:
		b = append(appendQuoted(b, e.Target), '\t')
	case Special:
		b = append(append(b, e.special()...), '\t')
	}
	return append(appendQuoted(b, e.Path), '\n')
}

// fields is the number of fields on a line of the kind, or 0.
func (k Kind) fields(sha bool) int {
	switch {
	case k == Directory || k == Link:
		return 4
	case k == Special:
		return 5
	case (k == File || k == Sparse) && sha:
		return 7
	case k == File || k == Sparse:
		return 6
	}
	return 0
}

// parseEntry reads what appendLine writes, and nothing else: a line that would be written otherwise is an error.
func parseEntry(line []byte, sha bool) (*Entry, error) {
	fields := strings.Split(strings.TrimSuffix(string(line), "\n"), "\t")
	if len(fields[0]) != 1 || Kind(fields[0][0]).fields(sha) != len(fields) {
		return nil, invalid("line begins with %.8q and has %d fields", fields[0], len(fields))
	}
	e := &Entry{Kind: Kind(fields[0][0])}
	var err error
	fail := func(problem error) {
		if err == nil {
			err = problem
		}
	}
	next := 1
	field := func() string { next++; return fields[next-1] }
	if e.Kind != Link {
		mode, problem := parseMode(field())
		e.Mode = mode
		fail(problem)
	}
	mtime, problem := parseTime(field())
	e.ModTime = mtime
	fail(problem)
	switch e.Kind {
	case File, Sparse:
		size, problem := strconv.ParseInt(field(), 10, 64)
		if e.Sums.Size = size; problem != nil || size < 0 {
			fail(invalid("size %.24q", fields[next-1]))
		}
		for _, d := range []*Digest{&e.Sums.BLAKE3, &e.Sums.SHA256}[:len(fields)-5] {
			*d, problem = digest.ParseDigest(field())
			fail(problem)
			if problem == nil && d.IsZero() {
				fail(invalid("digest of zeros, which stands for none"))
			}
		}
	case Link:
		e.Target, problem = unquote(field())
		fail(problem)
	case Special:
		word := field()
		for _, s := range specials {
			if s.word == word {
				e.Mode |= s.mode
			}
		}
	}
	e.Path, problem = unquote(field())
	fail(problem)
	if err == nil {
		err = checkPath(e.Path)
	}
	if err == nil && e.Kind == Link {
		err = checkTarget(e.Target)
	}
	if err == nil && !bytes.Equal(e.appendLine(make([]byte, 0, len(line)), sha), line) {
		err = invalid("line is not in the one form that an entry has")
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// special is the word for the type of a Special, or "".
func (e *Entry) special() string {
	for _, s := range specials {
		if s.mode == e.Mode.Type() {
			return s.word
		}
	}
	return ""
}

func checkTarget(t string) error {
	if t == "" || len(t) > MaxPathLen || strings.IndexByte(t, 0) >= 0 {
		return invalid("link target of %d bytes: want 1 to %d without NUL", len(t), MaxPathLen)
	}
	return nil
}

// checkPath accepts relative slash-separated paths that stay where they are.
func checkPath(p string) error {
	if p == "" || len(p) > MaxPathLen {
		return invalid("path of %d bytes: want 1 to %d", len(p), MaxPathLen)
	}
	if strings.IndexByte(p, 0) >= 0 {
		return invalid("path %s: holds a NUL", Quote(p))
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part == "." || part == ".." {
			return invalid("path %s: absolute, or has a part that is empty, \".\" or \"..\"", Quote(p))
		}
	}
	return nil
}

// permissions are the mode bits that a manifest keeps, beside the type.
const permissions = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

func appendMode(b []byte, m fs.FileMode) []byte {
	n := uint32(m.Perm())
	for i, bit := range []fs.FileMode{fs.ModeSticky, fs.ModeSetgid, fs.ModeSetuid} {
		if m&bit != 0 {
			n |= 1 << (9 + i)
		}
	}
	return append(b, '0'+byte(n>>9&7), '0'+byte(n>>6&7), '0'+byte(n>>3&7), '0'+byte(n&7))
}

func parseMode(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(s, 8, 12)
	if err != nil || len(s) != 4 {
		return 0, invalid("mode %.8q: want four octal digits", s)
	}
	m := fs.FileMode(n & 0o777)
	for i, bit := range []fs.FileMode{fs.ModeSticky, fs.ModeSetgid, fs.ModeSetuid} {
		if n&(1<<(9+i)) != 0 {
			m |= bit
		}
	}
	return m, nil
}

// appendTime writes Unix seconds, a dot and nine digits of nanoseconds.
func appendTime(b []byte, t time.Time) []byte {
	b = append(strconv.AppendInt(b, t.Unix(), 10), '.')
	nano := t.Nanosecond()
	for unit := 100_000_000; unit > 0; unit /= 10 {
		b = append(b, '0'+byte(nano/unit%10))
	}
	return b
}

func parseTime(s string) (time.Time, error) {
	seconds, fraction, _ := strings.Cut(s, ".")
	sec, err1 := strconv.ParseInt(seconds, 10, 64)
	nano, err2 := strconv.ParseUint(fraction, 10, 32)
	if err1 != nil || err2 != nil || len(fraction) != 9 {
		return time.Time{}, invalid("time %.32q: want seconds, a dot and nine digits", s)
	}
	return time.Unix(sec, int64(nano)).UTC(), nil
}

// Quote returns a path in the form that manifests and reports show: UTF-8 as it is, but backslash, control characters,
// characters that show nothing or turn the direction of others, and bytes that are not UTF-8, as \xHH. It is one to one,
// and no name can forge a line.
func Quote(path string) string { return string(appendQuoted(nil, path)) }

func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x7f && c != '\\' {
			b = append(b, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if c >= utf8.RuneSelf && !(r == utf8.RuneError && size == 1) && !hidden(r) {
			b = append(b, s[i:i+size]...)
			i += size
			continue
		}
		for _, c := range []byte(s[i : i+size]) {
			b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
		}
		i += size
	}
	return b
}

// hidden reports whether a character shows nothing, or changes how others are shown. The list is fixed, since it is a
// part of the format: Unicode's own tables grow.
func hidden(r rune) bool {
	switch {
	case r <= 0x9f, r == 0xad, r == 0x61c, r == 0x180e, 0x200b <= r && r <= 0x200f, 0x2028 <= r && r <= 0x202e,
		0x2060 <= r && r <= 0x206f, r == 0xfeff, 0xfff9 <= r && r <= 0xfffb, 0xe0000 <= r && r <= 0xe0fff:
		return true
	}
	return false
}

// unquote undoes appendQuoted; whether s was in the one quoted form is for the caller to compare.
func unquote(s string) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		if len(s) < i+4 || s[i+1] != 'x' {
			return "", invalid("path: a backslash without xHH")
		}
		c, err := strconv.ParseUint(s[i+2:i+4], 16, 8)
		if err != nil {
			return "", invalid("path: a backslash without xHH")
		}
		b = append(b, byte(c))
		i += 3
	}
	return string(b), nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("backup: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

func appendHex(b []byte, d Digest) []byte { return hex.AppendEncode(b, d[:]) }
