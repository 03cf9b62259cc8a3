package translog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/internal/ledger"
	"github.com/cloudopsec/opsec/audit/translog/tile"
	"github.com/cloudopsec/opsec/audit/translog/verify"
)

// Shard is another log, as it is observed: whom to believe about it, and where it is (a directory, or [tile.Remote]).
type Shard struct {
	Trust checkpoint.Policy
	FS    fs.FS
}

// Observe puts the checkpoint of another log on record, after making sure that it continues the one observed before.
// With a log for each node and one log of logs over them, nobody agrees with anybody while events are written, and yet
// which logs there were, and how far each had come, can be proved later.
//
// A log that was cut, or changed behind a checkpoint, is on record as a failure too, and the error wraps
// [ErrTampered]. Whoever calls it has decided that the shard belongs here. A checkpoint that is on record already is
// not written again.
func (l *Log) Observe(ctx context.Context, who opsec.Actor, s Shard) (verify.Observation, error) {
	l.observing.Lock() // before the shard is read: what is read first must be recorded first
	defer l.observing.Unlock()
	signed, err := fs.ReadFile(s.FS, ledger.CheckpointFile)
	if err != nil {
		return verify.Observation{}, fmt.Errorf("translog: shard: %w", err)
	}
	seen, err := s.Trust.Open(signed, l.opts.Now())
	if err != nil {
		return verify.Observation{}, fmt.Errorf("translog: shard: %w", err)
	}
	o := verify.Observation{Log: seen.Origin, Size: seen.Size, Root: seen.Root}
	was, ok, err := l.observed(ctx, o.Log)
	if err != nil {
		return verify.Observation{}, err
	}
	if ok && was == o {
		return o, nil
	}
	if ok {
		err = continues(s.FS, was, o)
	}
	e := l.event(ActionObserve, who, opsec.Resource{Tenant: opsec.Provider, Type: "log", ID: o.Log})
	e.Outcome = opsec.OutcomeOf(err)
	e.Attrs = []opsec.Attr{
		{Key: verify.AttrLog, Value: o.Log, Mark: opsec.Public},
		{Key: verify.AttrSize, Value: strconv.FormatUint(o.Size, 10), Mark: opsec.Public},
		{Key: verify.AttrRoot, Value: o.Root.String(), Mark: opsec.Public},
		{Key: attrNote, Value: string(signed), Mark: opsec.Public},
	}
	if err != nil {
		e.Reason = err.Error()
	}
	if _, recordErr := l.Append(ctx, e); recordErr != nil {
		return o, errors.Join(err, recordErr)
	}
	if err == nil {
		l.shards[o.Log] = o
	}
	return o, err
}

// continues returns nil when the log in fsys, which is now what o says, once was what was says.
func continues(fsys fs.FS, was, o verify.Observation) error {
	if o.Size < was.Size {
		return tampered("shard %s had %d entries, and has %d", o.Log, was.Size, o.Size)
	}
	tree, err := tile.NewTree(fsys, o.Size, o.Root)
	if err != nil {
		return tampered("shard %s: %w", o.Log, err)
	}
	root, err := verify.RootAt(tree, was.Size)
	if err != nil {
		return tampered("shard %s: %w", o.Log, err)
	}
	if root != was.Root {
		return tampered("shard %s at %d entries is another than the one observed", o.Log, was.Size)
	}
	return nil
}

// observed returns the latest good observation of a log: of this process, or from the record.
func (l *Log) observed(ctx context.Context, origin string) (verify.Observation, bool, error) {
	if o, ok := l.shards[origin]; ok {
		return o, true, nil
	}
	if l.begun == 0 {
		return verify.Observation{}, false, nil
	}
	p, err := l.await(ctx, l.begun-1)
	if err != nil {
		return verify.Observation{}, false, err
	}
	provider := &View{l, opsec.Actor{}, AdministratorProfile()}
	s := &search{
		view: provider, size: p.Size, under: p, from: p.Size - 1,
		query: Query{
			Tenant: opsec.Provider, Actions: []string{ActionObserve}, Outcomes: []opsec.Outcome{opsec.Success}, Newest: true,
			Resource: opsec.Resource{Tenant: opsec.Provider, Type: "log", ID: origin},
		},
	}
	if s.tree, err = l.tree(p); err != nil {
		return verify.Observation{}, false, err
	}
	if err := s.resolve(ctx); err != nil {
		return verify.Observation{}, false, err
	}
	for e, err := range s.entries(ctx) {
		if err != nil {
			return verify.Observation{}, false, err
		}
		if o, ok := verify.ObservationOf(e.leaf); ok {
			return o, true, nil
		}
	}
	return verify.Observation{}, false, nil
}
