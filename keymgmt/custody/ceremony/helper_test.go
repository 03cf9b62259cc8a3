package ceremony_test

import (
	"context"
	"crypto/ecdh"
	"crypto/fips140"
	"crypto/hpke"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/keymgmt/custody/ceremony"
	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

var (
	noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	root = []byte("0123456789abcdef0123456789ABCDEF")
	ctx  = context.Background()
)

func person(name string) opsec.Actor {
	return opsec.Actor{Tenant: opsec.Provider, Account: name, Person: name, Kind: opsec.Human}
}

func sub(name string) opsec.Actor {
	a := person(name)
	a.Account = name + "-sub"
	return a
}

var olga = person("olga") // the operator

// hall is where ceremonies are held: custodians with keys, a log, a clock.
type hall struct {
	t      testing.TB
	log    *audittest.Recorder
	now    time.Time
	o      *ceremony.Options
	roster *ceremony.Roster
	keys   map[string]hpke.PrivateKey
}

func newHall(t testing.TB) *hall {
	h := &hall{t: t, log: audittest.New(t), now: noon, keys: map[string]hpke.PrivateKey{}}
	h.o = &ceremony.Options{Recorder: h.log, Authorizer: opsec.CallerAuthorized{}, Now: func() time.Time { return h.now }}
	roster, err := ceremony.Deal(ctx, olga, root, h.plan(3, "ann", "bob", "cyd", "dan", "eve"), h.o)
	require.NoError(t, err)
	h.roster = roster
	return h
}

func (h *hall) plan(threshold int, persons ...string) ceremony.Plan {
	p := ceremony.Plan{Label: "root", Threshold: threshold}
	for _, name := range persons {
		if h.keys[name] == nil {
			key, err := hpke.DHKEM(ecdh.X25519()).GenerateKey()
			require.NoError(h.t, err)
			h.keys[name] = key
		}
		p.Custodians = append(p.Custodians, ceremony.Custodian{
			Tenant: opsec.Provider, Person: name, Recipient: shares.HPKE(h.keys[name].PublicKey()),
		})
	}
	return p
}

// share is what a person decrypts of a roster, on a machine of their own.
func (h *hall) share(r *ceremony.Roster, name string) shares.Share {
	for _, holder := range r.Holders {
		if holder.Person == name {
			s, err := holder.Sealed.Open(shares.HPKEIdentity(h.keys[name]))
			require.NoError(h.t, err)
			return s
		}
	}
	h.t.Fatalf("%s holds nothing", name)
	return shares.Share{}
}

func (h *hall) open(p ceremony.Purpose) *ceremony.Ceremony {
	c, err := ceremony.Open(ctx, olga, h.roster, ceremony.Request{Purpose: p, Reason: "ticket 4711"}, h.o)
	require.NoError(h.t, err)
	return c
}

func (h *hall) submit(c *ceremony.Ceremony, names ...string) {
	h.t.Helper()
	for _, name := range names {
		_, err := c.Submit(ctx, person(name), h.share(h.roster, name))
		require.NoError(h.t, err, name)
	}
}

// denied wants an error, that it is recorded, and that the status stays.
func (h *hall) denied(c *ceremony.Ceremony, action string, want error, step func() error) {
	h.t.Helper()
	status, before := c.State().Status, len(h.log.Events(action))
	err := step()
	require.ErrorIs(h.t, err, want)
	require.ErrorIs(h.t, err, opsec.ErrDenied)
	events := h.log.Events(action)
	require.Len(h.t, events, before+1)
	require.Equal(h.t, opsec.Denied, events[before].Outcome)
	require.Equal(h.t, status, c.State().Status)
}

// bubble is synctest.Test, but in FIPS mode: there Go draws entropy from the clock, which stands still in a bubble.
func bubble(t *testing.T, fn func(*testing.T)) {
	t.Helper()
	if fips140.Enabled() {
		t.Skip("no entropy from a clock that stands still")
	}
	synctest.Test(t, fn)
}
