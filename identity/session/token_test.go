package session_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/session"
)

func TestTokenComesBackFromItsText(t *testing.T) {
	w := newWorld(t, plain)
	_, token := w.open("eve")
	text := token.Reveal()
	require.True(t, strings.HasPrefix(text, session.Prefix))
	require.True(t, strings.HasSuffix(text, ".acme"))
	require.NoError(t, (&http.Cookie{Name: "s", Value: text}).Valid())
	back, err := session.ParseToken(text)
	require.NoError(t, err)
	require.Equal(t, token, back)
	require.EqualValues(t, "acme", back.Tenant())

	r := request("root")
	r.User.Tenant = opsec.Provider
	_, token, err = w.Create(bg, r, proven{opsec.Provider, "root", "password", w.Now()})
	require.NoError(t, err)
	require.NotContains(t, token.Reveal(), "provider")
	back, err = session.ParseToken(token.Reveal())
	require.NoError(t, err)
	require.Equal(t, token, back)
	_, err = w.Validate(bg, back, session.Use{})
	require.NoError(t, err)
	require.Empty(t, session.Token{}.Reveal())
}

func TestTokenDoesNotShowItself(t *testing.T) {
	w := newWorld(t, plain)
	s, token := w.open("eve")
	secret := token.Reveal()[len(session.Prefix):][:43]
	raw, err := base64.RawURLEncoding.DecodeString(secret)
	require.NoError(t, err)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", token, "in", struct{ T session.Token }{token})
	coded, err := json.Marshal(map[string]any{"token": token})
	require.NoError(t, err)
	nested := struct{ T *session.Token }{&token}
	for _, text := range []string{
		fmt.Sprint(token), fmt.Sprintf("%s %v %+v %#v %x %q %d", token, token, token, token, token, token, token), fmt.Sprint(&token),
		fmt.Sprintf("%+v", struct{ T session.Token }{token}), log.String(), string(coded), fmt.Sprintf("%+v %#v", nested, s), w.json("eve"),
		fmt.Sprint(w.record.events),
	} {
		require.NotContains(t, text, secret)
		require.NotContains(t, text, fmt.Sprintf("%x", raw))
		require.NotContains(t, text, fmt.Sprint(raw)[1:30])
	}
	require.Contains(t, log.String(), "[token]")
}

func TestATextThatIsNoTokenIsRefusedWithoutShowingIt(t *testing.T) {
	w := newWorld(t, plain)
	_, token := w.open("eve")
	text := token.Reveal()
	for _, bad := range []string{
		"", session.Prefix, text[1:], text[:len(session.Prefix)+63], strings.Replace(text, ".", "", 1), text + "/", text + "@x",
		strings.TrimSuffix(text, "acme"), strings.TrimSuffix(text, "acme") + "@provider", strings.TrimSuffix(text, "acme") + strings.Repeat("a", 129),
		text[:20] + "\n" + text[21:], text[:20] + "=" + text[21:], strings.ToUpper(text), " " + text,
	} {
		_, err := session.ParseToken(bad)
		require.ErrorIs(t, err, opsec.ErrDenied, "%q", bad)
		require.NotContains(t, err.Error(), text[12:30])
	}
}

// A token that was changed in any place is no token of the session, also where the right one is cached.
func TestEveryPartOfATokenCounts(t *testing.T) {
	w := newWorld(t, plain)
	_, token := w.open("eve")
	_, err := w.Validate(bg, token, session.Use{})
	require.NoError(t, err)
	text := token.Reveal()
	for i := len(session.Prefix); i < len(text); i++ {
		for _, c := range "AZaz09_-" {
			if byte(c) == text[i] {
				continue
			}
			other, err := session.ParseToken(text[:i] + string(c) + text[i+1:])
			if err != nil {
				continue
			}
			_, err = w.Validate(bg, other, session.Use{})
			require.ErrorIs(t, err, session.ErrUnknown)
		}
	}
	w.books.broken = errors.New("asked")
	_, err = w.Validate(bg, session.Token{}, session.Use{})
	require.ErrorIs(t, err, session.ErrUnknown, "the zero Token is not asked for")
}

func TestTokensAreAllDifferent(t *testing.T) {
	p := plain
	p.Concurrent = 32
	w := newWorld(t, p)
	seen := map[session.Token]bool{}
	for range 32 {
		_, token := w.open("eve")
		require.False(t, seen[token])
		seen[token] = true
	}
}

func FuzzParseToken(f *testing.F) {
	body := strings.Repeat("Ab_-", 16)
	for _, seed := range []string{"", session.Prefix, session.Prefix + body, session.Prefix + body + ".acme", session.Prefix + body + ".@provider",
		session.Prefix + body + ".", session.Prefix + strings.Repeat("A", 64) + ".-x", session.Prefix + body[:60] + "\r\n\r\n.acme"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := session.ParseToken(text)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrDenied)
			require.Equal(t, session.Token{}, token)
			return
		}
		require.NoError(t, token.Tenant().Validate())
		require.Equal(t, text, token.Reveal(), "a token has one text")
	})
}
