package custody_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// TestRemainsAreErasedBeforeTheirNameIsTaken generates and destroys a key of a handle whose last erasure was interrupted.
func TestRemainsAreErasedBeforeTheirNameIsTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	r := unsealed(t, openDir(t, path))
	wrapped(t, r, "h")
	keys, err := filepath.Glob(filepath.Join(path, "key-*"))
	require.NoError(t, err)
	first, err := os.ReadFile(keys[0])
	require.NoError(t, err)
	seen := filepath.Join(t.TempDir(), "link") // another name of the same blocks
	require.NoError(t, os.Link(keys[0], seen))
	// The process died between the rename and the overwriting.
	require.NoError(t, os.Rename(keys[0], filepath.Join(path, ".erase-"+strings.TrimSuffix(filepath.Base(keys[0]), ".json"))))

	wrapped(t, r, "h")
	_, err = r.Destroy(ctx, "h")
	require.NoError(t, err)
	after, err := os.ReadFile(seen)
	require.NoError(t, err)
	require.NotEqual(t, first, after)
	require.Equal(t, []string{"root.json"}, files(t, path))
}

func TestFilesThatWereNotWholeAreRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	r := unsealed(t, openDir(t, path))
	w := wrapped(t, r, "h")
	keys, err := filepath.Glob(filepath.Join(path, "key-*"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(path, ".new-1"), []byte("{"), 0o600))
	require.NoError(t, os.Link(keys[0], filepath.Join(path, ".new-2"))) // it died after the link
	openDir(t, path)
	require.Len(t, files(t, path), 4, "another process may be at it")
	for _, name := range []string{".new-1", ".new-2"} {
		require.NoError(t, os.Chtimes(filepath.Join(path, name), time.Time{}, time.Now().Add(-2*time.Hour)))
	}
	openDir(t, path)
	requireOpens(t, r, "h", w)
	require.Len(t, files(t, path), 2)
}

// TestStartsDoNotDisturbWhoCreates opens a directory again and again while keys are generated in it.
func TestStartsDoNotDisturbWhoCreates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	r := unsealed(t, openDir(t, path))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 100 {
			if err := r.Generate(ctx, fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		}
	}()
	for starting := true; starting; {
		select {
		case <-done:
			starting = false
		default:
			if _, err := custody.OpenDir(path); err != nil {
				t.Error(err)
			}
		}
	}
	for i := range 100 {
		_, err := r.Wrap(ctx, fmt.Sprint(i), []byte("material"), nil)
		require.NoError(t, err)
	}
}

func TestLongestHandle(t *testing.T) {
	r := unsealed(t, new(custody.Memory))
	for _, h := range []string{strings.Repeat("h", custody.MaxHandle), strings.Repeat("\uffff<", 128), "\ufffd"} {
		requireOpens(t, r, h, wrapped(t, r, h))
	}
}
