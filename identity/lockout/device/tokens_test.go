package device_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout/device"
)

func TestTokenIsForOneAccountOfOneTenant(t *testing.T) {
	k := newKit(t)
	text, d := k.issue(t, ann)
	got, err := k.Check(t.Context(), ann, text)
	require.NoError(t, err)
	require.Equal(t, d, got)
	require.Equal(t, device.Device{ID: d.ID, Issued: begin, Expires: begin.Add(90 * 24 * time.Hour)}, got)
	require.Len(t, d.ID, 32)
	for _, other := range []device.Owner{
		{Tenant: "acme", Account: "bob"}, {Tenant: "globex", Account: "ann"}, {Tenant: "acm", Account: "eann"},
		{Tenant: "acmea", Account: "nn"}, {}, {Tenant: "acme"}, {Tenant: "acme", Account: "ann\x00"},
	} {
		_, err := k.Check(t.Context(), other, text)
		require.ErrorIs(t, err, device.ErrForeign, "%v", other)
		require.ErrorIs(t, err, opsec.ErrDenied)
	}
}

func TestTokenFitsACookie(t *testing.T) {
	k := newKit(t)
	text, _ := k.issue(t, ann)
	require.Less(t, len(text), 200)
	c := http.Cookie{Name: "device", Value: text}
	require.Equal(t, "device="+text, c.String(), "nothing is quoted or dropped")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "ann")
	require.NotContains(t, string(raw), "acme")
}

func TestEachBitOfATokenCounts(t *testing.T) {
	k := newKit(t)
	text, _ := k.issue(t, ann)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	require.NoError(t, err)
	for i := range len(raw) * 8 {
		raw[i/8] ^= 1 << (i % 8)
		_, err := k.Check(t.Context(), ann, base64.RawURLEncoding.EncodeToString(raw))
		require.ErrorIs(t, err, device.ErrForeign, "bit %d", i)
		raw[i/8] ^= 1 << (i % 8)
	}
	for _, bad := range []string{"", text[1:], text + "A", text + "\n", "\n" + text[1:], text[:86] + string(text[86]+1), strings.Repeat("A", 1<<20)} {
		_, err := k.Check(t.Context(), ann, bad)
		require.ErrorIs(t, err, device.ErrForeign)
	}
}

func TestNewestKeySignsAndOlderOnesVerifyUntilTheyAreRetired(t *testing.T) {
	first, second := key(1, begin), key(2, begin.Add(time.Hour))
	k := newKit(t, first, second)
	old, d := k.issue(t, ann)

	k.clock.at = begin.Add(time.Hour)
	young, _ := k.issue(t, ann)
	renewed, same, err := k.Renew(t.Context(), ann, old)
	require.NoError(t, err)
	require.NotEqual(t, old, renewed, "the key that signed it is not the newest")
	require.Equal(t, d.ID, same.ID)

	first.Until = begin.Add(2 * time.Hour)
	k.use(t, second, first)
	got, err := k.Check(t.Context(), ann, old)
	require.NoError(t, err)
	require.Equal(t, first.Until, got.Expires, "no longer than its key")
	k.clock.at = first.Until
	for text, want := range map[string]error{old: device.ErrForeign, young: nil, renewed: nil} {
		_, err := k.Check(t.Context(), ann, text)
		require.ErrorIs(t, err, want)
	}
	k.clock.at = begin.Add(-time.Minute)
	_, _, err = k.Issue(t.Context(), ann)
	require.ErrorIs(t, err, opsec.ErrInvalid, "no key signs yet")
	_, err = k.Check(t.Context(), ann, old)
	require.NoError(t, err, "a clock that is behind still verifies")
}

func TestTokenExpires(t *testing.T) {
	k := newKit(t)
	text, d := k.issue(t, ann)
	for at, want := range map[time.Time]error{
		d.Expires.Add(-time.Second): nil, d.Expires: device.ErrExpired, d.Expires.Add(time.Hour): device.ErrExpired,
		begin.Add(-2 * time.Minute): nil, begin.Add(-3 * time.Minute): device.ErrExpired,
	} {
		k.clock.at = at
		_, err := k.Check(t.Context(), ann, text)
		require.ErrorIs(t, err, want, at)
	}
}

func TestRenewSlides(t *testing.T) {
	k := newKit(t)
	text, d := k.issue(t, ann)
	k.clock.at = begin.Add(8 * 24 * time.Hour)
	same, _, err := k.Renew(t.Context(), ann, text)
	require.NoError(t, err)
	require.Equal(t, text, same, "young")
	k.clock.at = begin.Add(9 * 24 * time.Hour)
	younger, n, err := k.Renew(t.Context(), ann, text)
	require.NoError(t, err)
	require.NotEqual(t, text, younger)
	require.Equal(t, device.Device{ID: d.ID, Issued: k.clock.at, Expires: d.Expires.Add(9 * 24 * time.Hour)}, n)
	require.Len(t, k.trail.events, 1, "the device is the same: nothing new is on record")

	for _, none := range []string{"", "nonsense"} {
		_, n, err := k.Renew(t.Context(), ann, none)
		require.NoError(t, err)
		require.NotEqual(t, d.ID, n.ID)
	}
}

func TestOneDeviceIsRevokedOrAllOfTheAccount(t *testing.T) {
	k := newKit(t)
	lost, d := k.issue(t, ann)
	kept, _ := k.issue(t, ann)
	bobs, _ := k.issue(t, device.Owner{Tenant: "acme", Account: "bob"})
	require.NoError(t, k.Revoke(t.Context(), admin, ann, d.ID, "lost"))
	e := k.trail.last()
	require.Equal(t, []any{device.ActionRevoke, opsec.Success, "lost", opsec.TenantID("acme")}, []any{e.Action, e.Outcome, e.Reason, e.Tenant})
	_, err := k.Check(t.Context(), ann, lost)
	require.ErrorIs(t, err, device.ErrRevoked)
	_, err = k.Check(t.Context(), ann, kept)
	require.NoError(t, err)
	_, n, err := k.Renew(t.Context(), ann, lost)
	require.NoError(t, err)
	require.NotEqual(t, d.ID, n.ID, "who knows the secret gets another device, not the revoked one")

	require.NoError(t, k.RevokeAll(t.Context(), admin, ann, "stolen"))
	require.Equal(t, device.ActionRevokeAll, k.trail.last().Action)
	_, err = k.Check(t.Context(), ann, kept)
	require.ErrorIs(t, err, device.ErrRevoked)
	_, err = k.Check(t.Context(), device.Owner{Tenant: "acme", Account: "bob"}, bobs)
	require.NoError(t, err)
	again, _ := k.issue(t, ann)
	require.Equal(t, device.ActionIssue, k.trail.last().Action)
	_, err = k.Check(t.Context(), ann, again)
	require.NoError(t, err)
}

func TestRevocationNeedsPermission(t *testing.T) {
	k := newKit(t)
	text, d := k.issue(t, ann)
	eve := opsec.Actor{Tenant: "acme", Account: "eve"}
	require.ErrorIs(t, k.Revoke(t.Context(), eve, ann, d.ID, ""), opsec.ErrDenied)
	require.Equal(t, opsec.Denied, k.trail.last().Outcome)
	require.ErrorIs(t, k.RevokeAll(t.Context(), eve, ann, ""), opsec.ErrDenied)
	require.ErrorIs(t, k.Revoke(t.Context(), admin, ann, strings.ToUpper(d.ID)+"x", ""), opsec.ErrInvalid)
	require.ErrorIs(t, k.RevokeAll(t.Context(), admin, device.Owner{Tenant: "acme"}, ""), opsec.ErrInvalid)
	_, err := k.Check(t.Context(), ann, text)
	require.NoError(t, err)
}

func TestRevocationStandsWhenTheRecorderFails(t *testing.T) {
	k := newKit(t)
	text, d := k.issue(t, ann)
	k.trail.err = errors.New("disk full")
	require.ErrorIs(t, k.Revoke(t.Context(), admin, ann, d.ID, ""), k.trail.err)
	_, err := k.Check(t.Context(), ann, text)
	require.ErrorIs(t, err, device.ErrRevoked)
	_, _, err = k.Issue(t.Context(), ann)
	require.ErrorIs(t, err, k.trail.err)
}

// down is a register that does not answer.
type down struct{ device.Revocations }

func (down) Look(context.Context, device.Owner, string) (device.Mark, error) {
	return device.Mark{}, errors.New("no connection")
}

func TestNoTokenCountsWhileTheRegisterIsDown(t *testing.T) {
	k := newKit(t)
	text, _ := k.issue(t, ann)
	other, err := device.New([]device.Key{key(1, begin)}, device.Policy{}, down{}, &device.Options{Now: k.clock.now, Authorizer: rules{}})
	require.NoError(t, err)
	_, err = other.Check(t.Context(), ann, text)
	require.ErrorContains(t, err, "no connection")
	require.NotErrorIs(t, err, opsec.ErrDenied)
	_, _, err = other.Renew(t.Context(), ann, text)
	require.ErrorContains(t, err, "no connection")
	_, _, err = other.Issue(t.Context(), ann)
	require.ErrorContains(t, err, "no connection")
}

func TestRegisterInMemoryIsBounded(t *testing.T) {
	k := newKit(t)
	k.register = device.NewMemory(2)
	k.use(t, key(1, begin))
	kept, _ := k.issue(t, ann)
	for range 64 {
		_, d := k.issue(t, ann)
		require.NoError(t, k.Revoke(t.Context(), admin, ann, d.ID, ""))
	}
	_, err := k.Check(t.Context(), ann, kept)
	require.NoError(t, err)
	lost, d := k.issue(t, ann)
	require.NoError(t, k.Revoke(t.Context(), admin, ann, d.ID, ""))
	for _, text := range []string{kept, lost} {
		_, err = k.Check(t.Context(), ann, text)
		require.ErrorIs(t, err, device.ErrRevoked, "too many: all of them")
	}
	bob, zoe := device.Owner{Tenant: "acme", Account: "bob"}, device.Owner{Tenant: "acme", Account: "zoe"}
	text, d := k.issue(t, bob)
	require.NoError(t, k.Revoke(t.Context(), admin, bob, d.ID, ""))
	require.ErrorIs(t, k.RevokeAll(t.Context(), admin, zoe, ""), device.ErrFull)
	last := begin.Add(400*24*time.Hour + time.Hour) // of the longest policy, and of a clock that is as far ahead as can be
	k.register.Sweep(last)
	require.ErrorIs(t, k.RevokeAll(t.Context(), admin, zoe, ""), device.ErrFull)
	k.register.Sweep(last.Add(1))
	require.NoError(t, k.RevokeAll(t.Context(), admin, zoe, ""))
	k.clock.at = d.Expires.Add(time.Hour)
	_, err = k.Check(t.Context(), bob, text)
	require.ErrorIs(t, err, device.ErrExpired, "what is forgotten has expired")
}

// late is a register in which somebody revokes right after the first look.
type late struct {
	device.Revocations
	once sync.Once
}

func (l *late) Look(ctx context.Context, who device.Owner, id string) (device.Mark, error) {
	m, err := l.Revocations.Look(ctx, who, id)
	l.once.Do(func() { err = errors.Join(err, l.RevokeAll(ctx, who)) })
	return m, err
}

func TestRenewalDoesNotOutliveARevocationMeanwhile(t *testing.T) {
	k := newKit(t)
	text, _ := k.issue(t, ann)
	k.clock.at = begin.Add(30 * 24 * time.Hour)
	racing, err := device.New([]device.Key{key(1, begin)}, device.Policy{}, &late{Revocations: k.register}, &device.Options{Now: k.clock.now, Authorizer: rules{}})
	require.NoError(t, err)
	renewed, _, err := racing.Renew(t.Context(), ann, text)
	require.NoError(t, err)
	_, err = k.Check(t.Context(), ann, renewed)
	require.ErrorIs(t, err, device.ErrRevoked)
}

func TestRevokedDeviceStaysSoUnderALongerLifetime(t *testing.T) {
	k := newKit(t)
	text, d := k.issue(t, ann)
	require.NoError(t, k.Revoke(t.Context(), admin, ann, d.ID, "lost"))
	k.clock.at = d.Expires.Add(24 * time.Hour)
	k.register.Sweep(k.clock.at)
	longer, err := device.New([]device.Key{key(1, begin)}, device.Policy{Lifetime: 400 * 24 * time.Hour}, k.register, &device.Options{Now: k.clock.now, Authorizer: rules{}})
	require.NoError(t, err)
	_, err = longer.Check(t.Context(), ann, text)
	require.ErrorIs(t, err, device.ErrRevoked)
}

func TestWrongWiringIsRefused(t *testing.T) {
	good := key(1, begin)
	o := &device.Options{Authorizer: opsec.CallerAuthorized{}}
	register := device.NewMemory(0)
	for name, make := range map[string]func() (*device.Tokens, error){
		"no keys":     func() (*device.Tokens, error) { return device.New(nil, device.Policy{}, register, o) },
		"many keys":   func() (*device.Tokens, error) { return device.New(make65(), device.Policy{}, register, o) },
		"no register": func() (*device.Tokens, error) { return device.New([]device.Key{good}, device.Policy{}, nil, o) },
		"no options":  func() (*device.Tokens, error) { return device.New([]device.Key{good}, device.Policy{}, register, nil) },
		"no authorizer": func() (*device.Tokens, error) {
			return device.New([]device.Key{good}, device.Policy{}, register, new(device.Options))
		},
		"short secret": func() (*device.Tokens, error) {
			return device.New([]device.Key{{ID: 1, Secret: secret(1)[1:], From: begin}}, device.Policy{}, register, o)
		},
		"number twice": func() (*device.Tokens, error) {
			return device.New([]device.Key{good, {ID: 1, Secret: secret(2)}}, device.Policy{}, register, o)
		},
		"secret twice": func() (*device.Tokens, error) {
			return device.New([]device.Key{good, {ID: 2, Secret: secret(1)}}, device.Policy{}, register, o)
		},
		"retired before": func() (*device.Tokens, error) {
			return device.New([]device.Key{{ID: 1, Secret: secret(1), From: begin, Until: begin}}, device.Policy{}, register, o)
		},
		"policy": func() (*device.Tokens, error) {
			return device.New([]device.Key{good}, device.Policy{Lifetime: time.Second}, register, o)
		},
	} {
		_, err := make()
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		require.NotContains(t, err.Error(), "\x01")
	}
	_, err := device.New([]device.Key{good}, device.Policy{}, register, o)
	require.NoError(t, err)
}

func make65() (keys []device.Key) {
	for i := range 65 {
		keys = append(keys, key(uint32(i), begin))
	}
	return keys
}

func TestKeyDoesNotPrintItsSecret(t *testing.T) {
	k := device.Key{ID: 7, Secret: []byte("0123456789abcdef0123456789abcdef")}
	j, err := json.Marshal(map[string]any{"key": k})
	require.NoError(t, err)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", k)
	for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%+v %#v %x %s", k, k, k, k), string(j), log.String()} {
		require.Contains(t, text, "device key 7")
		require.NotContains(t, text, "0123456789")
		require.NotContains(t, text, "30313233")
	}
}

func TestPolicyIsStrictJSON(t *testing.T) {
	var p device.Policy
	require.NoError(t, json.Unmarshal([]byte(`{"lifetime":"720h","renew":"24h","skew":"1m"}`), &p))
	require.Equal(t, device.Policy{Lifetime: 720 * time.Hour, Renew: 24 * time.Hour, Skew: time.Minute}, p)
	text, err := json.Marshal(p)
	require.NoError(t, err)
	var again device.Policy
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, p, again)
	for _, bad := range []string{
		`{"lifetime":"1s"}`, `{"lifetime":"9601h"}`, `{"renew":"2160h"}`, `{"renew":"-1s"}`, `{"skew":"2h"}`, `{"skew":"-1s"}`, `{"life":"1h"}`,
		`{"lifetime":5}`, `{"lifetime":"` + strings.Repeat("0", 2000) + `1h"}`,
	} {
		require.ErrorIs(t, json.Unmarshal([]byte(bad), &p), opsec.ErrInvalid, bad)
	}
	require.Equal(t, again, p, "an error changes nothing")
}

func TestNobodyButTheOwnerIsTrusted(t *testing.T) {
	k := newKit(t)
	name := rapid.StringMatching(`[a-c]{1,3}`)
	rapid.Check(t, func(r *rapid.T) {
		one := device.Owner{Tenant: opsec.TenantID(name.Draw(r, "tenant")), Account: name.Draw(r, "account")}
		other := device.Owner{Tenant: opsec.TenantID(name.Draw(r, "other tenant")), Account: name.Draw(r, "other account")}
		text, _, err := k.Issue(t.Context(), one)
		require.NoError(r, err)
		_, err = k.Check(t.Context(), other, text)
		require.Equal(r, one == other, err == nil)
	})
}

func FuzzCheck(f *testing.F) {
	one := device.Key{ID: 1, Secret: make([]byte, 32), From: begin}
	rand.Read(one.Secret) // each process that fuzzes has its own, to which the others' tokens are foreign
	k := newKit(f, one)
	text, d := k.issue(f, ann)
	for _, seed := range []string{"", text, text[:86], text + "=", strings.Repeat("A", 87), strings.Repeat("_", 87)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := k.Check(t.Context(), ann, s)
		if s == text {
			require.NoError(t, err)
			require.Equal(t, d, got)
			return
		}
		require.ErrorIs(t, err, device.ErrForeign)
	})
}

func BenchmarkCheck(b *testing.B) {
	k := newKit(b)
	text, _ := k.issue(b, ann)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Check(ctx, ann, text); err != nil {
			b.Fatal(err)
		}
	}
}
