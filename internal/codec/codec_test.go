package codec_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/codec"
	"github.com/cloudopsec/opsec/internal/stamp"
)

type (
	first  struct{ A string }
	second struct{ A, B string }
	upper  func(json.RawMessage) (json.RawMessage, error)
)

func TestVersionsAreUpgradedAndUnknownFieldsKept(t *testing.T) {
	one := codec.New[first, upper](nil)
	two := codec.New[second]([]upper{func(old json.RawMessage) (json.RawMessage, error) {
		if string(old) == `{"A":"bad"}` {
			return nil, errors.ErrUnsupported
		}
		return json.RawMessage(`{"B":"up",` + string(old[1:])), nil
	}})
	at := stamp.Stamp{Born: 3, Writes: 4}
	r, err := one.Encode(&first{"x"}, nil, at)
	require.NoError(t, err)
	v, got, err := two.Decode(r.Payload())
	require.NoError(t, err)
	require.Equal(t, &second{"x", "up"}, v)
	require.Equal(t, stamp.Header{Version: 2, Stamp: at}, got.Header)

	r, err = two.Encode(&second{"y", "z"}, nil, at)
	require.NoError(t, err)
	_, _, err = one.Decode(r.Payload())
	newer, ok := errors.AsType[*codec.NewerError](err)
	require.True(t, ok, err)
	require.Equal(t, codec.NewerError{Version: 2, Known: 1}, *newer)
	r, err = one.Encode(&first{"x"}, &r, at)
	require.NoError(t, err)
	require.JSONEq(t, `{"A":"x","B":"z"}`, string(r.Body))

	r, err = one.Encode(&first{"bad"}, nil, at)
	require.NoError(t, err)
	_, _, err = two.Decode(r.Payload())
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

func TestWhatIsNoRecordIsWrong(t *testing.T) {
	c := codec.New[first, upper](nil)
	good, err := c.Encode(&first{"x"}, nil, stamp.Stamp{})
	require.NoError(t, err)
	good.Body = []byte(`{"A":"secret`)
	for _, payload := range [][]byte{nil, {0xff}, good.Payload()} {
		_, _, err := c.Decode(payload)
		wrong, ok := errors.AsType[codec.WrongError](err)
		require.True(t, ok, err)
		require.NotContains(t, string(wrong), "secret")
	}
	_, err = c.Encode(&first{"y"}, &good, stamp.Stamp{})
	_, ok := errors.AsType[codec.WrongError](err)
	require.True(t, ok, err)
	functions := codec.New[map[string]func(), upper](nil)
	_, err = functions.Encode(&map[string]func(){"f": nil}, nil, stamp.Stamp{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}
