package approval_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
)

var start = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)

// human is an account of a person who works for acme.
func human(person string) opsec.Actor {
	return opsec.Actor{Tenant: "acme", Account: person + "-main", Person: person, Kind: opsec.Human}
}

func sub(person string) opsec.Actor {
	a := human(person)
	a.Account = person + "-sub"
	return a
}

var volume = opsec.Resource{Tenant: "acme", Type: "volume", ID: "vol-7"}

func destroy() approval.Action {
	return approval.NewAction("volume.destroy", volume, []byte(`{"wipe":true}`))
}

// plain is a policy without signatures and reasons.
func plain(rules ...approval.Rule) approval.Policy {
	p := approval.Policy{SkipSignatures: true, SkipReasons: true}
	for _, r := range rules {
		p.Stages = append(p.Stages, approval.Stage{Rule: r})
	}
	return p
}

func role(name string, n int) approval.Rule { return approval.Rule{Role: name, Min: n} }

// holding is an Authority that knows the roles of persons.
func holding(roles map[string][]string) approval.Authority {
	return approval.Authority{Roles: func(a opsec.Actor) ([]string, error) { return roles[a.Person], nil }}
}

// everybody holds "ops".
var everybody = approval.Authority{Roles: func(opsec.Actor) ([]string, error) { return []string{"ops", "staff"}, nil }}

func open(t require.TestingT, p approval.Policy, beneficiaries ...opsec.Actor) approval.Case {
	c, e, err := approval.New(approval.Request{
		Action: destroy(), By: human("alice"), For: beneficiaries, Reason: "ticket 4711", Policy: p,
	}, start)
	require.NoError(t, err)
	require.NoError(t, e.Validate())
	return c
}

func approve(stage int, by opsec.Actor) approval.Decision {
	return approval.Decision{Verb: approval.Approve, Stage: stage, By: by}
}

// must takes what a verb returns, and wants no error and a valid event.
func must(t require.TestingT) func(approval.Case, *opsec.Event, error) approval.Case {
	return func(c approval.Case, e *opsec.Event, err error) approval.Case {
		require.NoError(t, err)
		require.NoError(t, e.Validate())
		require.Equal(t, opsec.Success, e.Outcome)
		return c
	}
}

// refused wants the error, the case as it was, and the event of an attempt.
func refused(t testing.TB, was approval.Case, want error) func(approval.Case, *opsec.Event, error) {
	return func(c approval.Case, e *opsec.Event, err error) {
		t.Helper()
		require.ErrorIs(t, err, want)
		require.ErrorIs(t, err, opsec.ErrDenied)
		require.Equal(t, was, c)
		require.NoError(t, e.Validate())
		require.Equal(t, opsec.Denied, e.Outcome)
	}
}

func status(t require.TestingT, c approval.Case, now time.Time) approval.Status {
	s, err := c.At(now)
	require.NoError(t, err)
	return s.Status
}

// reread takes the case through JSON.
func reread(t require.TestingT, c approval.Case) (read approval.Case) {
	b, err := json.Marshal(c)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &read))
	return read
}

// keyOf is the key of a person of acme, the same in every test.
func keyOf(person string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(person))
	return ed25519.NewKeyFromSeed(seed[:])
}

func keys(persons ...string) (list approval.Keys) {
	for _, p := range persons {
		list = append(list, approval.Key{Tenant: "acme", Person: p, Public: keyOf(p).Public().(ed25519.PublicKey)})
	}
	return list
}

func sign(c approval.Case, d approval.Decision, person string, at time.Time) approval.Decision {
	d.SignedAt = at
	d.Signature = ed25519.Sign(keyOf(person), c.Message(d))
	return d
}
