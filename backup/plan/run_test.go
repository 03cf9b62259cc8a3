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

// Until the next image is there the one below newer files is as old as what it would lose, not as its interval.
func TestAnImageBelowFilesIsAsOldAsItsLoss(t *testing.T) {
	p := problem()
	p.Targets, p.Options = p.Targets[:1], p.Options[:2]
	p.Workload.Rebuild = 0
	p.Strategy.OffSite, p.Strategy.SiteRPO, p.Strategy.SiteLoss, p.Strategy.SiteRTO = 0, 0, 0, 0
	p.Strategy.Points, p.Strategy.Reach = 7, 0
	p.Options[0].Intervals, p.Options[1].Intervals = []time.Duration{4 * time.Hour}, []time.Duration{day}
	took := seconds(160*gib, 200<<20)
	for system, can := range map[time.Duration]bool{day: false, day + took - time.Second: false, day + took: true, day + took + time.Hour: true} {
		p.Strategy.System = system
		s, err := plan.Optimise(p)
		require.NoError(t, err)
		require.Equal(t, can, s.Best != nil, "%v", system)
		if can {
			require.Equal(t, 7, s.Best.Ways[0].Streams[0].Points)
			require.Equal(t, 2, s.Best.Ways[0].Streams[1].Points, "below the oldest files, a day back, and the newest")
			runs := s.Best.Runs(p.Strategy, start, day)
			image := runs[len(runs)-1]
			require.Equal(t, "array-image#0", image.ID)
			require.Equal(t, took+system-day-took, image.Until.Sub(image.From), "it may be late by what its age leaves")
		}
	}
}

func TestTheLongestPeriodsDoNotOverflow(t *testing.T) {
	p := problem()
	p.Options = p.Options[:2]
	p.Strategy.OffSite, p.Strategy.SiteRPO, p.Strategy.SiteLoss, p.Strategy.SiteRTO, p.Strategy.Reach = 0, 0, 0, 0, plan.MaxPeriod
	p.Strategy.RPO, p.Strategy.Loss, p.Strategy.RTO, p.Strategy.System = plan.MaxPeriod, plan.MaxPeriod, plan.MaxPeriod, plan.MaxPeriod
	for i := range p.Options {
		o := &p.Options[i]
		o.Intervals, o.Lag, o.Skew, o.Every = []time.Duration{plan.MaxPeriod}, plan.MaxPeriod, plan.MaxPeriod, nil
		o.Backup, o.Tests = plan.MaxBytes, []plan.Test{{Bytes: 1, Took: plan.MaxPeriod}}
		for k := range 12 {
			o.Every = append(o.Every, k+1)
		}
	}
	for _, chain := range []plan.Chain{plan.Incremental, plan.Differential} {
		for i := range p.Options {
			p.Options[i].Chain = chain
		}
		s, err := plan.Optimise(p)
		require.NoError(t, err)
		require.Nil(t, s.Best, "it takes for ever to restore")
	}
}
