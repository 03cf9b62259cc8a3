package plan_test

import (
	"math/big"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/backup/plan"
)

// brute searches through every combination of streams at every target. It shares no code with the room.

type bruteStream struct {
	image, browse bool
	interval      time.Duration
	loss, restore time.Duration
	cost          func(points int) *big.Int
}

type bruteWay struct {
	span, loss, time, system time.Duration
	coarse                   bool
	cost                     *big.Int
	none                     bool
}

type bruteAsk struct {
	in, site         plan.Limits
	system           time.Duration
	files, encrypted bool
	regions          []string
	anywhere         bool
	on, off          int
	budget           *big.Int // nil: none
	freePrimary      bool
}

func ceilBig(r *big.Rat) *big.Int {
	q, m := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int))
	if m.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

func rat(a, b int64) *big.Rat { return big.NewRat(a, b) }

func mulRat(list ...*big.Rat) *big.Rat {
	p := rat(1, 1)
	for _, r := range list {
		p.Mul(p, r)
	}
	return p
}

func bruteChanged(d plan.Data, span time.Duration) int64 {
	n := ceilBig(mulRat(rat(d.Daily, 1), rat(int64(span), int64(day))))
	hot := d.Hot
	if hot == 0 {
		hot = d.Bytes
	}
	if n.Cmp(big.NewInt(hot)) > 0 {
		return hot
	}
	return n.Int64()
}

func seconds(bytes, rate int64) time.Duration {
	return time.Duration(ceilBig(rat(bytes, rate)).Int64()) * time.Second
}

// held simulates a target, point by point, and returns the most that it holds.
func held(chain plan.Chain, d plan.Data, interval time.Duration, k, points int) int64 {
	if chain == plan.Dedup {
		return d.Bytes + int64(points)*bruteChanged(d, interval)
	}
	size := func(i int) int64 {
		switch {
		case i%k == 0:
			return d.Bytes
		case chain == plan.Incremental:
			return bruteChanged(d, interval)
		}
		return bruteChanged(d, interval*time.Duration(i%k))
	}
	var most int64
	for newest := points + k; newest < points+3*k; newest++ {
		need := map[int]bool{}
		for i := newest - points; i <= newest; i++ {
			need[i] = true
			need[i-i%k] = true
			for j := i - i%k; chain == plan.Incremental && j < i; j++ {
				need[j] = true
			}
		}
		var sum int64
		for i := range need {
			sum += size(i)
		}
		most = max(most, sum)
	}
	return most
}

func bruteStreams(p plan.Problem, o plan.Option) (list []bruteStream) {
	d := p.Workload.Files
	if o.Level == plan.Image {
		d = p.Workload.Image
	}
	every := o.Every
	if o.Chain == plan.Dedup {
		every = []int{1}
	}
	for _, interval := range o.Intervals {
		for _, k := range every {
			closure, longest, sent := d.Bytes, d.Bytes, d.Bytes
			for i := 1; i < k; i++ {
				switch o.Chain {
				case plan.Incremental:
					closure += bruteChanged(d, interval)
					sent += bruteChanged(d, interval)
				case plan.Differential:
					closure = d.Bytes + bruteChanged(d, interval*time.Duration(i))
					sent += bruteChanged(d, interval*time.Duration(i))
				}
			}
			if o.Chain == plan.Dedup {
				longest = bruteChanged(d, interval)
				sent = longest
			}
			run := seconds(longest, o.Backup)
			if run > interval {
				continue
			}
			restore := seconds(closure, o.Restore)
			if len(o.Tests) > 0 {
				restore = 0
				for _, test := range o.Tests {
					nanos := ceilBig(mulRat(rat(int64(test.Took), test.Bytes), rat(closure, 1)))
					restore = max(restore, time.Duration(ceilBig(rat(nanos.Int64(), int64(time.Second))).Int64())*time.Second)
				}
			}
			list = append(list, bruteStream{
				image: o.Level == plan.Image, browse: o.Browse, interval: interval, loss: interval + run + o.Lag + o.Skew, restore: restore,
				cost: func(points int) *big.Int {
					kept := ceilBig(rat(held(o.Chain, d, interval, k, points)*int64(o.Ratio), 1000))
					fetched := ceilBig(rat(closure*int64(o.Ratio), 1000))
					runs := rat(int64(30*day), int64(interval))
					c := rat(o.Price.Month, 1)
					c.Add(c, mulRat(rat(o.Price.Run, 1), runs))
					c.Add(c, mulRat(rat(o.Price.Store, gib), new(big.Rat).SetInt(kept)))
					c.Add(c, mulRat(rat(o.Price.Write, gib), rat(sent*int64(o.Ratio), 1000*int64(k)), runs))
					c.Add(c, mulRat(rat(o.Price.Read, gib), new(big.Rat).SetInt(fetched), rat(int64(30*day), int64(p.Strategy.TestEvery))))
					return ceilBig(c)
				},
			})
		}
	}
	return list
}

// brutePoints counts points one by one until they go back far enough, the newest of them being as old as it gets.
func brutePoints(least int, reach, interval time.Duration) int {
	n := 1
	for time.Duration(n-1)*interval < reach {
		n++
	}
	return max(n, least)
}

func bruteWays(p plan.Problem, target string) []bruteWay {
	ways := []bruteWay{{none: true, cost: new(big.Int)}}
	w := p.Workload
	before, after := w.Detect+w.Decide+w.Provision, w.Replay+w.Verify
	var files, images []bruteStream
	for _, o := range p.Options {
		if o.Target == target && o.Level == plan.Files {
			files = append(files, bruteStreams(p, o)...)
		}
		if o.Target == target && o.Level == plan.Image {
			images = append(images, bruteStreams(p, o)...)
		}
	}
	s := p.Strategy
	for _, v := range images {
		ways = append(ways, bruteWay{span: v.interval, loss: v.loss, time: before + v.restore + after, coarse: !v.browse,
			cost: v.cost(brutePoints(s.Points, s.Reach, v.interval))})
	}
	for _, f := range files {
		n := brutePoints(s.Points, s.Reach, f.interval)
		if w.Rebuild > 0 {
			ways = append(ways, bruteWay{span: f.interval, loss: f.loss, time: before + w.Rebuild + f.restore + after, cost: f.cost(n)})
		}
		for _, v := range images {
			below := brutePoints(1, time.Duration(n-1)*f.interval, v.interval)
			ways = append(ways, bruteWay{span: f.interval, loss: f.loss, time: before + v.restore + f.restore + after, system: v.loss,
				cost: new(big.Int).Add(f.cost(n), v.cost(below))})
		}
	}
	return ways
}

func within(w bruteWay, l plan.Limits) bool {
	return w.span <= l.Span && w.loss <= l.Loss && w.time <= l.Time
}

type brutePoint struct {
	cost             int64
	span, loss, time time.Duration
}

// brutePlans yields every plan that meets a, with each way that may come first.
func brutePlans(p plan.Problem, ways [][]bruteWay, a bruteAsk, yield func(brutePoint)) {
	chosen := make([]bruteWay, len(ways))
	var choose func(i int)
	choose = func(i int) {
		if i < len(ways) {
			for _, w := range ways[i] {
				t := p.Targets[i]
				if !w.none && (w.system > a.system || a.files && w.coarse || a.encrypted && !t.Encrypted || !a.anywhere && !slices.Contains(a.regions, t.Region)) {
					continue
				}
				chosen[i] = w
				choose(i + 1)
			}
			return
		}
		cost := new(big.Int)
		for _, w := range chosen {
			cost.Add(cost, w.cost)
		}
		if a.budget != nil && cost.Cmp(a.budget) > 0 {
			return
		}
		for first, w := range chosen {
			if w.none || !a.freePrimary && !within(w, a.in) {
				continue
			}
			on, off := 0, 0
			for j, o := range chosen {
				switch {
				case o.none:
				case p.Targets[j].Site == plan.OnSite && (j == first || within(o, a.in)):
					on++
				case p.Targets[j].Site == plan.OffSite && within(o, a.site):
					off++
				}
			}
			if on >= a.on && off >= a.off {
				yield(brutePoint{cost.Int64(), w.span, w.loss, w.time})
			}
		}
	}
	choose(0)
}

func bruteAskOf(p plan.Problem) bruteAsk {
	s := p.Strategy
	zero := func(d, other time.Duration) time.Duration {
		if d == 0 {
			return other
		}
		return d
	}
	a := bruteAsk{in: plan.Limits{Span: s.RPO, Loss: zero(s.Loss, s.RPO), Time: s.RTO}, system: zero(s.System, s.RPO), files: p.Workload.SingleFiles,
		encrypted: !s.InsecurePlain, regions: s.Regions, anywhere: s.SkipRegions, on: s.OnSite, off: s.OffSite}
	a.site = plan.Limits{Span: zero(s.SiteRPO, a.in.Span), Loss: zero(s.SiteLoss, max(a.in.Loss, s.SiteRPO)), Time: zero(s.SiteRTO, a.in.Time)}
	if p.Budget > 0 {
		a.budget = big.NewInt(p.Budget)
	}
	return a
}

// bruteDrops takes requirements away, by name.
func bruteDrops(p plan.Problem) map[string]func(*bruteAsk) {
	const all = time.Duration(1<<63 - 1)
	drops := map[string]func(*bruteAsk){
		"rpo": func(a *bruteAsk) { a.in.Span = all }, "loss": func(a *bruteAsk) { a.in.Loss = all }, "rto": func(a *bruteAsk) { a.in.Time = all },
		"system": func(a *bruteAsk) { a.system = all },
	}
	if p.Strategy.OffSite > 0 {
		drops["site_rpo"] = func(a *bruteAsk) { a.site.Span = all }
		drops["site_loss"] = func(a *bruteAsk) { a.site.Loss = all }
		drops["site_rto"] = func(a *bruteAsk) { a.site.Time = all }
		drops["off_site"] = func(a *bruteAsk) { a.off = 0 }
	}
	if p.Strategy.OnSite > 0 {
		drops["on_site"] = func(a *bruteAsk) { a.on = 0 }
	}
	if p.Workload.SingleFiles {
		drops["single_files"] = func(a *bruteAsk) { a.files = false }
	}
	if !p.Strategy.InsecurePlain {
		drops["encryption"] = func(a *bruteAsk) { a.encrypted = false }
	}
	if !p.Strategy.SkipRegions {
		drops["regions"] = func(a *bruteAsk) { a.anywhere = true }
	}
	if p.Budget > 0 {
		drops["budget"] = func(a *bruteAsk) { a.budget = nil }
	}
	return drops
}
