package thirdparty_test

import (
	"context"
	"crypto/fips140"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/custody"
	"github.com/cloudopsec/opsec/keymgmt/custody/thirdparty"
)

var (
	noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	olga = opsec.Actor{Tenant: opsec.Provider, Account: "olga", Person: "olga", Kind: opsec.Human}
	ctx  = thirdparty.WithJustification(context.Background(), thirdparty.Justification{By: olga, Reason: "start of node 7"})
)

// root is a custodian of somebody.
func root(t testing.TB, name string) *custody.Root {
	r, err := custody.NewRoot(new(custody.Memory), &custody.RootOptions{Name: name, Now: func() time.Time { return noon }})
	require.NoError(t, err)
	require.NoError(t, r.Create(context.Background(), custody.NewRootKey()))
	return r
}

// outside is a party's custodian that does as it is told.
type outside struct {
	keymgmt.Custodian
	calls atomic.Int32
	act   func(ctx context.Context) error // before each call
}

func (o *outside) before(ctx context.Context) error {
	o.calls.Add(1)
	if o.act == nil {
		return nil
	}
	return o.act(ctx)
}

func (o *outside) Generate(ctx context.Context, handle string) error {
	if err := o.before(ctx); err != nil {
		return err
	}
	return o.Custodian.Generate(ctx, handle)
}

func (o *outside) Wrap(ctx context.Context, handle string, material, data []byte) ([]byte, error) {
	if err := o.before(ctx); err != nil {
		return nil, err
	}
	return o.Custodian.Wrap(ctx, handle, material, data)
}

func (o *outside) Unwrap(ctx context.Context, handle string, wrapped, data []byte) ([]byte, error) {
	if err := o.before(ctx); err != nil {
		return nil, err
	}
	return o.Custodian.Unwrap(ctx, handle, wrapped, data)
}

func (o *outside) Destroy(ctx context.Context, handle string) (keymgmt.Evidence, error) {
	if err := o.before(ctx); err != nil {
		return keymgmt.Evidence{}, err
	}
	return o.Custodian.Destroy(ctx, handle)
}

// office is a party, with what stands around it.
type office struct {
	*thirdparty.Party
	theirs *outside
	log    *audittest.Recorder
	now    time.Time
}

func newOffice(t testing.TB, p thirdparty.Policy) *office {
	o := &office{theirs: &outside{Custodian: root(t, "theirs")}, log: audittest.New(t), now: noon}
	p.Name = "Keyholders"
	var err error
	o.Party, err = thirdparty.New(o.theirs, p, &thirdparty.Options{Recorder: o.log, Now: func() time.Time { return o.now }})
	require.NoError(t, err)
	return o
}

// ready has a key, and something that it wraps.
func (o *office) ready(t testing.TB) (wrapped []byte) {
	require.NoError(t, o.Generate(ctx, "kek"))
	wrapped, err := o.Wrap(ctx, "kek", []byte("material"), []byte("context"))
	require.NoError(t, err)
	return wrapped
}

// bubble is synctest.Test, but in FIPS mode: there Go draws entropy from the clock, which stands still in a bubble.
func bubble(t *testing.T, fn func(*testing.T)) {
	t.Helper()
	if fips140.Enabled() {
		t.Skip("no entropy from a clock that stands still")
	}
	synctest.Test(t, fn)
}
