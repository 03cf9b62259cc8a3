package opsec_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
)

func anyActor() *rapid.Generator[opsec.Actor] {
	return rapid.Custom(func(t *rapid.T) opsec.Actor {
		a := opsec.Actor{
			Tenant: opsec.TenantID(rapid.String().Draw(t, "tenant")), Account: rapid.String().Draw(t, "account"),
			Person: rapid.String().Draw(t, "person"), Kind: opsec.ActorKind(rapid.String().Draw(t, "kind")),
			Session: rapid.String().Draw(t, "session"), Terminal: rapid.String().Draw(t, "terminal"),
		}
		switch b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "ip"); rapid.IntRange(0, 3).Draw(t, "family") {
		case 1:
			a.IP = netip.AddrFrom4([4]byte(b))
		case 2:
			a.IP = netip.AddrFrom16([16]byte(b))
		case 3:
			a.IP = netip.AddrFrom16([16]byte(b)).WithZone(rapid.StringN(1, 80, -1).Draw(t, "zone"))
		}
		return a
	})
}

func anyEvent() *rapid.Generator[*opsec.Event] {
	texts := rapid.SliceOfN(rapid.String(), 0, 3)
	when := func(t *rapid.T, name string) time.Time {
		sec := rapid.Int64Range(-62135596799, 253402300799).Draw(t, name) // years 1 to 9999
		return time.Unix(sec, rapid.Int64Range(0, 999_999_999).Draw(t, name)).UTC()
	}
	return rapid.Custom(func(t *rapid.T) *opsec.Event {
		e := opsec.NewEvent(rapid.String().Draw(t, "action"), when(t, "time"))
		e.Tenant = opsec.TenantID(rapid.String().Draw(t, "tenant"))
		e.Class, e.Category = opsec.Critical, opsec.Category(rapid.String().Draw(t, "category"))
		e.Outcome, e.System = opsec.Outcome(rapid.String().Draw(t, "outcome")), rapid.String().Draw(t, "system")
		e.Actor = anyActor().Draw(t, "actor")
		if rapid.Bool().Draw(t, "for another") {
			other := anyActor().Draw(t, "other")
			e.OnBehalfOf, e.Began = &other, when(t, "began")
		}
		e.Resource.Type, e.Resource.ID = rapid.String().Draw(t, "type"), rapid.String().Draw(t, "id")
		e.Granted, e.Cancelled = texts.Draw(t, "granted"), texts.Draw(t, "cancelled")
		e.Reason = rapid.String().Draw(t, "reason")
		for i := range rapid.IntRange(0, 3).Draw(t, "attrs") {
			e.Attrs = append(e.Attrs, opsec.Attr{
				Key: fmt.Sprint("k", i), Value: rapid.String().Draw(t, "value"),
				Mark: rapid.SampledFrom([]opsec.Sensitivity{"", opsec.Public, opsec.Digest}).Draw(t, "mark"),
			})
		}
		return e
	})
}

// normal makes empty lists nil, as they are after reading.
func normal(e opsec.Event) opsec.Event {
	if len(e.Granted) == 0 {
		e.Granted = nil
	}
	if len(e.Cancelled) == 0 {
		e.Cancelled = nil
	}
	return e
}

func TestEventReadsBackAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := anyEvent().Draw(t, "event")
		line := e.AppendJSON(nil)
		oneLine(t, line)
		var back opsec.Event
		require.NoError(t, json.Unmarshal(line, &back), "%s", line)
		require.Equal(t, normal(*e), normal(back))

		viaMarshal, err := json.Marshal(e)
		require.NoError(t, err)
		require.JSONEq(t, string(line), string(viaMarshal))
	})
}

// oneLine fails unless line is valid JSON that no log viewer or terminal could take for anything but one line of text.
func oneLine(t require.TestingT, line []byte) {
	require.True(t, json.Valid(line), "%q", line)
	require.True(t, utf8.Valid(line), "%q", line)
	for _, r := range string(line) {
		if r < 0x20 || 0x7f <= r && r <= 0x9f || r == '\u2028' || r == '\u2029' {
			require.Fail(t, "control character", "%U in %q", r, line)
		}
	}
}

func TestNobodyForgesALine(t *testing.T) {
	forged := `{"id":"00000000-0000-7000-8000-000000000000","action":"audit.forged"}`
	for name, evil := range map[string]string{
		"newline":       "x\n" + forged,
		"CR LF":         "x\r\n" + forged,
		"quote":         `x"},` + forged,
		"backslash":     `x\` + "\n" + forged,
		"NUL":           "x\x00y",
		"escape":        "\x1b[2K\x1b[1Gall is well",
		"DEL":           "x\x7f\x7f\x7f",
		"C1 CSI":        "x\u009b2K",
		"C1 raw byte":   "x\x9b2K",
		"NEL":           "x\u0085" + forged,
		"line sep":      "x\u2028" + forged + "\u2029",
		"invalid UTF-8": "x\xff\xc0\xaf\xed\xa0\x80y",
		"cut UTF-8":     "x\xe2\x82",
		"overlong LF":   "x\xc0\x8a" + forged,
	} {
		t.Run(name, func(t *testing.T) {
			e := login()
			e.System, e.Reason = evil, evil
			e.Actor.Account, e.Actor.Terminal, e.Actor.Session = evil, evil, evil
			e.Actor.IP = netip.MustParseAddr("fe80::1").WithZone(evil)
			e.OnBehalfOf = &e.Actor
			e.Resource.ID = evil
			e.Granted, e.Cancelled = []string{evil}, []string{evil}
			e.Attrs = []opsec.Attr{{Key: evil, Value: evil}}
			line := e.AppendJSON(nil)
			oneLine(t, line)

			var back opsec.Event
			require.NoError(t, json.Unmarshal(line, &back))
			want := string([]rune(evil)) // each byte that is not UTF-8 is U+FFFD
			require.Equal(t, want, back.System)
			require.Equal(t, want, back.Attrs[0].Key)
			require.Equal(t, want, back.Actor.IP.Zone())
			require.Equal(t, line, back.AppendJSON(nil), "what was read is written the same")
		})
	}
}

func TestNoSecretLeaves(t *testing.T) {
	const secret = "hunter2"
	a := opsec.Attr{Key: "password", Value: secret, Mark: opsec.Secret}
	e := login()
	e.Attrs = []opsec.Attr{a}
	op, err := opsec.Begin(t.Context(), recorderFunc(func(*opsec.Event) error { return nil }), e)
	require.NoError(t, err)

	for name, v := range map[string]any{
		"attr": a, "attr pointer": &a, "attrs": e.Attrs, "event": *e, "event pointer": e,
		"operation": op, "nested": struct{ E []opsec.Event }{[]opsec.Event{*e}},
		"redacted": e.Redacted(opsec.Personal),
	} {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		data, err := json.Marshal(v)
		require.NoError(t, err)
		out.Write(data)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", v)
		require.NotContains(t, out.String(), secret, name)
		require.NotContains(t, out.String(), fmt.Sprintf("%x", secret), name)
		require.NotContains(t, out.String(), fmt.Sprintf("%d", []byte(secret)), name)
	}
	require.Equal(t, "password=[secret]", fmt.Sprint(a))
	require.Equal(t, "method=webauthn", fmt.Sprint(login().Attrs[0]))
}

func TestAppendJSONKeepsWhatIsThere(t *testing.T) {
	e := login()
	require.Equal(t, "x"+string(e.AppendJSON(nil)), string(e.AppendJSON([]byte("x"))))
	require.Equal(t, `{"id":"","time":"0001-01-01T00:00:00Z","actor":{}}`, string(new(opsec.Event).AppendJSON(nil)))
}

func FuzzEventJSON(f *testing.F) {
	f.Add(login().AppendJSON(nil))
	f.Add(permit().AppendJSON(nil))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"attrs":[{}],"granted":[""],"on_behalf_of":{},"actor":{"ip":"fe80::1%a\u0000b"}}`))
	f.Add([]byte(`{"time":"2024-02-29T23:59:59.999999999+23:59","reason":"\ud800 \u2028 \u009b \u007f"}`))
	f.Add([]byte(`{"attrs":[{"key":"k","value":"v","mark":"secret"}],"ID":"x","resource":{"id":"\n"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var e, again opsec.Event
		if json.Unmarshal(data, &e) != nil {
			return
		}
		if y := e.Time.UTC().Year(); y < 0 || y > 9999 {
			return // Validate refuses it
		}
		if y := e.Began.UTC().Year(); y < 0 || y > 9999 {
			return
		}
		line := e.AppendJSON(nil)
		oneLine(t, line)
		require.NoError(t, json.Unmarshal(line, &again), "%s", line)
		require.Equal(t, line, again.AppendJSON(nil))
		for _, a := range again.Attrs {
			require.False(t, a.Mark == opsec.Secret && a.Value != "")
		}
		if e.Validate() == nil {
			require.NoError(t, again.Validate())
		}
	})
}
