package backup

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/zeebo/blake3"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/digest"
	"github.com/cloudopsec/opsec/backup/trust"
)

const (
	magic          = "opsec-manifest/v1 "
	checksumLen    = 64 + 1 // the last line: BLAKE3 of all before it
	maxEnvelopeLen = 1 << 20
	groupsPerLine  = 64 // chaining values on a chunk line: 4 MiB of content
)

// Manifest is an opened manifest whose every byte has been checked for form and against its own digests. Who signed
// it, and whether that is to be believed, is another question: [trust.Verifier.Judge].
//
// A manifest is a file of text. Its body is a head line and one line for each [Entry], sorted by the bytes of their
// paths; where asked for, each file above 64 KiB is preceded by lines with the BLAKE3 chaining values of its 64 KiB
// groups. After the body comes one line with the DSSE envelope around the signed [Header], and one with the BLAKE3
// digest of all before it, so that damage shows also where nothing is signed. There is one encoding only of any
// content: a manifest that could have been written otherwise is refused.
type Manifest struct {
	Header   Header
	Envelope dsse.Envelope

	r       io.ReaderAt
	file    *os.File // to close, or nil
	bodyLen int64
	payload []byte
}

// ErrNotManifest says that a file does not begin as a manifest does; perhaps it is a check file ([ParseCheckFile]).
var ErrNotManifest = fmt.Errorf("backup: not a manifest: %w", opsec.ErrInvalid)

// OpenManifest checks the manifest in the first size bytes of r. It reads them twice, in bounded memory whatever
// the size, and keeps r to read them again later. Whatever is wrong wraps [opsec.ErrInvalid].
func OpenManifest(r io.ReaderAt, size int64) (*Manifest, error) {
	if size < 0 {
		return nil, invalid("manifest of %d bytes", size)
	}
	m := &Manifest{r: r}
	start := make([]byte, len(magic))
	if n, err := r.ReadAt(start, 0); string(start[:n]) != magic {
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("backup: manifest: %w", err)
		}
		return nil, ErrNotManifest
	}
	if err := m.openTail(size); err != nil {
		return nil, err
	}
	var counts Counts
	var root merkle
	for e, err := range m.entries(&root) {
		if err != nil {
			return nil, err
		}
		if !counts.add(e) {
			return nil, invalid("manifest: sizes or entries above the bounds at %s", Quote(e.Path))
		}
	}
	if counts != m.Header.Counts {
		return nil, invalid("manifest: the body holds %+v, the header says %+v", counts, m.Header.Counts)
	}
	if root.root() != m.Header.MerkleRoot {
		return nil, invalid("manifest: the entries' Merkle root is not the header's")
	}
	return m, nil
}

// OpenManifestFile opens the manifest in a file. Close it after use.
func OpenManifestFile(name string) (*Manifest, error) {
	info, err := os.Stat(name) // before opening, which waits on a FIFO
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, invalid("%s is not a regular file", Quote(name))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	m, err := OpenManifest(f, info.Size())
	if err != nil {
		f.Close()
		return nil, err
	}
	m.file = f
	return m, nil
}

// Close releases what [OpenManifestFile] has opened; after [OpenManifest] it does nothing.
func (m *Manifest) Close() error {
	if m.file == nil {
		return nil
	}
	return m.file.Close()
}

// openTail finds the envelope at the end and checks the last line's digest.
func (m *Manifest) openTail(size int64) error {
	tail := make([]byte, min(size, maxEnvelopeLen+checksumLen+1))
	if _, err := m.r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return fmt.Errorf("backup: manifest: %w", err)
	}
	if len(tail) < checksumLen || tail[len(tail)-1] != '\n' {
		return invalid("manifest: truncated")
	}
	checksum, err := digest.ParseDigest(string(tail[len(tail)-checksumLen : len(tail)-1]))
	if err != nil {
		return invalid("manifest: truncated, or its last line is damaged")
	}
	tail = tail[:len(tail)-checksumLen]
	whole, ok := bytes.CutSuffix(tail, []byte("\n"))
	start := bytes.LastIndexByte(whole, '\n') + 1
	if !ok || start == 0 {
		return invalid("manifest: no envelope line of at most %d bytes before the last", maxEnvelopeLen)
	}
	env, header, err := parseEnvelope(whole[start:])
	if err != nil {
		return err
	}
	sum := blake3.New()
	if _, err := io.Copy(sum, io.NewSectionReader(m.r, 0, size-checksumLen)); err != nil {
		return fmt.Errorf("backup: manifest: %w", err)
	}
	if Digest(sum.Sum(nil)) != checksum {
		return invalid("manifest: damaged: its last line is not the digest of the others")
	}
	m.Envelope, m.Header = *env, *header
	m.payload, err = trust.DecodeBase64(env.Payload)
	m.bodyLen = size - checksumLen - int64(len(tail)-start)
	return err
}

// ID identifies the manifest, with or without signatures: the BLAKE3 digest of its header's signed form.
func (m *Manifest) ID() Digest { return Digest(blake3.Sum256(m.payload)) }

// Claim returns what trust in the manifest depends on.
func (m *Manifest) Claim() *trust.Claim {
	h := &m.Header
	c := &trust.Claim{
		ID: m.ID().String(), Tenant: h.Tenant, Source: h.Source, Sequence: h.Sequence,
		Created: h.Created, Operator: h.Operator, Envelope: &m.Envelope,
	}
	if !h.Previous.IsZero() {
		c.Previous = h.Previous.String()
	}
	return c
}

// Entries yields the manifest's entries, and at the end an error if the bytes are no longer those that
// [OpenManifest] has checked.
func (m *Manifest) Entries() iter.Seq2[*Entry, error] { return m.entries(nil) }

func (m *Manifest) entries(root *merkle) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		b3, s2 := blake3.New(), sha256.New()
		lines := &lineReader{r: bufio.NewReaderSize(io.NewSectionReader(m.r, 0, m.bodyLen), maxLineLen), sums: [2]hash.Hash{b3, s2}}
		head, err := lines.next()
		if err == nil && string(head) != m.Header.head() {
			err = invalid("manifest: first line %.80q: want %q", head, m.Header.head())
		}
		if err != nil {
			yield(nil, noEOF(err))
			return
		}
		var order pathOrder
		for {
			line, e, err := m.nextEntry(lines)
			if err == io.EOF {
				break
			}
			if err == nil {
				err = order.next(e)
			}
			if err != nil {
				yield(nil, fmt.Errorf("backup: manifest: line %d: %w", lines.count, err))
				return
			}
			if root != nil {
				root.add(line)
			}
			if !yield(e, nil) {
				return
			}
		}
		if (Body{Digest(b3.Sum(nil)), Digest(s2.Sum(nil))}) != m.Header.Body {
			yield(nil, invalid("manifest: the body's digests are not the header's"))
		}
	}
}

// nextEntry reads one entry's line and the chunk lines before it.
func (m *Manifest) nextEntry(lines *lineReader) ([]byte, *Entry, error) {
	start := lines.offset
	var tree digest.GroupTree
	var groups, chunkLines int64
	for {
		line, err := lines.next()
		if err != nil {
			if chunkLines > 0 {
				err = noEOF(err)
			}
			return nil, nil, err
		}
		if m.Header.GroupSize != 0 && bytes.HasPrefix(line, []byte("c\t")) {
			if groups != chunkLines*groupsPerLine {
				return nil, nil, invalid("a chunk line after one that was not full")
			}
			cvs, err := parseGroups(line)
			if err != nil {
				return nil, nil, err
			}
			for _, cv := range cvs {
				tree.Push(cv)
			}
			chunkLines++
			groups += int64(len(cvs))
			continue
		}
		e, err := parseEntry(line, m.Header.sha256())
		if err != nil {
			return nil, nil, err
		}
		if want := m.Header.groupsOf(e); groups != want {
			return nil, nil, invalid("%d chunk groups before a file that has %d", groups, want)
		}
		if groups > 0 {
			if e.groups = start; tree.Root() != e.Sums.BLAKE3 {
				return nil, nil, invalid("the chunk groups before a file are not its own")
			}
		}
		return line, e, nil
	}
}

// groupsOf returns how many chunk groups the body holds for an entry.
func (h *Header) groupsOf(e *Entry) int64 {
	if h.GroupSize == 0 || !e.content() || e.Sums.Size <= h.GroupSize {
		return 0
	}
	return (e.Sums.Size-1)/h.GroupSize + 1
}

func appendGroups(b []byte, cvs []Digest) []byte {
	b = append(b, 'c', '\t')
	for _, cv := range cvs {
		b = appendHex(b, cv)
	}
	return append(b, '\n')
}

// parseGroups reads a chunk line: "c", a tab, and 1 to 64 chaining values in hex.
func parseGroups(line []byte) ([]Digest, error) {
	text := strings.TrimSuffix(strings.TrimPrefix(string(line), "c\t"), "\n")
	const width = 2 * len(Digest{})
	if len(text) == 0 || len(text)%width != 0 || len(text) > groupsPerLine*width {
		return nil, invalid("chunk line of %d bytes", len(line))
	}
	cvs := make([]Digest, 0, groupsPerLine)
	for hex := range slices.Chunk([]byte(text), width) {
		cv, err := digest.ParseDigest(string(hex))
		if err != nil {
			return nil, err
		}
		cvs = append(cvs, cv)
	}
	return cvs, nil
}

// groups yields the chaining values of an entry's groups, once more from the manifest.
func (m *Manifest) groups(e *Entry) iter.Seq2[Digest, error] {
	return func(yield func(Digest, error) bool) {
		lines := &lineReader{r: bufio.NewReaderSize(io.NewSectionReader(m.r, e.groups, m.bodyLen-e.groups), maxLineLen)}
		var tree digest.GroupTree
		for range (m.Header.groupsOf(e) + groupsPerLine - 1) / groupsPerLine {
			line, err := lines.next()
			var cvs []Digest
			if err == nil {
				cvs, err = parseGroups(line)
			}
			if err != nil {
				yield(Digest{}, noEOF(err))
				return
			}
			for _, cv := range cvs {
				tree.Push(cv)
				if !yield(cv, nil) {
					return
				}
			}
		}
		if tree.Root() != e.Sums.BLAKE3 {
			yield(Digest{}, invalid("manifest: chunk groups changed while it was in use"))
		}
	}
}

// lineReader reads lines, hashes them and knows where it is.
type lineReader struct {
	r      *bufio.Reader
	sums   [2]hash.Hash // either may be nil
	offset int64
	count  int
}

// next returns the next line with its newline; it is valid until the call after. A line without newline, and one
// that is too long, are errors.
func (l *lineReader) next() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	switch {
	case err == io.EOF && len(line) > 0:
		return nil, invalid("manifest: ends within a line")
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, invalid("manifest: line %d is longer than %d bytes", l.count+1, maxLineLen)
	case err != nil:
		return nil, err
	}
	for _, sum := range l.sums {
		if sum != nil {
			sum.Write(line)
		}
	}
	l.offset += int64(len(line))
	l.count++
	return line, nil
}

// noEOF turns the end of a file, where more should have come, into an error of its own.
func noEOF(err error) error {
	if err == io.EOF {
		return invalid("manifest: truncated")
	}
	return err
}

// pathOrder checks that entries come in the byte order of their paths, each in a directory that came before.
type pathOrder struct {
	last string
	open []string // directories that may still get entries, with a slash; each a byte prefix of the next
}

func (o *pathOrder) next(e *Entry) error {
	if e.Path <= o.last {
		return invalid("path %s: a duplicate, or out of order", Quote(e.Path))
	}
	o.last = e.Path
	// A directory "a" gets entries "a/..." until a path comes that sorts after all of them: "a.b" does not yet, "a0" does.
	for len(o.open) > 0 {
		top := o.open[len(o.open)-1]
		if e.Path < top || strings.HasPrefix(e.Path, top) {
			break
		}
		o.open = o.open[:len(o.open)-1]
	}
	if slash := strings.LastIndexByte(e.Path, '/'); slash >= 0 {
		parent := e.Path[:slash+1]
		if !slices.Contains(o.open, parent) {
			return invalid("path %s: its directory has no entry", Quote(e.Path))
		}
	}
	if e.Kind == Directory {
		o.open = append(o.open, e.Path+"/")
	}
	return nil
}

// merkle computes the tree hash of RFC 9162, section 2.1.1, over the lines added, in logarithmic memory.
type merkle struct {
	n     int64
	stack []tlog.Hash
}

func (t *merkle) add(line []byte) {
	h := tlog.RecordHash(line)
	for n := t.n; n&1 == 1; n >>= 1 {
		h = tlog.NodeHash(t.stack[len(t.stack)-1], h)
		t.stack = t.stack[:len(t.stack)-1]
	}
	t.stack = append(t.stack, h)
	t.n++
}

func (t *merkle) root() Digest {
	if t.n == 0 {
		return sha256.Sum256(nil)
	}
	h := t.stack[len(t.stack)-1]
	for _, left := range slices.Backward(t.stack[:len(t.stack)-1]) {
		h = tlog.NodeHash(left, h)
	}
	return Digest(h)
}
