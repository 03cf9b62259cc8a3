package entry

import (
	"context"

	"github.com/cloudopsec/opsec"
)

// Group says whose a field is.
type Group byte

// The groups.
const (
	GroupTenant   Group = 1
	GroupActor    Group = 2
	GroupOnBehalf Group = 3
	GroupAbout    Group = 4
)

// Field is one committed field of an event.
type Field struct {
	Group   Group
	Subject Handle
	Name    string
	Mark    opsec.Sensitivity
}

// Open rebuilds an event.
func Open(ctx context.Context, keys Keys, leaf Leaf, body Body, show func(Field) bool) (*opsec.Event, []byte, error) {
	panic("TODO")
}

// VerifyEvidence returns the event as the leaf alone proves it.
func VerifyEvidence(leaf, evidence []byte) (*opsec.Event, error) { panic("TODO") }
