package snapshot

import (
	"math"
	"time"

	"github.com/cloudopsec/opsec"
)

// judge finds what a person should look at.
func (r *Report) judge() []Finding {
	var list findings
	g, s := r.g, r.s
	now := micros(r.Model.Now)
	for v := range int32(g.Len()) {
		if s.cause != nil && s.cause[v] >= 0 && g.flags[v]&flagRestore != 0 {
			r.judgeLost(v, &list)
		}
		if now != 0 && (get(g.created, v) > now || get(g.verified, v) > now) {
			list.add(g.ID(int(v)), RuleFuture, opsec.SeverityMedium, "was created or verified after now, which is not believed")
		}
		if r.Profile != nil && g.flags[v]&flagMissing == 0 {
			r.judgeNode(v, now, &list)
		}
	}
	if !r.Exact {
		list.add("", RuleInexact, opsec.SeverityLow, "too many ways lead through the graph for exact figures: they are bounds")
	}
	return list.done()
}

func (r *Report) judgeLost(v int32, list *findings) {
	g := r.g
	id := g.ID(int(v))
	switch c := int(r.s.cause[v]); {
	case list.full(RuleUnusable):
		list.add(id, RuleUnusable, opsec.SeverityCritical, "")
	case c == int(v):
		list.add(id, RuleUnusable, opsec.SeverityCritical, "this restore point cannot be read: %s", Quote(g.Broken(c)))
	default:
		list.add(id, RuleUnusable, opsec.SeverityCritical, "this restore point cannot be read: it needs %s (%s)",
			Quote(g.ID(c)), Quote(g.Broken(c)))
	}
}

func (r *Report) judgeNode(v int32, now int64, list *findings) {
	g, s, p := r.g, r.s, r.Profile
	id := func() string { return g.ID(int(v)) }
	if snapshots := int(s.depth[v]) - 1; s.tip(v) {
		switch {
		case p.SnapshotsMax > 0 && snapshots > p.SnapshotsMax:
			list.add(id(), RuleDepth, opsec.SeverityHigh, "%d snapshots in its chain, more than %d (%s)", snapshots, p.SnapshotsMax, p.Name)
		case p.SnapshotsAdvised > 0 && snapshots > p.SnapshotsAdvised:
			list.add(id(), RuleDepth, opsec.SeverityMedium, "%d snapshots in its chain, more than the advised %d (%s)",
				snapshots, p.SnapshotsAdvised, p.Name)
		}
	}
	if created := get(g.created, v); s.depth[v] > 1 && created != 0 && created <= now {
		age := since(now, created)
		switch {
		case p.AgeMax > 0 && age > time.Duration(p.AgeMax):
			list.add(id(), RuleAge, opsec.SeverityMedium, "a snapshot %s old, older than %s (%s)", days(age), days(time.Duration(p.AgeMax)), p.Name)
		case p.AgeAdvised > 0 && age > time.Duration(p.AgeAdvised):
			list.add(id(), RuleAge, opsec.SeverityLow, "a snapshot %s old, older than the advised %s (%s)",
				days(age), days(time.Duration(p.AgeAdvised)), p.Name)
		}
	}
	if p.VerifiedMax > 0 && !g.dead(v) {
		unknown := FailureModel{Now: r.Model.Now, Hazard: &Hazard{Unknown: math.MaxInt64}}
		created, verified := get(g.created, v), get(g.verified, v)
		switch age := unknown.age(created, verified); {
		case age <= time.Duration(p.VerifiedMax):
		case age == math.MaxInt64:
			list.add(id(), RuleVerify, opsec.SeverityMedium, "nobody knows when it was last found whole (%s)", p.Name)
		default:
			list.add(id(), RuleVerify, opsec.SeverityMedium, "last found whole %s ago, longer than %s (%s)",
				days(age), days(time.Duration(p.VerifiedMax)), p.Name)
		}
	}
	if usable := math.Exp(s.log[v]); p.UsableMin > 0 && g.flags[v]&flagRestore != 0 && usable < p.UsableMin && (s.cause == nil || s.cause[v] < 0) {
		list.add(id(), RuleProbability, opsec.SeverityHigh, "usable with a chance of %s, below %s (%s)", share(usable), share(p.UsableMin), p.Name)
	}
	if p.BlastMax > 0 && int(s.blast[v]) > p.BlastMax && len(g.needs(v)) == 0 {
		list.add(id(), RuleBlast, opsec.SeverityHigh, "%d restore points die with it, more than %d (%s)", s.blast[v], p.BlastMax, p.Name)
	}
}
