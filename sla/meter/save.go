package meter

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// full is the bytes with which a buffer is written out.
const full = 1 << 16

// saved is how a saved meter begins.
const saved = "opsec sla meter 1\n"

// Save writes all that the meter has. Meters that have the same write the same. It writes
//
//	"opsec sla meter 1\n", the seals as JSON after its length
//	how many resources have evidence that counts, and each as in [Meter.Digest]
//	how many resources have evidence that was kept aside, and each likewise
//	the SHA-256 of all this
//
// Pieces of one number come in the order in which they would count: the earliest first; of those requests, then the worst
// state; then that with more bad requests, with more requests, with the later end, but open last.
func (m *Meter) Save(w io.Writer) error {
	kept, late := m.both()
	h := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, h), full)
	seals, err := json.Marshal(append([]Seal{}, kept.seals...))
	if err != nil {
		return fmt.Errorf("meter: save: %w", err)
	}
	buf := appendName([]byte(saved), string(seals))
	for _, v := range []view{kept, late} {
		n := uint64(0)
		for range v.all() {
			n++
		}
		buf = binary.AppendUvarint(buf, n)
		for resource, list := range v.all() {
			buf = v.append(buf, resource, list)
			if _, err := out.Write(buf); err != nil {
				return fmt.Errorf("meter: save: %w", err)
			}
			buf = buf[:0]
		}
	}
	_, err = out.Write(buf)
	if err = errors.Join(err, out.Flush()); err == nil {
		_, err = w.Write(h.Sum(nil))
	}
	if err != nil {
		return fmt.Errorf("meter: save: %w", err)
	}
	return nil
}

// Load reads a meter that was saved. What comes after it is not looked at, though some of it may have been read. What is not
// exactly what [Meter.Save] writes is an error that wraps [opsec.ErrInvalid], also when the seals are not those of the evidence;
// errors of the reader are wrapped. It takes memory by what it has read, some twenty times as much, and time by the sealed
// periods that each piece is in, which may be all: who reads from strangers bounds the reader. That nobody wrote another meter
// in the place of this one the digest cannot tell.
func Load(r io.Reader) (*Meter, error) {
	m := New()
	in := &reader{r: bufio.NewReaderSize(r, full), h: sha256.New()}
	if got := in.bytes(len(saved)); in.err == nil && string(got) != saved {
		in.fail("begin", "%.20q", got)
	}
	seals := in.seals()
	in.set(m, &m.kept)
	m.seals = seals
	for _, s := range seals {
		m.sealTo(s.Period.End)
	}
	in.set(m, &m.late)
	in.end()
	if in.err != nil {
		return nil, in.err
	}
	if err := m.verify(); err != nil {
		return nil, err
	}
	return m, nil
}

// verify returns an error unless the last seal of each period is that of the evidence, and what is kept aside has to be.
func (m *Meter) verify() error {
	last := map[timeline.Span]string{}
	for _, s := range m.seals {
		old, again := last[s.Period]
		first := !again && s.Cites == "" && s.Why == ""
		next := again && s.Cites == old && s.Digest != old && !badReason(s.Why)
		if !first && !next {
			return invalid("seals", "that of the period from %d to %d does not cite the one before it, and say why", s.Period.Start, s.Period.End)
		}
		last[s.Period] = s.Digest
	}
	v := m.view(&m.kept)
	digests := v.digests(slices.Collect(maps.Keys(last)))
	for _, s := range m.seals {
		if digests[s.Period] != last[s.Period] {
			return invalid("seals", "the digest of the period from %d to %d is another", s.Period.Start, s.Period.End)
		}
	}
	m.late.settle(len(m.resources.list))
	for i := range m.late.main {
		r := &m.late.main[i]
		if !m.isSealed(r.start) || m.kept.has(r, m.late.tally(r)) {
			return invalid("late", "evidence is kept aside that counts")
		}
	}
	return nil
}

// reader reads the form of a meter. After an error it returns nothing.
type reader struct {
	r    *bufio.Reader
	h    hash.Hash
	read []byte // not hashed yet
	err  error
}

func (in *reader) fail(field, form string, args ...any) {
	if in.err == nil {
		in.err = fmt.Errorf("meter: load: %w", invalid(field, form, args...))
	}
}

// broken notes an error of the reader underneath: that there is no more is one of the form.
func (in *reader) broken(err error) {
	switch {
	case in.err != nil:
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		in.fail("length", "it is cut short")
	default:
		in.err = fmt.Errorf("meter: load: %w", err)
	}
}

func (in *reader) took(b ...byte) {
	if in.read = append(in.read, b...); len(in.read) >= full {
		in.h.Write(in.read)
		in.read = in.read[:0]
	}
}

func (in *reader) byte() byte {
	if in.err != nil {
		return 0
	}
	b, err := in.r.ReadByte()
	if err != nil {
		in.broken(err)
		return 0
	}
	in.took(b)
	return b
}

// bytes reads so many; it takes no memory for what does not come.
func (in *reader) bytes(n int) []byte {
	if in.err != nil {
		return nil
	}
	var b bytes.Buffer
	if _, err := io.CopyN(&b, in.r, int64(n)); err != nil {
		in.broken(err)
		return nil
	}
	in.took(b.Bytes()...)
	return b.Bytes()
}

// number reads an unsigned integer in its shortest form.
func (in *reader) number() (x uint64) {
	for shift := 0; ; shift += 7 {
		b := in.byte()
		if shift == 63 && b > 1 || shift > 0 && b == 0 && in.err == nil {
			in.fail("number", "it is too long")
		}
		if in.err != nil {
			return 0
		}
		x |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return x
		}
	}
}

// difference reads a signed integer.
func (in *reader) difference() int64 {
	x := in.number()
	return int64(x>>1) ^ -int64(x&1)
}

func (in *reader) name() string {
	n := in.number()
	if n > MaxName {
		in.fail("name", "%d bytes", n)
		return ""
	}
	return string(in.bytes(int(n)))
}

// maxSeals is how many bytes the seals of a saved meter may have.
const maxSeals = 64 << 20

func (in *reader) seals() (seals []Seal) {
	n := in.number()
	if n > maxSeals {
		in.fail("seals", "%d bytes", n)
	}
	text := in.bytes(int(min(n, maxSeals)))
	if in.err != nil {
		return nil
	}
	if err := strictjson.Decode(text, &seals); err != nil {
		in.fail("seals", "%v", err)
		return nil
	}
	if again, err := json.Marshal(append([]Seal{}, seals...)); err != nil || !bytes.Equal(again, text) {
		in.fail("seals", "they are not written as they were")
	}
	for _, s := range seals {
		sum, err := hex.DecodeString(strings.TrimPrefix(s.Digest, "sha256:"))
		if err != nil || len(sum) != sha256.Size || s.Digest != digestText(sum) || badPeriod(s.Period) {
			in.fail("seals", "that of the period from %d to %d", s.Period.Start, s.Period.End)
		}
	}
	return seals
}

// set reads resources into a set, each of which comes after the one before.
func (in *reader) set(m *Meter, s *set) {
	before := ""
	for n := in.number(); n > 0 && in.err == nil; n-- {
		name := in.name()
		if name <= before {
			in.fail("resource", "%.40q does not come after the one before", name)
		}
		before = name
		source, sources := "", in.number()
		if sources == 0 {
			in.fail("sources", "there is none")
		}
		for ; sources > 0 && in.err == nil; sources-- {
			next := in.name()
			if next <= source {
				in.fail("source", "%.40q does not come after the one before", next)
			}
			source = next
			in.pieces(m, s, Evidence{Source: source, Resource: name})
		}
	}
}

// pieces reads those of a source about a resource.
func (in *reader) pieces(m *Meter, s *set, e Evidence) {
	n := in.number()
	if n == 0 {
		in.fail("pieces", "there is none")
	}
	var last record
	var lastTally tally
	var before int64
	for first := true; n > 0 && in.err == nil; n, first = n-1, false {
		kind := uint32(in.byte())
		step := in.number()
		if step > ^uint64(0)-e.Seq || kind > requests {
			in.fail("kind, number", "of a piece of %.40q", e.Resource)
		}
		e.Seq += step
		e.Span.Start = before + in.difference()
		length := in.number()
		e.State, e.Good, e.Total = State(kind), 0, 0
		if e.Span.End = e.Span.Start + int64(length); length == 0 {
			e.Span.End = Open
		} else if length > uint64(latest-earliest) {
			in.fail("length", "of a piece of %.40q", e.Resource)
		}
		if kind == requests {
			good, bad := in.number(), in.number()
			if e.State, e.Good, e.Total = Unknown, good, good+bad; e.Total < good || e.Total == 0 {
				in.fail("requests", "of a piece of %.40q", e.Resource)
			}
		}
		if in.err != nil {
			return
		}
		if err := e.check(); err != nil {
			in.err = fmt.Errorf("meter: load: %w", err)
			return
		}
		source, resource, err := m.number(&e)
		if err != nil {
			in.err = fmt.Errorf("meter: load: %w", err)
			return
		}
		r := record{e.Span.Start, e.Span.End, e.Seq, who(resource, source, kind)}
		t := tally{e.Span.End, e.Good, e.Total}
		if !first && last.seq == r.seq && content(&last, &r, lastTally, t) >= 0 {
			in.fail("pieces", "they are not in order")
			return
		}
		last, lastTally, before = r, t, e.Span.End
		if e.Span.End == Open {
			before = e.Span.Start
		}
		m.mark(r, t)
		s.add(r, t)
	}
}

// end reads the digest.
func (in *reader) end() {
	in.h.Write(in.read)
	sum := in.h.Sum(nil)
	if got := in.bytes(len(sum)); in.err == nil && !bytes.Equal(got, sum) {
		in.fail("digest", "it is another")
	}
}
