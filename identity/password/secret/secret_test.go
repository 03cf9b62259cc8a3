package secret_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/password/secret"
)

func TestSameBytesExactlyForTheSameSecret(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(meanings(), 20, 20).Draw(t, "all")
		for _, a := range all {
			s := read(t, a.scheme, a.entry)
			for _, b := range all {
				u := read(t, b.scheme, b.entry)
				require.Equal(t, a.words == b.words, bytes.Equal(s.Bytes(), u.Bytes()), "%s | %s", a.words, b.words)
				require.Equal(t, a.words == b.words, s.Equal(u))
			}
		}
	})
}

func TestBytesAreThoseOfVersionOneForEver(t *testing.T) {
	for kind, want := range map[secret.Kind]string{
		secret.KindPIN:     "0000000370696e00000001010000000000000006323731383339",
		secret.KindPattern: "000000077061747465726e0000000101000000040000000300000006010506040200",
		secret.KindImages: "00000006696d6167657300000001010000001100000009616e696d616c732d310000003c" +
			"000000140000000700000003000000330000001400000009",
		secret.KindMelody: "000000066d656c6f64790000000101000000000000000986017d0078028b0076",
		secret.KindClicks: "00000006636c69636b730000000101" + // picture, pixels, tolerance, offsets; then the cells
			"0000004100000009686172626f75722d31000001c30000014b00000009" +
			"000000010000000b000000060000000c0000000b000000100000000b000000010000000d0000000f" +
			"000000280000000100000001000000100000000200000004000000100000000b0000000b0000001700000000",
	} {
		c := samples()[kind]
		scheme, s, err := c.scheme.Enroll(c.entry)
		require.NoError(t, err, kind)
		require.Equal(t, kind, s.Kind())
		require.Equal(t, kind, scheme.Kind())
		require.Equal(t, want, hex.EncodeToString(s.Bytes()), kind)
	}
}

func TestEnrolledSecretIsReadAgainByTheKeptScheme(t *testing.T) {
	for kind, c := range samples() {
		scheme, s, err := c.scheme.Enroll(c.entry)
		require.NoError(t, err, kind)
		text, err := secret.Text(scheme)
		require.NoError(t, err)
		kept, err := secret.Parse(text)
		require.NoError(t, err)
		require.Equal(t, scheme, kept)
		require.True(t, s.Equal(read(t, kept, c.entry)), kind)
	}
}

func TestStricterSchemeSpoilsNoSecret(t *testing.T) {
	require.True(t, read(t, secret.PIN{Min: 4, Max: 4}, digits("2718")).Equal(read(t, secret.PIN{Min: 4, Max: 12}, digits("2718"))))
	e := line(1, 5, 6, 4, 2, 0)
	require.True(t, read(t, grid, e).Equal(read(t, secret.Pattern{Side: 3, Min: 6}, e)))
	e = samples()[secret.KindMelody].entry
	require.True(t, read(t, melody, e).Equal(read(t, secret.Melody{Min: 6, Max: 6}, e)))
}

func TestSecretsShowThemselvesNowhere(t *testing.T) {
	for kind, c := range samples() {
		_, s, err := c.scheme.Enroll(c.entry)
		require.NoError(t, err)
		for _, v := range []any{s, &s, c.entry, &c.entry, []any{s, c.entry}, struct{ A, B any }{s, c.entry}} {
			bare := strings.NewReplacer("[redacted]", "", " ", "", "A:", "", "B:", "").Replace
			for _, verb := range []string{"%v", "%+v", "%s", "%q", "%d", "%x", "%X"} {
				got := bare(fmt.Sprintf(verb, v))
				require.Empty(t, strings.Trim(got, "[]{}&"), "%s %s", kind, verb)
			}
			text, err := json.Marshal(v)
			require.NoError(t, err)
			require.Empty(t, strings.Trim(bare(string(text)), `"[]{},:AB`), kind)
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
			require.Contains(t, log.String(), "[redacted]")
			require.NotContains(t, log.String(), "2718")
		}
		require.NotContains(t, fmt.Sprintf("%#v", s), "estimate")
		require.Equal(t, "[redacted]", fmt.Sprintf("%#v", c.entry))
	}
}

func TestErrorsSayNothingOfTheEntry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1000, 9000).Draw(t, "n") // no number of ours
		for _, scheme := range []secret.Scheme{pin, grid, picture, gallery, melody} {
			for _, e := range []secret.Entry{
				digits(fmt.Sprint(n, "x")), line(n, n, n, n), points(n, n, n, n, n, n, n, n, n, n), {Images: []int{n, n, n, n, n}},
				notes(n, n, n, n, n, n, n, n, n, n), {},
			} {
				for _, err := range []error{second(scheme.Read(e)), third(scheme.Enroll(e))} {
					require.ErrorIs(t, err, secret.ErrEntry)
					require.ErrorIs(t, err, opsec.ErrInvalid)
					require.NotContains(t, err.Error(), fmt.Sprint(n))
				}
			}
		}
	})
}

func second[A any](_ A, err error) error { return err }

func third[A, B any](_ A, _ B, err error) error { return err }

func TestClearWipesEveryCopy(t *testing.T) {
	s := read(t, pin, digits("2718"))
	other := read(t, pin, digits("2718"))
	twin, memory := s, s.Bytes()
	require.True(t, s.Equal(other))
	s.Clear()
	require.Equal(t, make([]byte, len(memory)), memory)
	require.Nil(t, twin.Bytes())
	require.Empty(t, twin.Kind())
	require.False(t, twin.Equal(s), "two that are cleared are not the same")
	require.False(t, secret.Secret{}.Equal(secret.Secret{}))
	require.Nil(t, secret.Secret{}.Bytes())
	require.Equal(t, 0, secret.Secret{}.Advice().Attempts)
	secret.Secret{}.Clear()
}

func TestClearOfAnEntryWipesIt(t *testing.T) {
	for kind, c := range samples() {
		e := copied(c.entry)
		e.Clear()
		for _, b := range e.PIN {
			require.Zero(t, b)
		}
		require.Zero(t, sum(e.Nodes)+sum(e.Images), kind)
		for _, p := range e.Points {
			require.Zero(t, p)
		}
		for _, n := range e.Notes {
			require.Zero(t, n)
		}
	}
}

func sum(all []int) (n int) {
	for _, v := range all {
		n += v
	}
	return n
}

func TestSecretDoesNotHoldTheEntrysMemory(t *testing.T) {
	for kind, c := range samples() {
		e := copied(c.entry)
		scheme, s, err := c.scheme.Enroll(e)
		require.NoError(t, err)
		require.Equal(t, c.entry, e, "the entry is left as it was")
		before := bytes.Clone(s.Bytes())
		e.Clear()
		require.Equal(t, before, s.Bytes(), kind)
		require.True(t, s.Equal(read(t, scheme, c.entry)))
	}
}

func TestAdviceFollowsFromTheEstimate(t *testing.T) {
	for kind, c := range samples() {
		_, s, err := c.scheme.Enroll(c.entry)
		require.NoError(t, err)
		a, e := s.Advice(), s.Estimate()
		require.True(t, a.SecondFactor)
		require.Equal(t, 1, a.MaxAAL)
		require.GreaterOrEqual(t, a.Attempts, 3)
		require.LessOrEqual(t, a.Attempts, 10)
		require.Greater(t, e.Guesses, uint64(100))
		require.LessOrEqual(t, e.Guesses, e.Space)
		require.Contains(t, a.Why, kind.Measured())
	}
	a := read(t, pin, digits("1111")).Advice()
	require.Equal(t, []int{0, 3}, []int{a.MaxAAL, a.Attempts}, "what Enroll would refuse is good for nothing")
	require.Equal(t, 5, read(t, pin, digits("2718")).Advice().Attempts, "about 5,700 guesses")
	require.Equal(t, 10, read(t, pin, digits("271839")).Advice().Attempts)
}
