package evidence_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/evidence"
)

func answer(result string) string {
	return `{"status":"success","data":{"resultType":"matrix","result":[` + result + `]}}`
}

func TestReadMatrix(t *testing.T) {
	in := answer(`{"metric":{"__name__":"up","instance":"a"},"values":[[1772323200,"1"],[1772323200.1,"0.5"],[1772323200.12 , "NaN" ],
		[1772323200.1239,"+Inf"],[1772323201.5,"-1e309"]]},{"metric":{},"values":[[0,"0"],[253402300799.9999,"1"]]}`)
	list, err := evidence.ReadMatrix(strings.NewReader(in), "a")
	require.NoError(t, err)
	require.True(t, math.IsNaN(list[0].Points[2].Value))
	list[0].Points[2].Value = 0
	require.Equal(t, []evidence.Series{
		{Labels: map[string]string{"__name__": "up", "instance": "a"}, Points: []evidence.Point{
			{march, 1}, {march + 100, 0.5}, {march + 120, 0}, {march + 123, math.Inf(1)}, {march + 1500, math.Inf(-1)},
		}},
		{Labels: map[string]string{}, Points: []evidence.Point{{0, 0}, {253_402_300_799_999, 1}}},
	}, list)
	list, err = evidence.ReadMatrix(strings.NewReader(answer("")), "a")
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestReadMatrixRefuses(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{``, "is not an answer of Prometheus"},
		{`[]`, "is not an answer of Prometheus"},
		{answer("") + "x", "is not an answer of Prometheus"},
		{`{"status":"error","errorType":"bad_data","error":"parse error"}`, `status "error": "bad_data": "parse error"`},
		{`{"status":"success","warnings":["part is missing"],"data":{"resultType":"matrix","result":[]}}`, `warning: "part is missing"`},
		{`{"status":"success","data":{"resultType":"vector","result":[]}}`, `result type "vector"`},
		{`{"status":"success","data":{"resultType":"matrix","result":{}}}`, "want an array of series"},
		{`{"status":"success","data":{"resultType":"matrix"}}`, "want an array of series"},
		{`{"status":"success","data":{"resultType":"matrix","result":null}}`, "want an array of series"},
		{`{"status":"success","warnings":[7],"data":{"resultType":"matrix","result":[]}}`, "json: cannot unmarshal number"},
		{`{"status":"success","isPartial":true,"data":{"resultType":"matrix","result":[]}}`, "is partial"},
		{answer(`{"metric":{},"values":[[1,"1"]]},[]`), "series 1: json: cannot unmarshal array"},
		{answer(`{"metric":{},"values":[[1,"1"]]},null`), "series 1: has no values"},
		{answer(`{"metric":{},"histograms":[]}`), "native histogram"},
		{answer(`{"metric":{},"values":[[1,"1"],[1,"1"]]}`), "not in order"},
		{answer(`{"metric":{},"values":[[2,"1"],[1,"1"]]}`), "not in order"},
		{answer(`{"metric":{},"values":[[-1,"1"]]}`), "want pairs"},
		{answer(`{"metric":{},"values":[[1e3,"1"]]}`), "want pairs"},
		{answer(`{"metric":{},"values":[[1.5e3,"1"]]}`), "want pairs"},
		{answer(`{"metric":{},"values":[["1","1"]]}`), "want pairs"},
		{answer(`{"metric":{},"values":[[253402300800,"1"]]}`), "want pairs"},
		{answer(`{"metric":{},"values":[[99999999999999999999,"1"]]}`), "want pairs"},
		{answer(`{"metric":{},"values":[[18446744075481874816,"1"]]}`), "want pairs"}, // 2^64 and 1772323200
		{answer(`{"metric":{},"values":[[1,1]]}`), "want pairs"},
		{answer(`{"metric":{},"values":[[1,"x"]]}`), "want pairs"},
		{answer(`{"metric":{},"values":[[1,"1","2"]]}`), "want pairs"},
		{answer(`{"metric":{},"values":[[1]]}`), "want pairs"},
		{answer(`{"metric":{},"values":[[1,"1"]],"values":[[2,"1"],[1,"1"]]}`), "not in order"},
		{answer(`{"metric":{},"values":[[1,"1"],]}`), "is not an answer"},
		{answer(`{"metric":{},"values":[[1,"1"][2,"1"]]}`), "is not an answer"},
		{answer(`{"metric":{},"values":[]}`), "native histogram"},
		{answer(`{"metric":{},"values":[[.5,"1"]]}`), "is not an answer"},
		{answer(`{"metric":{},"values":null}`), "want"},
		{answer(`{"metric":{},"values":[null]}`), "want"},
		{answer(`{"metric":{},"values":[{}]}`), "want"},
	} {
		_, err := evidence.ReadMatrix(strings.NewReader(c.in), "a")
		require.ErrorContains(t, err, "evidence: a: ")
		require.ErrorContains(t, err, c.want, c.in)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err := evidence.ReadMatrix(io.LimitReader(spaces{}, 1<<40), "a")
	require.ErrorContains(t, err, "more than")
	for more, want := range []error{nil, opsec.ErrInvalid} {
		in := answer("")
		_, err = evidence.ReadMatrix(io.MultiReader(strings.NewReader(in), io.LimitReader(spaces{}, int64(evidence.MaxAnswer-len(in)+more))), "a")
		require.ErrorIs(t, err, want)
	}
	_, err = evidence.ReadMatrix(iotest.ErrReader(io.ErrClosedPipe), "a")
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func FuzzReadMatrix(f *testing.F) {
	f.Add([]byte(answer(`{"metric":{"__name__":"up"},"values":[[1772323200.1,"1"],[1772323201,"NaN"]]}`)))
	f.Add([]byte(`{"status":"error","errorType":"bad_data","error":"x"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		list, err := evidence.ReadMatrix(bytes.NewReader(in), "a")
		if err != nil {
			return
		}
		var out strings.Builder // what is written again is read again
		for i, s := range list {
			require.NotEmpty(t, s.Points)
			fmt.Fprintf(&out, `%s{"metric":{},"values":[`, strings.Repeat(",", min(i, 1)))
			for k, p := range s.Points {
				require.True(t, k == 0 || p.At > s.Points[k-1].At)
				fmt.Fprintf(&out, `%s[%d.%03d,"%v"]`, strings.Repeat(",", min(k, 1)), p.At/1000, p.At%1000, p.Value)
			}
			out.WriteString("]}")
		}
		again, err := evidence.ReadMatrix(strings.NewReader(answer(out.String())), "a")
		require.NoError(t, err)
		require.Len(t, again, len(list))
		for i := range list {
			require.Equal(t, fmt.Sprint(list[i].Points), fmt.Sprint(again[i].Points))
		}
	})
}
