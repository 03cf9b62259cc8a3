package keepjson_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/keepjson"
)

type embedded struct {
	In string `json:"in"`
}

type inner struct {
	A int  `json:"a"`
	B *int `json:"b,omitempty"`
}

// Name is embedded and no struct: a field by its own name.
type Name string

type outer struct {
	embedded
	Name   `json:",omitempty"`
	Plain  string
	Tagged string    `json:"tag"`
	Inner  inner     `json:"inner"`
	Ptr    *inner    `json:"ptr,omitempty"`
	List   []inner   `json:"list,omitempty"`
	Time   time.Time `json:"time"`
	Hidden string    `json:"-"`
	Self   *outer    `json:"self,omitempty"`
}

func TestOnlyWhatTheTypeDoesNotKnowIsKept(t *testing.T) {
	f := keepjson.Of(reflect.TypeFor[outer]())
	for name, test := range map[string]struct{ old, next, want string }{
		"nothing unknown":         {`{"tag":"x","in":"y","Plain":"z"}`, `{"tag":"n"}`, `{"tag":"n"}`},
		"unknown":                 {`{"new":[1, 2],"tag":"x"}`, `{"tag":"n"}`, `{"new":[1,2],"tag":"n"}`},
		"names in other case":     {`{"TAG":"x","plain":"y"}`, `{}`, `{}`},
		"inner":                   {`{"inner":{"a":1,"c":2}}`, `{"inner":{"a":3}}`, `{"inner":{"a":3,"c":2}}`},
		"behind a pointer":        {`{"ptr":{"c":2}}`, `{"ptr":{"a":3}}`, `{"ptr":{"a":3,"c":2}}`},
		"pointer taken away":      {`{"ptr":{"c":2}}`, `{}`, `{}`},
		"pointer to null":         {`{"ptr":{"c":2}}`, `{"ptr":null}`, `{"ptr":null}`},
		"deep":                    {`{"self":{"self":{"x":1}}}`, `{"self":{"self":{"tag":""}}}`, `{"self":{"self":{"tag":"","x":1}}}`},
		"elements have no names":  {`{"list":[{"c":1}]}`, `{"list":[{"a":2}]}`, `{"list":[{"a":2}]}`},
		"a type of its own JSON":  {`{"time":{"c":1}}`, `{"time":"2026-01-01T00:00:00Z"}`, `{"time":"2026-01-01T00:00:00Z"}`},
		"field that JSON omits":   {`{"Hidden":"x"}`, `{}`, `{"Hidden":"x"}`},
		"embedded text":           {`{"Name":"x"}`, `{}`, `{}`},
		"old is no object":        {`[1]`, `{"tag":"n"}`, `{"tag":"n"}`},
		"next is no object":       {`{"a":1}`, `null`, `null`},
		"numbers keep all digits": {`{"n":12345678901234567890.5}`, `{}`, `{"n":12345678901234567890.5}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := f.Carry([]byte(test.old), []byte(test.next))
			require.NoError(t, err)
			require.JSONEq(t, test.want, string(got))
			var raw map[string]json.RawMessage
			_ = json.Unmarshal(got, &raw)
			if n, ok := raw["n"]; ok {
				require.Equal(t, "12345678901234567890.5", string(n))
			}
		})
	}
	_, err := f.Carry([]byte(`{"x"`), []byte(`{}`))
	require.Error(t, err)
}

func TestTypesWithoutFieldsOfTheirOwnHaveNone(t *testing.T) {
	for _, of := range []reflect.Type{
		reflect.TypeFor[string](), reflect.TypeFor[map[string]int](), reflect.TypeFor[[]inner](), reflect.TypeFor[time.Time](),
		reflect.TypeFor[*json.RawMessage](), reflect.TypeFor[json.Marshaler](),
	} {
		require.Nil(t, keepjson.Of(of), of.String())
	}
}
