package opsec

import (
	"crypto/rand"
	"fmt"
	"time"
)

// ID names one record for ever: a UUID of version 7 (RFC 9562, section 5.7) in lower-case text, 48 bits of Unix
// milliseconds and then random bits, so that ids sort by their creation to the millisecond. The empty ID names nothing.
type ID string

// NewID returns a fresh ID. It panics only where crypto/rand does, when the system has no randomness to give.
func NewID() ID {
	var u [16]byte
	rand.Read(u[6:])
	ms := time.Now().UnixMilli()
	for i := range 6 {
		u[i] = byte(ms >> (8 * (5 - i)))
	}
	u[6] = u[6]&0x0f | 0x70 // version 7
	u[8] = u[8]&0x3f | 0x80 // variant of RFC 9562
	return ID(fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:]))
}

// Validate returns an error wrapping [ErrInvalid] unless id has the form of a lower-case UUID, of whatever version.
func (id ID) Validate() error {
	ok := len(id) == 36
	for i := 0; ok && i < len(id); i++ {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			ok = id[i] == '-'
		} else {
			ok = lowerHex[id[i]]
		}
	}
	if !ok {
		return fmt.Errorf("opsec: id of %d bytes is not a lower-case UUID: %w", len(id), ErrInvalid)
	}
	return nil
}

// lowerHex is a table because ids are random: a processor would guess wrong about every other comparison.
var lowerHex = [256]bool{
	'0': true, '1': true, '2': true, '3': true, '4': true, '5': true, '6': true, '7': true, '8': true, '9': true,
	'a': true, 'b': true, 'c': true, 'd': true, 'e': true, 'f': true,
}
