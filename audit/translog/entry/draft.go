package entry

import (
	"context"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
)

// Scribe makes leaves and bodies of events.
type Scribe struct {
	Keys       Keys
	OmitValues bool
	Digest     func(tenant opsec.TenantID, secret string) string
	SubjectOf  func(*opsec.Event, opsec.Attr) (Subject, bool)
}

// Draft is an event that lacks its place.
type Draft struct {
	ID     [16]byte
	Time   time.Time
	Class  opsec.Class
	Tenant Handle
	Body   []byte
}

// Draft seals an event.
func (s *Scribe) Draft(ctx context.Context, e *opsec.Event) (*Draft, error) { panic("TODO") }

// Terms returns what the event can be found by.
func (d *Draft) Terms() []Term { panic("TODO") }

// AppendLeaf appends the leaf.
func (d *Draft) AppendLeaf(b []byte, seq uint64, prev tlog.Hash) []byte { panic("TODO") }
