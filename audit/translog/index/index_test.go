package index_test

import (
	"iter"

	"github.com/cloudopsec/opsec/audit/translog/index"
)

// Finder is what an index and a builder have in common.
type Finder interface {
	Find(q index.Query, from uint16) iter.Seq[uint16]
}
