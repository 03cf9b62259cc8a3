// Package layout says where a store keeps things in its driver.
package layout

import (
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store/tuple"
)

// The first part of every raw key, and the third of those of a tenant. All of one tenant stands below one prefix:
//
//	("t", tenant, "r", collection) id                   a record
//	("t", tenant, "x", collection, index, (key)) id     an entry of an index; of a unique one without id, which is the value
//	("t", tenant, "g", collection)                      the guard of a collection
//	("o", node, event id)                               the outbox
//	("m", handle, slot)                                 a commit marker
//	("s", purpose, ...)                                 the store's own notes
const (
	Tenant = "t"
	Outbox = "o"
	Marker = "m"
	Notes  = "s"

	Record = "r"
	Index  = "x"
	Guard  = "g"
)

// Behind is above every key that begins with prefix: no part begins with this byte.
func Behind(prefix string) string { return prefix + "\xff" }

// TenantPrefix begins the keys of a tenant.
func TenantPrefix(t opsec.TenantID) tuple.Key { return tuple.Text(Tenant).Text(string(t)) }

// OutboxOf begins the keys of the events of a node.
func OutboxOf(node string) string { return tuple.Text(Outbox).Text(node).Encode() }

// OutboxKey is where an event waits.
func OutboxKey(node string, id opsec.ID) string {
	return tuple.Text(Outbox).Text(node).Text(string(id)).Encode()
}

// Split returns the leading texts of a raw key, at most n, and the rest.
func Split(raw string, n int) (texts []string, rest string) {
	for rest = raw; len(texts) < n; {
		text, behind, ok := tuple.CutText(rest)
		if !ok {
			break
		}
		texts, rest = append(texts, text), behind
	}
	return texts, rest
}

// Owner names what a raw key belongs to, for errors: a collection, or what the store keeps for itself.
func Owner(raw string) string {
	texts, _ := Split(raw, 4)
	if len(texts) == 0 {
		return "unknown"
	}
	switch texts[0] {
	case Tenant:
		if len(texts) == 4 {
			return texts[3]
		}
	case Outbox:
		return "outbox"
	case Marker:
		return "marker"
	case Notes:
		return "notes"
	}
	return "unknown"
}

// ValidName accepts the names of collections, indexes and nodes: 1 to 64 lower-case letters, digits, '_', '-',
// '.' and '/'.
func ValidName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("_-./", c) >= 0) {
			return false
		}
	}
	return true
}
