package translog

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/tile"
)

// Observation is a checkpoint of another log, as a log of logs has it on record.
type Observation struct {
	Log  string    `json:"log"` // its origin
	Size uint64    `json:"size"`
	Root tlog.Hash `json:"root"`
}

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
func (l *Log) Observe(ctx context.Context, who opsec.Actor, s Shard) (Observation, error) {
	signed, err := fs.ReadFile(s.FS, checkpointFile)
	if err != nil {
		return Observation{}, fmt.Errorf("translog: shard: %w", err)
	}
	seen, err := s.Trust.Open(signed, l.opts.Now())
	if err != nil {
		return Observation{}, fmt.Errorf("translog: shard: %w", err)
	}
	o := Observation{seen.Origin, seen.Size, seen.Root}
	l.observing.Lock()
	defer l.observing.Unlock()
	was, ok, err := l.observed(ctx, o.Log)
	if err != nil {
		return Observation{}, err
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
		{Key: attrLog, Value: o.Log, Mark: opsec.Public},
		{Key: attrSize, Value: strconv.FormatUint(o.Size, 10), Mark: opsec.Public},
		{Key: attrRoot, Value: o.Root.String(), Mark: opsec.Public},
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
func continues(fsys fs.FS, was, o Observation) error {
	if o.Size < was.Size {
		return tampered("shard %s had %d entries, and has %d", o.Log, was.Size, o.Size)
	}
	tree, err := tile.NewTree(fsys, o.Size, o.Root)
	if err != nil {
		return tampered("shard %s: %w", o.Log, err)
	}
	root, err := rootAt(tree, was.Size)
	if err != nil {
		return tampered("shard %s: %w", o.Log, err)
	}
	if root != was.Root {
		return tampered("shard %s at %d entries is another than the one observed", o.Log, was.Size)
	}
	return nil
}

// observed returns the latest good observation of a log: of this process, or from the record.
func (l *Log) observed(ctx context.Context, origin string) (Observation, bool, error) {
	if o, ok := l.shards[origin]; ok {
		return o, true, nil
	}
	provider := &View{l, opsec.Actor{}, AdministratorProfile()}
	p, _ := l.shown.get()
	s := &search{
		view: provider, size: p.Size, under: p, from: max(p.Size, 1) - 1,
		query: Query{
			Tenant: opsec.Provider, Actions: []string{ActionObserve}, Outcomes: []opsec.Outcome{opsec.Success}, Newest: true,
			Resource: opsec.Resource{Tenant: opsec.Provider, Type: "log", ID: origin},
		},
	}
	if p.Size == 0 {
		return Observation{}, false, nil
	}
	var err error
	if s.tree, err = l.tree(p); err != nil {
		return Observation{}, false, err
	}
	if err := s.resolve(ctx); err != nil {
		return Observation{}, false, err
	}
	for e, err := range s.entries(ctx) {
		if err != nil {
			return Observation{}, false, err
		}
		if o, ok := observation(e.leaf); ok {
			return o, true, nil
		}
	}
	return Observation{}, false, nil
}

// observation reads a leaf of a log of logs.
func observation(leaf entry.Leaf) (Observation, bool) {
	if leaf.Kind != entry.Event || leaf.Action != ActionObserve || leaf.Outcome != opsec.Success {
		return Observation{}, false
	}
	var o Observation
	for _, a := range leaf.Attrs {
		var err error
		switch a.Key {
		case attrLog:
			o.Log = a.Value
		case attrSize:
			o.Size, err = strconv.ParseUint(a.Value, 10, 63)
		case attrRoot:
			var root []byte
			if root, err = base64.StdEncoding.DecodeString(a.Value); err == nil && len(root) == len(o.Root) {
				o.Root = tlog.Hash(root)
			}
		}
		if err != nil {
			return Observation{}, false
		}
	}
	return o, o.Log != ""
}

// shards is the latest observation of each log.
type shards map[string]Observation

// add takes the next one, and says what is wrong with it.
func (s shards) add(o Observation) string {
	was, ok := s[o.Log]
	s[o.Log] = o
	switch {
	case ok && o.Size < was.Size:
		return fmt.Sprintf("log %s has shrunk from %d to %d entries", o.Log, was.Size, o.Size)
	case ok && o.Size == was.Size && o.Root != was.Root:
		return fmt.Sprintf("log %s at %d entries has two roots", o.Log, o.Size)
	}
	return ""
}

func (s shards) list() []Observation {
	return slices.SortedFunc(maps.Values(s), func(a, b Observation) int { return cmp.Compare(a.Log, b.Log) })
}
