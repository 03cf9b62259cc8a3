package subject

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
)

// open takes up what is on disk.
func open(d disk, master Sealer, lookup []byte, opts *Options) (*File, error) {
	f := &File{
		master: master, tags: newPRF(lookup), cache: 1 << 16, disk: d, turn: make(chan struct{}, 1),
		known: map[entry.Subject]*key{}, open: map[uint32]*key{}, pending: map[who]*creation{},
	}
	skip := false
	if opts != nil {
		skip = opts.SkipDamaged
		if opts.Cache > 0 {
			f.cache = opts.Cache
		}
	}
	size, err := d.Size()
	if err == nil {
		err = f.head(size)
	}
	if err != nil {
		return nil, err
	}
	return f, f.load(size, skip)
}

// head reads the head, or writes it where there is none: into an empty file, or one whose making was cut short.
func (f *File) head(size int64) error {
	var b [slotLen]byte
	if _, err := f.disk.ReadAt(b[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	ours := bytes.HasPrefix(b[:], []byte(magic))
	n := int(binary.LittleEndian.Uint16(b[48:]))
	intact := crc32.Checksum(b[:slotLen-4], castagnoli()) == binary.LittleEndian.Uint32(b[slotLen-4:]) && n <= slotLen-4-50
	switch begun := bytes.TrimRight(b[:len(magic)], "\x00"); {
	case size <= slotLen && !(ours && intact) && bytes.HasPrefix([]byte(magic), begun):
		return f.begin() // nothing has been put into it yet
	case !ours:
		return fmt.Errorf("not a file of subjects: %w", opsec.ErrInvalid)
	case !intact:
		return fmt.Errorf("head: %w", ErrDamaged)
	}
	f.id = [16]byte(b[16:32])
	if f.tags.sum('c', f.id[:]) != [16]byte(b[32:48]) {
		return fmt.Errorf("not the lookup key that the file was made with: %w", opsec.ErrInvalid)
	}
	plain, err := f.master.Decrypt(b[50:50+n], f.data(entry.Handle{}, who{}))
	if err != nil {
		return fmt.Errorf("not the master key that the file was made with: %w: %w", err, opsec.ErrInvalid)
	}
	f.spare = maxWrapped - (n - len(plain)) - secretLen
	return nil
}

func (f *File) begin() error {
	rand.Read(f.id[:])
	plain := make([]byte, 16)
	wrapped, err := f.master.Encrypt(plain, f.data(entry.Handle{}, who{}))
	if err != nil {
		return fmt.Errorf("master key: %w", err)
	}
	if f.spare = maxWrapped - (len(wrapped) - len(plain)) - secretLen; f.spare < 24 {
		return fmt.Errorf("master key adds %d bytes, want at most 350: %w", len(wrapped)-len(plain), opsec.ErrInvalid)
	}
	b := make([]byte, slotLen)
	copy(b, magic)
	copy(b[16:], f.id[:])
	check := f.tags.sum('c', f.id[:])
	copy(b[32:], check[:])
	binary.LittleEndian.PutUint16(b[48:], uint16(len(wrapped)))
	copy(b[50:], wrapped)
	binary.LittleEndian.PutUint32(b[slotLen-4:], crc32.Checksum(b[:slotLen-4], castagnoli()))
	if _, err := f.disk.WriteAt(b, 0); err != nil {
		return err
	}
	return f.disk.Sync()
}

// load takes up the slots, and makes good what a crash has left: slots that were being erased, and slots that were
// being written, which nobody has been given.
func (f *File) load(size int64, skip bool) error {
	n := uint32(max(0, (size-1)/slotLen)) // a last part counts
	f.slots = make([]slot, 0, n)
	f.handles, f.accounts, f.persons = make(map[entry.Handle]uint32, n), make(map[tag]uint32, n), make(map[tag]uint32, n)
	var bad, erasing []uint32
	newest := uint64(0) // the first slot of the last batch that is known
	buf := make([]byte, readSlots*slotLen)
	for at := uint32(0); at < n; at += readSlots {
		part := buf[:min(readSlots, int(n-at))*slotLen]
		clear(part)
		if _, err := f.disk.ReadAt(part, place(at)); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for i := at; len(part) > 0; i, part = i+1, part[slotLen:] {
			b := part[:slotLen]
			s := slot{state: stateDamaged}
			if headed(b, i) {
				s.handle = entry.Handle(b[16:32])
				if _, twice := f.handles[s.handle]; twice {
					return fmt.Errorf("slot %d: key of %s comes twice: %w", i, s.handle, ErrDamaged)
				}
				if s.state = b[0]; !whole(b) && s.state == stateErased {
					erasing = append(erasing, i)
				} else if !whole(b) {
					s.state = stateDamaged
				}
			}
			if s.state == stateDamaged {
				bad = append(bad, i)
			} else {
				newest = max(newest, binary.LittleEndian.Uint64(b[8:]))
			}
			if s.state == stateLive {
				s.who = who{tag(b[tagsAt : tagsAt+16]), tag(b[tagsAt+16 : tagsAt+32])}
			}
			f.add(s)
		}
	}
	return f.repair(size, bad, erasing, newest, skip)
}

// repair finishes erasures, and clears slots that were never given to anybody. A bad slot is one of those unless a
// later batch is there: it was begun only after the one before it was durable.
func (f *File) repair(size int64, bad, erasing []uint32, newest uint64, skip bool) error {
	var damaged, torn []uint32
	for _, i := range bad {
		if newest > uint64(i) {
			damaged = append(damaged, i)
		} else {
			torn = append(torn, i)
		}
	}
	if len(damaged) > 0 && !skip {
		return fmt.Errorf("%d keys, the first in slot %d: %w", len(damaged), damaged[0], ErrDamaged)
	}
	if len(torn)+len(erasing) == 0 && size == place(uint32(len(f.slots))) {
		return nil
	}
	for n := len(torn); n > 0 && int(torn[n-1]) == len(f.slots)-1; n-- {
		last := &f.slots[len(f.slots)-1]
		delete(f.handles, last.handle)
		f.slots, torn = f.slots[:len(f.slots)-1], torn[:n-1]
	}
	if err := f.disk.Truncate(place(uint32(len(f.slots)))); err != nil {
		return err
	}
	for _, i := range torn {
		s := &f.slots[i]
		delete(f.handles, s.handle)
		rand.Read(s.handle[:])
		s.state = stateErased
		b := appendSlot(nil, 0, i, s.handle, who{}, nil)
		b[0] = stateErased
		clear(b[bodyAt:])
		if _, err := f.disk.WriteAt(b, place(i)); err != nil {
			return err
		}
	}
	return f.overwrite(erasing)
}
