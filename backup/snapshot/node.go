package snapshot

import (
	"time"

	"github.com/cloudopsec/opsec"
)

// Node is an image, a snapshot or whatever else holds data that others are read through.
type Node struct {
	ID       string    `json:"id"` // a path or another name, once in a graph; any bytes but none
	Format   string    `json:"format,omitempty"`
	Needs    []Need    `json:"needs,omitempty"`    // without which it cannot be read
	Restore  bool      `json:"restore,omitempty"`  // a restore point: somebody would go back to it
	Created  time.Time `json:"created,omitzero"`   // zero: not known
	Verified time.Time `json:"verified,omitzero"`  // when it was last found whole; zero: never
	Size     int64     `json:"size,omitempty"`     // bytes that it takes
	Virtual  int64     `json:"virtual,omitempty"`  // bytes of the disk that it shows; 0: not known
	Replicas int       `json:"replicas,omitempty"` // copies of it; 0 counts as 1
	Broken   string    `json:"broken,omitempty"`   // why it cannot be read whatever else is there; empty: nothing is known against it
}

// Need is a reference of one node to another.
type Need struct {
	ID string `json:"id"`
	As string `json:"as,omitempty"` // "backing", "data-file", "extent", "parent", "contains", or a word of the caller's
}

// Finding is something that a person should look at.
type Finding struct {
	Path     string         `json:"path"` // the node
	Rule     string         `json:"rule"` // a constant of this package, of package image, or of the caller
	Severity opsec.Severity `json:"severity"`
	Text     string         `json:"text"`
}
