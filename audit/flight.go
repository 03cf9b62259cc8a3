package audit

import (
	"time"

	"github.com/cloudopsec/opsec"
)

// flight is an event between its Record and the sinks, and afterwards what is remembered of it. A [Trail]'s mutex
// guards it.
type flight struct {
	record  Record // empty once no sink waits for it
	sum     uint64 // of record.JSON: another event under the same id is refused
	at      []hold // what each lane has of it
	receipt opsec.Receipt
	news    chan struct{} // closed at the next change of at, or of the state of a lane; nil while nobody waits
}

// hold is what a sink has of an event.
type hold uint8

const (
	absent hold = iota
	queued
	held
	lost
)

// watch returns a channel that is closed when the flight's prospects change.
func (f *flight) watch() <-chan struct{} {
	if f.news == nil {
		f.news = make(chan struct{})
	}
	return f.news
}

func (f *flight) tell() {
	if f.news != nil {
		close(f.news)
		f.news = nil
	}
}

// prospects counts the durable sinks that hold the event, and those that still may within the wait of a caller.
func (f *flight) prospects(lanes []*lane) (have, hope int) {
	for i, l := range lanes {
		switch {
		case !l.durable:
		case f.at[i] == held:
			have++
		case f.at[i] == queued && l.up():
			hope++
		}
	}
	return have, hope
}

// landed notes that lane i holds the event; need durable sinks make the receipt durable.
func (f *flight) landed(i int, lanes []*lane, need int, now time.Time) {
	f.at[i] = held
	if have, _ := f.prospects(lanes); have >= need && !f.receipt.Durable {
		f.receipt.Durable, f.receipt.Time = true, now
	}
	f.tell()
	f.release()
}

// release lets go of the event itself when no sink waits for it.
func (f *flight) release() {
	for _, h := range f.at {
		if h == queued {
			return
		}
	}
	f.record = Record{}
}
