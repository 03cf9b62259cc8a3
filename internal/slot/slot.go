// Package slot keeps the books of commit markers: which slots a handle has, and what their values say.
package slot

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/cloudopsec/opsec/internal/layout"
	"github.com/cloudopsec/opsec/store/tuple"
)

// Slot is a key, and its state as the last commit left it.
type Slot struct {
	Key    string
	Rev    uint64
	Number uint64
}

// Says tells from the value of a slot what became of the commit with the number before the slot's, when one of nothing
// with the slot's own number was tried after it: one of them has happened. It is not sound when neither has.
func (s *Slot) Says(value []byte) (happened, sound bool) {
	number, _, ok := Parse(value)
	return number+1 == s.Number, ok && (number == s.Number || number+1 == s.Number)
}

// Value is what a slot holds: a number, and when it was written, which tells what may be swept.
func Value(number uint64, at time.Time) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, number), uint64(at.Unix()))
}

// Parse takes a value apart. It reports false when it is none.
func Parse(value []byte) (number uint64, at time.Time, ok bool) {
	if len(value) != 16 {
		return 0, at, false
	}
	return binary.BigEndian.Uint64(value), time.Unix(int64(binary.BigEndian.Uint64(value[8:])), 0), true
}

// Slots are those of one handle that are not in use. They may be used by many goroutines.
type Slots struct {
	handle string

	mu   sync.Mutex
	free []*Slot
	made uint64
}

// Of returns the slots of a handle, none yet.
func Of(handle string) *Slots { return &Slots{handle: handle} }

// Take returns a free slot, or a new one, which has the Rev 0.
func (s *Slots) Take() *Slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		last := s.free[n-1]
		s.free = s.free[:n-1]
		return last
	}
	s.made++
	return &Slot{Key: tuple.Text(layout.Marker).Text(s.handle).Uint(s.made).Encode()}
}

// Give takes a slot back.
func (s *Slots) Give(slot *Slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, slot)
}

// Drop forgets all that are free.
func (s *Slots) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = nil
}
