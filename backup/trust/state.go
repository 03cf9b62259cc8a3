package trust

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// maxAccepted is how many manifests of a source a [State] remembers; older ones are forgotten first.
const maxAccepted = 4096

// State is what a verifier remembers, so that an attacker who holds old, validly signed manifests cannot pass one off
// as the newest, nor leave one out. It is small, and lives where the backups' keeper cannot write. The zero State has
// seen nothing.
type State struct {
	Sources []SourceState `json:"sources"` // sorted by tenant and source
}

// SourceState is what has been accepted of one source.
type SourceState struct {
	Tenant   opsec.TenantID `json:"tenant"`
	Source   string         `json:"source"`
	Accepted []Accepted     `json:"accepted"` // by rising sequence
}

// Accepted is one manifest that was found in order.
type Accepted struct {
	Claim    string    `json:"claim"`
	Sequence uint64    `json:"sequence"`
	Time     time.Time `json:"time"` // of acceptance, by the verifier's clock
}

// History is a manifest's place after what a [State] has seen of its source.
type History string

// The places.
const (
	First   History = "first"   // nothing of this source was seen before
	Next    History = "next"    // the one after the newest seen
	Newest  History = "newest"  // the newest seen, again
	Older   History = "older"   // seen before, but not the newest: a rollback, unless you asked for it
	Fork    History = "fork"    // another manifest than the one that was seen with, or before, this sequence
	Missing History = "missing" // manifests between the newest seen and this one have not been seen
)

// Suspect reports whether the place speaks against taking the manifest for the newest of its source.
func (h History) Suspect() bool { return h == Older || h == Fork || h == Missing }

func (h History) explain() string {
	return map[History]string{
		Older:   "a newer manifest of this source has been accepted before (rollback)",
		Fork:    "a different manifest of this source has been accepted in its place",
		Missing: "its predecessor has not been seen (omission)",
	}[h]
}

// ParseState reads what [State.WriteTo] writes, at most 64 MiB of it. An empty input is the zero State.
func ParseState(r io.Reader) (*State, error) {
	b, err := readAtMost(r, 64<<20, "state")
	if err != nil {
		return nil, err
	}
	s := new(State)
	if len(b) == 0 {
		return s, nil
	}
	if err := decodeJSON(b, s); err != nil {
		return nil, invalid("state: %v", err)
	}
	for i, src := range s.Sources {
		if i > 0 && compareSources(s.Sources[i-1], src) >= 0 || len(src.Accepted) == 0 || len(src.Accepted) > maxAccepted {
			return nil, invalid("state: source %d: out of order, or without what was accepted", i)
		}
		for k, a := range src.Accepted[1:] {
			if a.Sequence <= src.Accepted[k].Sequence {
				return nil, invalid("state: source %d: sequences do not rise", i)
			}
		}
	}
	return s, nil
}

// WriteTo implements [io.WriterTo]: JSON for [ParseState].
func (s *State) WriteTo(w io.Writer) (int64, error) {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return 0, err
	}
	n, err := w.Write(append(b, '\n'))
	return int64(n), err
}

func compareSources(a, b SourceState) int {
	switch {
	case a.Tenant != b.Tenant && a.Tenant < b.Tenant, a.Tenant == b.Tenant && a.Source < b.Source:
		return -1
	case a.Tenant == b.Tenant && a.Source == b.Source:
		return 0
	}
	return 1
}

// find returns the source's place in the list, and whether it is there.
func (s *State) find(c *Claim) (int, bool) {
	return slices.BinarySearchFunc(s.Sources, SourceState{Tenant: c.Tenant, Source: c.Source}, compareSources)
}

// Place says where a manifest stands after what was seen.
func (s *State) Place(c *Claim) History {
	i, ok := s.find(c)
	if !ok {
		return First
	}
	accepted, id := s.Sources[i].Accepted, c.ID
	newest := accepted[len(accepted)-1]
	switch {
	case newest.Claim == id:
		return Newest
	case c.Sequence > newest.Sequence+1:
		return Missing
	case c.Sequence == newest.Sequence+1 && c.Previous == newest.Claim:
		return Next
	case c.Sequence > newest.Sequence:
		return Fork
	}
	for _, a := range accepted {
		if a.Claim != id && a.Sequence == c.Sequence {
			return Fork
		}
	}
	return Older
}

// Accept remembers a manifest that was found in order at the time at. To pass over a gap or a fork knowingly, accept
// the manifest although it is [Missing] or a Fork; an [Older] one changes nothing.
func (s *State) Accept(c *Claim, at time.Time) error {
	if at.IsZero() {
		return invalid("state: time of acceptance is zero")
	}
	i, ok := s.find(c)
	switch s.Place(c) {
	case Older, Newest:
		return nil
	}
	if !ok {
		s.Sources = slices.Insert(s.Sources, i, SourceState{Tenant: c.Tenant, Source: c.Source})
	}
	src := &s.Sources[i]
	// After a fork that was accepted, what it replaces is history no more.
	src.Accepted = slices.DeleteFunc(src.Accepted, func(a Accepted) bool { return a.Sequence >= c.Sequence })
	src.Accepted = append(src.Accepted, Accepted{c.ID, c.Sequence, at.UTC()})
	if over := len(src.Accepted) - maxAccepted; over > 0 {
		src.Accepted = slices.Delete(src.Accepted, 0, over)
	}
	return nil
}

// evidence returns what the state knows of when a manifest was there.
func (s *State) evidence(id string) []Evidence {
	var found []Evidence
	for _, src := range s.Sources {
		for _, a := range src.Accepted {
			if a.Claim == id {
				found = append(found, Evidence{id, a.Time, fmt.Sprintf("accepted before as %d of %s", a.Sequence, src.Source)})
			}
		}
	}
	return found
}
