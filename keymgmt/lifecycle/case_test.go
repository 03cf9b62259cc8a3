package lifecycle_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
)

// Who may do what, written down apart from the table of the code.
func TestRolesAreSeparate(t *testing.T) {
	who := map[string]string{"ann": "administrator", "cas": "custodian", "oli": "operator", "udo": "auditor", "zoe": "none"}
	steps := map[string]struct {
		may string
		do  func(h *house, by lifecycle.By) error
	}{
		"update": {"administrator", func(h *house, by lifecycle.By) error {
			_, err := h.Update(bg, by, setID, nil, "AES128_GCM", nil)
			return err
		}},
		"grant":      {"administrator", func(h *house, by lifecycle.By) error { _, err := h.Grant(bg, by, setID, roles()); return err }},
		"generate":   {"administrator", func(h *house, by lifecycle.By) error { _, err := h.Generate(bg, by, setID); return err }},
		"rotate":     {"administrator", func(h *house, by lifecycle.By) error { _, err := h.Rotate(bg, by, setID); return err }},
		"expect":     {"administrator", func(h *house, by lifecycle.By) error { _, err := h.Expect(bg, by, refOf(9), "AES256_GCM"); return err }},
		"link":       {"administrator", func(h *house, by lifecycle.By) error { _, err := h.Link(bg, by, refOf(9), "AES256_GCM"); return err }},
		"suspend":    {"administrator", func(h *house, by lifecycle.By) error { _, err := h.Suspend(bg, by, refOf(1)); return err }},
		"deactivate": {"administrator", func(h *house, by lifecycle.By) error { _, err := h.Deactivate(bg, by, refOf(1)); return err }},
		"schedule":   {"administrator", func(h *house, by lifecycle.By) error { _, err := h.Schedule(bg, by, refOf(1)); return err }},
		"periods": {"administrator", func(h *house, by lifecycle.By) error {
			_, err := h.ChangePeriods(bg, by, refOf(1), noon.Add(time.Hour), noon.Add(time.Hour))
			return err
		}},
		"compromise": {"administrator custodian operator", func(h *house, by lifecycle.By) error {
			_, err := h.Compromise(bg, by, refOf(1), noon)
			return err
		}},
		"count": {"operator", func(h *house, by lifecycle.By) error {
			_, err := h.Count(bg, by, refOf(1), keymgmt.Census{Time: noon})
			return err
		}},
		"back up": {"custodian", func(h *house, by lifecycle.By) error { _, err := h.BackUp(bg, by, setID); return err }},
		"export":  {"custodian", func(h *house, by lifecycle.By) error { _, err := h.Export(bg, by, refOf(1)); return err }},
	}
	for what, step := range steps {
		for name, role := range who {
			h := open(t)
			h.create(t)
			h.rotate(t)
			before, err := h.Keyset(bg, setID)
			require.NoError(t, err)
			err = step.do(h, by(name))
			if contained(step.may, role) {
				require.NoError(t, err, "%s by %s", what, role)
				continue
			}
			require.ErrorIs(t, err, opsec.ErrDenied, "%s by %s", what, role)
			require.Equal(t, opsec.Denied, h.recorder.last().Outcome)
			require.Equal(t, name, h.recorder.last().Actor.Person)
			after, err := h.Keyset(bg, setID)
			require.NoError(t, err)
			require.Equal(t, before, after)
		}
		h := open(t)
		h.create(t)
		h.rotate(t)
		other := by("ann")
		other.Actor.Tenant = "globex"
		require.ErrorIs(t, step.do(h, other), opsec.ErrDenied, "the same person id in another tenant: %s", what)
		other.Actor.Person = ""
		require.ErrorIs(t, step.do(h, other), opsec.ErrInvalid, "nobody: %s", what)
	}
}

func contained(list, word string) bool {
	for len(list) >= len(word) {
		if list[:len(word)] == word {
			return true
		}
		list = list[1:]
	}
	return false
}

type deny struct{ action string }

func (d deny) Authorize(_ context.Context, _ opsec.Actor, action string, _ opsec.Resource) error {
	if action == d.action {
		return opsec.ErrDenied
	}
	return nil
}

func TestTheAuthorizerHasASay(t *testing.T) {
	h := open(t, func(o *lifecycle.Options) { o.Authorizer = deny{keymgmt.ActionRotate} })
	h.create(t)
	_, err := h.Rotate(bg, admin, setID)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.Equal(t, []string{keymgmt.ActionRotate}, h.recorder.actions(opsec.Denied))
	_, err = h.Generate(bg, admin, setID)
	require.NoError(t, err)
}

func TestNobodyChangesHisOwnRole(t *testing.T) {
	h := open(t)
	h.create(t)
	r := roles()
	r[keymgmt.Administrator], r[keymgmt.Operator] = []string{"acme/ben"}, []string{"acme/ann", "acme/oli"}
	_, err := h.Grant(bg, admin, setID, r)
	require.ErrorIs(t, err, opsec.ErrDenied)
	_, err = h.Grant(bg, by("ben"), setID, r)
	require.NoError(t, err)
	e := h.recorder.last()
	require.Equal(t, []string{"operator:acme/ann"}, e.Granted)
	require.Equal(t, []string{"administrator:acme/ann"}, e.Cancelled)
	_, err = h.Rotate(bg, admin, setID)
	require.ErrorIs(t, err, opsec.ErrDenied)
}

func TestConsentIsForOneOrderOnce(t *testing.T) {
	h := open(t)
	h.create(t, func(s *keymgmt.Keyset) { quorum(&s.Policy, keymgmt.Compromise, keymgmt.Rotate) })
	k, err := h.Generate(bg, admin, setID)
	require.NoError(t, err)
	_, err = h.Activate(bg, admin, k.Ref)
	require.NoError(t, err)

	_, err = h.Compromise(bg, admin, k.Ref, noon)
	require.ErrorIs(t, err, lifecycle.ErrConsent)
	require.ErrorIs(t, err, opsec.ErrDenied)
	order := lifecycle.Order{Verb: keymgmt.Compromise, Set: setID, Key: k.Ref.Key, Since: noon.In(time.FixedZone("x", 3600))}
	c, err := h.Propose(bg, admin, order)
	require.NoError(t, err)
	with := admin
	with.Approval = c.Request.ID
	_, err = h.Compromise(bg, with, k.Ref, noon)
	require.ErrorIs(t, err, opsec.ErrDenied, "not approved yet")

	twin := person("ann")
	twin.Account = "ann-2@acme.example"
	require.ErrorIs(t, h.approve(t, c, twin), approval.ErrSamePerson, "not with another account either")
	require.ErrorIs(t, h.approve(t, c, person("oli")), approval.ErrNotEligible)
	require.NoError(t, h.approve(t, c, person("ben")))
	got, o, err := h.Case(bg, "acme", c.Request.ID)
	require.NoError(t, err)
	require.Len(t, got.History, 1)
	require.Equal(t, keymgmt.Compromise, o.Verb)

	_, err = h.Compromise(bg, with, k.Ref, noon.Add(-time.Second))
	require.ErrorIs(t, err, approval.ErrOtherAction)
	_, err = h.Rotate(bg, with, setID)
	require.ErrorIs(t, err, approval.ErrOtherAction)
	_, err = h.Suspend(bg, with, k.Ref)
	require.ErrorIs(t, err, opsec.ErrInvalid, "no consent is asked for")
	require.Equal(t, keymgmt.Active, h.key(t, k.Ref).State)

	done, err := h.Compromise(bg, with, k.Ref, noon)
	require.NoError(t, err)
	require.Equal(t, keymgmt.Compromised, done.State)
	events, err := h.History(bg, k.Ref)
	require.NoError(t, err)
	require.Equal(t, c.Request.ID, events[len(events)-1].Approval)
	_, err = h.Compromise(bg, with, k.Ref, noon)
	require.ErrorIs(t, err, approval.StatusError{Status: approval.Used})
}

func TestConsentLapsesWithItsPolicyAndItsRoles(t *testing.T) {
	h := open(t)
	h.create(t, func(s *keymgmt.Keyset) { quorum(&s.Policy, keymgmt.Rotate, keymgmt.Update) })
	rotate := lifecycle.Order{Verb: keymgmt.Rotate, Set: setID}
	propose := func() lifecycle.By {
		c, err := h.Propose(bg, admin, rotate)
		require.NoError(t, err)
		require.NoError(t, h.approve(t, c, person("cas")))
		with := admin
		with.Approval = c.Request.ID
		return with
	}
	with := propose()
	p := policy()
	quorum(&p, keymgmt.Rotate, keymgmt.Update)
	q := p.Quorum[keymgmt.Rotate]
	q.Stages[0].Rule.Any[0].Min = 2
	update := lifecycle.Order{Verb: keymgmt.Update, Set: setID, Policy: &p}
	c, err := h.Propose(bg, admin, update)
	require.NoError(t, err)
	require.NoError(t, h.approve(t, c, person("cas")))
	agreed := admin
	agreed.Approval = c.Request.ID
	_, err = h.Update(bg, agreed, setID, &p, "", nil)
	require.NoError(t, err)
	_, err = h.Rotate(bg, with, setID)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.ErrorContains(t, err, "another consent")

	with = propose()
	r := roles()
	r[keymgmt.CustodianRole] = []string{"acme/dee"}
	_, err = h.Grant(bg, admin, setID, r)
	require.NoError(t, err)
	_, err = h.Rotate(bg, with, setID)
	require.ErrorIs(t, err, approval.ErrLapsed)

	_, err = h.Propose(bg, by("oli"), rotate)
	require.ErrorIs(t, err, opsec.ErrDenied, "who proposes could do it")
	_, err = h.Propose(bg, admin, lifecycle.Order{Verb: keymgmt.Suspend, Set: setID, Key: 1})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = h.Propose(bg, admin, lifecycle.Order{Verb: "dance", Set: setID})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestAProposalIsWithdrawn(t *testing.T) {
	h := open(t)
	h.create(t, func(s *keymgmt.Keyset) { quorum(&s.Policy, keymgmt.Rotate) })
	c, err := h.Propose(bg, admin, lifecycle.Order{Verb: keymgmt.Rotate, Set: setID})
	require.NoError(t, err)
	_, err = h.Withdraw(bg, by("ben"), "acme", c.Request.ID)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.Equal(t, opsec.Denied, h.recorder.last().Outcome)
	_, err = h.Withdraw(bg, admin, "acme", c.Request.ID)
	require.NoError(t, err)
	require.ErrorIs(t, h.approve(t, c, person("ben")), approval.StatusError{Status: approval.Withdrawn})
	_, err = h.Withdraw(bg, admin, "acme", opsec.NewID())
	require.ErrorIs(t, err, opsec.ErrNotFound)
}

func TestAGroupIsNoRole(t *testing.T) {
	h := open(t, func(o *lifecycle.Options) {
		o.Groups = func(opsec.Actor) ([]string, error) { return []string{"security", "administrator"}, nil }
	})
	h.create(t, func(s *keymgmt.Keyset) {
		quorum(&s.Policy, keymgmt.Rotate, keymgmt.Suspend)
		s.Policy.Quorum[keymgmt.Suspend] = approval.Policy{Stages: []approval.Stage{{Rule: approval.Rule{Role: "security"}}}}
	})
	c, err := h.Propose(bg, admin, lifecycle.Order{Verb: keymgmt.Rotate, Set: setID})
	require.NoError(t, err)
	require.ErrorIs(t, h.approve(t, c, person("guy")), approval.ErrNotEligible)
	c, err = h.Propose(bg, admin, lifecycle.Order{Verb: keymgmt.Suspend, Set: setID, Key: 1})
	require.NoError(t, err)
	require.NoError(t, h.approve(t, c, person("guy")))
}

// Who may change the policy alone does not get round the consent that it asks for.
func TestTheConsentOfOthersIsNotTakenOutOfThePolicyAlone(t *testing.T) {
	h := open(t)
	h.create(t, func(s *keymgmt.Keyset) { quorum(&s.Policy, keymgmt.Destroy) })
	p := policy()
	_, err := h.Update(bg, admin, setID, &p, "", nil)
	require.ErrorIs(t, err, opsec.ErrDenied)
	quorum(&p, keymgmt.Destroy)
	p.Quorum[keymgmt.Destroy].Stages[0].Rule.Any[0].Role = "operator"
	_, err = h.Update(bg, admin, setID, &p, "", nil)
	require.ErrorIs(t, err, opsec.ErrDenied)
	quorum(&p, keymgmt.Destroy, keymgmt.Update)
	p.RotateEvery = time.Hour
	_, err = h.Update(bg, admin, setID, &p, "", nil)
	require.NoError(t, err, "more may be asked for")

	p = policy()
	_, err = h.Update(bg, admin, setID, &p, "", nil)
	require.ErrorIs(t, err, lifecycle.ErrConsent)
	c, err := h.Propose(bg, admin, lifecycle.Order{Verb: keymgmt.Update, Set: setID, Policy: &p})
	require.NoError(t, err)
	require.NoError(t, h.approve(t, c, person("ben")))
	with := admin
	with.Approval = c.Request.ID
	_, err = h.Update(bg, with, setID, &p, "", nil)
	require.NoError(t, err)
}

func TestNobodyIsAskedForConsentThatCannotBeGiven(t *testing.T) {
	for _, v := range []keymgmt.Verb{keymgmt.Create, keymgmt.Fail} {
		h := open(t)
		s := set(setID)
		quorum(&s.Policy, v)
		_, err := h.Create(bg, admin, s)
		require.ErrorIs(t, err, opsec.ErrInvalid, v)
	}
}
