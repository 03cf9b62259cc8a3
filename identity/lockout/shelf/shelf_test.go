package shelf_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/identity/lockout/shelf"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

// watched is an engine that keeps what is written to it, to be looked through.
type watched struct {
	store.Driver
	written bytes.Buffer
}

func (w *watched) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	for _, op := range b.Ops {
		w.written.WriteString(op.Key)
		w.written.Write(op.Value)
	}
	return w.Driver.Commit(ctx, b)
}

// sum is a PRF, and a Sealer that hides what it is given well enough for a test.
type sum struct{ key byte }

func (s sum) ComputePRF(in []byte, n uint32) ([]byte, error) {
	h := hmac.New(sha256.New, []byte{s.key})
	h.Write(in)
	return h.Sum(nil)[:n], nil
}

func (s sum) Encrypt(plain, _ []byte) ([]byte, error) {
	out := bytes.Clone(plain)
	for i := range out {
		out[i] ^= 0x80 | s.key
	}
	return out, nil
}

func (s sum) Decrypt(sealed, ad []byte) ([]byte, error) { return s.Encrypt(sealed, ad) }

func TestASealedStoreShowsNoAccount(t *testing.T) {
	engine := &watched{Driver: memory.New()}
	options := &store.Options{Sealer: sum{1}, PRF: sum{2}}
	db, err := store.New(engine, options)
	require.NoError(t, err)
	g := gate(t, shelf.Stored(db, options), lockout.Policy{Failures: 1, Reserve: time.Minute}, 0, nil)
	a := attempt("grace.hopper")
	a.Actor = opsec.Actor{Tenant: "acme", Account: "grace.hopper", Terminal: "grace-laptop"}
	r, err := g.Begin(bg, a)
	require.NoError(t, err)
	_, err = g.Commit(bg, r, lockout.Wrong([]byte("hunter2")))
	require.ErrorIs(t, err, lockout.ErrWrong)
	require.Contains(t, engine.written.String(), "lockout/states")
	for _, secret := range []string{"grace", "hunter2"} {
		require.NotContains(t, engine.written.String(), secret)
	}
	plain := shelf.Stored(db, nil)
	v, err := plain.Update(bg, a.Key, lockout.Change{Policy: &lockout.Policy{Failures: 1}, Event: lockout.Event{Kind: lockout.Look}, Now: noon})
	require.NoError(t, err)
	require.Equal(t, lockout.Open, v.Standing, "an id without the key finds nothing")
}

func TestALockOutlivesTheProcess(t *testing.T) {
	engine := memory.New()
	policy := lockout.Policy{Failures: 1, Reserve: time.Minute}
	r, err := gate(t, stored(t, engine), policy, 0, nil).Begin(bg, attempt("bob"))
	require.NoError(t, err)
	require.NotZero(t, r)
	_, err = gate(t, stored(t, engine), policy, time.Nanosecond, nil).Begin(bg, attempt("bob"))
	require.ErrorIs(t, err, lockout.ErrBusy, "the guess of a process that has died is under way until it counts")
	later := func() time.Time { return time.Now().Add(2 * time.Minute) }
	_, err = gate(t, stored(t, engine), policy, 0, later).Begin(bg, attempt("bob"))
	require.ErrorIs(t, err, opsec.ErrDenied)
}

func TestSweepDropsWhatIsForgottenAlone(t *testing.T) {
	db, err := store.New(memory.New(), nil)
	require.NoError(t, err)
	s := shelf.Stored(db, nil)
	p := lockout.Policy{Failures: 3, Lock: time.Minute, Temporary: 1, Forget: time.Hour, Reserve: time.Minute}
	do := func(account string, kinds ...lockout.Kind) {
		var batch int64
		for _, kind := range kinds {
			v, err := s.Update(bg, attempt(account).Key, lockout.Change{Policy: &p, Event: lockout.Event{Kind: kind, Batch: batch}, Now: noon})
			require.NoError(t, err)
			batch = max(batch, v.Batch)
		}
	}
	R, F := lockout.Reserve, lockout.Fail
	do("clean", R, lockout.Succeed)
	do("failed", R, F)
	do("abandoned", R)
	do("locked", R, F, R, F, R, F)
	do("brink", R, F, R, F, R) // will lock when nobody settles it, and then be forgotten
	do("held", lockout.Hold)
	p.Lock = 2 * time.Hour // longer than a run is remembered
	do("for long", R, F, R, F, R, F)
	count := func() (n int) {
		require.NoError(t, db.View(bg, func(tx *store.Tx) error {
			n, err = shelf.Rows.Count(tx.Sub("acme"), store.Query{})
			return err
		}))
		return n
	}
	require.Equal(t, 6, count())
	sweep := func(at time.Time, want int) {
		t.Helper()
		n, err := s.Sweep(bg, "acme", at)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	sweep(noon.Add(time.Hour), 0)
	sweep(noon.Add(3*time.Hour), 4)
	sweep(noon.Add(5*time.Hour), 1)
	sweep(noon.Add(1000*time.Hour), 0)
	require.Equal(t, 1, count(), "held")
}
