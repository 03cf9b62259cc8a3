package audit

import (
	"context"

	"github.com/cloudopsec/opsec"
)

// Record is one event on its way to the sinks. All sinks get the same Record, so nobody may change what it points to.
type Record struct {
	Event *opsec.Event // a private copy, with a digest in the place of every secret
	JSON  []byte       // Event as one line of JSON, without the newline
}

// Sink is a place where events go: a file, a log server, a transparency log.
//
// A [Trail] calls one sink from one goroutine at a time, and Close last. Write returns nil when it has taken the whole
// batch, in order. After an error the same batch comes again, even if a part of it was taken, so a sink may see an
// event twice; [opsec.Event.ID] tells. An error that wraps [opsec.ErrInvalid] says that the batch holds something that
// the sink will never take: its records are then offered one by one, and what is refused again ends in a gap record.
// The slice is the sink's own until Write returns; what the records point to may be kept.
type Sink interface {
	// Write takes a batch of at least one record. A sink that does not return when ctx ends counts as hung.
	Write(ctx context.Context, batch []Record) error
	// Durable reports whether a nil error from Write means stable storage. It is asked once.
	Durable() bool
	// Close lets go of what the sink holds.
	Close(ctx context.Context) error
}

// Sinks are the sinks of a [Trail] by name. The names stand in gap records, errors and health reports.
type Sinks map[string]Sink
