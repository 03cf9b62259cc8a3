package metric

// sight is what was seen in a slice: a set of bits.
type sight uint8

const (
	sawGood sight = 1 << iota
	sawBad
	sawUnknown
	sawBadExcluded
	sawUnknownExcluded
)

func see(c class, excluded bool) sight {
	switch {
	case c == good:
		return sawGood
	case c == bad && excluded:
		return sawBadExcluded
	case c == bad:
		return sawBad
	case c == unknown && excluded:
		return sawUnknownExcluded
	case c == unknown:
		return sawUnknown
	}
	return 0
}

// slicer cuts stretches into slices, and emits runs of slices in which the same was seen.
type slicer struct {
	size uint64 // of a slice, in milliseconds
	fill uint64 // how much of the slice at hand has come
	seen sight
	emit func(n uint64, seen sight)
}

func (s *slicer) add(ms uint64, seen sight) {
	if s.fill > 0 {
		part := min(ms, s.size-s.fill)
		s.seen |= seen
		s.fill += part
		ms -= part
		if s.fill < s.size {
			return
		}
		s.emit(1, s.seen)
		s.fill, s.seen = 0, 0
	}
	if n := ms / s.size; n > 0 {
		s.emit(n, seen)
	}
	if rest := ms % s.size; rest > 0 {
		s.fill, s.seen = rest, seen
	}
}

func (s *slicer) end() {
	if s.fill > 0 {
		s.emit(1, s.seen)
	}
}

// cut sends a sweep through a slicer.
func (s *sweep) cut(size uint64, emit func(n uint64, seen sight)) {
	cutter := slicer{size: size, emit: emit}
	s.each(func(ms uint64, c class, excluded bool) { cutter.add(ms, see(c, excluded)) })
	cutter.end()
}

// slice is how a slice is judged, in the two worlds between which all others lie: the worst, in which all that is unknown
// was bad, and the best, in which it was good.
type slice struct {
	worst, best       bool // it is bad
	outWorst, outBest bool // it is excluded, if it is bad there
}

// judge tells what a slice is by its states.
func (o Objective) judge(seen sight) slice {
	counts := seen & (sawBad | sawUnknown)
	if o.Partial == PartialGood {
		return slice{
			worst:    seen&sawGood == 0,
			best:     seen&(sawGood|sawUnknown|sawUnknownExcluded) == 0,
			outWorst: counts == 0,
			outBest:  counts == 0,
		}
	}
	return slice{
		worst:    seen&^sawGood != 0,
		best:     seen&(sawBad|sawBadExcluded) != 0,
		outWorst: counts == 0,
		outBest:  seen&sawBad == 0,
	}
}

// slices adds up a sweep for the method Slices by states.
func (o Objective) slices(s *sweep, r *Result) {
	runs := runs{least: uint64(max(o.Run, 1)), out: r}
	s.cut(o.size(), func(n uint64, seen sight) {
		if seen != 0 {
			runs.add(n, o.judge(seen))
		}
	})
	runs.end()
}

// runs adds up slices, of which bad ones count only in runs of at least so many. Slices that are left out do not come here,
// so that their neighbours touch.
type runs struct {
	least uint64
	out   *Result

	length uint64 // of the run, in which all slices are bad in the worst world
	held   Result // what it is if it is long enough
	// Of its last slices, which are bad in the best world too:
	sure, kept, excluded uint64 // all, those that count in both worlds, those that are excluded in both
}

func (r *runs) add(n uint64, s slice) {
	switch {
	case !s.worst:
		r.end()
		r.out.Raw.Good += n
		r.out.Counted.Good += n
		return
	case !s.best:
		r.endSure()
		r.held.Raw.Unknown += n
		if s.outWorst {
			r.held.Counted.ExcludedUnknown += n
		} else {
			r.held.Counted.Unknown += n
		}
	default:
		r.sure += n
		if s.outWorst {
			r.excluded += n
		} else if !s.outBest {
			r.kept += n
		}
	}
	r.length += n
}

// endSure ends a run of slices that are bad in the best world.
func (r *runs) endSure() {
	mixed := r.sure - r.kept - r.excluded
	c := &r.held.Counted
	if r.sure >= r.least {
		r.held.Raw.Bad += r.sure
		c.Bad += r.kept
		c.Excluded += r.excluded
		c.MaybeExcluded += mixed
	} else {
		r.held.Raw.Unknown += r.sure
		c.Unknown += r.kept + mixed
		c.ExcludedUnknown += r.excluded
	}
	r.sure, r.kept, r.excluded = 0, 0, 0
}

func (r *runs) end() {
	r.endSure()
	if r.length >= r.least {
		r.out.Raw.plus(r.held.Raw)
		r.out.Counted.plus(r.held.Counted)
	} else {
		r.out.Raw.Good += r.length
		r.out.Counted.Good += r.length
	}
	r.length, r.held = 0, Result{}
}
