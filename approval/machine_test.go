package approval_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
)

// The cast: persons with two accounts each, one of the provider, a service with a person, and an account of nobody.
var cast = func() (list []opsec.Actor) {
	for _, p := range []string{"alice", "ben", "bob", "carol", "dave"} {
		list = append(list, human(p), sub(p))
	}
	boss := human("bob") // the same name, another tenant, another person
	boss.Tenant = opsec.Provider
	robot, ghost := sub("carol"), human("")
	robot.Account, robot.Kind, ghost.Account = "robot", opsec.Service, "ghost"
	return append(list, boss, robot, ghost)
}()

type person struct {
	tenant opsec.TenantID
	name   string
}

func of(a opsec.Actor) person { return person{a.Tenant, a.Person} }

// vote is a decision that the model has taken in.
type vote struct {
	who    person
	stage  int
	yes    bool
	can    []bool // the leaves of the stage that it could count for
	signed bool
}

// model says what must come of a case, without looking into it.
type model struct {
	id       opsec.ID
	policy   approval.Policy
	status   approval.Status
	stage    int
	clock    time.Time
	approved time.Time
	votes    []vote
}

// world is what the schedules act on: two cases that ask for the same, roles and keys that come and go, a clock that
// jumps, and all signatures that were ever made.
type world struct {
	cases  []approval.Case
	models []*model
	roles  map[person][]string
	lost   map[person]bool // keys
	now    time.Time
	seen   []approval.Decision // with signatures
	made   map[string]bool     // what was signed, by whom
}

func (w *world) authority() approval.Authority {
	var all approval.Keys
	for _, a := range cast {
		if !w.lost[of(a)] {
			k := keys(string(a.Tenant) + a.Person)[0]
			all = append(all, approval.Key{Tenant: a.Tenant, Person: a.Person, Public: k.Public})
		}
	}
	return approval.Authority{Keys: all, Roles: func(a opsec.Actor) ([]string, error) { return w.roles[of(a)], nil }}
}

// leavesFor says for which leaves of the stage a person with these roles could count.
func (m *model) leavesFor(stage int, who person, held []string) (can []bool) {
	for _, leaf := range leavesOf(m.policy.Stages[stage].Rule) {
		side := map[approval.Side]opsec.TenantID{"": "acme", "owner": "acme", "provider": opsec.Provider}[leaf.Side]
		can = append(can, who.tenant == side && slices.Contains(held, leaf.Role))
	}
	return can
}

// live reports whether the case is at one of these statuses and has time left.
func (m *model) live(at time.Time, any ...approval.Status) bool {
	end := start.Add(m.policy.Valid)
	if m.status == approval.Approved {
		end = m.approved.Add(m.policy.UseWithin)
	}
	return slices.Contains(any, m.status) && at.Before(end)
}

func (m *model) at(now time.Time) time.Time {
	if now.Before(m.clock) {
		return m.clock
	}
	return now
}

// allows says whether a decision must be taken.
func (m *model) allows(w *world, d approval.Decision) bool {
	at, who := m.at(w.now), of(d.By)
	signed := len(d.Signature) > 0
	genuine := w.made[fingerprint(m.id, d)] && !w.lost[who] &&
		!d.SignedAt.Before(start.Add(-5*time.Minute)) && !d.SignedAt.After(at.Add(5*time.Minute))
	if signed && !genuine || !signed && !m.policy.SkipSignatures {
		return false
	}
	if d.Verb == approval.Retract {
		return m.live(at, approval.Pending, approval.Approved) && slices.ContainsFunc(m.votes, func(v vote) bool {
			return v.yes && v.who == who && v.stage == d.Stage
		})
	}
	if !m.live(at, approval.Pending) || d.Stage != m.stage || d.By.Kind != opsec.Human && !m.policy.InsecureNonHuman {
		return false
	}
	if who.name == "" || who == (person{"acme", "alice"}) || who == (person{"acme", "ben"}) {
		return false
	}
	for _, v := range m.votes {
		if v.who == who && (v.stage == m.stage || !m.policy.InsecureManyStages) {
			return false
		}
	}
	return slices.Contains(m.leavesFor(m.stage, who, w.roles[who]), true)
}

func (m *model) apply(w *world, d approval.Decision) {
	m.clock = m.at(w.now)
	if d.Verb == approval.Retract {
		m.status = approval.Rejected
		return
	}
	who := of(d.By)
	m.votes = append(m.votes, vote{who, m.stage, d.Verb == approval.Approve, m.leavesFor(m.stage, who, w.roles[who]), len(d.Signature) > 0})
	no := 0
	for _, v := range m.votes {
		if v.stage == m.stage && !v.yes {
			no++
		}
	}
	if d.Verb == approval.Reject {
		if no >= max(1, m.policy.Stages[m.stage].Rejections) {
			m.status = approval.Rejected
		}
		return
	}
	if m.enough(m.stage, nil) {
		if m.stage++; m.stage == len(m.policy.Stages) {
			m.status, m.approved = approval.Approved, m.clock
		}
	}
}

// enough counts the approvals of a stage, less what the roles of today no longer give.
func (m *model) enough(stage int, today map[person][]string) bool {
	var voters [][]bool
	for _, v := range m.votes {
		if v.stage != stage || !v.yes {
			continue
		}
		can := slices.Clone(v.can)
		if today != nil {
			for leaf, still := range m.leavesFor(stage, v.who, today[v.who]) {
				can[leaf] = can[leaf] && still
			}
		}
		voters = append(voters, can)
	}
	return enough(m.policy.Stages[stage].Rule, m.policy.InsecureManyRoles, voters)
}

func (m *model) usable(w *world, exact bool) bool {
	ok := exact && m.live(m.at(w.now), approval.Approved)
	for stage := range m.policy.Stages {
		ok = ok && m.enough(stage, w.roles)
	}
	for _, v := range m.votes {
		ok = ok && (!v.signed || !w.lost[v.who])
	}
	return ok
}

func fingerprint(id opsec.ID, d approval.Decision) string {
	d.By = opsec.Actor{Tenant: d.By.Tenant, Account: d.By.Account, Person: d.By.Person}
	return string(id) + string(d.Signature) + d.Reason + d.SignedAt.String() + string(rune('0'+d.Stage)) + string(d.Verb) +
		string(d.By.Tenant) + "/" + d.By.Account + "/" + d.By.Person
}

func drawWorld(t *rapid.T) *world {
	w := &world{roles: map[person][]string{}, lost: map[person]bool{}, made: map[string]bool{}, now: start}
	for _, a := range cast {
		w.roles[of(a)] = drawRoles(t)
	}
	policy := approval.Policy{
		SkipReasons: true, SkipSignatures: rapid.Bool().Draw(t, "unsigned"),
		InsecureManyStages: rapid.Bool().Draw(t, "many stages"), InsecureManyRoles: rapid.Bool().Draw(t, "many roles"),
		InsecureNonHuman: rapid.Bool().Draw(t, "non-human"), Valid: time.Hour, UseWithin: 20 * time.Minute,
	}
	for range rapid.IntRange(1, 2).Draw(t, "stages") {
		policy.Stages = append(policy.Stages, approval.Stage{
			Rule:       drawRule(t, 2, approval.RequesterSide, approval.OwnerSide, approval.ProviderSide),
			Rejections: rapid.IntRange(0, 2).Draw(t, "rejections"),
		})
	}
	for range 2 {
		c := open(t, policy, human("ben"))
		w.cases = append(w.cases, c)
		w.models = append(w.models, &model{id: c.Request.ID, policy: c.Request.Policy, status: approval.Pending, clock: start})
	}
	return w
}

// drawDecision is honest, careless or hostile.
func (w *world) drawDecision(t *rapid.T, c approval.Case, m *model) approval.Decision {
	d := approval.Decision{
		Verb:  rapid.SampledFrom([]approval.Verb{approval.Approve, approval.Approve, approval.Approve, approval.Approve, approval.Reject, approval.Retract}).Draw(t, "verb"),
		By:    rapid.SampledFrom(cast).Draw(t, "by"),
		Stage: rapid.SampledFrom([]int{m.stage, m.stage, m.stage, 0, 1, 2}).Draw(t, "stage"),
	}
	how := rapid.SampledFrom([]string{"own", "own", "own", "none", "another's", "replay", "graft"}).Draw(t, "signature")
	honest := rapid.IntRange(0, 2).Draw(t, "honest") > 0
	if honest {
		boss := cast[10]
		d.By, d.Stage, how = rapid.SampledFrom([]opsec.Actor{human("bob"), human("carol"), human("dave"), boss}).Draw(t, "by"), m.stage, "own"
	}
	switch {
	case how == "none" || m.policy.SkipSignatures && how == "own":
		return d
	case (how == "replay" || how == "graft") && len(w.seen) > 0:
		old := rapid.SampledFrom(w.seen).Draw(t, "old")
		if how == "replay" {
			return old
		}
		d.Signature, d.SignedAt = old.Signature, old.SignedAt
		return d
	}
	signer := d.By
	if how == "another's" {
		signer = rapid.SampledFrom(cast).Draw(t, "signer")
	}
	skew := time.Duration(rapid.SampledFrom([]int{0, 0, 0, -4, 4, 7, -90}).Draw(t, "skew")) * time.Minute
	if honest {
		skew = 0
	}
	d = sign(c, d, string(signer.Tenant)+signer.Person, w.now.Add(skew))
	w.seen = append(w.seen, d)
	if of(signer) == of(d.By) {
		w.made[fingerprint(m.id, d)] = true
	}
	return d
}

// No schedule of decisions, by whomever and with whatever signatures, makes of a case what the model does not; and none
// lets the requester or a beneficiary count.
func TestNoScheduleApprovesWithoutOthers(t *testing.T) {
	reached := map[approval.Status]int{}
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		for range rapid.IntRange(20, 60).Draw(t, "steps") {
			i := min(1, rapid.IntRange(0, 9).Draw(t, "case")/8)
			c, m := w.cases[i], w.models[i]
			before := c.Digest()
			var next approval.Case
			var e *opsec.Event
			var err error
			want := false
			switch op := rapid.SampledFrom([]string{
				"decide", "decide", "decide", "decide", "decide", "decide", "use", "use", "expire", "expire", "withdraw", "clock", "roles", "keys", "reread",
			}).Draw(t, "op"); op {
			case "decide":
				d := w.drawDecision(t, c, m)
				want = m.allows(w, d)
				next, e, err = c.Decide(d, w.authority(), w.now)
				if want {
					m.apply(w, d)
				}
			case "use":
				exact := rapid.IntRange(0, 3).Draw(t, "exact") > 0
				action := destroy()
				if !exact {
					action.Resource.ID = "vol-8"
				}
				want = m.usable(w, exact)
				next, e, err = c.Use(action, human("alice"), w.authority(), w.now)
				if want {
					m.status, m.clock = approval.Used, m.at(w.now)
				}
			case "withdraw":
				by := rapid.SampledFrom(cast).Draw(t, "by")
				want = of(by) == of(human("alice")) && m.live(m.at(w.now), approval.Pending, approval.Approved)
				next, e, err = c.Withdraw(by, "", w.now)
				if want {
					m.status, m.clock = approval.Withdrawn, m.at(w.now)
				}
			case "expire":
				at := m.at(w.now)
				want = (m.status == approval.Pending || m.status == approval.Approved) && !m.live(at, m.status)
				next, e, err = c.Expire(w.now)
				if want {
					m.status, m.clock = approval.Expired, at
				}
			case "clock":
				w.now = w.now.Add(time.Duration(rapid.SampledFrom([]int{2, 9, -10, 25, 61}).Draw(t, "minutes")) * time.Minute)
				continue
			case "roles":
				w.roles[of(rapid.SampledFrom(cast).Draw(t, "whose"))] = drawRoles(t)
				continue
			case "keys":
				who := of(rapid.SampledFrom(cast).Draw(t, "whose"))
				w.lost[who] = !w.lost[who]
				continue
			case "reread":
				w.cases[i] = reread(t, c)
				require.Equal(t, c, w.cases[i])
				continue
			}
			require.Equal(t, want, err == nil, "%v", err)
			require.Equal(t, before, c.Digest(), "a verb changed the case that it was given")
			if err != nil {
				require.Equal(t, c, next)
				require.Equal(t, e != nil, errIsDenied(err))
			}
			if e != nil {
				require.NoError(t, e.Validate())
			}
			w.cases[i] = next
			w.check(t, i)
		}
		for _, m := range w.models {
			reached[m.status]++
		}
	})
	t.Log(reached)
	for _, s := range []approval.Status{approval.Pending, approval.Approved, approval.Rejected, approval.Withdrawn, approval.Expired, approval.Used} {
		require.NotZero(t, reached[s], "no schedule came to %s", s)
	}
}

// check compares a case with its model, and looks for the requester and the beneficiary among those who counted.
func (w *world) check(t *rapid.T, i int) {
	c, m := w.cases[i], w.models[i]
	s, err := c.At(m.clock)
	require.NoError(t, err)
	require.Equal(t, m.stage, s.Stage)
	require.Equal(t, m.status, s.Status)
	if s, err = c.At(w.now); m.status == approval.Pending || m.status == approval.Approved {
		require.NoError(t, err)
		require.Equal(t, m.live(m.at(w.now), m.status), s.Status != approval.Expired)
	}
	for _, step := range c.History {
		if step.Verb == approval.Approve || step.Verb == approval.Reject {
			require.True(t, step.By.DistinctFrom(human("alice")) && step.By.DistinctFrom(human("ben")))
		}
	}
}
