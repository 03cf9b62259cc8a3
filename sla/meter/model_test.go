package meter_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/timeline"
)

var _ meter.Reader = (*meter.Meter)(nil)

type (
	Evidence = meter.Evidence
	Span     = timeline.Span
)

// model is a meter as its documents say it is, in the plainest way: sets of evidence, gone through again for each question.
type model struct {
	kept, late map[Evidence]bool
	seals      []meter.Seal
}

func newModel() *model { return &model{kept: map[Evidence]bool{}, late: map[Evidence]bool{}} }

func (m *model) clone() *model {
	return &model{maps.Clone(m.kept), maps.Clone(m.late), slices.Clone(m.seals)}
}

func (m *model) sealed() int64 {
	end := int64(-1 << 63)
	for _, s := range m.seals {
		end = max(end, s.Period.End)
	}
	return end
}

func (m *model) add(e Evidence) {
	switch {
	case m.kept[e]:
	case e.Span.Start < m.sealed():
		m.late[e] = true
	default:
		m.kept[e] = true
	}
}

// byNumber orders evidence by resource, source and number; and of one number, that first which counts.
func byNumber(a, b Evidence) int {
	kind := func(e Evidence) int {
		if e.Total > 0 {
			return 9
		}
		return int(e.State)
	}
	end := func(e Evidence) int64 {
		if e.Span.End == meter.Open {
			return -1 << 63
		}
		return e.Span.End
	}
	return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Seq, b.Seq),
		cmp.Compare(a.Span.Start, b.Span.Start), cmp.Compare(kind(b), kind(a)), cmp.Compare(b.Total-b.Good, a.Total-a.Good),
		cmp.Compare(b.Total, a.Total), cmp.Compare(end(b), end(a)))
}

func sorted(set map[Evidence]bool) []Evidence { return slices.SortedFunc(maps.Keys(set), byNumber) }

func sameNumber(a, b Evidence) bool {
	return a.Resource == b.Resource && a.Source == b.Source && a.Seq == b.Seq
}

// of returns what counts in a period, and until when.
func (m *model) of(p Span) (list []Evidence, ends []int64) {
	all := sorted(m.kept)
	for i, e := range all {
		if i > 0 && sameNumber(all[i-1], e) {
			continue
		}
		end := e.Span.End
		if end == meter.Open {
			for _, o := range all {
				if o.Resource == e.Resource && o.Source == e.Source && o.Total == 0 && o.Span.Start > e.Span.Start {
					end = min(end, o.Span.Start)
				}
			}
		}
		in := e.Span.Start < p.End && p.Start < end
		if e.Total > 0 {
			in = e.Span.Start >= p.Start && e.Span.Start < p.End
		}
		if in && p.Start < p.End {
			list, ends = append(list, e), append(ends, end)
		}
	}
	return list, ends
}

func (m *model) conflicts() (list []Evidence) {
	all := sorted(m.kept)
	for i, e := range all {
		first := slices.IndexFunc(all, func(o Evidence) bool { return sameNumber(o, e) })
		closed := all[first]
		closed.Span.End = meter.Open
		if i > first && closed != e {
			list = append(list, e)
		}
	}
	return list
}

// inputs returns what a Reader hands out.
func (m *model) inputs(p Span) map[string]metric.Input {
	out := map[string]metric.Input{}
	list, ends := m.of(p)
	for i, e := range list {
		in := out[e.Resource]
		cut := timeline.Line{{Start: max(e.Span.Start, p.Start), End: min(ends[i], p.End)}}
		switch {
		case e.Total > 0:
			in.Counts = append(in.Counts, metric.Count{Start: e.Span.Start, Good: e.Good, Total: e.Total})
		case e.State == meter.Up:
			in.States.Up = in.States.Up.Or(cut)
		case e.State == meter.Degraded:
			in.States.Degraded = in.States.Degraded.Or(cut)
		case e.State == meter.Down:
			in.States.Down = in.States.Down.Or(cut)
		}
		slices.SortFunc(in.Counts, func(a, b metric.Count) int {
			return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Total, b.Total), cmp.Compare(a.Good, b.Good))
		})
		out[e.Resource] = in
	}
	return out
}

// digest is made by the text of Meter.Digest.
func (m *model) digest(p Span) string {
	b := []byte("opsec sla evidence 1\n")
	b = binary.AppendVarint(b, p.Start)
	b = binary.AppendVarint(b, p.End)
	name := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	pieces := map[string]map[string][]Evidence{}
	list, _ := m.of(p)
	for _, e := range list {
		if pieces[e.Resource] == nil {
			pieces[e.Resource] = map[string][]Evidence{}
		}
		pieces[e.Resource][e.Source] = append(pieces[e.Resource][e.Source], e)
	}
	for _, resource := range slices.Sorted(maps.Keys(pieces)) {
		name(resource)
		b = binary.AppendUvarint(b, uint64(len(pieces[resource])))
		for _, source := range slices.Sorted(maps.Keys(pieces[resource])) {
			name(source)
			b = binary.AppendUvarint(b, uint64(len(pieces[resource][source])))
			var seq uint64
			var before int64
			for _, e := range pieces[resource][source] {
				kind, length := byte(e.State), uint64(e.Span.End-e.Span.Start)
				if e.Total > 0 {
					kind = 4
				}
				if e.Span.End == meter.Open {
					length = 0
				}
				b = binary.AppendUvarint(append(b, kind), e.Seq-seq)
				b = binary.AppendVarint(b, e.Span.Start-before)
				b = binary.AppendUvarint(b, length)
				if e.Total > 0 {
					b = binary.AppendUvarint(b, e.Good)
					b = binary.AppendUvarint(b, e.Total-e.Good)
				}
				if seq, before = e.Seq, e.Span.End; before == meter.Open {
					before = e.Span.Start
				}
			}
		}
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(b))
}

func (m *model) last(p Span) string {
	digest := ""
	for _, s := range m.seals {
		if s.Period == p {
			digest = s.Digest
		}
	}
	return digest
}

func (m *model) seal(p Span) {
	if m.last(p) == "" {
		m.seals = append(m.seals, meter.Seal{Period: p, Digest: m.digest(p)})
	}
}

var errNothing = errors.New("nothing changes")

func (m *model) restate(p Span, why string) error {
	next := m.clone()
	for e := range m.late {
		if e.Total > 0 && e.Span.Start >= p.Start && e.Span.Start < p.End || e.Total == 0 && e.Span.Start < p.End && p.Start < e.Span.End {
			delete(next.late, e)
			next.kept[e] = true
		}
	}
	if m.last(p) == "" || next.digest(p) == m.last(p) {
		return errNothing
	}
	done := map[Span]bool{}
	for _, s := range m.seals {
		if d := next.digest(s.Period); !done[s.Period] && d != m.last(s.Period) {
			next.seals = append(next.seals, meter.Seal{Period: s.Period, Digest: d, Cites: m.last(s.Period), Why: why})
		}
		done[s.Period] = true
	}
	*m = *next
	return nil
}

// merge is the union of all evidence; what is sealed counts as it does where most is sealed.
func (m *model) merge(o *model) error {
	n := min(len(m.seals), len(o.seals))
	if !slices.Equal(m.seals[:n], o.seals[:n]) {
		return meter.ErrSealed
	}
	out := newModel()
	out.seals = slices.Clone(m.seals)
	if len(o.seals) > n {
		out.seals = slices.Clone(o.seals)
	}
	for _, one := range []*model{m, o} {
		for e := range one.kept {
			if e.Span.Start >= out.sealed() || len(one.seals) == len(out.seals) {
				out.kept[e] = true
			} else {
				out.late[e] = true
			}
		}
		maps.Copy(out.late, one.late)
	}
	maps.DeleteFunc(out.late, func(e Evidence, _ bool) bool { return out.kept[e] })
	*m = *out
	return nil
}
