package fence

import (
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// MaxMembers is how many members a cluster may have.
const MaxMembers = 64

// State is how far a member takes part.
type State string

// The states of a member.
const (
	Joining  State = "joining"  // it is catching up; it cannot be primary
	Ready    State = "ready"    // it may be primary
	Diverged State = "diverged" // it may hold what the primary lacks; see [Diverge]. It must be made a copy and join again
)

// Member is one that may be primary.
type Member struct {
	Name     string `json:"name"`
	State    State  `json:"state"`
	Position uint64 `json:"position"` // in the primary's log: all before it is durable at the member
}

// Cluster is who takes part, and who is primary. It is a value: its verbs return the next one, and change nothing. [Clusters]
// keeps it in the store of the lease; who keeps it elsewhere writes it behind the Fence of the lease that is held.
type Cluster struct {
	Token        uint64   `json:"token"`             // of the present or last primary; 0: none ever
	Primary      string   `json:"primary,omitempty"` // empty: none
	Acknowledged uint64   `json:"acknowledged"`      // position in the primary's log to which writes were acknowledged
	Members      []Member `json:"members"`           // by name
}

// Acceptance is somebody's word that a loss may be borne, without which only a member that lacks nothing may take over.
type Acceptance struct {
	By    string    `json:"by"`
	Loss  uint64    `json:"loss"`  // in units of Position; 0 accepts none
	Until time.Time `json:"until"` // it counts before then
}

func (c Cluster) find(name string) int {
	return slices.IndexFunc(c.Members, func(m Member) bool { return m.Name == name })
}

func (c Cluster) with(members []Member) Cluster {
	slices.SortFunc(members, func(a, b Member) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	c.Members = members
	return c
}

// Join adds a member, or takes back one that has failed, at a position; it is [Joining]. The primary goes on meanwhile. A
// member that has diverged must have been made a copy first. The primary itself cannot join.
func (c Cluster) Join(name string, position uint64) (Cluster, error) {
	i := c.find(name)
	switch {
	case name == "" || len(name) > 128:
		return c, fmt.Errorf("fence: name: want 1 to 128 bytes: %w", opsec.ErrInvalid)
	case name == c.Primary:
		return c, fmt.Errorf("fence: %q is the primary: %w", name, opsec.ErrInvalid)
	case i < 0 && len(c.Members) >= MaxMembers:
		return c, fmt.Errorf("fence: a cluster has at most %d members: %w", MaxMembers, opsec.ErrInvalid)
	}
	members := slices.Clone(c.Members)
	if i >= 0 {
		members = slices.Delete(members, i, i+1)
	}
	return c.with(append(members, Member{Name: name, State: Joining, Position: position})), nil
}

// Report says how far a member is. A position never goes back: that takes a [Cluster.Join]. A joining member that has all
// that is acknowledged becomes [Ready].
func (c Cluster) Report(name string, position uint64) (Cluster, error) {
	i := c.find(name)
	if i < 0 {
		return c, fmt.Errorf("fence: member %q: %w", name, opsec.ErrNotFound)
	}
	members := slices.Clone(c.Members)
	m := &members[i]
	if m.State == Diverged {
		return c, fmt.Errorf("fence: %q has diverged and must join again: %w", name, opsec.ErrDenied)
	}
	if position < m.Position {
		return c, fmt.Errorf("fence: %q was at position %d and says %d: it has lost writes and must join again: %w",
			name, m.Position, position, opsec.ErrInvalid)
	}
	m.Position = position
	if m.State == Joining && position >= c.Acknowledged {
		m.State = Ready
	}
	c.Members = members
	return c, nil
}

// Acknowledge says to which position the primary that holds the token has acknowledged writes. An older token is a
// [*FencedError].
func (c Cluster) Acknowledge(token, position uint64) (Cluster, error) {
	switch {
	case token < c.Token:
		return c, &FencedError{Token: token, Highest: c.Token}
	case token > c.Token || c.Primary == "":
		return c, fmt.Errorf("fence: token %d is nobody's: %w", token, opsec.ErrInvalid)
	}
	c.Acknowledged = max(c.Acknowledged, position)
	return c, nil
}

// Leave takes a member out. The primary cannot leave: another must be elected first.
func (c Cluster) Leave(name string) (Cluster, error) {
	i := c.find(name)
	switch {
	case i < 0:
		return c, fmt.Errorf("fence: member %q: %w", name, opsec.ErrNotFound)
	case name == c.Primary:
		return c, fmt.Errorf("fence: %q is the primary; elect another first: %w", name, opsec.ErrDenied)
	}
	c.Members = slices.Delete(slices.Clone(c.Members), i, i+1)
	return c, nil
}

// Elect makes a member primary under a token that is greater than all before, and returns the loss: how far the member
// falls short of what was acknowledged, 0 for none. Refused (wrapping [opsec.ErrDenied]) is one that is not ready, and one
// whose loss nobody has accepted for now. The former primary is [Diverged] after that, and so is
// who is ahead of the new one.
func (c Cluster) Elect(name string, token uint64, a *Acceptance, now time.Time) (Cluster, uint64, error) {
	i := c.find(name)
	switch {
	case i < 0:
		return c, 0, fmt.Errorf("fence: member %q: %w", name, opsec.ErrNotFound)
	case token <= c.Token:
		return c, 0, &FencedError{Token: token, Highest: c.Token}
	case c.Members[i].State != Ready:
		return c, 0, fmt.Errorf("fence: %q is %s: %w", name, c.Members[i].State, opsec.ErrDenied)
	}
	var loss uint64
	if p := c.Members[i].Position; p < c.Acknowledged {
		loss = c.Acknowledged - p
	}
	if loss > 0 && (a == nil || a.By == "" || loss > a.Loss || !now.Before(a.Until)) {
		return c, loss, fmt.Errorf("fence: %q lacks %d of what was acknowledged, and nobody has accepted that: %w",
			name, loss, opsec.ErrDenied)
	}
	members := slices.Clone(c.Members)
	for j := range members {
		// Whoever is ahead of the new primary has what it lacks, and the former primary may have.
		if j != i && (members[j].Name == c.Primary || members[j].Position > members[i].Position) {
			members[j].State = Diverged
		}
	}
	c.Members, c.Token, c.Primary = members, token, name
	c.Acknowledged = members[i].Position
	return c, loss, nil
}
