package digest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/digest"
)

func TestDigestHasOneSpelling(t *testing.T) {
	const good = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
	d, err := digest.ParseDigest(good)
	require.NoError(t, err)
	require.Equal(t, good, d.String())
	require.Equal(t, digest.Sum(nil, nil).BLAKE3, d)

	for name, s := range map[string]string{
		"empty": "", "short": good[:63], "long": good + "0", "upper case": strings.ToUpper(good),
		"one upper case digit": "A" + good[1:], "not hexadecimal": good[:63] + "g", "space": " " + good[1:],
		"prefix": "0x" + good[2:], "not ASCII": good[:62] + "\u00e9", "line end": good[:63] + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := digest.ParseDigest(s)
			require.ErrorIs(t, err, opsec.ErrInvalid)
			kept := d
			require.ErrorIs(t, kept.UnmarshalText([]byte(s)), opsec.ErrInvalid)
			require.Equal(t, d, kept, "a refused text changed the digest")
		})
	}
}

func TestDigestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := digest.Digest(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
		parsed, err := digest.ParseDigest(d.String())
		require.NoError(t, err)
		require.Equal(t, d, parsed)

		text, err := json.Marshal(d)
		require.NoError(t, err)
		require.Equal(t, `"`+d.String()+`"`, string(text))
		var back digest.Digest
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, d, back)
		require.Equal(t, d == digest.Digest{}, d.IsZero())
	})
	require.True(t, digest.Digest{}.IsZero())
	require.False(t, digest.Digest{31: 1}.IsZero())
}

func FuzzParseDigest(f *testing.F) {
	f.Add("")
	f.Add(digest.Sum(nil, nil).BLAKE3.String())
	f.Add(strings.Repeat("0", 64))
	f.Add(strings.Repeat("F", 64))
	f.Add(strings.Repeat("\u00ff", 32))
	f.Fuzz(func(t *testing.T, s string) {
		d, err := digest.ParseDigest(s)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.True(t, d.IsZero())
			return
		}
		require.Equal(t, s, d.String())
	})
}
