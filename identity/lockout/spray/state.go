package spray

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// MaxRows is how many rows a state has at the most: what 50 nodes with the default policy follow, at 1.4 KB each.
const MaxRows = 1 << 18

// State is what one detector, or several, have counted in one window, to be merged with that of others.
type State struct {
	mark   [8]byte
	window int64
	span   int64
	rows   [levels][]row // by id
	slots  slots
}

// Window returns when the window of the state began.
func (s *State) Window() time.Time { return moment(s.window) }

// State returns a copy of what is counted in this window.
func (d *Detector) State() *State {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &State{mark: d.mark, window: d.window, span: d.span, slots: d.slots}
	for l, t := range d.tables {
		for i := range t.rows {
			if t.rows[i].weight > 0 {
				s.rows[l] = append(s.rows[l], t.rows[i])
				s.rows[l][len(s.rows[l])-1].weight = 1 // a matter of the node
			}
		}
		slices.SortFunc(s.rows[l], byID)
	}
	return s
}

func byID(a, b row) int { return cmp.Compare(a.id, b.id) }

// Merge returns the state of two detectors, or of two sets of them. It is associative and commutative, and leaves both as they are.
// They must be of one window and one key; otherwise, and with more than [MaxRows] rows, the error wraps [opsec.ErrInvalid].
// No detector may be in both: its attempts would count twice.
func Merge(a, b *State) (*State, error) {
	if a.mark != b.mark || a.window != b.window || a.span != b.span {
		return nil, invalid("states of different windows or keys: %v and %v", a.Window().Format(time.RFC3339), b.Window().Format(time.RFC3339))
	}
	m := &State{mark: a.mark, window: a.window, span: a.span, slots: a.slots}
	m.slots.merge(&b.slots)
	n := 0
	for l := range m.rows {
		m.rows[l] = mergeRows(a.rows[l], b.rows[l])
		n += len(m.rows[l])
	}
	if n > MaxRows {
		return nil, invalid("states of %d rows together, want at most %d", n, MaxRows)
	}
	return m, nil
}

func mergeRows(a, b []row) []row {
	var all []row
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].id < b[0].id:
			all, a = append(all, a[0]), a[1:]
		case len(a) == 0 || b[0].id < a[0].id:
			all, b = append(all, b[0]), b[1:]
		default:
			all = append(all, a[0])
			all[len(all)-1].merge(&b[0])
			a, b = a[1:], b[1:]
		}
	}
	return all
}

// Judge returns what is to be found in a state, also what a detector has told already; that is marked as [Verdict].Told.
func (p Policy) Judge(s *State) []Verdict {
	p = p.withDefaults()
	var found []Verdict
	for l := range s.rows {
		for i := range s.rows[l] {
			r := &s.rows[l][i]
			p.judge(level(l), r, func(k Kind, told uint8) {
				v := r.verdict(level(l), k, s.window, s.span)
				v.Told = r.told&told != 0
				found = append(found, v)
			})
		}
	}
	n := s.slots.newest()
	if attempts, failures := s.slots.usual(n.number); n.number >= s.window/(s.span/slotsOfWindow) && p.surge(n, attempts, failures) {
		v := n.verdict(s.window, s.span)
		v.Told = n.told
		found = append(found, v)
	}
	return found
}

// Once lets each verdict pass once in its window. It keeps the windows that it has seen last; the zero Once is ready. It is for one
// goroutine.
type Once struct {
	told map[string]time.Time // until when
	last time.Time
}

// New returns those that nobody has told.
func (o *Once) New(found []Verdict) []Verdict {
	if o.told == nil {
		o.told = map[string]time.Time{}
	}
	var fresh []Verdict
	for _, v := range found {
		if v.From.After(o.last) {
			o.last = v.From
			maps.DeleteFunc(o.told, func(_ string, to time.Time) bool { return to.Before(o.last) })
		}
		if _, ok := o.told[v.id()]; !ok {
			o.told[v.id()] = v.To
			if !v.Told {
				fresh = append(fresh, v)
			}
		}
	}
	return fresh
}
