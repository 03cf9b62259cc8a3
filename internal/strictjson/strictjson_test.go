package strictjson_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

func TestDecodeTakesOneKnownValue(t *testing.T) {
	var v struct{ A int }
	require.NoError(t, strictjson.Decode([]byte(" {\"a\": 1}\n"), &v))
	require.Equal(t, 1, v.A)
	for _, bad := range []string{"", "{", `{"a":1}}`, `{"a":1}]`, `{"a":1} {}`, `{"b":1}`, `{"a":"1"}`, `{"a":1}x`} {
		require.Error(t, strictjson.Decode([]byte(bad), &v), "%q", bad)
	}
}
