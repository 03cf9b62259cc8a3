package device_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout/device"
)

var (
	ann   = device.Owner{Tenant: "acme", Account: "ann"}
	begin = time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)
	admin = opsec.Actor{Tenant: "acme", Account: "root", Person: "p-root", Kind: opsec.Human}
)

// clock is set by hand.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// trail keeps events.
type trail struct {
	mu     sync.Mutex
	events []opsec.Event
	err    error
}

func (t *trail) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, *e)
	return opsec.Receipt{Event: e.ID}, errors.Join(t.err, e.Validate())
}

func (t *trail) last() opsec.Event { return t.events[len(t.events)-1] }

// rules permits root.
type rules struct{}

func (rules) Authorize(_ context.Context, who opsec.Actor, _ string, _ opsec.Resource) error {
	if who.Account != "root" {
		return opsec.ErrDenied
	}
	return nil
}

func secret(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func key(id uint32, from time.Time) device.Key {
	return device.Key{ID: id, Secret: secret(byte(id)), From: from}
}

type kit struct {
	*device.Tokens
	clock    clock
	trail    trail
	register *device.Memory
}

func newKit(t testing.TB, keys ...device.Key) *kit {
	t.Helper()
	k := &kit{clock: clock{begin}, register: device.NewMemory(100)}
	if keys == nil {
		keys = []device.Key{key(1, begin)}
	}
	k.use(t, keys...)
	return k
}

func (k *kit) use(t testing.TB, keys ...device.Key) {
	t.Helper()
	var err error
	k.Tokens, err = device.New(keys, device.Policy{}, k.register, &device.Options{Now: k.clock.now, Authorizer: rules{}, Recorder: &k.trail})
	require.NoError(t, err)
}

func (k *kit) issue(t testing.TB, who device.Owner) (string, device.Device) {
	t.Helper()
	text, d, err := k.Issue(t.Context(), who)
	require.NoError(t, err)
	return text, d
}
