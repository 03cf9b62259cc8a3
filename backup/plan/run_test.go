package plan_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/backup/plan"
)

// Whenever each run is in its window, the choice meets what it met.
func TestRunsAnywhereInTheirWindowsKeepTheLimits(t *testing.T) {
	seen, moved := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p := drawn(t)
		s, err := plan.Optimise(p)
		require.NoError(t, err)
		if s.Best == nil {
			return
		}
		runs := s.Best.Runs(p.Strategy, start, 100*time.Hour)
		ids := map[string]bool{}
		for i, w := range s.Best.Ways {
			limits := p.Strategy.Disaster()
			if i == 0 || w.Site == plan.OnSite {
				limits = p.Strategy.Incident()
			}
			for j, st := range w.Streams {
				var last plan.Run
				n := 0
				for _, r := range runs {
					if r.Option != st.Option {
						continue
					}
					seen++
					require.False(t, ids[r.ID])
					ids[r.ID] = true
					require.Equal(t, w.Target, r.Target)
					require.Equal(t, st.Largest, r.Bytes)
					took := seconds(r.Bytes, r.Rate)
					require.LessOrEqual(t, took, st.Run)
					slack := r.Until.Sub(r.From) - st.Run
					require.GreaterOrEqual(t, slack, time.Duration(0))
					require.Equal(t, start.Add(time.Duration(n)*st.Interval), r.From)
					if n > 0 {
						require.False(t, r.From.Before(last.Until), "runs of a stream overlap")
						span := r.Until.Add(-st.Run).Sub(last.From) // the last one as early as can be, this as late
						loss := span + st.Loss - st.Interval
						if j == 0 {
							require.LessOrEqual(t, span, limits.Span)
							require.LessOrEqual(t, loss, limits.Loss)
						} else {
							require.LessOrEqual(t, loss, p.Strategy.SystemAge())
						}
						if slack > 0 {
							moved++
						}
					}
					last = r
					n++
				}
				if st.Largest > 0 {
					require.Equal(t, int((100*time.Hour+st.Interval-1)/st.Interval), n)
				}
			}
		}
		require.Len(t, ids, len(runs))
	})
	require.Positive(t, seen)
	require.Positive(t, moved, "no run could be moved")
}

func TestAStreamThatSendsNothingHasNoRuns(t *testing.T) {
	c := plan.Choice{Ways: []plan.Way{{Target: "a", Site: plan.OnSite, Streams: []plan.Stream{{Option: "o", Interval: time.Hour}}}}}
	require.Empty(t, c.Runs(strategy(), start, day))
	c.Ways[0].Streams[0].Largest, c.Ways[0].Streams[0].Run = 5, 2*time.Second
	require.Empty(t, c.Runs(strategy(), start, 0))
	require.Equal(t, []plan.Run{{ID: "o#0", Option: "o", Target: "a", Bytes: 5, Rate: 3, From: start, Until: start.Add(time.Hour)}}, c.Runs(strategy(), start, time.Hour))
}
