package timetable

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Check looks at a timetable as one that somebody else has made: that it has each job once, placed or not; that nothing it does is more than the
// problem allows; that its peak and its end are what it says; and that PeakBound follows from Why, where there is one with all of its jobs and
// slots listed. It does not look at Loads, nor at FinishBound. It shares no code with [Arrange]. Errors are joined.
func (t *Timetable) Check(p *Problem) error {
	if err := p.Validate(); err != nil {
		return err
	}
	var bad []error
	wrong := func(format string, args ...any) { bad = append(bad, fmt.Errorf("timetable: "+format, args...)) }
	length := time.Duration(p.Slot)
	seconds := int64(length / time.Second)
	jobs := map[string]*Job{}
	for i := range p.Jobs {
		jobs[p.Jobs[i].ID] = &p.Jobs[i]
	}
	type group struct {
		kind Kind
		id   string
	}
	type at struct {
		link string
		of   group
		slot int
	}
	caps := map[group][]Cap{}
	for _, c := range p.Caps {
		caps[group{c.Kind, c.ID}] = append(caps[group{c.Kind, c.ID}], c)
	}
	sent, running := map[at]int64{}, map[at]int{}
	end := p.Start
	seen := map[string]bool{}
	for _, u := range t.Unplaced {
		if jobs[u.Job] == nil || seen[u.Job] || u.Why == "" {
			wrong("%q: not a job, twice, or without a reason", u.Job)
		}
		seen[u.Job] = true
	}
	for _, r := range t.Runs {
		j := jobs[r.Job]
		if j == nil || seen[r.Job] || len(r.Shares) == 0 {
			wrong("%q: not a job, twice, or without shares", r.Job)
			continue
		}
		seen[r.Job] = true
		total := int64(0)
		for k, s := range r.Shares {
			from := p.Start.Add(time.Duration(s.Slot) * length)
			until := from.Add(length)
			switch {
			case s.Slot < 0 || s.Slot >= p.Slots || k > 0 && s.Slot <= r.Shares[k-1].Slot:
				wrong("%q: slot %d: not a slot, or not after the one before", r.Job, s.Slot)
				continue
			case s.Bytes < 1 || s.Bytes > j.Rate*seconds:
				wrong("%q: slot %d: %d bytes, at a rate of %d", r.Job, s.Slot, s.Bytes, j.Rate)
			case !j.Divisible && k > 0 && s.Slot != r.Shares[k-1].Slot+1:
				wrong("%q: slot %d: it cannot be divided", r.Job, s.Slot)
			case !j.Divisible && k < len(r.Shares)-1 && s.Bytes != j.Rate*seconds:
				wrong("%q: slot %d: it does not run at its rate", r.Job, s.Slot)
			case len(j.Windows) > 0 && !slices.ContainsFunc(j.Windows, func(w Window) bool { return !from.Before(w.From) && !until.After(w.Until) }):
				wrong("%q: slot %d: outside of its windows", r.Job, s.Slot)
			}
			total += s.Bytes
			for _, l := range j.Links {
				sent[at{link: l, slot: s.Slot}] += s.Bytes
			}
			for _, of := range []group{{Tenant, j.Tenant}, {Host, j.Host}, {Array, j.Array}} {
				if of.id != "" {
					sent[at{of: of, slot: s.Slot}] += s.Bytes
					running[at{of: of, slot: s.Slot}]++
				}
			}
			if until.After(end) {
				end = until
			}
		}
		first, last := r.Shares[0].Slot, r.Shares[len(r.Shares)-1].Slot
		if total != j.Bytes || !r.From.Equal(p.Start.Add(time.Duration(first)*length)) || !r.Until.Equal(p.Start.Add(time.Duration(last+1)*length)) {
			wrong("%q: %d bytes of %d, or not when its slots are", r.Job, total, j.Bytes)
		}
	}
	if len(seen) != len(p.Jobs) {
		wrong("%d jobs of %d", len(seen), len(p.Jobs))
	}
	for key, n := range running {
		for _, c := range slices.Concat(caps[key.of], caps[group{key.of.kind, ""}]) {
			if c.Jobs > 0 && n > c.Jobs || c.Rate > 0 && sent[key] > c.Rate*seconds {
				wrong("%s %q: slot %d: %d jobs and %d bytes, more than its cap", key.of.kind, key.of.id, key.slot, n, sent[key])
				break
			}
		}
	}
	peak := Ratio{0, 1}
	for _, l := range p.Links {
		for s := range p.Slots {
			n := sent[at{link: l.ID, slot: s}]
			if len(l.Traffic) > 0 {
				n += l.Traffic[s%len(l.Traffic)] * seconds
			}
			if n > l.Rate*seconds {
				wrong("link %q: slot %d: %d bytes, and it carries %d", l.ID, s, n, l.Rate*seconds)
			}
			if r := (Ratio{n, l.Rate * seconds}); r.Compare(peak) > 0 {
				peak = r
			}
		}
	}
	if peak.Compare(t.Peak) != 0 || !t.Finish.Equal(end) {
		wrong("it says that its peak is %v and its end %v; they are %v and %v", t.Peak, t.Finish, peak, end)
	}
	if why := t.Why; why != nil && why.JobsAll == len(why.Jobs) && why.SlotsAll == len(why.Slots) {
		if need, room, ok := why.need(p); !ok || (Ratio{need, room}).Compare(t.PeakBound) != 0 {
			wrong("the reason for its bound of %v shows %d bytes in a room of %d", t.PeakBound, need, room)
		}
	}
	slices.SortStableFunc(bad, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(bad...)
}

// need returns how many bytes must go through the link of a certificate in its slots, others' with them, and what it carries there: by the
// problem, and not by what the certificate says. It is false when the certificate is not of the problem.
func (c *Certificate) need(p *Problem) (bytes, room int64, ok bool) {
	length := time.Duration(p.Slot)
	seconds := int64(length / time.Second)
	at := slices.IndexFunc(p.Links, func(l Link) bool { return l.ID == c.Link })
	if at < 0 || len(c.Slots) == 0 {
		return 0, 1, false
	}
	link, in := p.Links[at], make([]bool, p.Slots)
	for _, s := range c.Slots {
		if s < 0 || s >= p.Slots || in[s] {
			return 0, 1, false
		}
		in[s] = true
		room += link.Rate * seconds
		if n := len(link.Traffic); n > 0 {
			bytes += link.Traffic[s%n] * seconds
		}
	}
	for _, id := range c.Jobs {
		k := slices.IndexFunc(p.Jobs, func(j Job) bool { return j.ID == id && slices.Contains(j.Links, c.Link) })
		if k < 0 {
			return 0, 1, false
		}
		left := p.Jobs[k].Bytes
		for s := range p.Slots {
			from := p.Start.Add(time.Duration(s) * length)
			if !in[s] && (len(p.Jobs[k].Windows) == 0 || slices.ContainsFunc(p.Jobs[k].Windows, func(w Window) bool {
				return !from.Before(w.From) && !from.Add(length).After(w.Until)
			})) {
				left -= min(left, p.Jobs[k].Rate*seconds) // which may go elsewhere
			}
		}
		bytes += left
	}
	return bytes, room, true
}
