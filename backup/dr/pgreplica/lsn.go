package pgreplica

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cloudopsec/opsec"
)

// LSN is a place in the write-ahead log: bytes since its beginning.
type LSN uint64

// ParseLSN reads what PostgreSQL writes, such as "16/B374D848". An error wraps [opsec.ErrInvalid].
func ParseLSN(s string) (LSN, error) {
	high, low, ok := strings.Cut(s, "/")
	h, errH := strconv.ParseUint(high, 16, 32)
	l, errL := strconv.ParseUint(low, 16, 32)
	if !ok || errH != nil || errL != nil || strings.ContainsAny(s, "+_") {
		return 0, fmt.Errorf("pgreplica: a place in the log of %d bytes: want two hexadecimal numbers and a slash: %w", len(s), opsec.ErrInvalid)
	}
	return LSN(h<<32 | l), nil
}

// String is as PostgreSQL writes it.
func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l)) }
