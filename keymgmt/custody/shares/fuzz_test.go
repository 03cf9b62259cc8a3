package shares_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

func FuzzParseShare(f *testing.F) {
	set, list := deal(f, root, 2, 3)
	f.Add(list[0].Bytes())
	f.Add(list[2].Bytes()[:90])
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := shares.ParseShare(b)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Zero(t, s)
			return
		}
		require.Equal(t, b, s.Bytes())
		again, err := shares.ParseText(s.Text())
		require.NoError(t, err)
		require.Equal(t, b, again.Bytes())
		if secret, err := shares.Combine([]shares.Share{s, list[1]}); err == nil {
			require.Equal(t, root, secret)
		}
		if set.Check(s) == nil {
			require.Equal(t, list[s.Index()-1].Bytes(), b)
		}
	})
}

func FuzzParseText(f *testing.F) {
	_, list := deal(f, root, 2, 3)
	f.Add(list[0].Text())
	f.Add("# a\n\nABCD 0123-oiL1")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := shares.ParseText(text)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		again, err := shares.ParseText(s.Text())
		require.NoError(t, err)
		require.Equal(t, s.Bytes(), again.Bytes())
	})
}

func FuzzSet(f *testing.F) {
	set, list := deal(f, root, 2, 3)
	good, _ := json.Marshal(set)
	f.Add(good)
	f.Add([]byte(`{"threshold":2,"shares":2,"size":1,"digests":["",""]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s shares.Set
		if err := s.UnmarshalJSON(b); err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Zero(t, s)
			return
		}
		again, err := json.Marshal(s)
		require.NoError(t, err)
		var read shares.Set
		require.NoError(t, read.UnmarshalJSON(again))
		require.Equal(t, s, read)
		if secret, err := s.Combine(list); err == nil {
			require.Equal(t, root, secret)
			require.Equal(t, set.Digest(), s.Digest(), "what opens is what was dealt")
		}
	})
}

func FuzzSealed(f *testing.F) {
	_, list := deal(f, root, 2, 3)
	good, _ := json.Marshal(shares.Sealed{Set: list[0].Set(), Index: 1, Ciphertext: []byte("x")})
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		var s shares.Sealed
		if err := s.UnmarshalJSON(b); err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Zero(t, s)
			return
		}
		again, err := json.Marshal(s)
		require.NoError(t, err)
		var read shares.Sealed
		require.NoError(t, read.UnmarshalJSON(again))
		require.Equal(t, s, read)
	})
}
