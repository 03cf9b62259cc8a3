package keymgmt

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
)

// Destruction is what is known of a destruction when it is done: what a receipt says.
type Destruction struct {
	Key       Key             `json:"key"` // as it is now: destroyed, with the census on which that was done
	Purpose   Purpose         `json:"purpose"`
	Method    string          `json:"method"` // such as "wrapped material removed", "key-encryption key destroyed"
	By        string          `json:"by"`     // the person
	Reason    string          `json:"reason"`
	Approval  opsec.ID        `json:"approval,omitempty"` // the case, its digest, and who approved
	Approved  approval.Digest `json:"approved,omitempty"`
	Approvers []string        `json:"approvers,omitempty"`
	Forced    bool            `json:"forced,omitempty"` // without a census
	Event     opsec.ID        `json:"event"`            // that recorded it
	Copies    []Copy          `json:"copies"`
	Checks    []Check         `json:"checks"` // made afterwards
}

// Copy is one copy of a key, or of what opens it, and what became of it.
type Copy struct {
	Kind CopyKind  `json:"kind"`
	Name string    `json:"name"` // which one: a document, a node, a handle, a share
	Fate Fate      `json:"fate"`
	How  string    `json:"how,omitempty"`
	Time time.Time `json:"time"`
}

// CopyKind says where a copy is.
type CopyKind string

// The kinds of copies.
const (
	InRecord    CopyKind = "record"    // of the repository
	InBackup    CopyKind = "backup"    // a generation
	InNode      CopyKind = "node"      // the memory of one that uses the key
	InCustodian CopyKind = "custodian" // a handle
	InShare     CopyKind = "share"     // of a split key
	InExport    CopyKind = "export"
	InCache     CopyKind = "cache" // of data keys
)

// Fate is what became of a copy.
type Fate string

// The fates. All but Left are as good as gone.
const (
	Erased       Fate = "erased"
	Acknowledged Fate = "acknowledged" // a node has seen the end of the key, and has dropped it
	Fenced       Fate = "fenced"       // a node has not answered for longer than it may use what it has
	Void         Fate = "void"         // it is there, and opens nothing: what it is wrapped with is gone
	Left         Fate = "left"         // out of reach; somebody has to see to it
)

// Check is a trial, after a destruction, of whether the key still opens anything.
type Check struct {
	What   string    `json:"what"`
	Passed bool      `json:"passed"` // it does not open
	Result string    `json:"result,omitempty"`
	Time   time.Time `json:"time"`
}

// What a manager is told by others, and tells them, of destructions.
type (
	// Receipts makes evidence of a destruction, and returns its digest. Called again for the same key it returns the
	// digest of the first. Package erasure has one.
	Receipts interface {
		Issue(ctx context.Context, d Destruction) (digest string, err error)
	}
	// Copies lists the copies of a key that a repository cannot know of: shares, exports, objects in devices.
	Copies interface {
		Copies(ctx context.Context, ref Ref) ([]Copy, error)
	}
	// Tombstones knows which keys are destroyed from somewhere that is not restored together with the repository, such
	// as the audit log. Package erasure has one.
	Tombstones interface {
		Buried(ctx context.Context, ref Ref) (bool, error)
	}
)

// Resource returns what events and approvals call the key: its tenant, "key", and "keyset/0000002a".
func (r Ref) Resource() opsec.Resource {
	return opsec.Resource{Tenant: r.Set.Tenant, Type: "key", ID: fmt.Sprintf("%s/%08x", r.Set.ID, r.Key)}
}

// RefOf returns the key that a resource is; false when it is none.
func RefOf(r opsec.Resource) (Ref, bool) {
	i := strings.LastIndexByte(r.ID, '/')
	if r.Type != "key" || i <= 0 || len(r.ID)-i != 9 {
		return Ref{}, false
	}
	key, err := strconv.ParseUint(r.ID[i+1:], 16, 32)
	ref := Ref{SetID{r.Tenant, r.ID[:i]}, uint32(key)}
	return ref, err == nil && ref.Resource() == r
}

// Dependents lists what depends on a key and has to be looked at when it is compromised.
type Dependents interface {
	Dependents(ctx context.Context, ref Ref) iter.Seq2[Dependent, error]
}

// Dependent is something that depends on a key.
type Dependent struct {
	Kind string `json:"kind"` // such as "backup", "data-key", "derived-key"
	Name string `json:"name"`
}
