package vault

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/require"
)

// rounds of one race: a median of fewer is luck.
const rounds = 7

// race lets two do the same work in turns, and reports their times for each of n pieces and the median of the ratios. Who
// begins changes.
func race(b *testing.B, n int, ours, vaults func(b *testing.B)) {
	ours(b) // and warm up
	vaults(b)
	took := func(run func(b *testing.B)) float64 {
		start := time.Now()
		run(b)
		return float64(time.Since(start).Nanoseconds()) / float64(n)
	}
	var mine, theirs, ratios []float64
	for b.Loop() {
		for round := range rounds {
			var o, v float64
			if round%2 == 0 {
				o, v = took(ours), took(vaults)
			} else {
				v, o = took(vaults), took(ours)
			}
			mine, theirs, ratios = append(mine, o), append(theirs, v), append(ratios, v/o)
		}
	}
	b.ReportMetric(0, "ns/op") // of no meaning here
	b.ReportMetric(median(mine), "ns-ours")
	b.ReportMetric(median(theirs), "ns-vault")
	b.ReportMetric(median(ratios), "x-vault")
}

func median(of []float64) float64 {
	of = slices.Sorted(slices.Values(of))
	return (of[(len(of)-1)/2] + of[len(of)/2]) / 2
}

// engine is Vault's transit engine with one key of its default type, aes256-gcm96.
type engine struct {
	backend logical.Backend
	storage logical.Storage
}

const keyName = "data"

func newEngine(t testing.TB) *engine {
	t.Helper()
	storage := new(logical.InmemStorage)
	backend, err := transit.Factory(t.Context(), &logical.BackendConfig{
		StorageView: storage, Logger: hclog.NewNullLogger(),
		System: logical.StaticSystemView{DefaultLeaseTTLVal: time.Hour, MaxLeaseTTLVal: 2 * time.Hour}, // as Vault's own tests
	})
	require.NoError(t, err)
	t.Cleanup(func() { backend.Cleanup(context.Background()) })
	e := &engine{backend, storage}
	_, err = e.call("keys/"+keyName, nil)
	require.NoError(t, err)
	return e
}

// call is one request to the engine, as its front passes it on once it has read the JSON.
func (e *engine) call(path string, data map[string]any) (map[string]any, error) {
	response, err := e.backend.HandleRequest(context.Background(), &logical.Request{
		Operation: logical.UpdateOperation, Path: path, Storage: e.storage, Data: data,
	})
	switch {
	case err != nil:
		return nil, err
	case response.IsError():
		return nil, response.Error()
	case response == nil:
		return nil, nil
	}
	return response.Data, nil
}

func (e *engine) rotate() error {
	_, err := e.call("keys/"+keyName+"/rotate", nil)
	return err
}

// rotateTo rotates until the key has so many versions.
func (e *engine) rotateTo(t testing.TB, versions int) {
	t.Helper()
	for range versions - e.latest(t) {
		require.NoError(t, e.rotate())
	}
}

func (e *engine) latest(t testing.TB) int {
	t.Helper()
	response, err := e.backend.HandleRequest(context.Background(), &logical.Request{
		Operation: logical.ReadOperation, Path: "keys/" + keyName, Storage: e.storage,
	})
	require.NoError(t, err)
	return response.Data["latest_version"].(int)
}

// encrypt returns what it has made of each plaintext. Without associated data: Vault's rewrap (1.21.4) reads it and uses none.
func (e *engine) encrypt(t testing.TB, plaintexts [][]byte) []string {
	t.Helper()
	items := make([]any, len(plaintexts))
	for i, p := range plaintexts {
		items[i] = map[string]any{"plaintext": base64.StdEncoding.EncodeToString(p)}
	}
	list, err := e.batch("encrypt", items)
	require.NoError(t, err)
	return list
}

// rewrap moves what itemsOf was given to the latest version.
func (e *engine) rewrap(items []any) ([]string, error) { return e.batch("rewrap", items) }

// itemsOf are ciphertexts as they stand in a request.
func itemsOf(ciphertexts []string) []any {
	items := make([]any, len(ciphertexts))
	for i, c := range ciphertexts {
		items[i] = map[string]any{"ciphertext": c}
	}
	return items
}

func (e *engine) batch(verb string, items []any) ([]string, error) {
	data, err := e.call(verb+"/"+keyName, map[string]any{"batch_input": items})
	if err != nil {
		return nil, err
	}
	results := data["batch_results"].([]transit.EncryptBatchResponseItem)
	list := make([]string, len(results))
	for i, r := range results {
		if r.Error != "" {
			return nil, fmt.Errorf("item %d: %s", i, r.Error)
		}
		list[i] = r.Ciphertext
	}
	return list, nil
}

func (e *engine) decrypt(ciphertext string) ([]byte, error) {
	data, err := e.call("decrypt/"+keyName, map[string]any{"ciphertext": ciphertext})
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(data["plaintext"].(string))
}

func TestEngineRewrapsToItsLatestVersion(t *testing.T) {
	e := newEngine(t)
	sealed := e.encrypt(t, [][]byte{[]byte("one"), []byte("two")})
	e.rotateTo(t, 3)
	require.Equal(t, 3, e.latest(t))
	moved, err := e.rewrap(itemsOf(sealed))
	require.NoError(t, err)
	require.Len(t, moved, 2)
	for i, want := range []string{"one", "two"} {
		require.Regexp(t, `^vault:v1:`, sealed[i])
		require.Regexp(t, `^vault:v3:`, moved[i])
		got, err := e.decrypt(moved[i])
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
}
