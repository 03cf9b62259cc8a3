package backup

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/zeebo/blake3"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/digest"
	"github.com/cloudopsec/opsec/backup/trust"
)

// Export writes the manifest, or a part of it, in a format that other tools read: [B3Sum] and [SHA256Sum] check files
// ([Manifest.WriteCheckFile]), "dsse" (the envelope, for DSSE and in-toto tools), and for "ssh-keygen -Y verify -n
// opsec-backup-manifest" the two files "signed" (the message) and "sshsig" (the first SSH signature).
func (m *Manifest) Export(w io.Writer, format string) error {
	var text []byte
	var err error
	switch format {
	case "dsse":
		text, err = encodeJSON(m.Envelope)
	case "signed":
		text, err = trust.SignedBytes(&m.Envelope)
	case "sshsig":
		text, err = trust.SSHSignature(&m.Envelope, "")
	default:
		return m.WriteCheckFile(w, CheckFormat(format))
	}
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

// CheckFormat is the format of a check file: a line for each file with its digest and its path, as b3sum and sha256sum
// print them and take them back with --check.
type CheckFormat string

// The formats of check files.
const (
	B3Sum     CheckFormat = "b3sum"
	SHA256Sum CheckFormat = "sha256sum"
)

// field selects the format's digest.
func (f CheckFormat) field(s *Sums) *Digest {
	if f == SHA256Sum {
		return &s.SHA256
	}
	return &s.BLAKE3
}

func (f CheckFormat) validate() error {
	if f != B3Sum && f != SHA256Sum {
		return invalid("check file format %.20q: want %s or %s", string(f), B3Sum, SHA256Sum)
	}
	return nil
}

// WriteCheckFile writes the files of a manifest for b3sum --check or sha256sum --check, to be run in the directory that
// was backed up. A digest that the manifest lacks is an error, and so is, for b3sum, a name that not every
// version of it can read: one that is not UTF-8, holds U+FFFD, or ends in a carriage return.
func (m *Manifest) WriteCheckFile(w io.Writer, format CheckFormat) error {
	if err := format.validate(); err != nil {
		return err
	}
	if format == SHA256Sum && !m.Header.sha256() {
		return invalid("the manifest holds no SHA-256 digests: it was built without them")
	}
	out := bufio.NewWriter(w)
	var line []byte
	for e, err := range m.Entries() {
		if err != nil {
			return err
		}
		if !e.content() {
			continue
		}
		if format == B3Sum && (strings.ContainsRune(e.Path, utf8.RuneError) || strings.HasSuffix(e.Path, "\r")) {
			return invalid("path %s is not UTF-8, holds U+FFFD or ends in a carriage return: b3sum cannot check it", Quote(e.Path))
		}
		line = line[:0]
		name := checkEscaper.Replace(e.Path)
		if cut, ok := strings.CutSuffix(name, "\r"); ok {
			name = cut + `\r`
		}
		if name != e.Path {
			line = append(line, '\\')
		}
		if name == "-" {
			name = "./-" // alone it means standard input
		}
		line = append(appendHex(line, *format.field(&e.Sums)), ' ', ' ')
		if _, err := out.Write(append(append(line, name...), '\n')); err != nil {
			return fmt.Errorf("backup: check file: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("backup: check file: %w", err)
	}
	return nil
}

// checkEscaper is how both programs write names that would break a line; such a line begins with a backslash. A
// carriage return is escaped at the end of a line alone, where it would be taken for a part of the line's end: b3sum
// does not know the escape before version 1.5.5.
var checkEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`)

// ParseCheckFile reads what b3sum or sha256sum has written, also with --tag, and returns the files sorted by path. A
// leading "./" is dropped; an absolute path, "..", and two digests for one path are errors. Lines are capped at 48 KiB
// and their number at ten million; the sizes are not known, and -1.
func ParseCheckFile(r io.Reader, format CheckFormat) ([]FileSums, error) {
	if err := format.validate(); err != nil {
		return nil, err
	}
	const most = 10_000_000
	var files []FileSums
	lines := &lineReader{r: bufio.NewReaderSize(r, maxLineLen)}
	for {
		line, err := lines.next()
		if err == io.EOF {
			break
		}
		var path string
		var sum Digest
		if err == nil {
			path, sum, err = parseCheckLine(bytes.TrimSuffix(line, []byte("\n")), format)
		}
		if err == nil && len(files) == most {
			err = invalid("more than %d lines", most)
		}
		if err != nil {
			return nil, fmt.Errorf("backup: check file: line %d: %w", lines.count, err)
		}
		f := FileSums{Path: path, Sums: Sums{Size: -1}}
		*format.field(&f.Sums) = sum
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b FileSums) int { return strings.Compare(a.Path, b.Path) })
	files = slices.Compact(files)
	for i := range len(files) - 1 {
		if files[i].Path == files[i+1].Path {
			return nil, invalid("check file: two digests for %s", Quote(files[i].Path))
		}
	}
	if len(files) == 0 {
		return nil, invalid("check file: no lines")
	}
	return files, nil
}

// parseCheckLine reads one line: "digest  path", "digest *path", or "BLAKE3 (path) = digest", and with a backslash
// before it, if the path is escaped.
func parseCheckLine(line []byte, format CheckFormat) (string, Digest, error) {
	text, escaped := strings.CutPrefix(string(line), `\`)
	const width = 2 * len(Digest{})
	tag := map[CheckFormat]string{B3Sum: "BLAKE3 (", SHA256Sum: "SHA256 ("}[format]
	var path, hex string
	switch rest, tagged := strings.CutPrefix(text, tag); {
	case tagged && len(rest) > width+4 && rest[len(rest)-width-4:len(rest)-width] == ") = ":
		path, hex = rest[:len(rest)-width-4], rest[len(rest)-width:]
	case len(text) > width+2 && text[width] == ' ' && (text[width+1] == ' ' || text[width+1] == '*'):
		hex, path = text[:width], text[width+2:]
	default:
		return "", Digest{}, invalid("want a digest, two spaces and a path")
	}
	sum, err := digest.ParseDigest(hex)
	if err != nil {
		return "", Digest{}, err
	}
	if escaped {
		var b strings.Builder
		for i := 0; i < len(path); i++ {
			if path[i] != '\\' {
				b.WriteByte(path[i])
				continue
			}
			i++
			if i == len(path) || !strings.ContainsRune(`\nr`, rune(path[i])) {
				return "", Digest{}, invalid(`path: a backslash without \, n or r after it`)
			}
			b.WriteByte(map[byte]byte{'\\': '\\', 'n': '\n', 'r': '\r'}[path[i]])
		}
		path = b.String()
	}
	for strings.HasPrefix(path, "./") {
		path = path[2:]
	}
	return path, sum, checkPath(path)
}

// VerifyCheckFile is [ParseCheckFile] and [VerifySums] of the file called name.
func VerifyCheckFile(ctx context.Context, name string, format CheckFormat, tree fs.FS, b Budget) (*Report, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	defer f.Close()
	files, err := ParseCheckFile(f, format)
	if err != nil {
		return nil, err
	}
	return VerifySums(ctx, files, tree, b)
}

// VerifySums compares the files of a tree with their digests, sorted by path as [ParseCheckFile] and [SumFS] give
// them. Directories, links and metadata are not looked at. Nobody vouches for a list of digests: the report says
// [trust.Untrusted] at best.
func VerifySums(ctx context.Context, files []FileSums, tree fs.FS, b Budget) (*Report, error) {
	x, id := expected{plain: true}, blake3.New()
	for i := range files {
		f := &files[i]
		if i > 0 && files[i-1].Path >= f.Path {
			return nil, invalid("digests: path %s: a duplicate, or out of order", Quote(f.Path))
		}
		if f.BLAKE3.IsZero() && f.SHA256.IsZero() {
			return nil, invalid("digests: path %s: none", Quote(f.Path))
		}
		if err := checkPath(f.Path); err != nil {
			return nil, err
		}
		x.sha = x.sha || !f.SHA256.IsZero()
		x.counts.Files++
		x.counts.Bytes += max(0, f.Size)
		fmt.Fprintf(id, "%d %s %s %s\n", f.Size, f.BLAKE3, f.SHA256, Quote(f.Path))
	}
	x.report.Tenant = opsec.Provider
	x.report.Manifest = Digest(id.Sum(nil)) // so that the report of another list is not resumed
	x.entries = func(yield func(*Entry, error) bool) {
		for _, f := range files {
			if !yield(&Entry{Path: f.Path, Kind: File, Sums: f.Sums}, nil) {
				return
			}
		}
	}
	x.report.Judgement = trust.Judgement{
		Trust: trust.Untrusted, Reasons: []string{"a list of digests carries no signature"}, Signatures: []trust.SignatureReport{},
	}
	return verify(ctx, &x, tree, b)
}
