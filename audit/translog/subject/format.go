package subject

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
)

// A file is a head and slots, each of 512 bytes, the least that disks write at once. Numbers are little endian, sums
// CRC-32C.
//
//	head: magic (8), version (1), zeros (7), id of the file (16), check of the lookup key (16),
//	      length (2) and bytes of what master has wrapped, zeros, sum of all before it (4)
//	slot: state (1), zeros (7), number of the first slot written together with this one (8), handle (16),
//	      sum of both and of this slot's number (4), sum of the rest (4),
//	      tag of the account (16), tag of the person (16), length (2) and bytes of what master has wrapped, zeros
//
// An erased slot is zeros from its second sum on. What master has wrapped is the secret, tenant, account and person, each
// with its length, and zeros.
const (
	slotLen    = 512
	bodyAt     = 36 // of a slot: its second sum
	tagsAt     = 40
	wrappedAt  = 74
	maxWrapped = slotLen - wrappedAt
	padTo      = 96 // bytes of names: most are shorter
	readSlots  = 2048

	stateLive    byte = 'L'
	stateErased  byte = 'E'
	stateDamaged byte = 'D' // in memory only

	magic = "opsecsub\x01"
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) } // made once, by the package

// place is where a slot begins.
func place(i uint32) int64 { return int64(slotLen) * (int64(i) + 1) }

// data is what wrapped keys are bound to: this format, the file, the handle and the subject.
func (f *File) data(h entry.Handle, w who) []byte {
	b := append([]byte("opsec subject 1\x00"), f.id[:]...)
	return append(append(append(b, h[:]...), w.account[:]...), w.person[:]...)
}

func appendSlot(b []byte, batch, at uint32, h entry.Handle, w who, wrapped []byte) []byte {
	n := len(b)
	b = append(b, make([]byte, slotLen)...)
	s := b[n:]
	s[0] = stateLive
	binary.LittleEndian.PutUint64(s[8:], uint64(batch))
	copy(s[16:], h[:])
	binary.LittleEndian.PutUint32(s[32:], headSum(s, at))
	copy(s[tagsAt:], w.account[:])
	copy(s[tagsAt+16:], w.person[:])
	binary.LittleEndian.PutUint16(s[wrappedAt-2:], uint16(len(wrapped)))
	copy(s[wrappedAt:], wrapped)
	binary.LittleEndian.PutUint32(s[bodyAt:], bodySum(s))
	return b
}

func headSum(s []byte, at uint32) uint32 {
	var number [8]byte
	binary.LittleEndian.PutUint64(number[:], uint64(at))
	return crc32.Update(crc32.Checksum(s[8:32], castagnoli()), castagnoli(), number[:])
}

func bodySum(s []byte) uint32 { return crc32.Checksum(s[tagsAt:], castagnoli()) }

// headed reports whether a slot's first part is what was written.
func headed(s []byte, at uint32) bool {
	return binary.LittleEndian.Uint32(s[32:]) == headSum(s, at) && (s[0] == stateLive || s[0] == stateErased) &&
		blank(s[1:8])
}

// whole reports the same of its second part, if it has one.
func whole(s []byte) bool {
	if s[0] == stateErased {
		return blank(s[bodyAt:])
	}
	n := int(binary.LittleEndian.Uint16(s[wrappedAt-2:]))
	return binary.LittleEndian.Uint32(s[bodyAt:]) == bodySum(s) && n <= maxWrapped && blank(s[wrappedAt+n:])
}

func blank(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }

// appendNames appends the subject's names, each with its length, cut to fit into so many bytes.
func appendNames(b []byte, s entry.Subject, room int) []byte {
	names := [3]string{string(s.Tenant), s.Account, s.Person}
	if 6+len(names[0])+len(names[1])+len(names[2]) > room {
		for i, name := range names {
			names[i] = cut(name, room/3-2)
		}
	}
	for _, name := range names {
		b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
	}
	return b
}

// cut shortens a name to at most most bytes, with "…" for what is missing.
func cut(name string, most int) string {
	if len(name) <= most {
		return name
	}
	most = max(0, most-len("…"))
	for most > 0 && !utf8.RuneStart(name[most]) {
		most--
	}
	return name[:most] + "…"
}

func readNames(b []byte) (s entry.Subject, err error) {
	var names [3]string
	for i := range names {
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)-w) {
			return s, ErrDamaged
		}
		names[i], b = string(b[w:w+int(n)]), b[w+int(n):]
	}
	return entry.Subject{Tenant: opsec.TenantID(names[0]), Account: names[1], Person: names[2]}, nil
}

// read returns what is in a slot.
func (f *File) read(i uint32) (h entry.Handle, secret []byte, s entry.Subject, err error) {
	if err := f.usable(i); err != nil {
		return h, nil, s, err
	}
	var b [slotLen]byte
	if _, err := f.disk.ReadAt(b[:], place(i)); err != nil {
		return h, nil, s, fmt.Errorf("subject: %w", err)
	}
	f.mu.RLock()
	known, err := f.slots[i], f.check(i)
	f.mu.RUnlock()
	if err != nil {
		return h, nil, s, err // erased while it was read
	}
	h = known.handle
	if !headed(b[:], i) || !whole(b[:]) {
		return h, nil, s, fmt.Errorf("subject: key of %s: %w", h, ErrDamaged)
	}
	n := binary.LittleEndian.Uint16(b[wrappedAt-2:])
	plain, err := f.master.Decrypt(b[wrappedAt:wrappedAt+int(n)], f.data(h, known.who))
	if err != nil {
		return h, nil, s, fmt.Errorf("subject: key of %s: master key: %w", h, err)
	}
	if len(plain) < secretLen {
		return h, nil, s, fmt.Errorf("subject: key of %s: %w", h, ErrDamaged)
	}
	if s, err = readNames(plain[secretLen:]); err != nil {
		return h, nil, s, fmt.Errorf("subject: key of %s: %w", h, err)
	}
	return h, plain[:secretLen], s, nil
}
