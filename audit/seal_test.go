package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
)

// keeper is a sink that keeps the records as they come.
type keeper struct{ records []audit.Record }

func (k *keeper) Write(_ context.Context, batch []audit.Record) error {
	k.records = append(k.records, batch...)
	return nil
}
func (k *keeper) Durable() bool               { return true }
func (k *keeper) Close(context.Context) error { return nil }

func TestSecretsAreStoredAsDigests(t *testing.T) {
	for name, key := range map[string]*audit.DigestKey{"with a key": digestKey(t), "without a key": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var k keeper
				trail, err := audit.New(audit.Sinks{"k": &k}, audit.Policy{}, &audit.Options{DigestKey: key})
				require.NoError(t, err)
				e := loginEvent()
				record(t, trail, e)
				e.Attrs[0].Value, e.Granted[0], e.OnBehalfOf.Account = "changed", "changed", "changed" // too late
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				require.NoError(t, trail.Run(ctx))

				stored := k.records[0]
				require.NotContains(t, fmt.Sprintf("%s %+v", stored.JSON, stored.Event.Attrs[2].Value), "hunter2")
				require.NotContains(t, string(stored.JSON), "changed")
				require.JSONEq(t, string(stored.JSON), string(stored.Event.AppendJSON(nil)))
				require.Equal(t, "hunter2", e.Attrs[2].Value, "the caller's event is as it was")
				got := stored.Event.Attrs[2]
				if key == nil {
					require.Equal(t, opsec.Attr{Key: "password", Mark: opsec.Secret}, got)
					return
				}
				require.Equal(t, opsec.Attr{
					Key: "password", Mark: opsec.Digest,
					// printf 'acme\0hunter2' | openssl dgst -sha256 -hmac kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk
					Value: "hmac-sha256:061ef1a2f75b2839bfceb609713d407110850f8788b5474feddc05def8c8559b",
				}, got)
			})
		})
	}
}

func TestDigestsCompareWithinATenantOnly(t *testing.T) {
	k := digestKey(t)
	require.Equal(t, k.Digest("acme", "x"), k.Digest("acme", "x"))
	require.NotEqual(t, k.Digest("acme", "x"), k.Digest("globex", "x"))
	require.NotEqual(t, k.Digest("acme", "x"), k.Digest("acme", "y"))
}

func TestDigestKeyShowsItselfInNoForm(t *testing.T) {
	secret := []byte(strings.Repeat("k", 32))
	k, err := audit.NewDigestKey(secret)
	require.NoError(t, err)
	before := k.Digest("acme", "x")
	clear(secret)
	require.Equal(t, before, k.Digest("acme", "x"), "the key is a copy")
	var out bytes.Buffer
	for _, v := range []any{k, audit.Options{DigestKey: k}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", v)
	}
	data, err := json.Marshal(map[string]any{"key": k})
	require.NoError(t, err)
	require.NotContains(t, out.String()+string(data), "kkk")
	require.NotContains(t, out.String(), "6b6b")
	require.NotContains(t, out.String(), "107 107")
	_, err = audit.NewDigestKey(make([]byte, 31))
	require.ErrorIs(t, err, opsec.ErrInvalid)
}
