package opsec

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"
)

// ID names one record for ever: a UUID of version 7 (RFC 9562, section 5.7) in lower-case text, 48 bits of Unix
// milliseconds and then random bits, so that ids sort by their creation to the millisecond. The empty ID names nothing.
type ID string

// NewID returns a fresh ID. It panics only where crypto/rand does, when the system has no randomness to give.
func NewID() ID {
	var u [16]byte
	binary.BigEndian.PutUint64(u[:], uint64(time.Now().UnixMilli())<<16)
	rand.Read(u[6:])
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
			ok = lowerHex[id[i]>>6]>>(id[i]&63)&1 == 1
		}
	}
	if !ok {
		return fmt.Errorf("opsec: id of %d bytes is not a lower-case UUID: %w", len(id), ErrInvalid)
	}
	return nil
}

// lowerHex has a bit for each digit, since ids are random: of comparisons a processor would guess every other one wrong.
var lowerHex = [4]uint64{'0' >> 6: 0x3ff << ('0' & 63), 'a' >> 6: 0x3f << ('a' & 63)}
