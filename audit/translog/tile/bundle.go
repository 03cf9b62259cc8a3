package tile

import (
	"encoding/binary"
	"fmt"

	"github.com/cloudopsec/opsec"
)

// MaxEntry is the greatest length of an entry, in bytes: its length is a uint16 (C2SP tlog-tiles, Log entries).
const MaxEntry = 1<<16 - 1

// maxBundle is the greatest length of a bundle, in bytes.
const maxBundle = Width * (2 + MaxEntry)

// AppendEntry appends an entry to a bundle: its length, big-endian, and its bytes. An entry longer than [MaxEntry] is an
// error that wraps [opsec.ErrInvalid], and the bundle stays as it was.
func AppendEntry(bundle, entry []byte) ([]byte, error) {
	if len(entry) > MaxEntry {
		return bundle, fmt.Errorf("tile: an entry of %d bytes, at most %d: %w", len(entry), MaxEntry, opsec.ErrInvalid)
	}
	return append(binary.BigEndian.AppendUint16(bundle, uint16(len(entry))), entry...), nil
}

// Entries takes a bundle apart. There must be exactly width entries, 1 to 256, and no rest; all else is an error that
// wraps [opsec.ErrInvalid]. The entries share the bundle's memory.
func Entries(bundle []byte, width int) ([][]byte, error) {
	if width < 1 || width > Width {
		return nil, fmt.Errorf("tile: a bundle of %d entries, 1 to %d are possible: %w", width, Width, opsec.ErrInvalid)
	}
	entries := make([][]byte, width)
	var ok bool
	for i := range entries {
		if entries[i], bundle, ok = cutEntry(bundle); !ok {
			return nil, fmt.Errorf("tile: a bundle ends in entry %d of %d: %w", i, width, opsec.ErrInvalid)
		}
	}
	if len(bundle) > 0 {
		return nil, fmt.Errorf("tile: %d bytes follow the %d entries of a bundle: %w", len(bundle), width, opsec.ErrInvalid)
	}
	return entries, nil
}

// cutEntry takes the first entry off a bundle.
func cutEntry(bundle []byte) (entry, rest []byte, ok bool) {
	if len(bundle) < 2 {
		return nil, nil, false
	}
	end := 2 + int(binary.BigEndian.Uint16(bundle))
	if len(bundle) < end {
		return nil, nil, false
	}
	return bundle[2:end:end], bundle[end:], true
}
