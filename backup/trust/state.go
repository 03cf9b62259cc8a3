package trust

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/internal/wholefile"
)

// maxState is how many bytes of JSON a [State] may have. It is room for 75 sources of maxAccepted manifests each.
const maxState = 64 << 20

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
	// Signatures are the ids of those it carried ([SignatureIDs]), if they were trusted: they are evidence from then on.
	Signatures []string `json:"signatures,omitempty"`
}

// History is a manifest's place after what a [State] has seen of its source.
type History string

// The places.
const (
	First    History = "first"    // nothing of this source was seen before
	Next     History = "next"     // the successor of the newest seen
	Newest   History = "newest"   // the newest seen, again
	Unlinked History = "unlinked" // newer than the newest seen, but it names no predecessor: what lies between is not known
	Missing  History = "missing"  // newer, but its predecessor has not been seen
	Older    History = "older"    // not newer than the newest seen: a rollback, unless you asked for it
	Fork     History = "fork"     // in the place of another one that has been accepted
)

// Suspect reports whether the place speaks against taking the claim for the newest of its source.
func (h History) Suspect() bool { return h == Older || h == Fork || h == Missing }

func (h History) explain() string {
	return map[History]string{
		Older:   "a newer one of this source has been accepted before (rollback)",
		Fork:    "another one of this source has been accepted in its place",
		Missing: "its predecessor has not been seen (omission)",
	}[h]
}

// ParseState reads what [State.WriteTo] writes, at most 64 MiB of it. An empty input is the zero State.
func ParseState(r io.Reader) (*State, error) {
	b, err := readAtMost(r, maxState, "state")
	if err != nil {
		return nil, err
	}
	s := new(State)
	if len(b) == 0 {
		return s, nil
	}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, invalid("state: %v", err)
	}
	return s, nil
}

// UnmarshalJSON implements [json.Unmarshaler]. It accepts what [State.WriteTo] writes; anything else leaves s unchanged.
func (s *State) UnmarshalJSON(b []byte) error {
	type plain State
	var read plain
	if err := strictjson.Decode(b, &read); err != nil {
		return invalid("state: %v", err)
	}
	for i, src := range read.Sources {
		if i > 0 && compareSources(read.Sources[i-1], src) >= 0 || len(src.Accepted) == 0 || len(src.Accepted) > maxAccepted {
			return invalid("state: source %d: out of order, or without what was accepted", i)
		}
		for k, a := range src.Accepted {
			if k > 0 && a.Sequence <= src.Accepted[k-1].Sequence {
				return invalid("state: source %d: sequences do not rise", i)
			}
			if a.Claim == "" || a.Time.IsZero() {
				return invalid("state: source %d: acceptance without a time, or of nothing", i)
			}
		}
	}
	*s = State(read)
	return nil
}

// LoadState reads the state file called name; a file that does not exist is the zero State.
func LoadState(name string) (*State, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return new(State), nil
	}
	if err != nil {
		return nil, fmt.Errorf("trust: state: %w", err)
	}
	defer f.Close()
	return ParseState(f)
}

// Save replaces the state file called name. After an error the old one is untouched.
func (s *State) Save(name string) error {
	err := wholefile.Write(name, 0o600, func(w io.Writer) error { _, err := s.WriteTo(w); return err })
	if err != nil {
		return fmt.Errorf("trust: state: %w", err)
	}
	return nil
}

// WriteTo implements [io.WriterTo]: JSON for [ParseState]. It is an error wrapping [opsec.ErrInvalid] if that would be
// more than ParseState reads: then give every tenant a state of its own.
func (s *State) WriteTo(w io.Writer) (int64, error) {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return 0, err
	}
	if len(b) >= maxState {
		return 0, invalid("state: %d bytes: want less than %d", len(b), maxState)
	}
	n, err := w.Write(append(b, '\n'))
	return int64(n), err
}

func compareSources(a, b SourceState) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Source, b.Source))
}

// find returns the source's place in the list, and whether it is there.
func (s *State) find(c *Claim) (int, bool) {
	return slices.BinarySearchFunc(s.Sources, SourceState{Tenant: c.Tenant, Source: c.Source}, compareSources)
}

// Place says where a claim stands after what was seen.
func (s *State) Place(c *Claim) History {
	i, ok := s.find(c)
	if !ok {
		return First
	}
	accepted := s.Sources[i].Accepted
	newest := accepted[len(accepted)-1]
	seen := func(same func(Accepted) bool) bool { return slices.ContainsFunc(accepted, same) }
	switch {
	case newest.Claim == c.ID:
		return Newest
	case seen(func(a Accepted) bool { return a.Sequence == c.Sequence && a.Claim != c.ID }):
		return Fork
	case c.Sequence < newest.Sequence:
		return Older
	case c.Previous == "":
		return Unlinked
	case c.Previous == newest.Claim:
		return Next
	case seen(func(a Accepted) bool { return a.Claim == c.Previous }):
		return Fork
	}
	return Missing
}

// Accept remembers a claim that was found in order at the time at, and whether it was [Trusted]: if not, it will be no
// evidence. To pass over a gap or a fork knowingly, accept the claim although its place is suspect; an [Older] one
// changes nothing.
func (s *State) Accept(c *Claim, at time.Time, trusted bool) error {
	if at.IsZero() || c.ID == "" {
		return invalid("state: acceptance without a time, or of nothing")
	}
	if !utf8.ValidString(c.ID) || !utf8.ValidString(c.Source) || !utf8.ValidString(string(c.Tenant)) {
		return invalid("state: acceptance of what is not UTF-8, which its JSON would not keep")
	}
	i, ok := s.find(c)
	switch s.Place(c) {
	case Older:
		return nil
	case Newest:
		newest := &s.Sources[i].Accepted[len(s.Sources[i].Accepted)-1]
		if trusted && len(newest.Signatures) == 0 {
			newest.Signatures, newest.Time = SignatureIDs(c.Envelope), at.UTC()
		}
		return nil
	}
	if !ok {
		s.Sources = slices.Insert(s.Sources, i, SourceState{Tenant: c.Tenant, Source: c.Source})
	}
	src := &s.Sources[i]
	// After a fork that was accepted, what it replaces is history no more.
	src.Accepted = slices.DeleteFunc(src.Accepted, func(a Accepted) bool { return a.Sequence >= c.Sequence })
	a := Accepted{Claim: c.ID, Sequence: c.Sequence, Time: at.UTC()}
	if trusted {
		a.Signatures = SignatureIDs(c.Envelope)
	}
	src.Accepted = append(src.Accepted, a)
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
				from := fmt.Sprintf("accepted before as %d of %s", a.Sequence, src.Source)
				found = append(found, Evidence{Claim: id, Signatures: a.Signatures, Seen: a.Time, From: from})
			}
		}
	}
	return found
}
