package composition

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cloudopsec/opsec/sla/ratio"
)

// Node says what has to work for something to work: one part, or so many of several nodes. A part that stands at more than
// one place is one and the same, so that its failure is felt at all of them: that is how a shared dependency is written.
type Node struct {
	Part string `json:"part,omitempty"` // alone, without Need and Of
	Need int    `json:"need,omitempty"` // of Of, 1 to all of them
	Of   []Node `json:"of,omitempty"`
}

// Part returns a node that works while a part does.
func Part(id string) Node { return Node{Part: id} }

// Serial returns a node that works while all of them do.
func Serial(of ...Node) Node { return AtLeast(len(of), of...) }

// Parallel returns a node that works while any of them does.
func Parallel(of ...Node) Node { return AtLeast(1, of...) }

// AtLeast returns a node that works while so many of them do.
func AtLeast(need int, of ...Node) Node { return Node{Need: need, Of: slices.Clone(of)} }

// System is what a service is made of.
type System struct {
	// Parts are the availabilities of parts, by their names: bounds, because not all of the evidence is there, or the same
	// ratio twice. Names have 1 to 100 bytes.
	Parts map[string]ratio.Range `json:"parts"`
	Top   Node                   `json:"top"` // works while the service does
}

// What a system has at most. A node may need a great diagram: see [ErrIntricate].
const (
	maxParts = 256
	maxNodes = 4096
	maxDepth = 64
)

// ErrIntricate is a system of which the diagram that finds its availability takes more than 2^17 nodes to make: parts are shared
// in too many ways. [System.Whatever] still bounds it. It is returned by what needs the diagram, not by Validate.
var ErrIntricate = errors.New("composition: the parts are shared in too many ways")

// Validate returns nil, or all that is wrong, joined: a [*Fault] each.
func (s System) Validate() error {
	var errs []error
	add := func(path, form string, args ...any) { errs = append(errs, fault(path, form, args...)) }
	if len(s.Parts) == 0 || len(s.Parts) > maxParts {
		add("parts", "want 1 to %d, not %d", maxParts, len(s.Parts))
		return errors.Join(errs...)
	}
	used := map[string]bool{}
	nodes := 0
	var walk func(n Node, path string, depth int)
	walk = func(n Node, path string, depth int) {
		if nodes++; nodes > maxNodes || depth > maxDepth {
			if nodes == maxNodes+1 || depth == maxDepth+1 {
				add("top", "more than %d nodes, or deeper than %d", maxNodes, maxDepth)
			}
			nodes = maxNodes + 1
			return
		}
		switch {
		case n.Part != "" && (n.Need != 0 || len(n.Of) > 0):
			add(path, "a part, and what is made of others")
		case n.Part != "":
			used[n.Part] = true
			if _, is := s.Parts[n.Part]; !is {
				add(path+".part", "there is no part %.100q", n.Part)
			}
		case len(n.Of) == 0:
			add(path, "neither a part, nor made of any")
		case n.Need < 1 || n.Need > len(n.Of):
			add(path+".need", "want 1 to %d, not %d", len(n.Of), n.Need)
		}
		for i, child := range n.Of {
			if nodes > maxNodes {
				return
			}
			walk(child, fmt.Sprintf("%s.of[%d]", path, i), depth+1)
		}
	}
	walk(s.Top, "top", 1)
	for _, id := range s.names() {
		r := s.Parts[id]
		if id == "" || len(id) > 100 {
			add("parts", "want names of 1 to 100 bytes, not %.100q", id)
		}
		if r.Low.Cmp(r.High) > 0 || r.High.Cmp(ratio.One()) > 0 {
			add(fmt.Sprintf("parts[%.100q]", id), "want low <= high <= 100 %%")
		}
		if !used[id] && nodes <= maxNodes {
			add(fmt.Sprintf("parts[%.100q]", id), "nothing is made of it")
		}
	}
	return errors.Join(errs...)
}
