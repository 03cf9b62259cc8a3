package approval

import (
	"slices"

	"github.com/cloudopsec/opsec"
)

// met reports whether the approvals, each of another person, suffice for a rule.
func (r *Request) met(rule Rule, approvals []Step) bool {
	return r.choose([]Rule{rule}, nil, approvals)
}

// choose tries the ways to meet all open rules, one branch of each Any, and gathers the places to fill: each rule with a
// role as often as it asks for persons. Twelve such rules give at most 3⁴ ways.
func (r *Request) choose(open, places []Rule, approvals []Step) bool {
	if len(open) == 0 {
		return r.Policy.InsecureManyRoles || r.dealt(places, approvals)
	}
	rule, open := open[0], open[1:]
	switch {
	case len(rule.All) > 0:
		return r.choose(slices.Concat(rule.All, open), places, approvals)
	case len(rule.Any) > 0:
		return slices.ContainsFunc(rule.Any, func(one Rule) bool {
			return r.choose(slices.Concat([]Rule{one}, open), places, approvals)
		})
	}
	places = slices.Concat(places, slices.Repeat([]Rule{rule}, rule.min()))
	return r.count(rule, approvals) >= rule.min() && r.choose(open, places, approvals)
}

// dealt reports whether every place can have a person of its own. Who holds several roles must be counted where it
// helps, whatever the order of decisions: a bipartite matching of places and persons, grown along augmenting paths
// (H. W. Kuhn, The Hungarian method for the assignment problem, 1955).
func (r *Request) dealt(places []Rule, approvals []Step) bool {
	filled := make([]int, len(approvals)) // the place that each person fills, counted from 1
	var fill func(place int, asked []bool) bool
	fill = func(place int, asked []bool) bool {
		for i := range approvals {
			if asked[i] || !r.fits(places[place-1], &approvals[i]) {
				continue
			}
			asked[i] = true
			if filled[i] == 0 || fill(filled[i], asked) {
				filled[i] = place
				return true
			}
		}
		return false
	}
	for place := range places {
		if !fill(place+1, make([]bool, len(approvals))) {
			return false
		}
	}
	return true
}

func (r *Request) count(rule Rule, approvals []Step) (n int) {
	for i := range approvals {
		if r.fits(rule, &approvals[i]) {
			n++
		}
	}
	return n
}

// fits reports whether a decision counts for a rule with a role.
func (r *Request) fits(rule Rule, s *Step) bool {
	side := r.By.Tenant
	switch rule.Side {
	case OwnerSide:
		side = r.Action.Resource.Tenant
	case ProviderSide:
		side = opsec.Provider
	}
	return s.By.Tenant == side && slices.Contains(s.Roles, rule.Role)
}

// counting returns the roles among those held that count in the stage, for an actor of its tenant.
func (r *Request) counting(stage int, by opsec.Actor, held []string) (roles []string) {
	s := Step{Decision: Decision{By: by}, Roles: held}
	for _, rule := range r.Policy.Stages[stage].Rule.leaves(nil) {
		if r.fits(rule, &s) && !slices.Contains(roles, rule.Role) {
			roles = append(roles, rule.Role)
		}
	}
	return roles
}
