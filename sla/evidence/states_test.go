package evidence_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/race"
	"github.com/cloudopsec/opsec/sla/evidence"
	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// march is 2026-03-01T00:00:00Z.
const march = 1_772_323_200_000

func all[T any](t testing.TB, seq iter.Seq2[T, error]) []T {
	list, err := collect(seq)
	require.NoError(t, err)
	return list
}

func collect[T any](seq iter.Seq2[T, error]) (list []T, failed error) {
	for e, err := range seq {
		if err != nil {
			return list, err
		}
		list = append(list, e)
	}
	return list, nil
}

func state(source string, seq uint64, resource string, start, end int64, s meter.State) meter.Evidence {
	return meter.Evidence{Source: source, Seq: seq, Resource: resource, Span: timeline.Span{Start: start, End: end}, State: s}
}

func TestStates(t *testing.T) {
	in := "\ufeff" + `state,resource,start,end
up,db-1,2026-03-01T00:00:00Z,2026-03-01T01:00:00+01:00
up,db-1,2026-03-01T00:00:00Z,2026-03-01T02:00:00+01:00
degraded,"a, ""b""",2026-03-01T00:00:00.0019Z,2026-03-01T00:00:00.0021Z

down,db-1,2026-03-01T01:00:00Z,
unknown,db-1,1970-01-01T00:00:00Z,9999-12-31T23:59:59.9999Z
up,leap,2028-02-28T23:00:00-05:00,2028-02-29T24:00:00Z
`
	_, err := collect(evidence.States(strings.NewReader(in), "f"))
	require.EqualError(t, err, "evidence: f:8:35: end: want a time such as 2026-03-01T00:00:00Z, in the years 1970 to 9999")
	in = strings.Replace(in, "2028-02-29T24:00:00Z", "2028-03-01T00:00:00Z", 1)
	require.Equal(t, []meter.Evidence{
		state("f", 2, "db-1", march, march+3_600_000, meter.Up), // the first is empty, and says nothing
		state("f", 3, `a, "b"`, march+1, march+2, meter.Degraded),
		state("f", 4, "db-1", march+3_600_000, meter.Open, meter.Down),
		state("f", 5, "db-1", 0, 253_402_300_799_999, meter.Unknown),
		state("f", 6, "leap", 1_835_409_600_000, 1_835_481_600_000, meter.Up),
	}, all(t, evidence.States(strings.NewReader(in), "f")))
}

func TestStatesHoldRequestsAndTheirIdentity(t *testing.T) {
	in := `resource,start,end,state,good,total,source,seq
api,2026-03-01T00:00:00Z,2026-03-01T00:05:00Z,,9,10,probe-1,18446744073709551615
api,2026-03-01T00:05:00Z,2026-03-01T00:10:00Z,,0,0,,
api,2026-03-01T00:05:00Z,2026-03-01T00:10:00Z,up,,,,7
`
	require.Equal(t, []meter.Evidence{
		{Source: "probe-1", Seq: 1<<64 - 1, Resource: "api", Span: timeline.Span{Start: march, End: march + 300_000}, Good: 9, Total: 10},
		state("f", 7, "api", march+300_000, march+600_000, meter.Up),
	}, all(t, evidence.States(strings.NewReader(in), "f")))
}

func TestStatesRefuse(t *testing.T) {
	const four = "resource,start,end,state\n"
	const eight = "resource,start,end,state,good,total,source,seq\n"
	long := strings.Repeat("x", meter.MaxName+1)
	for _, c := range []struct{ in, want string }{
		{"", "f:1: is empty: want a header row"},
		{"\ufeff", "f:1: is empty: want a header row"},
		{"resource,start,end\n", "f:1: no column state"},
		{"resource,start,end,state,State\n", "f:1:26: unknown column; there are resource, start, end, state, good, total, source, seq"},
		{"resource,start,end,state,end\n", "f:1:26: column end is there twice"},
		{four + "a,2026-03-01T00:00:00Z,2026-03-01T00:00:00Z\n", "f:2:1: wrong number of fields"},
		{four + ",2026-03-01T00:00:00Z,,up\n", "f:2: no resource"},
		{four + "a,,,up\n", "f:2: no start"},
		{four + "a,2026-03-01T00:00:00Z,,\n", "f:2: want a state, or a total of requests"},
		{four + "a,2026-03-01T00:00:00Z,,UP\n", "f:2:25: state: want up, degraded, down or unknown"},
		{four + "a,2026-03-01T00:00:00.001Z,2026-03-01T00:00:00Z,up\n", "f:2: the end is before the start"},
		{four + "a,2026-03-01 00:00:00Z,,up\n", "f:2:3: start: want a time such as 2026-03-01T00:00:00Z, in the years 1970 to 9999"},
		{four + "a,2026-02-29T00:00:00Z,,up\n", "f:2:3: start: want a time such as"},
		{four + "a,2016-12-31T23:59:60Z,,up\n", "f:2:3: start: want a time such as"},
		{four + "a,2026-03-01T0:00:00Z,,up\n", "f:2:3: start: want a time such as"},
		{four + "a,\"2026-03-01T00:00:00,5Z\",,up\n", "f:2:3: start: want a time such as"},
		{four + "a,2026-03-01T00:00:00+24:00,,up\n", "f:2:3: start: want a time such as"},
		{four + "a,1969-12-31T23:59:59.999Z,,up\n", "f:2:3: start: want a time such as"},
		{four + "a,0001-01-01T00:00:00Z,,up\n", "f:2:3: start: want a time such as"},
		{four + "a,9999-12-31T23:59:59-01:00,,up\n", "f:2:3: start: want a time such as"},
		{four + "a,2026-03-01T00:00:00." + strings.Repeat("0", 60) + "Z,,up\n", "f:2:3: start: want a time such as"},
		{four + "\xff,2026-03-01T00:00:00Z,,up\n", "f:2:1: resource: is not UTF-8"},
		{four + "\"a\nb\",2026-03-01T00:00:00Z,,up\n", "f:2:1: resource: want 1 to 1024 bytes"},
		{four + "a\u0085,2026-03-01T00:00:00Z,,up\n", "f:2:1: resource: want 1 to 1024 bytes"},
		{four + "a\x7f,2026-03-01T00:00:00Z,,up\n", "f:2:1: resource: want 1 to 1024 bytes"},
		{four + long + ",2026-03-01T00:00:00Z,,up\n", "f:2:1: resource: want 1 to 1024 bytes"},
		{four + "a,2026-03-01T00:00:00Z,,up\n\"a", "f:3:3: extraneous or missing \" in quoted-field"},
		{four + "a,2026-03-01T00:00:00Z,,up\n" + strings.Repeat("x", 1<<17), "f:3: a row of more than 65536 bytes"},
		{eight + "a,2026-03-01T00:00:00Z,,,1,1,,\n", "f:2: requests without end of the span"},
		{eight + "a,2026-03-01T00:00:00Z,2026-03-01T00:00:01Z,up,1,1,,\n", "f:2: want a state, or a total"},
		{eight + "a,2026-03-01T00:00:00Z,2026-03-01T00:00:01Z,,,1,,\n", "f:2: good and total are given both"},
		{eight + "a,2026-03-01T00:00:00Z,2026-03-01T00:00:01Z,up,1,,,\n", "f:2: good and total are given both"},
		{eight + "a,2026-03-01T00:00:00Z,2026-03-01T00:00:01Z,,2,1,,\n", "f:2: more good than all"},
		{eight + "a,2026-03-01T00:00:00Z,2026-03-01T00:00:01Z,,-1,1,,\n", "f:2:46: good: want a whole number below 2^64"},
		{eight + "a,2026-03-01T00:00:00Z,2026-03-01T00:00:01Z,,1,18446744073709551616,,\n", "f:2:48: total: want a whole"},
		{eight + "a,2026-03-01T00:00:00Z,2026-03-01T00:00:01Z,up,,," + long + ",\n", "f:2:50: source: want 1 to 1024 bytes"},
		{eight + "a,2026-03-01T00:00:00Z,2026-03-01T00:00:01Z,up,,,,1.5\n", "f:2:51: seq: want a whole"},
	} {
		_, err := collect(evidence.States(strings.NewReader(c.in), "f"))
		require.ErrorContains(t, err, "evidence: "+c.want)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err := collect(evidence.States(iotest.ErrReader(io.ErrUnexpectedEOF), "f"))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NotErrorIs(t, err, opsec.ErrInvalid)
}

// TestARowIsAtMostAsLongAsItSays however it comes in: what is too long for one is too long for all.
func TestARowIsAtMostAsLongAsItSays(t *testing.T) {
	const head = "resource,start,end,state,source\n"
	const most = 64 << 10
	for _, before := range []int{0, 1, 89, 90} {
		for _, more := range []int{-1, 0, 1, 2, 4096, most} {
			short := strings.Repeat("a,2026-03-01T00:00:00Z,,up,s\n", before)
			long := "\"" + strings.Repeat("\"\"", 1000) + "\",2026-03-01T00:00:00Z,,up,\n"
			long = strings.Repeat("\n", most+more-len(long)) + long
			for _, in := range []io.Reader{strings.NewReader(head + short + long), iotest.OneByteReader(strings.NewReader(head + short + long))} {
				list, err := collect(evidence.States(in, "f"))
				if more <= 0 {
					require.NoError(t, err, "%d %d", before, more)
					require.Len(t, list, before+1)
				} else {
					require.EqualError(t, err, fmt.Sprintf("evidence: f:%d: a row of more than 65536 bytes", before+2), "%d %d", before, more)
				}
			}
		}
	}
}

func TestAFileMayBeOfAnyLength(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("more rows than there may be of anything")
	}
	row := "a,2026-03-01T00:00:00Z,2026-03-01T00:00:01Z,up\r\n"
	const rows = evidence.MaxResources + 1
	seq := uint64(0)
	for e, err := range evidence.States(io.MultiReader(strings.NewReader("resource,start,end,state\r\n"), io.LimitReader(&repeated{text: row}, int64(rows*len(row)))), "f") {
		require.NoError(t, err)
		if seq++; e.Seq != seq {
			require.Equal(t, seq, e.Seq)
		}
	}
	require.Equal(t, uint64(rows), seq)
}

// repeated is a text again and again.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

// TestAFileWithoutAName fails where what is read is no evidence to a meter.
func TestAFileWithoutAName(t *testing.T) {
	for _, name := range []string{"", "a\nb", strings.Repeat("x", meter.MaxName+1)} {
		_, err := collect(evidence.States(strings.NewReader("resource,start,end,state\na,2026-03-01T00:00:00Z,,up\n"), name))
		require.ErrorContains(t, err, ":2: the source is the name of the file: want 1 to 1024 bytes")
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.Len(t, all(t, evidence.States(strings.NewReader("resource,start,end,state,source\na,2026-03-01T00:00:00Z,,up,s\n"), name)), 1)
	}
}

func TestTheReaderStopsWhenAsked(t *testing.T) {
	in := "resource,start,end,state\na,2026-03-01T00:00:00Z,,up\nb,2026-03-01T00:00:00Z,,up\n"
	for e, err := range evidence.States(strings.NewReader(in), "f") {
		require.NoError(t, err)
		require.Equal(t, "a", e.Resource)
		break
	}
}

// TestWhatIsWrittenIsReadBack is the law of the writer.
func TestWhatIsWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		full := rapid.Bool().Draw(t, "full")
		columns := []string{"resource", "start", "end", "state"}
		if full {
			columns = rapid.Permutation(append(columns, "good", "total", "source", "seq")).Draw(t, "columns")
		}
		var file bytes.Buffer
		w, err := evidence.NewWriter(&file, columns...)
		require.NoError(t, err)
		var want []meter.Evidence
		for i := range rapid.IntRange(0, 20).Draw(t, "n") {
			start := rapid.Int64Range(0, 253_402_300_799_998).Draw(t, "start")
			e := state("f", uint64(i+1), rapid.StringMatching(`[a-z,"' é=@]{1,20}`).Draw(t, "resource"),
				start, rapid.OneOf(rapid.Just[int64](meter.Open), rapid.Int64Range(start+1, 253_402_300_799_999)).Draw(t, "end"),
				meter.State(rapid.IntRange(0, 3).Draw(t, "state")))
			if full {
				e.Source, e.Seq = rapid.StringMatching(`[a-z,"/]{1,20}`).Draw(t, "source"), rapid.Uint64().Draw(t, "seq")
				if e.Span.End != meter.Open && rapid.Bool().Draw(t, "requests") {
					e.State, e.Total = 0, rapid.Uint64Min(1).Draw(t, "total")
					e.Good = rapid.Uint64Range(0, e.Total).Draw(t, "good")
				}
			}
			require.NoError(t, w.Write(e))
			want = append(want, e)
		}
		require.NoError(t, w.Flush())
		got, err := collect(evidence.States(&file, "f"))
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func TestTheWriterRefusesWhatWouldNotBeReadBack(t *testing.T) {
	for _, columns := range [][]string{{"resource"}, {"resource", "start", "end", "state", "end"}, {"resource", "start", "end", "state", "x"}} {
		_, err := evidence.NewWriter(io.Discard, columns...)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	good := state("s", 1, "a", march, march+1, meter.Up)
	for name, change := range map[string]func(*meter.Evidence){
		"no resource":         func(e *meter.Evidence) { e.Resource = "" },
		"control character":   func(e *meter.Evidence) { e.Resource = "a\nb" },
		"no source":           func(e *meter.Evidence) { e.Source = "" },
		"empty":               func(e *meter.Evidence) { e.Span.End = e.Span.Start },
		"reversed":            func(e *meter.Evidence) { e.Span.End = e.Span.Start - 1 },
		"before 1970":         func(e *meter.Evidence) { e.Span.Start = -1 },
		"after 9999":          func(e *meter.Evidence) { e.Span.End = 253_402_300_800_000 },
		"state":               func(e *meter.Evidence) { e.State = 4 },
		"good without total":  func(e *meter.Evidence) { e.Good = 1 },
		"state with requests": func(e *meter.Evidence) { e.Total = 1 },
		"more good":           func(e *meter.Evidence) { e.State, e.Good, e.Total = 0, 2, 1 },
		"open requests":       func(e *meter.Evidence) { e.State, e.Total, e.Span.End = 0, 1, meter.Open },
	} {
		t.Run(name, func(t *testing.T) {
			var file bytes.Buffer
			w, err := evidence.NewWriter(&file, "resource", "start", "end", "state", "good", "total", "source", "seq")
			require.NoError(t, err)
			e := good
			change(&e)
			require.ErrorIs(t, w.Write(e), opsec.ErrInvalid)
			require.NoError(t, w.Write(good))
			require.NoError(t, w.Flush())
			require.Equal(t, []meter.Evidence{good}, all(t, evidence.States(&file, "f")))
		})
	}
	w, err := evidence.NewWriter(io.Discard)
	require.NoError(t, err)
	require.ErrorIs(t, w.Write(meter.Evidence{Resource: "a", Span: good.Span, Total: 1}), opsec.ErrInvalid, "no columns for them")
	w, err = evidence.NewWriter(failing{})
	require.NoError(t, err)
	require.NoError(t, w.Write(good), "it is kept")
	require.ErrorIs(t, w.Flush(), errFull)
}

var errFull = errors.New("full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

func FuzzStates(f *testing.F) {
	f.Add([]byte("resource,start,end,state\na,2026-03-01T00:00:00Z,,up\n"))
	f.Add([]byte("resource,start,end,state,good,total,source,seq\na,2026-03-01T00:00:00Z,2026-03-02T00:00:00Z,,1,2,s,9\n"))
	f.Add([]byte("\ufeffstate,end,start,resource\r\n\"down\",,2026-03-01T00:00:00.5+01:00,\"a\"\"b\"\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		list, _ := collect(evidence.States(bytes.NewReader(in), "f"))
		var file bytes.Buffer
		w, err := evidence.NewWriter(&file, "resource", "start", "end", "state", "good", "total", "source", "seq")
		require.NoError(t, err)
		m := meter.New()
		for _, e := range list { // all that is read can be written, and is what was read
			require.NoError(t, w.Write(e))
			require.NoError(t, m.Add(e))
		}
		require.NoError(t, w.Flush())
		again, err := collect(evidence.States(&file, "f"))
		require.NoError(t, err)
		require.Equal(t, list, again, fmt.Sprintf("%q", in))
	})
}
