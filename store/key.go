package store

import "github.com/cloudopsec/opsec/store/tuple"

// Key names a record within its tenant and collection, and where it stands in an index: a tuple that sorts part by part.
type Key = tuple.Key

// Text returns the [Key] of one text, the usual id.
func Text(s string) Key { return tuple.Text(s) }
