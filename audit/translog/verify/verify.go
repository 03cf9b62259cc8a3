package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/heads"
	"github.com/cloudopsec/opsec/audit/translog/index"
	"github.com/cloudopsec/opsec/audit/translog/internal/ledger"
	"github.com/cloudopsec/opsec/audit/translog/tile"
	"github.com/cloudopsec/opsec/internal/journal"
)

// Options is what Log may compare the log with. The zero value works.
type Options struct {
	Now func() time.Time // default time.Now: cosignatures from the future do not count

	// Noted are signed checkpoints of the log that were kept elsewhere. The log must continue each of them: this finds
	// a directory put back as a whole, which by itself is a good log. A quorum of witnesses in the policy finds it too,
	// when it is asked: see Witness.
	Noted [][]byte
	// Witness asks the witnesses of the policy whether they have seen a larger log.
	Witness *checkpoint.Gatherer

	// Live is for a log that is being written to meanwhile: what stands behind the checkpoint that was read first may be
	// half written, and is not judged.
	Live bool
	// TilesOnly is for a copy of what is public, such as [tile.Remote]: the journal is not there, and with it what the
	// leaves commit to. Otherwise a missing journal is a finding.
	TilesOnly bool
	// Findings is how many are listed at most; all are counted. Default: 1000.
	Findings int
}

// Log reads a whole log, a directory or [tile.Remote], and compares everything with everything: the tiles with the
// checkpoint, entry bundles and journal with the tiles, what is sealed with the leaves, each tenant's chain with the
// epochs, the index with the entries. What stands behind the checkpoint is pending.
//
// The error is for a log that could not be read at all, or whose checkpoint trust does not believe: with an unbelieved
// checkpoint nothing else means anything. All else is in the report. Only the wrapped keys are not looked at.
func Log(ctx context.Context, fsys fs.FS, trust checkpoint.Policy, opts Options) (*Report, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Findings == 0 {
		opts.Findings = 1000
	}
	start := time.Now()
	v := &verifier{ctx: ctx, fsys: fsys, opts: opts, trust: trust, chains: ledger.New(), report: &Report{}, shards: shards{}}
	err := v.run()
	v.report.Took = time.Since(start)
	return v.report, err
}

type verifier struct {
	ctx    context.Context
	fsys   fs.FS
	opts   Options
	trust  checkpoint.Policy
	report *Report

	shown   checkpoint.Verified   // the published checkpoint
	signed  checkpoint.Checkpoint // the largest one: what the files are compared with
	tiles   *tile.Verifier
	chains  *ledger.Chains
	begun   map[entry.Handle]bool // chains whose first leaf was seen, in a pruned log
	first   uint64                // chains are known from this entry on; 0 for all
	missing uint64                // entries below it are not there
	next    uint64                // the entry that comes now
	allowed uint64                // entries below it may be missing
	save    *ledger.Savepoint
	span    *index.Builder
	indexer ledger.Indexer
	body    entry.Body // memory for one entry's
	terms   []entry.Term
	record  []byte
	shards  shards
}

func (v *verifier) finds(f Finding) {
	if v.opts.Live && f.Index >= v.signed.Size && f.Part != "rollback" && f.Part != "checkpoint" {
		return
	}
	if v.report.Count++; v.report.Count <= v.opts.Findings {
		v.report.Findings = append(v.report.Findings, f)
	}
}

func (v *verifier) run() error {
	signed, err := fs.ReadFile(v.fsys, ledger.CheckpointFile)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if v.shown, err = v.trust.Open(signed, v.opts.Now()); err != nil {
		return fmt.Errorf("verify: checkpoint: %w", err)
	}
	if v.save, err = ledger.ReadSavepoint(v.fsys); err != nil {
		v.finds(Finding{Part: "savepoint", Path: ledger.SavepointFile, What: err.Error()})
	}
	v.report.Origin, v.report.Size, v.report.Root = v.shown.Origin, v.shown.Size, v.shown.Root
	v.signed = v.shown.Checkpoint
	if latest, ok := v.latest(); ok && latest.Size > v.shown.Size {
		v.signed = latest
	}
	if v.save != nil && v.save.Size > v.signed.Size && !v.opts.Live {
		v.finds(Finding{Part: "rollback", Path: ledger.SavepointFile, Index: v.signed.Size, What: fmt.Sprintf("there was a checkpoint of %d entries", v.save.Size)})
	}
	walk := v.journal // along the journal, or along the bundles
	if v.opts.TilesOnly {
		walk = v.bundles
	}
	v.report.Sidecar = !v.opts.TilesOnly
	if err := walk(); err != nil {
		return err
	}
	v.finish()
	v.rollback(signed)
	v.report.Shards = v.shards.list()
	v.report.OK = v.report.Count == 0
	return nil
}

func (v *verifier) begin(first uint64) error {
	v.first, v.next, v.missing = first, first, first
	v.begun = map[entry.Handle]bool{}
	var err error
	v.tiles, err = tile.NewVerifier(v.fsys, v.signed.Size, first, func(d *tile.DamageError) {
		switch {
		case d.Problem == tile.Ahead:
			return // of entries that are not signed yet
		case v.opts.TilesOnly && errors.Is(d.Err, fs.ErrPermission):
			v.report.Hidden = true
			return
		}
		v.finds(Finding{Part: "tiles", Path: d.Path, Index: v.where(d), What: d.Error()})
	})
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if first == 0 {
		return nil
	}
	return v.tiles.Skip(min(first, v.signed.Size))
}

// where is the first entry that a damaged file concerns.
func (v *verifier) where(d *tile.DamageError) uint64 {
	if d.Problem == tile.Unexpected && strings.HasSuffix(d.Path, ".new") {
		return v.signed.Size // it is being written
	}
	return d.Index
}

func (v *verifier) journal() error {
	sub, err := fs.Sub(v.fsys, ledger.JournalDir)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	for r, err := range journal.Scan(sub, 0) {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		var damage *journal.DamageError
		if errors.As(err, &damage) {
			if v.opts.Live && !strings.HasPrefix(damage.File, "0") {
				continue // the next segment is being made
			}
			v.finds(Finding{Part: "journal", Path: ledger.JournalDir + "/" + damage.File, Index: damage.Index, What: damage.Reason})
			continue
		}
		if errors.Is(err, fs.ErrNotExist) && v.opts.Live {
			continue // it has another name by now
		}
		if errors.Is(err, fs.ErrNotExist) {
			break // no journal at all
		}
		if err != nil {
			return fmt.Errorf("verify: %w", err)
		}
		if v.tiles == nil {
			if err := v.begin(r.Index); err != nil {
				return err
			}
			if v.report.Count > 0 {
				v.missing = 0 // what is not there was damaged, and is found already
			}
		}
		if r.Index > v.next { // what the damage has taken
			if err := v.skip(r.Index - v.next); err != nil {
				return err
			}
		}
		if r.Index < v.next {
			v.finds(Finding{Part: "journal", Index: r.Index, What: "the entry stands there twice"})
			continue
		}
		if err := v.entry(r.Leaf, r.Body); err != nil {
			return err
		}
	}
	if v.tiles == nil {
		if err := v.begin(0); err != nil {
			return err
		}
	}
	if v.next < v.signed.Size {
		v.finds(Finding{Part: "journal", Index: v.next, What: fmt.Sprintf("it ends here; the checkpoint has %d entries", v.signed.Size)})
		return v.skip(v.signed.Size - v.next)
	}
	return nil
}

// skip goes on behind entries that are not there.
func (v *verifier) skip(n uint64) error {
	if v.next < v.signed.Size {
		if err := v.tiles.Skip(min(n, v.signed.Size-v.next)); err != nil {
			return fmt.Errorf("verify: %w", err)
		}
	}
	v.next += n
	v.first = v.next // chains begin anew
	clear(v.begun)
	v.span = nil
	return nil
}

func (v *verifier) bundles() error {
	for v.next < v.signed.Size || v.tiles == nil {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		n := v.next / tile.Width
		width := int(min(tile.Width, v.signed.Size-n*tile.Width))
		leaves, err := v.bundle(n, width)
		if err != nil && v.tiles == nil && !errors.Is(err, fs.ErrPermission) { // pruned, perhaps: what is there begins further on
			first, err := v.firstBundle()
			if err != nil {
				return err
			}
			if err := v.begin(first); err != nil {
				return err
			}
			continue
		}
		if v.tiles == nil {
			if err := v.begin(0); err != nil {
				return err
			}
			if v.signed.Size == 0 {
				return nil
			}
		}
		if err != nil { // the verifier of tiles says what is wrong with the file
			if err := v.skip(uint64(width)); err != nil {
				return err
			}
			continue
		}
		for _, leaf := range leaves {
			if err := v.entry(leaf, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *verifier) bundle(n uint64, width int) ([][]byte, error) {
	if width == 0 {
		return nil, nil
	}
	data, err := fs.ReadFile(v.fsys, tile.EntriesPath(n, width))
	if errors.Is(err, fs.ErrNotExist) && width < tile.Width {
		if data, err = fs.ReadFile(v.fsys, tile.EntriesPath(n, tile.Width)); err == nil {
			var all [][]byte
			if all, err = tile.Entries(data, tile.Width); err == nil {
				return all[:width], nil
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return tile.Entries(data, width)
}

// firstBundle returns the first entry whose bundle is there, by bisection: what is pruned is a prefix.
func (v *verifier) firstBundle() (uint64, error) {
	low, high := uint64(0), v.signed.Size/tile.Width // bundle low is missing
	for low+1 < high {
		middle := low + (high-low)/2
		_, err := fs.Stat(v.fsys, tile.EntriesPath(middle, tile.Width))
		switch {
		case err == nil:
			high = middle
		case errors.Is(err, fs.ErrNotExist):
			low = middle
		default:
			return 0, fmt.Errorf("verify: %w", err)
		}
	}
	return min(high*tile.Width, v.signed.Size), nil
}

// entry verifies the next one. Without a journal there is no body.
func (v *verifier) entry(text, body []byte) error {
	i := v.next
	v.next++
	v.report.Bytes += int64(2*len(text) + len(body))
	v.record = append(append(v.record[:0], 0), text...) // what RFC 6962, section 2.1, hashes
	hash := tlog.Hash(sha256.Sum256(v.record))
	if i < v.signed.Size {
		if err := v.tiles.Add(text, hash); err != nil {
			return fmt.Errorf("verify: %w", err)
		}
	}
	if i >= v.shown.Size {
		v.report.Pending++
	}
	leaf, err := entry.Parse(text)
	if err != nil {
		v.finds(Finding{Part: "chain", Index: i, What: err.Error()})
		return nil
	}
	if v.report.Sidecar {
		v.sidecar(i, &leaf, body)
	}
	v.chain(i, &leaf, hash)
	if n, ok := ledger.Pruned(leaf); ok && i < v.signed.Size {
		v.allowed = max(v.allowed, min(n, i))
	}
	if o, ok := ObservationOf(leaf); ok {
		if what := v.shards.add(o); what != "" {
			v.finds(Finding{Part: "shard", Index: i, What: what})
		}
	}
	if v.save != nil && v.save.Size == i+1 {
		v.compareSave(i, leaf)
	}
	return nil
}

// sidecar compares what is sealed with the leaf, and enters the entry into the index to compare that.
func (v *verifier) sidecar(i uint64, leaf *entry.Leaf, body []byte) {
	if leaf.Kind == entry.Event {
		err := v.body.Parse(body)
		if err == nil {
			err = v.body.Verify(leaf.Body)
		}
		if err != nil {
			v.finds(Finding{Part: "sidecar", Index: i, What: err.Error()})
			v.span = nil
			return
		}
	} else if len(body) > 0 {
		v.finds(Finding{Part: "sidecar", Index: i, What: "an epoch has none"})
	}
	if i%index.Span == 0 {
		v.span = index.NewBuilder(i / index.Span)
	}
	if v.span == nil {
		return
	}
	keys := ledger.KeysOf(leaf, &v.body, v.terms)
	v.terms = keys.Terms
	if err := v.indexer.Add(v.span, i, keys); err != nil {
		v.finds(Finding{Part: "index", Index: i, What: err.Error()})
		v.span = nil
		return
	}
	if v.span.Len() < index.Span {
		return
	}
	path := ledger.IndexDir + "/" + ledger.SpanFile(i/index.Span)
	file, err := fs.ReadFile(v.fsys, path)
	switch {
	case errors.Is(err, fs.ErrNotExist): // it is made again when it is needed
	case err != nil:
		v.finds(Finding{Part: "index", Path: path, Index: i + 1 - index.Span, What: err.Error()})
	case !bytes.Equal(file, v.span.Encode()):
		v.finds(Finding{Part: "index", Path: path, Index: i + 1 - index.Span, What: "it is not the index of these entries"})
	}
	v.report.Bytes += int64(len(file))
	v.span = nil
}

// chain follows the chains of all tenants, and compares them with the epochs. Where older entries are missing, a chain
// begins with the first leaf that is there.
func (v *verifier) chain(i uint64, leaf *entry.Leaf, hash tlog.Hash) {
	switch leaf.Kind {
	case entry.Event:
		h := v.chains.Of(leaf.Tenant)
		if (leaf.Seq != h.Seq+1 || leaf.Prev != h.Leaf) && (v.first == 0 || v.begun[leaf.Tenant]) {
			v.finds(Finding{Part: "chain", Index: i, What: fmt.Sprintf("event %d of its tenant does not continue the chain after %d", leaf.Seq, h.Seq)})
		}
		if v.first > 0 {
			v.begun[leaf.Tenant] = true
		}
		v.chains.Extend(h, hash)
		h.Seq = leaf.Seq
		v.chains.Keep()
	case entry.Epoch:
		want, _ := v.chains.Epoch(leaf.Time)
		if v.first == 0 && (want.Number != leaf.Number || want.Tenants != leaf.Tenants || want.Heads != leaf.Heads) {
			v.finds(Finding{Part: "epoch", Index: i, What: fmt.Sprintf("epoch %d does not bind the chains as they are", leaf.Number)})
		}
		v.chains.Bound(*leaf, i, hash)
		v.report.Epochs++
	default:
		v.finds(Finding{Part: "chain", Index: i, What: "a kind of entry that no log writes"})
	}
}

// compareSave compares the savepoint with the epoch it was made at, and the chains with the savepoint; from there on
// the epochs of a pruned log can be verified too.
func (v *verifier) compareSave(i uint64, leaf entry.Leaf) {
	tree, err := heads.FromSnapshot(v.save.Heads)
	if err != nil || leaf.Kind != entry.Epoch || leaf.Number != v.save.Epoch || tree.Root() != leaf.Heads {
		v.finds(Finding{Part: "savepoint", Path: ledger.SavepointFile, Index: i, What: "its heads are not those of the epoch"})
		return
	}
	if v.first == 0 {
		return
	}
	for tag := range v.begun {
		was, ok := tree.Get(tag)
		if got := v.chains.Of(tag); !ok || got.Head != was {
			v.finds(Finding{Part: "chain", Index: i, What: fmt.Sprintf("the chain of tenant %s ends elsewhere", tag)})
		}
	}
	v.chains = ledger.New()
	if err := v.chains.Restore(v.save); err != nil {
		v.finds(Finding{Part: "savepoint", Path: ledger.SavepointFile, Index: i, What: err.Error()})
		return
	}
	v.chains.Bound(leaf, i, tlog.Hash{})
	v.first = 0
}

func (v *verifier) finish() {
	root, err := v.tiles.Finish()
	if err != nil {
		v.finds(Finding{Part: "tiles", What: err.Error()})
	} else if root != v.signed.Root {
		v.finds(Finding{Part: "tiles", What: fmt.Sprintf("the root of these entries is %s, and %s was signed", root, v.signed.Root)})
	}
	if v.save != nil && v.save.Size > v.next {
		v.finds(Finding{Part: "savepoint", Path: ledger.SavepointFile, Index: v.save.Size, What: "it is beyond the end of the log"})
	}
	if v.missing > v.allowed {
		v.finds(Finding{Part: "journal", What: fmt.Sprintf("entries below %d are missing, and the log allows it below %d", v.missing, v.allowed)})
	}
	v.report.Tenants = v.chains.Len()
	v.report.Pruned = v.allowed
}
