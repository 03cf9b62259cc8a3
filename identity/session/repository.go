package session

import (
	"context"
	"iter"
	"time"

	"github.com/cloudopsec/opsec"
)

// Books keeps the books of accounts. Update calls fn with the book at an address, a copy of its own, the zero Book when there is
// none, and keeps what fn returns: book and events together, in one transaction that no other Update of this address comes
// between. When somebody does come between, fn is called again. When fn returns an error nothing is kept, and Update returns it.
// Update sees every Update that has returned before, on whatever node.
//
// [Memory] is one, package shelf has one over a store. A book is at most 200 KiB as JSON.
type Books interface {
	Update(ctx context.Context, at Address, fn func(Book) (Change, error)) error
}

// Change is what an update keeps. A [Book.Blank] book may be deleted.
type Change struct {
	Put    *Book // nil: the book stays as it is
	Events []*opsec.Event
}

// Agenda is what a [Books] must also be for [Manager.Sweep] and [Manager.Notices]: it yields the addresses of a tenant's books whose
// Due is set and not after until, the earliest first.
type Agenda interface {
	Due(ctx context.Context, tenant opsec.TenantID, until time.Time) iter.Seq2[Address, error]
}
