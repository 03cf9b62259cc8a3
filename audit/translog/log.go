package translog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/internal/ledger"
	"github.com/cloudopsec/opsec/audit/translog/tile"
	"github.com/cloudopsec/opsec/audit/translog/verify"
	"github.com/cloudopsec/opsec/internal/journal"
	"github.com/cloudopsec/opsec/internal/window"
)

var (
	// ErrTampered says that the directory is not what the log has signed: something is missing, changed, or older than
	// what a witness or a noted checkpoint has seen. The text says what.
	ErrTampered = errors.New("translog: tampered with")
	// ErrLocked says that the directory is open already, in this process or in another one.
	ErrLocked = errors.New("translog: open elsewhere")
	// ErrUnavailable says that the log does not take the event now: the disk is full, has failed, or the log is closed.
	// After a context has ended the event may still reach the log; delivering it again, under its id, is safe.
	ErrUnavailable = errors.New("translog: unavailable")
)

// Options is the wiring of a Log. Signer, Keys and Authorizer must be there.
type Options struct {
	Signer     note.Signer      // signs checkpoints, under the key that Policy.Trust names; its name is the log's origin
	Keys       entry.Keys       // of tenants and persons; see package subject
	Authorizer opsec.Authorizer // asked before anything is read, erased, held or pruned

	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // hears of what goes wrong in the background; default: nobody
	Client *http.Client     // for witnesses; default: one of bounded patience

	// Noted are signed checkpoints of this log that were kept elsewhere. A directory that is not a continuation of each
	// is ErrTampered: this finds a whole directory put back from a backup, as a witness does.
	Noted [][]byte
	// Existing refuses to make a new log where none is, also with ErrTampered.
	Existing bool

	// OmitValues keeps no values, only commitments to them: what the event said must then be kept elsewhere, and cannot
	// be proved from here.
	OmitValues bool
	// DigestKey digests the values of attributes marked [opsec.Secret]; without it they are dropped.
	DigestKey *audit.DigestKey
	// SubjectOf names the person whom an attribute marked [opsec.Personal] is about, when that is not the actor.
	SubjectOf func(*opsec.Event, opsec.Attr) (entry.Subject, bool)
}

// Log is a tamper-evident log of events in one directory, with one writer. Its methods may be called by many
// goroutines.
type Log struct {
	policy Policy
	opts   Options
	root   *os.Root
	scribe entry.Scribe

	journal *journal.Journal
	chains  *ledger.Chains
	known   window.Window[[16]byte, place] // the latest events by their ids
	record  []byte                         // the writer's memory
	tail    tail                           // committed, and not yet in the tiles
	reader  follower                       // makes tiles, index and checkpoints of it
	holds   holds

	mu      sync.Mutex
	waiting *round // the events that the next commit takes
	refuses error  // why none are taken
	wake    chan struct{}
	bind    chan func() // has the writer do something between two commits

	observing sync.Mutex
	begun     uint64                        // entries were there when the log was opened
	shards    map[string]verify.Observation // of this process, in a log of logs

	closing context.Context // ends with Close
	close   context.CancelFunc
	running atomic.Bool
	unrun   atomic.Bool   // closed, and never run
	stopped chan struct{} // closed when Run has ended
	signed  watched[published]
	shown   watched[published]
	trees   struct {
		sync.Mutex
		size uint64
		tree *tile.Tree
	}
	condition condition
}

// published is a signed checkpoint and the tree that it speaks of.
type published struct {
	checkpoint.Checkpoint
	note []byte
}

// Open opens the log in dir, which it makes if it does not exist, and recovers what a crash has left. Nothing is taken
// before [Log.Run]. How long it takes depends on what was written since the last save, some segments at most, and not
// on the size of the log.
//
// Errors wrap [opsec.ErrInvalid], [ErrLocked], or [ErrTampered]: then nothing that was signed is touched.
func Open(dir string, p Policy, opts Options) (*Log, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	switch {
	case opts.Signer == nil:
		return nil, invalid("Options.Signer is nil")
	case !p.names(opts.Signer):
		return nil, invalid("Options.Signer is not of the log key that Policy.Trust names")
	case opts.Keys == nil:
		return nil, invalid("Options.Keys is nil")
	case opts.Authorizer == nil:
		return nil, invalid("Options.Authorizer is nil; a caller that decides itself passes opsec.CallerAuthorized")
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{
		policy:  p.withDefaults(),
		opts:    opts,
		waiting: newRound(),
		wake:    make(chan struct{}, 1),
		bind:    make(chan func()),
		tail:    tail{ready: make(chan struct{}, 1)},
		stopped: make(chan struct{}),
		shards:  map[string]verify.Observation{},
	}
	l.scribe = entry.Scribe{Keys: opts.Keys, OmitValues: opts.OmitValues, SubjectOf: l.subjectOf}
	l.closing, l.close = context.WithCancel(context.Background())
	if opts.DigestKey != nil {
		l.scribe.Digest = opts.DigestKey.Digest
	}
	if _, err := os.Stat(filepath.Join(dir, ledger.JournalDir)); isMissing(err) && (opts.Existing || len(opts.Noted) > 0) {
		return nil, tampered("there is no log in %s", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("translog: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("translog: %w", err)
	}
	l.root = root
	if err := l.recover(dir); err != nil {
		return nil, errors.Join(err, l.release())
	}
	return l, nil
}

// Origin is the log's name, which its checkpoints carry.
func (l *Log) Origin() string { return l.opts.Signer.Name() }

// Run takes events until ctx ends. Where the policy names witnesses it asks them first, for at most Policy.WitnessWait: a
// log that was put back to an older state takes nothing. Then what has come is committed, an epoch and a last checkpoint are made, and the
// log is closed: its files, not Options.Keys. Run can be called once. It returns nil when all of that was done; an error
// when the log has failed before, which is also what [Log.Record] returns from then on.
func (l *Log) Run(ctx context.Context) error {
	if !l.running.CompareAndSwap(false, true) {
		if l.unrun.Load() {
			return nil // Close came first
		}
		return invalid("Run was called before")
	}
	defer close(l.stopped)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopClosing := context.AfterFunc(l.closing, cancel)
	defer stopClosing()
	stopHurry := context.AfterFunc(ctx, l.tail.hurry)
	defer stopHurry()
	work, stop := context.WithCancel(context.WithoutCancel(ctx)) // until the last checkpoint is signed
	defer stop()
	witnesses, asked, err := l.meetWitnesses(ctx)
	if err != nil {
		l.abandon(fmt.Errorf("%w: %w", ErrUnavailable, err))
		return errors.Join(err, l.release())
	}
	var group sync.WaitGroup
	var commitErr, followErr, witnessErr error
	group.Go(func() { l.prepareLoop(work) })
	group.Go(func() { witnessErr = l.witnessLoop(work, witnesses, asked) })
	group.Go(func() {
		defer stop()
		followErr = l.followLoop(work)
	})
	commitErr = l.commitLoop(ctx)
	l.tail.close()
	group.Wait()
	if why := l.refusal(); why != errClosed && witnessErr == nil {
		commitErr = errors.Join(commitErr, why)
	}
	return errors.Join(commitErr, followErr, witnessErr, l.release())
}

// Close ends Run and waits for it, as long as ctx allows; what it could not do, Run returns. A log whose Run has not
// begun, also in a goroutine that was only just started, is let go of: Run is then an error. Close implements
// [audit.Sink]; a second one does nothing.
func (l *Log) Close(ctx context.Context) error {
	if l.running.CompareAndSwap(false, true) {
		l.unrun.Store(true)
		l.abandon(errClosed)
		defer close(l.stopped)
		return l.release()
	}
	l.close()
	select {
	case <-l.stopped:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// release closes the files, and with the journal the lock.
func (l *Log) release() error {
	err := l.reader.close()
	if l.journal != nil {
		err = errors.Join(err, l.journal.Close())
	}
	return errors.Join(err, l.root.Close())
}

// prepareLoop keeps the next segment ready, off the way of those who wait.
func (l *Log) prepareLoop(ctx context.Context) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		l.fails("prepare", l.journal.Prepare())
		err := l.journal.Intact()
		l.fails("journal", err)
		if errors.Is(err, journal.ErrReplaced) {
			l.refuse(fmt.Errorf("%w: %w", ErrTampered, err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// tampered returns an error that wraps ErrTampered.
func tampered(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrTampered}, args...)...)
}

// watched is a value for whose next state others can wait.
type watched[T any] struct {
	mu      sync.Mutex
	value   T
	changed chan struct{}
}

func (w *watched[T]) get() (T, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed == nil {
		w.changed = make(chan struct{})
	}
	return w.value, w.changed
}

func (w *watched[T]) set(v T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.value = v
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}
