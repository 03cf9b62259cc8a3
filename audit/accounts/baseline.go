package accounts

import (
	"encoding/binary"
	"slices"
)

// baselines are the permissions of roles and of those sets of roles that were met, sorted.
type baselines struct {
	of    map[string][]string
	sets  map[string][]string
	named []byte // the key of a set
	held  int    // permissions in sets
}

// maxSets bounds the memory for sets of roles: accounts have few different ones, or all have their own.
const (
	maxSets = 1 << 12
	maxHeld = 1 << 20 // permissions in all of them
)

func newBaselines(roles map[string][]string) baselines {
	b := baselines{of: make(map[string][]string, len(roles)), sets: map[string][]string{}}
	for role, permissions := range roles {
		b.of[role] = slices.Compact(slices.Sorted(slices.Values(permissions)))
	}
	return b
}

// union returns the permissions of all the roles, sorted; known is false when a role has no baseline.
func (b *baselines) union(roles []string) (permissions []string, known bool) {
	switch len(roles) {
	case 0:
		return nil, true
	case 1:
		permissions, known = b.of[roles[0]]
		return permissions, known
	}
	known = true
	for _, role := range roles {
		if _, ok := b.of[role]; !ok {
			known = false
		}
	}
	b.named = b.named[:0]
	for _, role := range roles {
		b.named = append(binary.AppendUvarint(b.named, uint64(len(role))), role...)
	}
	if set, ok := b.sets[string(b.named)]; ok {
		return set, known
	}
	for _, role := range roles {
		permissions = append(permissions, b.of[role]...)
	}
	slices.Sort(permissions)
	permissions = slices.Compact(permissions)
	if len(b.sets) == maxSets || len(b.sets) > 0 && b.held+len(permissions) > maxHeld {
		clear(b.sets)
		b.held = 0
	}
	b.held += cap(permissions)
	b.sets[string(b.named)] = permissions
	return permissions, known
}
