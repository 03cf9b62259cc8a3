package jsondiff_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/jsondiff"
)

func TestEachPlaceIsNamed(t *testing.T) {
	a := `{"n": 1, "same": [1, {"x": true}], "list": [1, 2, 3], "gone": null, "text": "a", "kind": {"x": 1}, "a.b": 1, "big": 9007199254740993}`
	b := `{"n": 2, "same": [1, {"x": true}], "list": [1, 5], "new": {"y": 1}, "text": "a", "kind": [1], "a.b": 2, "big": 9007199254740992}`
	got, err := jsondiff.Texts([]byte(a), []byte(b))
	require.NoError(t, err)
	n := func(s string) json.Number { return json.Number(s) }
	require.Equal(t, []jsondiff.Difference{
		{`"a.b"`, n("1"), n("2")},
		{"big", n("9007199254740993"), n("9007199254740992")},
		{"kind", map[string]any{"x": n("1")}, []any{n("1")}},
		{"list[1]", n("2"), n("5")},
		{"list[2]", n("3"), nil},
		{"n", n("1"), n("2")},
		{"new", nil, map[string]any{"y": n("1")}},
	}, got)
	same, err := jsondiff.Texts([]byte(a), []byte(a))
	require.NoError(t, err)
	require.Empty(t, same)
	for _, bad := range []string{"", "{", "1 2", "[1]]"} {
		_, err = jsondiff.Texts([]byte(bad), []byte("1"))
		require.Error(t, err, bad)
	}
}
