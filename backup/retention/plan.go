package retention

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Plan decides about every point, each group on its own. It is pure: the same points, policy and time give the same result, whatever order
// the points come in; of two points of the same time the one with the greater ID is the newer. It takes O(n log n) for n points. The
// errors wrap opsec.ErrInvalid: a policy that is not valid, a point without ID or claimed time, two points of the same ID.
func Plan(points []Point, p Policy, now time.Time) (Result, error) {
	if err := p.Validate(); err != nil {
		return Result{}, err
	}
	zone, err := time.LoadLocation(p.Zone)
	if err != nil {
		return Result{}, invalid("zone %q: %v", p.Zone, err)
	}
	w := &work{policy: &p, zone: zone, now: now, points: points, seen: make([]sighting, len(points)), ids: newIndex(points), findings: []Finding{}}
	for i := range points {
		if err := w.see(int32(i)); err != nil {
			return Result{}, err
		}
	}
	order := w.sort()
	w.link(order)
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && points[order[to]].Group == points[order[from]].Group {
			to++
		}
		w.group(order[from:to])
		from = to
	}
	w.chains(order)
	return w.result(order), nil
}

// sort returns the points by the names of their groups, in each the newest first.
func (w *work) sort() []int32 {
	groups := map[string]int32{}
	for i := range w.points {
		groups[w.points[i].Group] = 0
	}
	for n, name := range slices.Sorted(maps.Keys(groups)) {
		groups[name] = int32(n)
	}
	type key struct { // small, so that a million of them are near each other
		seconds     int64
		nanos       int32
		group, here int32
	}
	keys := make([]key, len(w.points))
	group, last := int32(-1), ""
	for i := range w.points {
		if name := w.points[i].Group; group < 0 || name != last {
			group, last = groups[name], name
		}
		keys[i] = key{w.seen[i].seconds, w.seen[i].nanos, group, int32(i)}
	}
	slices.SortFunc(keys, func(a, b key) int {
		switch {
		case a.group != b.group:
			return cmp.Compare(a.group, b.group)
		case a.seconds != b.seconds:
			return cmp.Compare(b.seconds, a.seconds)
		case a.nanos != b.nanos:
			return cmp.Compare(b.nanos, a.nanos)
		}
		return strings.Compare(w.points[b.here].ID, w.points[a.here].ID)
	})
	order := make([]int32, len(keys))
	for n, k := range keys {
		order[n] = k.here
	}
	return order
}

// sighting is what is made of a point. It has no pointers, so that the garbage collector passes over a million of them.
type sighting struct {
	seconds         int64 // since 1970: the time to judge it by
	moment          moment
	nanos           int32
	kept            int32 // its last reason in work.because, and one; 0: none keeps it
	suspect         bool  // its claim is not believed, or it has no time: it makes no other go
	timeless, whole bool
}

func (s *sighting) time(zone *time.Location) time.Time {
	return time.Unix(s.seconds, int64(s.nanos)).In(zone)
}

// because is a reason, and the one before it of the same point.
type because struct {
	Reason
	before int32
}

type work struct {
	policy   *Policy
	zone     *time.Location
	now      time.Time
	points   []Point
	seen     []sighting
	ids      *index
	because  []because
	chained  bool // some point has parents
	findings []Finding
}

// see finds the time to judge a point by.
func (w *work) see(i int32) error {
	q, s := &w.points[i], &w.seen[i]
	if q.ID == "" {
		return invalid("points[%d]: no id", i)
	}
	if q.Claimed.IsZero() {
		return invalid("point %q: no claimed time", q.ID)
	}
	if !w.ids.put(i) {
		return invalid("point %q: twice in the list", q.ID)
	}
	w.chained = w.chained || len(q.Parents) > 0
	at := q.Claimed
	switch off := q.Claimed.Sub(q.Received).Abs(); {
	case q.Received.IsZero():
		if !w.policy.SkipReceived {
			s.suspect, s.timeless = true, true
			w.find(i, FindingUnreceived, "when it was received is not known; it stays")
		}
	case off > time.Duration(w.policy.Tolerance):
		at, s.suspect = q.Received, true
		w.find(i, FindingClock, "it claims "+q.Claimed.UTC().Format(time.RFC3339)+" and was received at "+q.Received.UTC().Format(time.RFC3339))
	case q.Claimed.After(q.Received):
		at = q.Received
	}
	if at.After(w.now) {
		if !s.timeless {
			w.find(i, FindingFuture, "its time, "+at.UTC().Format(time.RFC3339)+", has not come yet; it stays")
		}
		s.suspect, s.timeless = true, true
	}
	s.seconds, s.nanos, s.moment = at.Unix(), int32(at.Nanosecond()), momentOf(at, w.zone)
	return nil
}

// group applies rules and guards to one group, the newest first.
func (w *work) group(order []int32) {
	honest, timed := order, order
	suspect := func(i int32) bool { return w.seen[i].suspect }
	if slices.ContainsFunc(order, suspect) {
		honest = slices.DeleteFunc(slices.Clone(order), suspect)
		timed = slices.DeleteFunc(slices.Clone(order), func(i int32) bool { return w.seen[i].timeless })
		w.rules(timed, func(i int32, r Reason) {
			if suspect(i) {
				w.keep(i, r)
			}
		})
	}
	w.rules(honest, w.keep)

	for _, i := range order {
		w.guard(i)
	}
	// What is not believed stands in for neither the newest point nor the last one that was found whole.
	newest, believed := first(timed), first(honest)
	if newest >= 0 {
		w.keep(newest, Reason{Rule: GuardNewest})
	}
	if believed >= 0 && believed != newest {
		w.keep(believed, Reason{Rule: GuardNewest, Detail: "of those that are believed"})
	}
	verified := func(list []int32, whole bool) []int32 {
		at := slices.IndexFunc(list, func(i int32) bool { return !w.points[i].Verified.IsZero() && (w.seen[i].whole || !whole) })
		if at < 0 {
			return nil
		}
		return list[at:]
	}
	all := verified(order, false)
	last := first(verified(honest, true), verified(order, true), all)
	if last < 0 {
		group := w.points[order[0]].Group
		w.add(Finding{Rule: FindingUnverified, Group: group, Text: "group " + shown(group) + ": no point was ever found whole"})
		return
	}
	why := Reason{Rule: GuardVerified}
	if last != all[0] {
		why.Detail = "of those that are believed and have all that they need"
		if w.seen[last].suspect {
			why.Detail = "of those that have all that they need"
		}
	}
	w.keep(last, why)
}

// first returns the first of the first list that is not empty, or -1.
func first(lists ...[]int32) int32 {
	for _, list := range lists {
		if len(list) > 0 {
			return list[0]
		}
	}
	return -1
}

func (w *work) guard(i int32) {
	q, p := &w.points[i], w.policy
	if w.seen[i].timeless {
		w.keep(i, Reason{Rule: GuardClock})
	}
	if q.Hold != "" {
		w.keep(i, Reason{Rule: GuardHold, Detail: q.Hold})
	}
	if q.Locked.After(w.now) {
		w.keep(i, Reason{Rule: GuardLock, Detail: q.Locked.UTC().Format(time.RFC3339)})
	}
	if !q.Replicated && !p.SkipReplication {
		w.keep(i, Reason{Rule: GuardReplication})
	}
	if p.MinimumAge > 0 && !q.Received.IsZero() {
		if until := q.Received.Add(time.Duration(p.MinimumAge)); until.After(w.now) {
			w.keep(i, Reason{Rule: GuardAge, Detail: until.UTC().Format(time.RFC3339)})
		}
	}
}

func (w *work) keep(i int32, r Reason) {
	w.because = append(w.because, because{r, w.seen[i].kept})
	w.seen[i].kept = int32(len(w.because))
}

// reasons returns why a point is kept, in the order in which that was found.
func (w *work) reasons(i int32) (list []Reason) {
	for at := w.seen[i].kept; at > 0; at = w.because[at-1].before {
		list = append(list, w.because[at-1].Reason)
	}
	slices.Reverse(list)
	return list
}

func (w *work) result(order []int32) Result {
	out := Result{At: w.now, Decisions: make([]Decision, len(order)), Findings: w.findings}
	instead := "" // of the same group: the newest that has a time stays
	for at, i := range order {
		q, s := &w.points[i], &w.seen[i]
		d := &out.Decisions[at]
		d.ID, d.Group, d.Time = q.ID, q.Group, s.time(w.zone)
		if d.Keep = s.kept > 0; d.Keep {
			if d.Reasons = w.reasons(i); !s.timeless {
				instead = q.ID
			}
		} else {
			d.Instead = instead
		}
	}
	slices.SortStableFunc(out.Findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.ID, b.ID), strings.Compare(a.Rule, b.Rule))
	})
	return out
}

// Shortened returns which points the new policy lets go and the old one does not: what a change would cost now. Whether it costs
// anything later is for [Policy.AtLeast].
func Shortened(old, new Policy, points []Point, now time.Time) (dropped []string, err error) {
	before, err := Plan(points, old, now)
	if err != nil {
		return nil, err
	}
	after, err := Plan(points, new, now)
	if err != nil {
		return nil, err
	}
	kept := make(map[string]bool, len(points))
	for _, d := range before.Decisions {
		kept[d.ID] = d.Keep
	}
	for _, id := range after.Dropped() {
		if kept[id] {
			dropped = append(dropped, id)
		}
	}
	return dropped, nil
}
