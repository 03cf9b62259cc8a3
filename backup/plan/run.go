package plan

import (
	"fmt"
	"time"
)

// Run is a run of a stream that is to be arranged in time.
type Run struct {
	ID     string // option and number: "vault-files#0"
	Option string
	Target string
	Bytes  int64 // that it sends at most, 1 or more
	Rate   int64 // bytes a second at which it takes no longer than Stream.Run, rounded up
	// From and Until are between when it may begin and has to end. Wherever in it each run is, limits are kept, and runs of a stream do not
	// overlap. What is left of the limits is in it: a choice that just meets them leaves no room but for the longest run.
	From, Until time.Time
}

// Runs returns the runs of a choice that begin within a span from a moment on, each as long as the longest of its stream, way by way in the order of
// time. Streams that never send anything have none. It is what package timetable arranges, beside links and caps, which no plan knows.
func (c Choice) Runs(s Strategy, from time.Time, span time.Duration) (list []Run) {
	for i, w := range c.Ways {
		limits := s.Disaster()
		if i == 0 || w.Site == OnSite {
			limits = s.Incident()
		}
		for j, st := range w.Streams {
			if st.Largest == 0 {
				continue
			}
			slack := min(limits.Span-st.Interval, limits.Loss-st.Loss)
			if j > 0 { // an image that files are laid on
				slack = s.SystemAge() - st.Loss
			}
			slack = max(0, min(slack, st.Interval-st.Run))
			for n := 0; time.Duration(n)*st.Interval < span; n++ {
				begin := from.Add(time.Duration(n) * st.Interval)
				list = append(list, Run{ID: fmt.Sprintf("%s#%d", st.Option, n), Option: st.Option, Target: w.Target, Bytes: st.Largest,
					Rate: mulDiv(st.Largest, 1, int64(st.Run/time.Second)), From: begin, Until: begin.Add(slack + st.Run)})
			}
		}
	}
	return list
}
