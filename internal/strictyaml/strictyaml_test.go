package strictyaml_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/cloudopsec/opsec/internal/strictyaml"
)

type form struct {
	Name string   `json:"name"`
	Many int      `json:"many"`
	Sure bool     `json:"sure"`
	List []string `json:"list"`
}

func TestYAMLAndJSONAreReadAlike(t *testing.T) {
	want := form{"a: b", -3, true, []string{"x", "1"}}
	for _, text := range []string{"name: 'a: b'\nmany: -3\nsure: true\nlist:\n- x\n- '1'\n", `{"name": "a: b", "many": -3, "sure": true, "list": ["x", "1"]}`} {
		var got form
		require.NoError(t, strictyaml.Decode([]byte(text), 4, &got))
		require.Equal(t, want, got)
	}
}

func TestWhatIsMoreThanDataIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"name: &a x": "an anchor", "name: *a": "", "name: !!str x": "a tag", "<<: {name: x}": "a field whose name", "name: a\nname: b": "stands twice", "name: a\nNAME: b": "stands twice", "sure: true\nſure: false": "stands twice", "1: a": "a field whose name",
		"name:": "want a text", "many: 1.5": "want a text", "many: 0x10": "want a text", "sure: yes": "cannot unmarshal string", "colour: red": "unknown field",
		"list: [[[[[x]]]]]": "", "name: a\n---\nname: b": "", "": "", "list: [" + strings.Repeat(",", 1<<16) + "]": "65538 commas and brackets",
	} {
		var got form
		require.ErrorContains(t, strictyaml.Decode([]byte(text), 4, &got), want, text)
	}
	_, err := strictyaml.Load([]byte("a: [b"), 4)
	var at *yaml.LoadError
	require.True(t, errors.As(err, &at))
}
