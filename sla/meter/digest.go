package meter

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/cloudopsec/opsec/sla/timeline"
)

// Digest returns the digest of the evidence of a period that counts: "sha256:" and 64 hexadecimal digits. It does not depend
// on the order in which the evidence came. It is the SHA-256 of
//
//	"opsec sla evidence 1\n", the start and the end of the period, and of each resource
//	  its name, and the number of its sources, and of each source
//	    its name, and the number of its pieces, and of each piece
//	      its kind: 0 unknown, 1 up, 2 degraded, 3 down, 4 requests
//	      its number, less that of the piece before
//	      its start, less the end of the piece before, or the start if that is open
//	      its length, or 0 if it is open
//	      of requests, how many were good, and how many were not
//
// in order of resource, source (bytes) and number, where there is none before the first of a source, which is as if it ended
// at 0; with names as their length and bytes, moments and differences of moments as signed, all else as unsigned variable
// length integers of package binary.
func (m *Meter) Digest(period timeline.Span) string {
	v := m.now()
	return v.digest(period)
}

func (v *view) digest(period timeline.Span) string {
	h := sha256.New()
	buf := append(make([]byte, 0, 2*full), "opsec sla evidence 1\n"...)
	buf = binary.AppendVarint(binary.AppendVarint(buf, period.Start), period.End)
	var counting []record
	for resource, list := range v.all() {
		counting = counting[:0]
		for r := range v.within(list, period) {
			counting = append(counting, *r)
		}
		if len(counting) > 0 {
			buf = v.append(buf, resource, counting)
		}
		if len(buf) >= full {
			h.Write(buf)
			buf = buf[:0]
		}
	}
	h.Write(buf)
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// full is the bytes with which a buffer is written out.
const full = 1 << 16

// append appends the form of a resource and its records, which are in order of the sources' names.
func (v *view) append(buf []byte, resource uint32, list []record) []byte {
	buf = appendName(buf, v.resources[resource])
	sources := 0
	for i := range list {
		if i == 0 || list[i-1].source() != list[i].source() {
			sources++
		}
	}
	buf = binary.AppendUvarint(buf, uint64(sources))
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].source() == list[0].source() {
			n++
		}
		buf = appendName(buf, v.sources[list[0].source()])
		buf = binary.AppendUvarint(buf, uint64(n))
		var seq uint64
		var before int64
		for i := range list[:n] {
			r := &list[i]
			t := v.tally(r)
			buf = append(buf, byte(r.kind()))
			buf = binary.AppendUvarint(buf, r.seq-seq)
			buf = binary.AppendVarint(buf, r.start-before)
			seq, before = r.seq, t.end
			if t.end == Open {
				before, t.end = r.start, r.start
			}
			buf = binary.AppendUvarint(buf, uint64(t.end-r.start))
			if r.kind() == requests {
				buf = binary.AppendUvarint(binary.AppendUvarint(buf, t.good), t.total-t.good)
			}
		}
		list = list[n:]
	}
	return buf
}

func appendName(buf []byte, name string) []byte {
	return append(binary.AppendUvarint(buf, uint64(len(name))), name...)
}
