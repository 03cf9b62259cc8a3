package snapshot

import (
	"time"

	"github.com/cloudopsec/opsec"
)

// Node is an image, a snapshot or whatever else holds data that others are read through.
type Node struct {
	ID       string    `json:"id"` // a path or another name, once in a graph; any bytes but none, at most [MaxIDLen]
	Format   string    `json:"format,omitempty"`
	Needs    []Need    `json:"needs,omitempty"`    // without which it cannot be read: all of them
	Restore  bool      `json:"restore,omitempty"`  // a restore point: somebody would go back to it
	Created  time.Time `json:"created,omitzero"`   // zero: not known
	Verified time.Time `json:"verified,omitzero"`  // when it was last found whole; zero: never
	Size     int64     `json:"size,omitempty"`     // bytes that it takes; 0: not known
	Virtual  int64     `json:"virtual,omitempty"`  // bytes of the disk that it shows; 0: not known
	Replicas int       `json:"replicas,omitempty"` // copies of it; 0 counts as 1
	Broken   string    `json:"broken,omitempty"`   // why it cannot be read whatever else is there; empty: nothing is known against it
}

// Need is a reference of one node to another.
type Need struct {
	ID string `json:"id"`
	As string `json:"as,omitempty"` // one of the words below, or a word of the caller's, which counts as AsParent does
}

// What a need is. A chain is as deep as it has nodes from its tip to its root along [AsBacking], [AsParent] and words of the
// caller's; the other three add files that must be there, and no depth.
const (
	AsBacking  = "backing"   // the image below, of which this one is the difference
	AsParent   = "parent"    // the snapshot before
	AsDataFile = "data-file" // where the bytes of the image are
	AsExtent   = "extent"    // a part of the image
	AsContains = "contains"  // the file that holds this snapshot inside it
)

// Finding is something that a person should look at.
type Finding struct {
	Path     string         `json:"path"` // the node
	Rule     string         `json:"rule"` // a constant of this package, of package image, or of the caller
	Severity opsec.Severity `json:"severity"`
	Text     string         `json:"text"`
}

// The rules of this package.
const (
	RuleMissing     = "missing-need"         // something needs a node that is not there
	RuleCycle       = "cycle"                // nodes need each other in a circle
	RuleDuplicate   = "duplicate-id"         // two nodes have one id
	RuleUnusable    = "unusable"             // a restore point cannot be read
	RuleDepth       = "chain-depth"          // a chain is longer than the profile says
	RuleAge         = "snapshot-age"         // a snapshot is kept for longer than the profile says
	RuleVerify      = "verification-overdue" // an image was not verified for longer than the profile says
	RuleProbability = "usable-low"           // a restore point is less likely to be usable than the profile asks
	RuleBlast       = "blast-radius"         // one image takes more restore points with it than the profile says
	RuleFuture      = "time-in-future"       // a time lies after now, and was not believed
	RuleInexact     = "not-exact"            // the graph is too entangled for exact figures; bounds are given
)

// The bounds of a graph.
const (
	MaxNodes = 1 << 24
	MaxNeeds = 1 << 26 // of all nodes together
	MaxIDLen = 1 << 15 // bytes
	MaxWords = 1 << 16 // different formats and words of needs; further ones are dropped, which makes a need one of AsParent

	maxFindings = 1000 // of one rule
)
