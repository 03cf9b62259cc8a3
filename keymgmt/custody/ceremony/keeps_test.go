package ceremony

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

// TestWhatIsOverHasNoShare looks inside: at copies that nobody else sees.
func TestWhatIsOverHasNoShare(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	o := &Options{Recorder: audittest.New(t), Authorizer: opsec.CallerAuthorized{}, Now: func() time.Time { return now }}
	who := func(name string) opsec.Actor {
		return opsec.Actor{Tenant: opsec.Provider, Account: name, Person: name, Kind: opsec.Human}
	}
	people, keys, plan := []string{"ann", "bob"}, []hpke.PrivateKey{}, Plan{Label: "root", Threshold: 2}
	for _, name := range people {
		key, err := hpke.DHKEM(ecdh.X25519()).GenerateKey()
		require.NoError(t, err)
		keys = append(keys, key)
		plan.Custodians = append(plan.Custodians, Custodian{opsec.Provider, name, shares.HPKE(key.PublicKey())})
	}
	roster, err := Deal(ctx, who("olga"), []byte("secret"), plan, o)
	require.NoError(t, err)

	var secret []byte
	use := func(err error) func(context.Context, []byte) error {
		return func(_ context.Context, b []byte) error {
			require.Equal(t, "secret", string(b), "whoever hands in a share may clear theirs")
			secret = b
			return err
		}
	}
	for name, end := range map[string]func(*Ceremony) error{
		"done":    func(c *Ceremony) error { return c.Recover(ctx, who("olga"), use(nil)) },
		"failed":  func(c *Ceremony) error { return c.Recover(ctx, who("olga"), use(errors.New("no"))) },
		"aborted": func(c *Ceremony) error { return c.Abort(ctx, who("olga"), "why") },
		"expired": func(c *Ceremony) error { now = now.Add(2 * time.Hour); return c.tick(ctx) },
	} {
		c, err := Open(ctx, who("olga"), roster, Request{Purpose: Recover, Reason: "r"}, o)
		require.NoError(t, err)
		for i, person := range people {
			share, err := roster.Holders[i].Sealed.Open(shares.HPKEIdentity(keys[i]))
			require.NoError(t, err)
			_, err = c.Submit(ctx, who(person), share)
			require.NoError(t, err)
			share.Clear()
		}
		kept := c.shares
		require.Len(t, kept, 2)
		_ = end(c)
		require.Equal(t, Status(name), c.state.Status)
		require.Empty(t, c.shares, name)
		for _, share := range kept {
			require.Zero(t, share.Index(), name)
		}
		require.Empty(t, bytes.Trim(secret, "\x00"), name) // cleared; nil before the first that had it
	}
}
