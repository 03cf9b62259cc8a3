package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Prepare makes what is absent of the next segment and the reserve, filled with zeros that are on stable storage: a
// write into them needs no more of the file system, and half the time. Call it when a segment was begun and every now
// and then, beside the Commits; a Commit that finds no next segment makes it first, and takes as long.
//
// It returns [ErrFull] unless ReserveBytes of the disk stay free: those are for whoever has called Release. It may have
// made the next segment then, and no reserve: see Low.
func (j *Journal) Prepare() error {
	j.house.Lock()
	defer j.house.Unlock()
	if err := j.prepareNext(); err != nil {
		return err
	}
	if j.reserve {
		return nil
	}
	f, err := j.fill(reserveName, j.options.ReserveBytes)
	if err != nil {
		return err
	}
	j.reserve = true
	return f.Close()
}

// Low reports that there was no room for the next segment when that was last tried. What fits the current one can
// still be committed.
func (j *Journal) Low() bool { return j.low.Load() }

// Left is how many bytes of the current segment are free, and whether the next one stands ready. It is for whoever
// commits, and may tell others what is no longer true.
func (j *Journal) Left() (bytes int64, next bool) {
	if j.current != nil {
		bytes = j.opened.Size() - j.end()
	}
	return bytes, j.ready.Load()
}

// Release gives the reserve back to the file system, so that others can write what must be written on a full disk.
// Prepare makes another one once there is room for two.
func (j *Journal) Release() error {
	j.house.Lock()
	defer j.house.Unlock()
	j.reserve = false
	if err := j.root.Remove(reserveName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// prepareNext makes the next segment, unless it stands. The caller holds house.
func (j *Journal) prepareNext() error {
	if j.next != nil {
		return nil
	}
	f, err := j.fill(nextName, j.options.SegmentBytes)
	if err == nil {
		j.next = f
		j.ready.Store(true)
	}
	j.low.Store(errors.Is(err, ErrFull))
	return err
}

// fill returns a file of zeros, which stands already or is made. When it cannot be, nothing is left of it.
func (j *Journal) fill(name string, length int64) (*os.File, error) {
	f, err := j.filled(name, length)
	if f != nil {
		return f, nil
	}
	if free, known := freeBytes(j.root); err == nil && known && free < length+j.options.ReserveBytes {
		return nil, fmt.Errorf("%w: %s needs %d bytes, %d are free, %d of them stay so", ErrFull, name, length, free, j.options.ReserveBytes)
	}
	if err == nil {
		f, err = j.create(name, length)
	}
	switch {
	case isFull(err):
		return nil, fmt.Errorf("%w: %w", ErrFull, err)
	case err != nil:
		return nil, fmt.Errorf("journal: %w", err)
	}
	return f, nil
}

// create makes a file of zeros durable, or nothing.
func (j *Journal) create(name string, length int64) (*os.File, error) {
	f, err := j.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err = j.zeros(f, 0, length); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = j.syncNames()
	}
	if err != nil {
		f.Close()
		return nil, errors.Join(err, j.root.Remove(name))
	}
	return f, nil
}

// filled returns the file if it has its length and nothing but zeros. Otherwise it goes: a crash has left it.
func (j *Journal) filled(name string, length int64) (*os.File, error) {
	info, err := j.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() && info.Size() == length {
		f, err := j.root.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		if end, err := newScanner(f, 0, 0).afterZeros(); err == nil && end == 0 && f.Sync() == nil {
			return f, nil
		}
		f.Close()
	}
	return nil, j.root.Remove(name)
}

// zeros overwrites a part of a file.
func (j *Journal) zeros(f *os.File, from, to int64) error {
	block := make([]byte, min(to-from, 1<<20))
	for from < to {
		n := min(to-from, int64(len(block)))
		if err := j.pwrite(f, block[:n], from); err != nil {
			return err
		}
		from += n
	}
	return nil
}
