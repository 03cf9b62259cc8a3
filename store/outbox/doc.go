// Package outbox delivers the events that transactions of package store have emitted to a recorder.
//
// An event that was given to [store.Tx.Emit] is committed together with the state that it tells of. It then waits in the
// store, under the name of the node that wrote it, until a recorder has taken it:
//
//	go outbox.Run(ctx, db, trail, nil) // trail is an audit.Trail, or any other opsec.Recorder
//
// # Promises
//
// Delivery is at least once: an event leaves the store after the recorder has taken it, so one that was taken just before
// a crash comes again, with the same id, and the recorder drops it. An event that the recorder refuses holds up no other
// and stays. When a node is gone, another delivers what it has left, half a minute later.
//
// # What it will not do
//
// Keep an order: events of one node come in the order of their ids, which is that of their creation to the millisecond;
// those of several nodes as they come.
package outbox
