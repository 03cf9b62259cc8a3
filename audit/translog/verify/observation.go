package verify

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/tile"
)

// ActionObserve is the action of an event that puts the checkpoint of another log on record, in a log of logs. The
// attributes are public: its origin, size, and root in base64.
const (
	ActionObserve = "translog.observe"
	AttrLog       = "log"
	AttrSize      = "size"
	AttrRoot      = "root"
)

// Observation is a checkpoint of another log, as a log of logs has it on record.
type Observation struct {
	Log  string    `json:"log"` // its origin
	Size uint64    `json:"size"`
	Root tlog.Hash `json:"root"`
}

// ObservationOf reads a leaf of a log of logs, and reports whether it is of a good observation.
func ObservationOf(leaf entry.Leaf) (Observation, bool) {
	if leaf.Kind != entry.Event || leaf.Action != ActionObserve || leaf.Outcome != opsec.Success {
		return Observation{}, false
	}
	var o Observation
	for _, a := range leaf.Attrs {
		var err error
		switch a.Key {
		case AttrLog:
			o.Log = a.Value
		case AttrSize:
			o.Size, err = strconv.ParseUint(a.Value, 10, 63)
		case AttrRoot:
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

// RootAt is [tile.Tree.RootAt], and of no entries the root of the empty tree.
func RootAt(tree *tile.Tree, size uint64) (tlog.Hash, error) {
	if size == 0 {
		return tlog.TreeHash(0, nil)
	}
	return tree.RootAt(size)
}
