package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/independence"
	"github.com/cloudopsec/opsec/audit/programme/sample"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/subject"
	"github.com/cloudopsec/opsec/audit/translog/tile"
	"github.com/cloudopsec/opsec/examples/internal/witness"
)

// book is a transparency log as the desk wants it: what everybody does is recorded there, and where it stands is known.
type book struct {
	dir     string
	log     *translog.Log
	trust   checkpoint.Policy
	keys    sample.CheckpointVerifier
	witness *witness.Witness

	mu    sync.Mutex
	found map[opsec.ID]uint64
	last  uint64 // entry
}

// openBook starts a log in dir, whose checkpoints a witness signs too.
func openBook(ctx context.Context, dir string) (b *book, stop func() error, err error) {
	private, public, err := checkpoint.GenerateKey("provider.example/log")
	if err != nil {
		return nil, nil, err
	}
	b = &book{dir: filepath.Join(dir, "log"), witness: witness.New("witness.example"), found: map[opsec.ID]uint64{}}
	signer, signerErr := checkpoint.ParseSigner(private)
	logKey, logErr := note.NewVerifier(public)
	witnessKey, witnessErr := checkpoint.NewCosignatureVerifier(b.witness.Key())
	b.trust, err = checkpoint.Unwitnessed(public)
	if err := errors.Join(err, signerErr, logErr, witnessErr); err != nil {
		return nil, nil, err
	}
	b.keys = sample.CheckpointVerifier{Logs: []note.Verifier{logKey}, Witnesses: []note.Verifier{witnessKey}, Quorum: 1}
	b.log, err = translog.Open(b.dir, translog.Policy{
		Trust: b.trust, CheckpointEvery: 20 * time.Millisecond, SegmentBytes: 4 << 20, ReserveBytes: 1 << 20,
	}, translog.Options{Signer: signer, Keys: subject.Memory(), Authorizer: opsec.CallerAuthorized{}})
	if err != nil {
		return nil, nil, err
	}
	done := make(chan error, 1)
	go func() { done <- b.log.Run(ctx) }()
	return b, func() error { return errors.Join(b.log.Close(ctx), <-done) }, nil
}

// Record implements opsec.Recorder.
func (b *book) Record(ctx context.Context, e *opsec.Event) (opsec.Receipt, error) {
	r, err := b.log.Append(ctx, e)
	if err != nil {
		return opsec.Receipt{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.found[e.ID], b.last = r.Index, max(b.last, r.Index)
	return opsec.Receipt{Event: e.ID, Time: r.Time, Durable: true}, nil
}

// Locate implements programme.Ledger.
func (b *book) Locate(_ context.Context, event opsec.ID) (sample.Anchor, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, ok := b.found[event]
	if !ok {
		return sample.Anchor{}, opsec.ErrNotFound
	}
	return sample.Anchor{Log: b.log.Origin(), Index: i}, nil
}

// Checkpoint implements programme.Ledger.
func (b *book) Checkpoint(context.Context) ([]byte, error) {
	return b.witness.Cosign(b.log.Checkpoint())
}

// Trail implements programme.Ledger. It shows all that was recorded before: a view has what a checkpoint covers, so it
// waits for one. That somebody has read everybody's deeds is on record, too.
func (b *book) Trail(ctx context.Context, from, until time.Time) iter.Seq2[independence.Act, error] {
	view := b.log.View(reader, translog.Profile{Name: "independence", AllTenants: true, Most: opsec.Personal})
	return func(yield func(independence.Act, error) bool) {
		b.mu.Lock()
		last := b.last
		b.mu.Unlock()
		if _, err := b.log.Prove(ctx, last); err != nil {
			yield(independence.Act{}, err)
			return
		}
		for e, err := range view.Query(ctx, translog.Query{From: from, To: until}) {
			if err != nil {
				yield(independence.Act{}, err)
				return
			}
			if !yield(independence.ActOf(e.Event, fmt.Sprintf("%s#%d", b.log.Origin(), e.Index)), nil) {
				return
			}
		}
	}
}

// dossier is what an outsider gets, to draw the samples of an audit again.
func (b *book) dossier(ctx context.Context, a programme.Audit, frames []sample.Frame) (sample.Dossier, error) {
	d := sample.Dossier{
		Freeze: a.Freezes[len(a.Freezes)-1].Freeze, Anchor: a.Draw.Anchor, Checkpoint: a.Draw.Checkpoint,
		Samples: a.Draw.Samples, Frames: frames,
	}
	at, err := b.log.View(reader, translog.AdministratorProfile()).At(ctx, opsec.Provider, d.Anchor.Index)
	if err != nil {
		return d, err
	}
	d.Leaf = at.Leaf
	text, _, _ := strings.Cut(d.Checkpoint, "\n\n")
	head, err := checkpoint.Parse(text + "\n")
	if err != nil {
		return d, err
	}
	tree, err := tile.NewTree(os.DirFS(b.dir), head.Size, head.Root)
	if err != nil {
		return d, err
	}
	d.Inclusion, err = tree.Prove(d.Anchor.Index)
	return d, err
}

// reader is in whose name the log is read.
var reader = opsec.Actor{Tenant: opsec.Provider, Account: "audit-desk", Kind: opsec.System}

const actionEvidence = "provider.evidence"

// keep records the digest of what a check has seen, and returns it as evidence with the proof that the log had it.
func (b *book) keep(ctx context.Context, name string, what []byte, now time.Time) (programme.Evidence, error) {
	sum := sha256.Sum256(what)
	e := opsec.NewEvent(actionEvidence, now)
	e.Outcome, e.Actor = opsec.Success, reader
	e.Attrs = []opsec.Attr{{Key: "digest", Value: fmt.Sprintf("sha256:%x", sum), Mark: opsec.Public}}
	r, err := b.log.Append(ctx, e)
	if err != nil {
		return programme.Evidence{}, err
	}
	proof, err := b.log.Prove(ctx, r.Index)
	if err != nil {
		return programme.Evidence{}, err
	}
	at, err := b.log.View(e.Actor, translog.AdministratorProfile()).At(ctx, e.Tenant, r.Index)
	if err != nil {
		return programme.Evidence{}, err
	}
	proof.Extra = at.Leaf
	text, err := proof.MarshalText()
	return programme.Evidence{Name: name, Digest: e.Attrs[0].Value, Proof: string(text)}, err
}

// verify tells whether the proof of some evidence holds: the log had an entry with its digest.
func (b *book) verify(_ context.Context, e programme.Evidence) error {
	proof, err := checkpoint.ParseProof([]byte(e.Proof))
	if err != nil {
		return err
	}
	if _, err := proof.Verify(tlog.RecordHash(proof.Extra), b.trust, time.Now()); err != nil {
		return err
	}
	leaf, err := entry.Parse(proof.Extra)
	if err != nil {
		return err
	}
	if leaf.Action != actionEvidence || len(leaf.Attrs) != 1 || leaf.Attrs[0].Value != e.Digest {
		return fmt.Errorf("the proof is of something else: %w", opsec.ErrInvalid)
	}
	return nil
}

// holds tells whether an entry of the log records a freeze: it has the digest in clear.
func holds(text []byte, freeze sample.Digest) error {
	leaf, err := entry.Parse(text)
	if err != nil {
		return err
	}
	for _, a := range leaf.Attrs {
		if leaf.Action == programme.ActionFreeze && a.Key == "freeze" && a.Value == "sha256:"+freeze.String() {
			return nil
		}
	}
	return errors.New("the entry records no such freeze")
}
