package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/zeebo/blake3"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/digest"
	"github.com/cloudopsec/opsec/backup/trust"
	"github.com/cloudopsec/opsec/internal/filetree"
	"github.com/cloudopsec/opsec/internal/wholefile"
)

// BuildOptions say what a manifest holds beside the tree.
type BuildOptions struct {
	// Header names tenant, source, sequence, previous manifest, time, operator and so on; Build fills in the rest,
	// from Digests on.
	Header   Header
	Previous *Manifest      // the one before of the same source: sets Header.Previous, and a Sequence above its own
	SHA256   bool           // a SHA-256 beside each BLAKE3, from the same reading
	Chunks   bool           // chunk lines, so that Verify can tell which 64 KiB of a file are bad; 0.1 % of the data
	Signers  []trust.Signer // who signs; without any the manifest is unsigned, and never trusted
	Workers  int            // goroutines that read; 0 is one for each processor
	Progress func(Progress) // called now and then from Build's goroutine
}

// Progress says how far a [Build] or a [Verify] has come.
type Progress struct {
	Path         string // the last one done
	Files, Bytes int64  // done
	AllFiles     int64  // to do, where known
	AllBytes     int64
}

// Build writes the manifest of a tree to w and returns its header. The manifest is written as the tree is read, in
// bounded memory. A file that cannot be read, or does not hold still, is an error that names it: of a source that
// cannot be read whole there is no manifest, and what was written to w by then is not one either. Up to ten such errors
// are joined.
func Build(ctx context.Context, w io.Writer, tree fs.FS, o BuildOptions) (*Header, error) {
	h := o.Header
	if o.Previous != nil {
		h.Previous, h.Sequence = o.Previous.ID(), max(h.Sequence, o.Previous.Header.Sequence+1)
	}
	if h.Sequence == 0 {
		h.Sequence = uint64(max(0, h.Created.UnixMilli()))
	}
	if err := h.validate(); err != nil {
		return nil, err
	}
	h.Digests, h.GroupSize, h.Counts = []string{"blake3"}, 0, Counts{}
	if o.SHA256 {
		h.Digests = append(h.Digests, "sha256")
	}
	if o.Chunks {
		h.GroupSize = digest.GroupSize
	}
	out := &bodyWriter{w: bufio.NewWriterSize(w, 64<<10), all: blake3.New(), b3: blake3.New(), s2: sha256.New(), body: true}
	out.write([]byte(h.head()))
	if err := buildEntries(ctx, out, tree, &h, &o); err != nil {
		return nil, err
	}
	h.MerkleRoot = out.root.root()
	h.Body = Body{Digest(out.b3.Sum(nil)), Digest(out.s2.Sum(nil))}
	payload, err := h.payload()
	if err != nil {
		return nil, err
	}
	env := &dsse.Envelope{PayloadType: PayloadType, Payload: base64.StdEncoding.EncodeToString(payload), Signatures: []dsse.Signature{}}
	if err := trust.Sign(ctx, env, o.Signers...); err != nil {
		return nil, err
	}
	if err := out.finish(env); err != nil {
		return nil, fmt.Errorf("backup: writing the manifest: %w", err)
	}
	return &h, nil
}

// BuildFile is [Build] into a file, which is there whole, with mode 0600, or not at all. A file in the tree that it
// describes is refused: no manifest can hold its own digest.
func BuildFile(ctx context.Context, name string, tree fs.FS, o BuildOptions) (*Header, error) {
	if d, ok := tree.(*Dir); ok && d.holds(name) {
		return nil, invalid("manifest %s would lie in the tree that it describes", Quote(name))
	}
	var h *Header
	err := wholefile.Write(name, 0o600, func(w io.Writer) (err error) {
		h, err = Build(ctx, w, tree, o)
		return err
	})
	return h, err
}

func buildEntries(ctx context.Context, out *bodyWriter, tree fs.FS, h *Header, o *BuildOptions) error {
	top, err := openTree(tree)
	if err != nil {
		return err
	}
	defer top.Release()
	produce := func(yield func(reading) bool) {
		filetree.Walk(top, "", func(n filetree.Node) bool { return yield(reading{Node: n, want: true}) })
	}
	var line []byte
	var problems []error
	err = pipeline(ctx, o.Workers, produce, readings(reader{sha: o.SHA256, chunks: o.Chunks}), func(t *reading) error {
		defer t.In.Release()
		switch {
		case t.err == errLarge:
			t.entry, t.err = out.large(ctx, t.Node, digest.Scan{SHA256: o.SHA256, Workers: o.Workers}, o.Chunks)
		case t.err == nil && len(t.entry.cvs) > 0:
			out.write(appendGroups(nil, t.entry.cvs))
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(t.err, fs.ErrNotExist):
			return nil // gone since its directory was listed: not part of the tree
		case out.err != nil:
			return fmt.Errorf("backup: writing the manifest: %w", out.err)
		case t.err != nil:
			if problems = append(problems, fmt.Errorf("backup: %s: %w", Quote(t.Path), t.err)); len(problems) == 10 {
				return errors.Join(problems...)
			}
			return nil
		case !h.Counts.add(t.entry):
			return invalid("tree: more than %d entries, or more bytes than 2^63", int64(MaxEntries))
		}
		line = t.entry.appendLine(line[:0], o.SHA256)
		out.root.add(line)
		out.write(line)
		if o.Progress != nil {
			o.Progress(Progress{Path: t.Path, Files: h.Counts.Files, Bytes: h.Counts.Bytes})
		}
		return nil
	}, (*reading).drop)
	if err == nil {
		err = errors.Join(problems...)
	}
	return err
}

// bodyWriter writes the lines of a body and computes the digests that its header needs.
type bodyWriter struct {
	w    *bufio.Writer
	all  hash.Hash // of every byte written
	b3   hash.Hash // of the body
	s2   hash.Hash
	body bool // still writing the body
	root merkle
	err  error // the first of writing
}

func (w *bodyWriter) write(line []byte) {
	w.all.Write(line)
	if w.body {
		w.b3.Write(line)
		w.s2.Write(line)
	}
	if _, err := w.w.Write(line); err != nil && w.err == nil {
		w.err = err
	}
}

// large reads a large file by all cores, and writes its chunk lines, if there are to be any, on the way. A file that
// changes meanwhile is not tried again, since its lines are written.
func (w *bodyWriter) large(ctx context.Context, n filetree.Node, s digest.Scan, chunks bool) (*Entry, error) {
	if chunks {
		var pending []Digest
		var line []byte
		flush := func() {
			if len(pending) > 0 {
				line = appendGroups(line[:0], pending)
				w.write(line)
				pending = pending[:0]
			}
		}
		s.Groups = func(_ int64, cvs []Digest) error {
			for _, cv := range cvs {
				if pending = append(pending, cv); len(pending) == groupsPerLine {
					flush()
				}
			}
			return w.err
		}
		defer flush()
	}
	e, _, err := large(ctx, n, s)
	return e, err
}

// finish writes the envelope and the last line.
func (w *bodyWriter) finish(env *dsse.Envelope) error {
	w.body = false
	line, err := encodeJSON(env)
	if err == nil && len(line) > maxEnvelopeLen {
		err = invalid("envelope of %d bytes: want at most %d", len(line), maxEnvelopeLen)
	}
	if err != nil {
		return err
	}
	w.write(append(line, '\n'))
	w.write(append(appendHex(nil, Digest(w.all.Sum(nil))), '\n'))
	return errors.Join(w.err, w.w.Flush())
}

// CoSign writes a copy of the manifest that also carries the signatures of more operators. A signer whose key has
// signed before is refused.
func (m *Manifest) CoSign(ctx context.Context, w io.Writer, signers ...trust.Signer) error {
	env := m.Envelope
	if err := trust.Sign(ctx, &env, signers...); err != nil {
		return err
	}
	out := &bodyWriter{w: bufio.NewWriterSize(w, 64<<10), all: blake3.New()}
	body := io.TeeReader(io.NewSectionReader(m.r, 0, m.bodyLen), out.all)
	check := blake3.New()
	if _, err := io.Copy(out.w, io.TeeReader(body, check)); err != nil {
		return fmt.Errorf("backup: copying the manifest: %w", err)
	}
	if Digest(check.Sum(nil)) != m.Header.Body.BLAKE3 {
		return invalid("manifest: changed while it was in use")
	}
	if err := out.finish(&env); err != nil {
		return fmt.Errorf("backup: writing the manifest: %w", err)
	}
	return nil
}

// The actions of the events that this package's values describe.
const (
	ActionBuild  = "backup.build"
	ActionVerify = "backup.verify"
)

// Event describes the making of the manifest, for a [opsec.Recorder]. Its receipt is [Evidence] of when the manifest
// was there; see [EvidenceOf]. The caller adds the actor.
func (m *Manifest) Event() *opsec.Event {
	e := opsec.NewEvent(ActionBuild, m.Header.Created)
	e.Tenant, e.Outcome = m.Header.Tenant, opsec.Success
	e.Resource = opsec.Resource{Tenant: m.Header.Tenant, Type: "backup", ID: m.Header.Source}
	ids := trust.SignatureIDs(&m.Envelope)
	ids = ids[:min(len(ids), 240)] // what an attribute holds; those left out are without evidence
	e.Attrs = []opsec.Attr{
		{Key: attrManifest, Value: m.ID().String(), Mark: opsec.Tenant},
		{Key: attrSignatures, Value: strings.Join(ids, ","), Mark: opsec.Tenant},
		{Key: "sequence", Value: fmt.Sprint(m.Header.Sequence), Mark: opsec.Tenant},
		{Key: "files", Value: fmt.Sprint(m.Header.Counts.Files), Mark: opsec.Tenant},
		{Key: "bytes", Value: fmt.Sprint(m.Header.Counts.Bytes), Mark: opsec.Tenant},
	}
	return e
}

const (
	attrManifest   = "manifest"
	attrSignatures = "signatures" // their ids, with commas between
)

// EvidenceOf makes evidence of an event that [Manifest.Event] described and the receipt that a recorder gave for it.
func EvidenceOf(e *opsec.Event, r opsec.Receipt) (trust.Evidence, error) {
	if e.Action != ActionBuild || r.Event != e.ID || !r.Durable || r.Time.IsZero() {
		return trust.Evidence{}, invalid("evidence: want the durable receipt of a %s event", ActionBuild)
	}
	found := trust.Evidence{Seen: r.Time, From: "audit event " + string(e.ID)}
	for _, a := range e.Attrs {
		switch a.Key {
		case attrManifest:
			found.Claim = a.Value
		case attrSignatures:
			found.Signatures = strings.Split(a.Value, ",")
		}
	}
	if found.Claim == "" {
		return trust.Evidence{}, invalid("evidence: event %s names no manifest", e.ID)
	}
	return found, nil
}
