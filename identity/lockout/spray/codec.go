package spray

import (
	"encoding/binary"
	"net/netip"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/sketch"
)

// MaxStateBytes is the longest encoding of a state that is read.
const MaxStateBytes = 256 << 20

// The encoding of a state: a version, mark, window, span; the slots with attempts; for each level the rows. Numbers are unsigned varints.
// A sketch is the count of its registers that are not 0, and these, each with its number before it; or, from 128 on, all.
const (
	stateVersion = 1
	maxSpan      = 48 * 3600 * 1000
	maxTime      = 253402300800000 // ms: the year 10000
	maxCounted   = 1 << 48
	denseFrom    = registers / 2
)

// MarshalBinary implements [encoding.BinaryMarshaler]. Equal states have equal encodings. It has no name and no secret in it, but
// whoever can write it decides what is found: send it over a connection that is authenticated on both sides.
func (s *State) MarshalBinary() ([]byte, error) {
	b := append([]byte{stateVersion}, s.mark[:]...)
	b = numbers(b, uint64(s.window), uint64(s.span))
	used := 0
	for i := range s.slots {
		if s.slots[i].attempts > 0 {
			used++
		}
	}
	b = numbers(b, uint64(used))
	for i := range s.slots {
		if n := &s.slots[i]; n.attempts > 0 {
			told := uint64(0)
			if n.told {
				told = 1
			}
			b = numbers(b, uint64(n.number), uint64(n.attempts), uint64(n.failures), told)
		}
	}
	for l := range s.rows {
		b = numbers(b, uint64(len(s.rows[l])))
		for i := range s.rows[l] {
			b = s.rows[l][i].append(b)
		}
	}
	return b, nil
}

func numbers(b []byte, list ...uint64) []byte {
	for _, n := range list {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func (r *row) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, r.id)
	b = append(b, r.told)
	if r.source.IsValid() {
		a := r.source.Addr().As16()
		b = append(b, a[:]...)
	}
	b = numbers(b, uint64(len(r.tenant)))
	b = append(b, r.tenant...)
	b = numbers(b, r.attempts, r.failures, uint64(r.first), uint64(r.last))
	for i := range r.sets {
		b = appendSet(b, r.set(i))
	}
	return b
}

func appendSet(b []byte, set sketch.Distinct) []byte {
	used := 0
	for _, v := range set {
		if v > 0 {
			used++
		}
	}
	b = numbers(b, uint64(used))
	if used >= denseFrom {
		return append(b, set...)
	}
	for i, v := range set {
		if v > 0 {
			b = append(b, byte(i), v)
		}
	}
	return b
}

// UnmarshalBinary implements [encoding.BinaryUnmarshaler]. What MarshalBinary does not write wraps [opsec.ErrInvalid], and leaves s
// as it was.
func (s *State) UnmarshalBinary(b []byte) error {
	if len(b) > MaxStateBytes {
		return invalid("state of %d bytes, want at most %d", len(b), MaxStateBytes)
	}
	in := &reader{b: b}
	read := in.state()
	if in.bad || len(in.b) > 0 {
		return invalid("state of %d bytes: damaged, or of another version", len(b))
	}
	*s = *read
	return nil
}

// reader reads an encoding. After the first fault it is bad, and returns zeros.
type reader struct {
	b   []byte
	bad bool
}

func (in *reader) take(n int) []byte {
	if in.bad = in.bad || n > len(in.b); in.bad {
		return make([]byte, n) // n is small: of a constant, or of what was there
	}
	var got []byte
	got, in.b = in.b[:n], in.b[n:]
	return got
}

// number reads a varint in its shortest form.
func (in *reader) number(most uint64) uint64 {
	v, n := binary.Uvarint(in.b)
	if in.bad = in.bad || n <= 0 || v > most || n > 1 && in.b[n-1] == 0; in.bad {
		return 0
	}
	in.b = in.b[n:]
	return v
}

func (in *reader) state() *State {
	s := new(State)
	in.bad = in.take(1)[0] != stateVersion || in.bad
	copy(s.mark[:], in.take(8))
	s.window, s.span = int64(in.number(maxTime)), int64(in.number(maxSpan))
	in.bad = in.bad || s.span < slotsOfWindow
	last := -1
	for range in.number(slotsKept) {
		n := slot{number: int64(in.number(maxTime)), attempts: uint32(in.number(1<<32 - 1)), failures: uint32(in.number(1<<32 - 1)), told: in.number(1) == 1}
		i := int(uint64(n.number) % slotsKept)
		in.bad = in.bad || n.attempts == 0 || n.failures > n.attempts || i <= last
		s.slots[i], last = n, i
	}
	left := uint64(MaxRows)
	for l := range s.rows {
		n := in.number(left)
		left -= n
		for range n {
			r := in.row(level(l))
			rows := s.rows[l]
			if in.bad = in.bad || len(rows) > 0 && rows[len(rows)-1].id >= r.id; in.bad {
				return s
			}
			s.rows[l] = append(rows, r)
		}
	}
	return s
}

func (in *reader) row(l level) (r row) {
	r.id, r.weight = binary.BigEndian.Uint64(in.take(8)), 1
	r.told = in.take(1)[0]
	in.bad = in.bad || r.told >= toldInvented<<1
	if l != tags {
		ip := netip.AddrFrom16([16]byte(in.take(16)))
		if l == narrow4 || l == wide4 {
			in.bad = in.bad || !ip.Is4In6()
			ip = ip.Unmap()
		}
		var err error
		r.source, err = ip.Prefix(prefixBits[l])
		in.bad = in.bad || err != nil || r.source.Addr() != ip
	}
	r.tenant = opsec.TenantID(in.take(int(in.number(128))))
	r.attempts, r.failures = in.number(maxCounted), in.number(maxCounted)
	r.first, r.last = int64(in.number(maxTime)), int64(in.number(maxTime))
	in.bad = in.bad || r.tenant.Validate() != nil || r.attempts == 0 || r.failures > r.attempts || r.first > r.last
	for i := range r.sets {
		in.set(r.set(i))
	}
	return r
}

func (in *reader) set(set sketch.Distinct) {
	used := int(in.number(registers))
	if used >= denseFrom {
		copy(set, in.take(registers))
	} else {
		last := -1
		for range used {
			pair := in.take(2)
			in.bad = in.bad || int(pair[0]) <= last
			last = int(pair[0])
			set[last] = pair[1]
		}
	}
	for _, v := range set {
		if v > 0 {
			used--
		}
		in.bad = in.bad || v > sketch.MaxRank(registers)
	}
	in.bad = in.bad || used != 0
}
