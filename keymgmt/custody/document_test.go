package custody_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt/custody"
)

func TestRootDocumentsThatNobodyMadeAreRefused(t *testing.T) {
	b := new(custody.Memory)
	unsealed(t, b)
	good, err := b.Get(ctx, "root")
	require.NoError(t, err)
	slot := func(cost, salt, wrapped string) string {
		return fmt.Sprintf(`,"passphrase":{"cost":{%s},"salt":"%s","wrapped":"%s"}}`, cost, salt, wrapped)
	}
	const fair = `"passes":3,"memory_kib":65536,"lanes":4`
	salt, wrapped := strings.Repeat("A", 22)+"==", strings.Repeat("A", 80)
	for name, changed := range map[string]string{
		"newer version":   strings.Replace(string(good), `"version":1`, `"version":2`, 1),
		"no version":      strings.Replace(string(good), `"version":1,`, ``, 1),
		"unknown field":   strings.Replace(string(good), `"version":1`, `"version":1,"more":0`, 1),
		"two documents":   string(good) + string(good),
		"all memory":      string(good[:len(good)-1]) + slot(`"passes":1,"memory_kib":4294967295,"lanes":4`, salt, wrapped),
		"no work":         string(good[:len(good)-1]) + slot(`"passes":1,"memory_kib":65536,"lanes":4`, salt, wrapped),
		"no cost":         string(good[:len(good)-1]) + slot(``, salt, wrapped),
		"no salt":         string(good[:len(good)-1]) + slot(fair, "", wrapped),
		"another wrapped": string(good[:len(good)-1]) + slot(fair, salt, "AAAA"),
	} {
		require.NoError(t, b.Replace(ctx, "root", []byte(changed)))
		r := newRoot(t, b)
		require.ErrorIs(t, r.Unseal(ctx, rootKey), opsec.ErrInvalid, name)
		require.ErrorIs(t, r.UnsealWithPassphrase(ctx, passphrase), opsec.ErrInvalid, name)
		require.True(t, r.Sealed())
	}
}

// flicker is a place that is away for one call.
type flicker struct {
	*custody.Memory
	away int // which call from now on
}

func (f *flicker) Get(ctx context.Context, name string) ([]byte, error) {
	f.away--
	if f.away == 0 {
		return nil, nil
	}
	return f.Memory.Get(ctx, name)
}

func TestPlaceThatIsAwayForAMomentHasNotLostAKey(t *testing.T) {
	f := &flicker{Memory: new(custody.Memory)}
	r := unsealed(t, f)
	w := wrapped(t, r, "h")
	f.away = 1
	requireOpens(t, r, "h", w)
}
