package retention

import "time"

// rules applies the policy's rules to points, the newest first.
func (w *work) rules(order []int32, keep func(int32, Reason)) {
	if len(order) == 0 {
		return
	}
	switch w.policy.Semantics {
	case Restic:
		w.restic(order, keep)
	case Borg:
		w.borg(order, keep)
	case Proxmox:
		w.proxmox(order, keep)
	default:
		w.calendar(order, keep)
	}
}

// restic is ApplyPolicy of restic.
func (w *work) restic(order []int32, keep func(int32, Reason)) {
	p, oldest := w.policy, order[len(order)-1]
	for _, i := range order {
		for _, list := range p.Tags {
			if subset(list, w.points[i].Tags) {
				keep(i, Reason{Rule: RuleTags})
				break
			}
		}
	}
	newest := w.seen[order[0]].time(w.zone)
	if p.Within != (Span{}) {
		from := p.Within.Before(newest)
		for _, i := range order {
			if !w.seen[i].time(w.zone).After(from) {
				break
			}
			keep(i, Reason{Rule: RuleWithin})
		}
	}
	for _, r := range p.counts() {
		last, n, is := int64(0), 0, false
		for _, i := range order {
			if n == r.count { // never of All; at once of 0
				break
			}
			at := r.of(w.seen[i].moment)
			if is && at == last && r.period != nil && i != oldest {
				continue
			}
			fill := is && at == last && r.period != nil
			last, is = at, true
			n++
			keep(i, Reason{Rule: r.name, Nth: n, Oldest: fill})
		}
		if r.within == (Span{}) {
			continue
		}
		from := r.within.Before(newest)
		is = false
		for _, i := range order {
			if !w.seen[i].time(w.zone).After(from) {
				break
			}
			at := r.of(w.seen[i].moment)
			if is && at == last && i != oldest {
				continue
			}
			fill := is && at == last
			last, is = at, true
			keep(i, Reason{Rule: "within_" + r.name, Oldest: fill})
		}
	}
}

func (r *rule) of(m moment) int64 {
	if r.period == nil {
		return 0
	}
	return r.period(m)
}

// borg is prune of borg 1.2.
func (w *work) borg(order []int32, keep func(int32, Reason)) {
	p, kept := w.policy, make(map[int32]bool)
	if p.Within != (Span{}) {
		hours := p.Within.Hours + 24*(p.Within.Days+31*p.Within.Months+365*p.Within.Years)
		from := w.now.Add(-time.Duration(min(hours, maxHours)) * time.Hour)
		for _, i := range order {
			if !w.seen[i].time(w.zone).After(from) {
				break
			}
			kept[i] = true
			keep(i, Reason{Rule: RuleWithin})
		}
	}
	for _, r := range p.counts() {
		if r.count == 0 {
			continue
		}
		last, n, is := int64(0), 0, false
		for _, i := range order {
			at := r.of(w.seen[i].moment)
			if is && at == last {
				continue
			}
			if last, is = at, true; kept[i] {
				continue
			}
			n++
			kept[i] = true
			if keep(i, Reason{Rule: r.name, Nth: n}); n == r.count {
				break
			}
		}
		if oldest := order[len(order)-1]; n < r.count && !kept[oldest] {
			kept[oldest] = true
			keep(oldest, Reason{Rule: r.name, Nth: n + 1, Oldest: true})
		}
	}
}

const maxHours = 2_000_000 // 228 years: a time.Duration holds no more than 292

// proxmox is prune of Proxmox Backup Server.
func (w *work) proxmox(order []int32, keep func(int32, Reason)) {
	type mark uint8
	const kept, gone mark = 1, 2
	marks := make(map[int32]mark)
	for _, r := range w.policy.counts() {
		if r.count == 0 {
			continue
		}
		period := func(i int32) int64 {
			if r.period == nil {
				return int64(i)
			}
			return r.period(w.seen[i].moment)
		}
		covered, taken := make(map[int64]bool), make(map[int64]bool)
		for _, i := range order {
			if marks[i] == kept {
				covered[period(i)] = true
			}
		}
		for _, i := range order {
			at := period(i)
			if marks[i] != 0 || covered[at] {
				continue
			}
			if taken[at] {
				marks[i] = gone
				continue
			}
			if len(taken) == r.count {
				break
			}
			taken[at] = true
			marks[i] = kept
			keep(i, Reason{Rule: r.name, Nth: len(taken)})
		}
	}
}

// calendar counts periods back from the newest point, whether they have points or not. Copies has but Last, which counts points.
func (w *work) calendar(order []int32, keep func(int32, Reason)) {
	for _, r := range w.policy.counts() {
		if r.count == 0 {
			continue
		}
		if r.period == nil {
			for n, i := range order[:min(r.count, len(order))] {
				keep(i, Reason{Rule: r.name, Nth: n + 1})
			}
			continue
		}
		newest := r.period(w.seen[order[0]].moment)
		last := newest + 1
		for _, i := range order {
			at := r.period(w.seen[i].moment)
			if newest-at >= int64(r.count) {
				break
			}
			if at < last { // not so when a clock shows an hour twice
				last = at
				keep(i, Reason{Rule: r.name, Nth: int(newest-at) + 1})
			}
		}
	}
}
