package keymgmt

import (
	"context"
	"iter"

	"github.com/cloudopsec/opsec"
)

// Repository keeps a tenant's documents. Update calls fn, which reads by read and returns what to write; all of it, and
// the events, are committed together if nothing that was read has changed meanwhile, and otherwise fn is called again.
// When fn returns an error nothing is written, and Update returns it. Reads see every Update that has returned before.
//
// [Memory] is one, package shelf has one over a store; docs/adopt.md shows one on database/sql.
type Repository interface {
	Update(ctx context.Context, tenant opsec.TenantID, fn func(read Read) (Changes, error)) error
}

// Read returns the documents of these names, at most 32, in the order given; nil for one that does not exist.
type Read func(names ...string) ([][]byte, error)

// Changes are what an update writes: at most 32 documents of at most 200 KiB, and the events that record it.
type Changes struct {
	Put    []Document
	Events []*opsec.Event
}

// Document is a name of at most 256 bytes and JSON. No data deletes it.
type Document struct {
	Name string
	Data []byte
}

// What a Repository may also be.
type (
	// Lister lists documents whose names begin with prefix and are above after, in the order of their names.
	Lister interface {
		List(ctx context.Context, tenant opsec.TenantID, prefix, after string) iter.Seq2[Document, error]
	}
	// Watcher yields once at first, and again after a document of the tenant has changed.
	Watcher interface {
		Watch(ctx context.Context, tenant opsec.TenantID) iter.Seq2[struct{}, error]
	}
	// Sealed says whether what is kept is encrypted under a key that is not kept with it.
	Sealed interface{ Sealed() bool }
)
