package snapshot

import (
	"fmt"
	"math"
	"time"

	"github.com/cloudopsec/opsec"
)

// judge finds what a person should look at.
func (r *Report) judge() []Finding {
	j := judge{r: r, g: r.g, s: r.s, now: micros(r.Model.Now)}
	if r.Profile != nil {
		j.p = *r.Profile
	}
	for v := range int32(r.g.Len()) {
		j.lost(v)
		created, verified := get(j.g.created, v), get(j.g.verified, v)
		if j.now != 0 && (created > j.now || verified > j.now) {
			j.find(v, RuleFuture, opsec.SeverityMedium, func() string { return "was created or verified after now, which is not believed" })
		}
		if r.Profile != nil && j.g.flags[v]&flagMissing == 0 {
			j.depth(v)
			j.age(v, created)
			j.verification(v, created, verified)
			j.chance(v)
			j.blast(v)
		}
	}
	if !r.Exact {
		j.list.add(RuleInexact, opsec.SeverityLow, func() (string, string) {
			return "", "too many ways lead through the graph for exact figures: they are bounds"
		})
	}
	return j.list.done()
}

type judge struct {
	r    *Report
	g    *Graph
	s    *survey
	p    Profile
	now  int64
	list findings
}

// find adds a finding about v.
func (j *judge) find(v int32, rule string, s opsec.Severity, text func() string) {
	j.list.add(rule, s, func() (string, string) { return j.g.ID(int(v)), text() })
}

func (j *judge) lost(v int32) {
	if j.s.cause == nil || j.s.cause[v] < 0 || j.g.flags[v]&flagRestore == 0 {
		return
	}
	j.find(v, RuleUnusable, opsec.SeverityCritical, func() string {
		c := int(j.s.cause[v])
		if c == int(v) {
			return "this restore point cannot be read: " + Quote(j.g.Broken(c))
		}
		return fmt.Sprintf("this restore point cannot be read: it needs %s (%s)", Quote(j.g.ID(c)), Quote(j.g.Broken(c)))
	})
}

func (j *judge) depth(v int32) {
	most, advised := j.p.SnapshotsMax, j.p.SnapshotsAdvised
	snapshots := int(j.s.depth[v]) - 1
	if !j.s.tip(v) {
		return
	}
	switch {
	case most > 0 && snapshots > most:
		j.find(v, RuleDepth, opsec.SeverityHigh, func() string {
			return fmt.Sprintf("%d snapshots in its chain, more than %d (%s)", snapshots, most, j.p.Name)
		})
	case advised > 0 && snapshots > advised:
		j.find(v, RuleDepth, opsec.SeverityMedium, func() string {
			return fmt.Sprintf("%d snapshots in its chain, more than the advised %d (%s)", snapshots, advised, j.p.Name)
		})
	}
}

func (j *judge) age(v int32, created int64) {
	if !j.s.snapshot(v) || created == 0 || created > j.now {
		return
	}
	most, advised := time.Duration(j.p.AgeMax), time.Duration(j.p.AgeAdvised)
	switch age := since(j.now, created); {
	case most > 0 && age > most:
		j.find(v, RuleAge, opsec.SeverityMedium, func() string {
			return fmt.Sprintf("a snapshot %s old, older than %s (%s)", days(age), days(most), j.p.Name)
		})
	case advised > 0 && age > advised:
		j.find(v, RuleAge, opsec.SeverityLow, func() string {
			return fmt.Sprintf("a snapshot %s old, older than the advised %s (%s)", days(age), days(advised), j.p.Name)
		})
	}
}

func (j *judge) verification(v int32, created, verified int64) {
	most := time.Duration(j.p.VerifiedMax)
	if most == 0 || j.g.dead(v) {
		return
	}
	if age, known := ageOf(j.now, created, verified); !known || age > most {
		j.find(v, RuleVerify, opsec.SeverityMedium, func() string {
			if !known {
				return fmt.Sprintf("nobody knows when it was last found whole (%s)", j.p.Name)
			}
			return fmt.Sprintf("last found whole %s ago, longer than %s (%s)", days(age), days(most), j.p.Name)
		})
	}
}

func (j *judge) chance(v int32) {
	if j.p.UsableMin == 0 || j.g.flags[v]&flagRestore == 0 || j.s.cause != nil && j.s.cause[v] >= 0 {
		return
	}
	const rounding = 1e-9 // what it may have taken, at most
	if usable := math.Exp(j.s.log[v]); usable < j.p.UsableMin*(1-rounding) {
		j.find(v, RuleProbability, opsec.SeverityHigh, func() string {
			return fmt.Sprintf("usable with a chance of %s, below %s (%s)", share(usable), share(j.p.UsableMin), j.p.Name)
		})
	}
}

// blast judges roots alone, with which as many points die as with anything that is read through them.
func (j *judge) blast(v int32) {
	if most := j.p.BlastMax; most > 0 && int(j.s.blast[v]) > most && len(j.g.needs(v)) == 0 {
		j.find(v, RuleBlast, opsec.SeverityHigh, func() string {
			return fmt.Sprintf("%d restore points die with it, more than %d (%s)", j.s.blast[v], most, j.p.Name)
		})
	}
}
