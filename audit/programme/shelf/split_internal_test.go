package shelf

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestJoinUndoesSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type element struct {
			A string `json:"a,omitempty"`
			B []int  `json:"b,omitempty"`
		}
		elements := rapid.Map(rapid.SliceOfN(rapid.String(), 0, 5), func(texts []string) []element {
			list := []element{}
			for _, s := range texts {
				list = append(list, element{s, []int{len(s)}})
			}
			return list
		})
		in := struct {
			ID  string    `json:"id"`
			One []element `json:"one"`
			Two []element `json:"two,omitempty"`
			Map element   `json:"map"`
			End []element `json:"end"`
		}{
			rapid.String().Draw(t, "id"), elements.Draw(t, "one"), elements.Draw(t, "two"), element{B: []int{1, 2}}, elements.Draw(t, "end"),
		}
		if rapid.Bool().Draw(t, "null") && len(in.One) == 0 {
			in.One = nil
		}
		want, err := json.Marshal(in)
		require.NoError(t, err)
		size := rapid.IntRange(1, 200).Draw(t, "size")
		bodies, err := split(want, size)
		require.NoError(t, err)
		for _, b := range bodies {
			require.True(t, json.Valid(b), "%s", b)
		}
		got, err := join(bodies)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	})
}
