package envelope_test

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/envelope"
)

// What nobody has encrypted never opens, and never does harm.
func FuzzOpen(f *testing.F) {
	e, c := over(f, newKEK(f), roomy(time.Hour), nil), keymgmt.Context{}
	message, err := e.Seal(f.Context(), nil, []byte("text"), c)
	require.NoError(f, err)
	var stream buffer
	w, err := e.Encrypt(f.Context(), &stream, c, nil)
	require.NoError(f, err)
	require.NoError(f, w.Close())
	for _, seed := range [][]byte{nil, message, stream.Bytes(), {0, 0, 0, 0}, {0, 0, 0x10, 0, 1}, {0xff, 0xff, 0xff, 0xff, 0}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := e.Open(t.Context(), nil, data, c)
		require.Equal(t, bytes.Equal(data, message), err == nil)
		r, err := e.Decrypt(t.Context(), bytes.NewReader(data), c, nil)
		if err == nil {
			_, err = io.ReadAll(r)
		}
		require.Equal(t, bytes.Equal(data, stream.Bytes()), err == nil)
		_, err = e.Rewrap(t.Context(), nil, data, c)
		if wrapped, payload, splitErr := envelope.Split(data); splitErr == nil {
			require.Len(t, data, 4+len(wrapped)+len(payload))
		} else {
			require.ErrorIs(t, splitErr, envelope.ErrOpen)
			require.ErrorIs(t, err, envelope.ErrOpen)
		}
	})
}

func FuzzLimits(f *testing.F) {
	f.Add(`{"age":"5m","messages":1,"bytes":1,"entries":1,"memory":1}`)
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, text string) {
		var l envelope.Limits
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			require.Equal(t, envelope.Limits{}, l)
			return
		}
		require.NotErrorIs(t, l.Validate(), opsec.ErrInvalid)
		b, err := json.Marshal(l)
		require.NoError(t, err)
		var again envelope.Limits
		require.NoError(t, json.Unmarshal(b, &again))
		require.Equal(t, l, again)
	})
}
