package recovery

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// KeyRef names the key that a point was encrypted with.
type KeyRef struct {
	Name    string `json:"name"`
	Version uint32 `json:"version"`
}

// Point is what is to be restored.
type Point struct {
	Tenant opsec.TenantID `json:"tenant"`
	Source string         `json:"source"` // what was backed up
	ID     string         `json:"id"`     // of the restore point
	Key    *KeyRef        `json:"key,omitempty"`
}

// PhaseName is a part of a test.
type PhaseName string

// The phases, in their order. The first that fails is the last but for Clean, except that all checks are made.
const (
	Prepare PhaseName = "prepare" // the target
	Unlock  PhaseName = "unlock"  // the key is fetched
	Restore PhaseName = "restore" // fetched, decrypted, written and on disk
	Verify  PhaseName = "verify"  // the checks
	Clean   PhaseName = "clean"   // nothing is left
)

// Duration is a time that something took; in JSON a text such as "1m30s".
type Duration = strictjson.Duration

// Phase is what became of a part.
type Phase struct {
	Name  PhaseName `json:"name"`
	Took  Duration  `json:"took"`
	Error string    `json:"error,omitempty"` // why it failed
}

// Checked is what became of a check.
type Checked struct {
	Name   string   `json:"name"`
	Kind   string   `json:"kind"` // "manifest", "command", "query", or the caller's
	Passed bool     `json:"passed"`
	Took   Duration `json:"took"`
	Detail string   `json:"detail,omitempty"` // the first bytes of what it said
	Digest string   `json:"digest,omitempty"` // "sha256:" and the digest of what it said, of a command of the first 64 KiB
}

// Result is what a test has shown. It is a plain value for JSON.
type Result struct {
	ID      opsec.ID    `json:"id"` // of the intent in the log
	Point   Point       `json:"point"`
	By      opsec.Actor `json:"by"`
	Began   time.Time   `json:"began"`
	Ended   time.Time   `json:"ended"`
	Passed  bool        `json:"passed"`
	Failure string      `json:"failure,omitempty"` // the first thing that failed
	// Took is what a recovery would have taken: all phases but Clean. It is the measured recovery time (RTO) where nothing
	// was started or switched over, and a part of it elsewhere; of a test that failed, it is until then.
	Took    Duration  `json:"took"`
	Files   int64     `json:"files"`
	Bytes   int64     `json:"bytes"`
	Target  string    `json:"target"`  // where, and what shows that it was empty and apart
	Cleaned bool      `json:"cleaned"` // the target has said that nothing is left; false also where none was made
	Phases  []Phase   `json:"phases"`
	Checks  []Checked `json:"checks,omitempty"`
}

// Digest returns "sha256:" and the digest of the result's JSON as [json.Marshal] writes it, without a line end: who keeps that in a file and the
// digest elsewhere, such as in package catalogue, can show later that the result is the one there was. It is "" for a time that JSON cannot hold.
func (r *Result) Digest() string {
	b, err := json.Marshal(r)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// WriteText writes the result for people.
func (r *Result) WriteText(w io.Writer) error {
	verdict := "passed"
	if !r.Passed {
		verdict = fmt.Sprintf("FAILED: %q", r.Failure)
	}
	_, err := fmt.Fprintf(w, "recovery test of %q of %q: %s\n  restored %d files, %d bytes in %s\n", r.Point.ID, r.Point.Source, verdict,
		r.Files, r.Bytes, time.Duration(r.Took))
	for _, c := range r.Checks {
		if err == nil {
			_, err = fmt.Fprintf(w, "  %s %q: passed %t, %s\n", c.Kind, c.Name, c.Passed, time.Duration(c.Took))
		}
	}
	return err
}
