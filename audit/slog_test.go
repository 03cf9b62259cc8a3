package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
)

func loginEvent() *opsec.Event {
	e := opsec.NewEvent("authn.login", time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC))
	e.Tenant, e.Category, e.Outcome, e.System = "acme", opsec.Authentication, opsec.Denied, "console"
	e.Actor = opsec.Actor{
		Tenant: "acme", Account: "j.doe", Person: "p-17", Kind: opsec.Human, Session: "s-1",
		IP: netip.MustParseAddr("192.0.2.7"), Terminal: "laptop\nlevel=INFO msg=forged",
	}
	e.OnBehalfOf = &opsec.Actor{Account: "boss"}
	e.Resource = opsec.Resource{Tenant: "acme", Type: "console", ID: "main"}
	e.Granted, e.Cancelled = []string{"a.read"}, []string{"a.write"}
	e.Began, e.Intent, e.Reason = e.Time.Add(-time.Hour), opsec.NewID(), "wrong password"
	e.Attrs = []opsec.Attr{
		{Key: "method", Value: "password", Mark: opsec.Tenant},
		{Key: "name", Value: "Doe"},
		{Key: "password", Value: "hunter2", Mark: opsec.Secret},
	}
	return e
}

func TestSlogMasksPersonsByDefault(t *testing.T) {
	e := loginEvent()
	write := func(s audit.Sink) error {
		return s.Write(t.Context(), []audit.Record{{Event: e, JSON: e.AppendJSON(nil)}})
	}
	var out bytes.Buffer
	s := audit.Slog(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelError}), "")
	require.False(t, s.Durable())
	require.NoError(t, write(s))
	require.NoError(t, s.Close(t.Context()))
	var got map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	person := map[string]any{
		"tenant": "acme", "account": "[personal]", "person": "[personal]", "kind": "human", "session": "[personal]",
		"terminal": "[personal]",
	}
	require.Equal(t, map[string]any{
		"time": "2026-11-24T08:00:00Z", "level": "WARN", "msg": "authn.login", "id": string(e.ID), "tenant": "acme",
		"class": "standard", "category": "authentication", "outcome": "denied", "system": "console",
		"actor": person, "on_behalf_of": map[string]any{"account": "[personal]"},
		"resource": "acme/console/main", "granted": []any{"a.read"}, "cancelled": []any{"a.write"},
		"began": "2026-11-24T07:00:00Z", "intent": string(e.Intent), "reason": "wrong password",
		"attrs": map[string]any{"method": "password", "name": "[personal]", "password": "[secret]"},
	}, got)

	out.Reset()
	require.NoError(t, write(audit.Slog(slog.NewTextHandler(&out, nil), opsec.Personal)))
	require.Contains(t, out.String(), "192.0.2.7")
	require.NotContains(t, out.String(), "hunter2")
	require.Equal(t, 1, bytes.Count(out.Bytes(), []byte("\n")), "one event, one line")
}

// brokenHandler fails.
type brokenHandler struct{ slog.Handler }

var errHandler = errors.New("pipe closed")

func (brokenHandler) Handle(context.Context, slog.Record) error { return errHandler }

func TestSlogReportsAFailingHandler(t *testing.T) {
	err := audit.Slog(brokenHandler{slog.DiscardHandler}, "").Write(t.Context(), batch("a"))
	require.ErrorIs(t, err, errHandler)
}
