package verify

import (
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Finding is something in a log that is not as it was written.
type Finding struct {
	Part  string `json:"part"`           // checkpoint, tiles, journal, sidecar, chain, epoch, index, savepoint, shard, rollback, witness
	Path  string `json:"path,omitempty"` // of the file
	Index uint64 `json:"index"`          // of the first entry concerned, where there is one
	What  string `json:"what"`
}

// String returns the finding in one line.
func (f Finding) String() string {
	if f.Path == "" {
		return fmt.Sprintf("%s: entry %d: %s", f.Part, f.Index, f.What)
	}
	return fmt.Sprintf("%s: %s: entry %d: %s", f.Part, f.Path, f.Index, f.What)
}

// Report is what Log has found.
type Report struct {
	OK       bool          `json:"ok"`      // nothing was found
	Origin   string        `json:"origin"`  // of the log
	Size     uint64        `json:"size"`    // entries under the checkpoint
	Root     tlog.Hash     `json:"root"`    // of the tree
	Pending  uint64        `json:"pending"` // entries behind the checkpoint, not yet signed or not yet witnessed
	Pruned   uint64        `json:"pruned"`  // entries below it are hashes alone, as the log itself says
	Tenants  int           `json:"tenants"` // chains
	Epochs   uint64        `json:"epochs"`
	Hidden   bool          `json:"hidden,omitempty"` // entry bundles were refused, so that hashes alone were verified
	Sidecar  bool          `json:"sidecar"`          // the journal was there, and with it what the events say
	Bytes    int64         `json:"bytes"`            // read and compared
	Took     time.Duration `json:"took_ns"`
	Count    int           `json:"count"` // of findings
	Findings []Finding     `json:"findings,omitempty"`
	Shards   []Observation `json:"shards,omitempty"` // the latest checkpoint seen of each log, in a log of logs
}
