package entry_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
)

func anyHash() *rapid.Generator[tlog.Hash] {
	return rapid.Map(rapid.SliceOfN(rapid.Byte(), 32, 32), func(b []byte) tlog.Hash { return tlog.Hash(b) })
}

func anyNumber() *rapid.Generator[uint64] {
	return rapid.OneOf(rapid.SampledFrom([]uint64{1, 9, 10, 1 << 32, math.MaxUint64}), rapid.Uint64Min(1))
}

func anyLeaf() *rapid.Generator[entry.Leaf] {
	return rapid.Custom(func(t *rapid.T) entry.Leaf {
		l := entry.Leaf{Kind: rapid.SampledFrom([]entry.Kind{entry.Event, entry.Epoch, entry.Shard}).Draw(t, "kind")}
		at := time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "time"), 0)
		l.Time = at.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 10, 123456789, 500e6, 999999999}).Draw(t, "ns"))).UTC()
		switch l.Kind {
		case entry.Epoch:
			l.Number, l.Tenants, l.Heads = anyNumber().Draw(t, "number"), anyNumber().Draw(t, "tenants")-1, anyHash().Draw(t, "heads")
			return l
		case entry.Shard:
			l.Log = rapid.StringN(1, 60, 255).Draw(t, "log")
			l.Size, l.Root, l.Body = anyNumber().Draw(t, "size")-1, anyHash().Draw(t, "root"), anyHash().Draw(t, "body")
			return l
		}
		copy(l.ID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		copy(l.Tenant[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "tenant"))
		l.Class = rapid.SampledFrom([]opsec.Class{opsec.Critical, opsec.Standard, opsec.BestEffort}).Draw(t, "class")
		l.Category = rapid.SampledFrom([]opsec.Category{"", opsec.Authentication, opsec.Authorization}).Draw(t, "category")
		l.Action = rapid.StringMatching(`[a-z0-9_-]{1,8}(\.[a-z0-9_-]{1,8}){0,3}`).Draw(t, "action")
		l.Outcome = rapid.SampledFrom([]opsec.Outcome{
			opsec.Success, opsec.Failure, opsec.Denied, opsec.Pending, opsec.Unknown,
		}).Draw(t, "outcome")
		for range rapid.IntRange(0, 4).Draw(t, "attrs") {
			l.Attrs = append(l.Attrs, opsec.Attr{
				Key:   rapid.StringN(1, 30, opsec.MaxKeyLen).Draw(t, "key"),
				Value: rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", `"\`, "\x00\x7f\u0085\u2028\ufffd"})).Draw(t, "value"),
				Mark:  opsec.Public,
			})
		}
		l.Body = anyHash().Draw(t, "body")
		if l.Seq = anyNumber().Draw(t, "seq"); l.Seq > 1 {
			l.Prev = anyHash().Draw(t, "prev")
		}
		return l
	})
}

func TestLeafReadsBackAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := anyLeaf().Draw(t, "leaf")
		text, err := l.Append([]byte("before"))
		require.NoError(t, err)
		back, err := entry.Parse(text[len("before"):])
		require.NoError(t, err)
		require.Equal(t, l, back)
	})
}

// again fails unless what Parse accepts is what Append writes.
func again(t require.TestingT, text []byte) {
	l, err := entry.Parse(text)
	if err != nil {
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.Zero(t, l)
		return
	}
	written, err := l.Append(nil)
	require.NoError(t, err)
	require.Equal(t, string(text), string(written))
}

func TestLeafHasOneForm(t *testing.T) {
	pieces := rapid.SampledFrom([]string{
		" ", "0", "1", "9", "-", "+", ".", "e", "\"", "\\", "\\u0041", "\\u000a", "\\u000A", "\\n", "\n", "\r", "\x7f", "\xff", "\u2028",
		"=", "A", "B", "Z", "z", "z\"", "null", "[]", "{}", ",", `,"x":1`, "00", ".0", "é", "[\"k\",\"v\"],", `"attrs":[],`, `,"prev":""`,
	})
	rapid.Check(t, func(t *rapid.T) {
		text, err := anyLeaf().Draw(t, "leaf").Append(nil)
		require.NoError(t, err)
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			from := rapid.IntRange(0, len(text)).Draw(t, "from")
			to := min(len(text), from+rapid.IntRange(0, 3).Draw(t, "cut"))
			piece := rapid.OneOf(rapid.Just(""), pieces).Draw(t, "piece")
			text = []byte(string(text[:from]) + piece + string(text[to:]))
		}
		again(t, text)
	})
}

const (
	sample = `{"v":1,"id":"019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071","time":"2026-11-24T08:30:00.5Z","class":"standard",` +
		`"category":"authorization","action":"a.b","outcome":"success","attrs":[["k","v"]],` +
		`"body":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","tenant":"AAAAAAAAAAAAAAAAAAAAAA","seq":12,` +
		`"prev":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`
	sampleEpoch = `{"v":1,"epoch":7,"time":"2026-11-24T08:30:00Z","tenants":12,"heads":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`
	sampleShard = `{"v":1,"log":"example.com/log","time":"2026-11-24T08:30:00Z","size":5,` +
		`"root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","body":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`
)

func TestOtherFormsAreRefused(t *testing.T) {
	long := strings.Repeat("x", opsec.MaxValueLen+1)
	attrs := func(n int, value string) string {
		return strings.TrimSuffix(strings.Repeat(`["k","`+value+`"],`, n), ",")
	}
	tests := []struct{ name, base, old, new string }{
		{"space", sample, `,"id"`, `, "id"`},
		{"version", sample, `"v":1`, `"v":2`},
		{"order", sampleEpoch, `"v":1,"epoch":7`, `"epoch":7,"v":1`},
		{"unknown field", sample, `"seq":12`, `"x":1,"seq":12`},
		{"field of another kind", sampleEpoch, `"tenants":12`, `"seq":12`},
		{"something behind", sample, `A"}`, `A"} `},
		{"upper-case id", sample, "019ab", "019AB"},
		{"id without dashes", sample, "5d6e-7f80", "5d6e07f80"},
		{"short id", sample, "019ab3c4", "019ab3c"},
		{"zone", sample, "00.5Z", "00.5+00:00"},
		{"trailing zero", sample, "00.5Z", "00.50Z"},
		{"no fraction", sample, "00.5Z", "00.Z"},
		{"zero fraction", sample, "00.5Z", "00.0Z"},
		{"comma in the time", sample, "00.5Z", "00,5Z"},
		{"ten digits", sample, "00.5Z", "00.5000000001Z"},
		{"year 0", sample, "2026-11", "0000-11"},
		{"day 31", sample, "11-24", "11-31"},
		{"hour 24", sample, "T08", "T24"},
		{"second 60", sample, "00.5Z", "60.5Z"},
		{"class", sample, "standard", "urgent"},
		{"category", sample, "authorization", "other"},
		{"empty category", sample, "authorization", ""},
		{"action", sample, "a.b", "a..b"},
		{"no action", sample, "a.b", ""},
		{"long action", sample, "a.b", strings.Repeat("a", 129)},
		{"outcome", sample, "success", "maybe"},
		{"no attributes", sample, `["k","v"]`, ``},
		{"attribute without key", sample, `["k","v"]`, `["","v"]`},
		{"attribute of three", sample, `["k","v"]`, `["k","v","w"]`},
		{"attribute of one", sample, `["k","v"]`, `["k"]`},
		{"long key", sample, `"k"`, `"` + long[:129] + `"`},
		{"long value", sample, `,"v"`, `,"` + long + `"`},
		{"65 attributes", sample, `["k","v"]`, attrs(65, "v")},
		{"33 KiB of attributes", sample, `["k","v"]`, attrs(5, long[:7000])},
		{"needless escape", sample, `,"v"`, `,"\u0076"`},
		{"escaped slash", sample, `,"v"`, `,"\/"`},
		{"short escape", sample, `,"v"`, `,"\n"`},
		{"upper-case escape", sample, `,"v"`, `,"\u000A"`},
		{"cut escape", sample, `,"v"`, `,"\u00`},
		{"raw control", sample, `,"v"`, ",\"\n\""},
		{"raw DEL", sample, `,"v"`, ",\"\x7f\""},
		{"raw C1", sample, `,"v"`, ",\"\u0085\""},
		{"raw line end of JavaScript", sample, `,"v"`, ",\"\u2028\""},
		{"not UTF-8", sample, `,"v"`, ",\"\xff\""},
		{"hash with bits left over", sample, `AAA","tenant"`, `AAB","tenant"`},
		{"short hash", sample, `AAA","tenant"`, `AA","tenant"`},
		{"long hash", sample, `AAA","tenant"`, `AAAA","tenant"`},
		{"padded hash", sample, `AAA","tenant"`, `AAA=","tenant"`},
		{"line end in a hash", sample, `AAA","tenant"`, "A\nA\",\"tenant\""},
		{"standard base64", sample, `AAA","tenant"`, `A+A","tenant"`},
		{"tag with bits left over", sample, `AAA","seq"`, `AAB","seq"`},
		{"seq 0", sample, `"seq":12`, `"seq":0`},
		{"leading zero", sample, `"seq":12`, `"seq":012`},
		{"negative", sample, `"seq":12`, `"seq":-12`},
		{"2^64", sample, `"seq":12`, `"seq":18446744073709551616`},
		{"far beyond 2^64", sample, `"seq":12`, `"seq":99999999999999999999`},
		{"fraction", sample, `"seq":12`, `"seq":12.0`},
		{"prev at 1", sample, `"seq":12`, `"seq":1`},
		{"no prev", sample, `,"prev":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`, ``},
		{"epoch 0", sampleEpoch, `"epoch":7`, `"epoch":0`},
		{"leading zeros", sampleEpoch, `"tenants":12`, `"tenants":00`},
		{"no origin", sampleShard, `example.com/log`, ``},
		{"long origin", sampleShard, `example.com/log`, long[:256]},
		{"negative size", sampleShard, `"size":5`, `"size":-5`},
	}
	for _, base := range []string{sample, sampleEpoch, sampleShard} {
		_, err := entry.Parse([]byte(base))
		require.NoError(t, err)
		again(t, []byte(base))
		for i := range base {
			_, err := entry.Parse([]byte(base[:i]))
			require.ErrorIs(t, err, opsec.ErrInvalid, "cut at %d", i)
		}
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, 1, strings.Count(test.base, test.old))
			_, err := entry.Parse([]byte(strings.Replace(test.base, test.old, test.new, 1)))
			require.ErrorIs(t, err, opsec.ErrInvalid)
		})
	}
	_, err := entry.Parse([]byte(strings.Replace(sample, `["k","v"]`, attrs(64, "v"), 1)))
	require.NoError(t, err, "64 attributes")
	_, err = entry.Parse([]byte(strings.Replace(sample, `["k","v"]`, attrs(4, long[:8192-9]), 1)))
	require.NoError(t, err, "32 KiB with the last comma")
	_, err = entry.Parse([]byte(strings.Replace(sample, `["k","v"]`, attrs(3, long[:8192-9])+","+attrs(1, long[:8192-8]), 1)))
	require.ErrorIs(t, err, opsec.ErrInvalid, "one byte more")
}

func TestLeafThatCannotBeWritten(t *testing.T) {
	good, err := entry.Parse([]byte(sample))
	require.NoError(t, err)
	epoch, err := entry.Parse([]byte(sampleEpoch))
	require.NoError(t, err)
	shard, err := entry.Parse([]byte(sampleShard))
	require.NoError(t, err)
	attr := func(key, value string, mark opsec.Sensitivity) func(*entry.Leaf) {
		return func(l *entry.Leaf) { l.Attrs = []opsec.Attr{{Key: key, Value: value, Mark: mark}} }
	}
	for i, test := range []struct {
		base  entry.Leaf
		spoil func(l *entry.Leaf)
		says  string
	}{
		{good, func(l *entry.Leaf) { l.Kind = 0 }, "kind"},
		{good, func(l *entry.Leaf) { l.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "time"},
		{epoch, func(l *entry.Leaf) { l.Time = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC) }, "time"},
		{good, func(l *entry.Leaf) { l.Class = "urgent" }, "class"},
		{good, func(l *entry.Leaf) { l.Category = "other" }, "category"},
		{good, func(l *entry.Leaf) { l.Action = `a"b` }, "action"},
		{good, func(l *entry.Leaf) { l.Outcome = "" }, "outcome"},
		{good, func(l *entry.Leaf) { l.Seq = 0 }, "seq"},
		{good, func(l *entry.Leaf) { l.Seq, l.Prev = 1, tlog.Hash{1} }, "prev"},
		{good, func(l *entry.Leaf) { l.Attrs = make([]opsec.Attr, 65) }, "attrs"},
		{good, attr("k", "v", opsec.Tenant), "attrs"},
		{good, attr("", "v", opsec.Public), "attrs"},
		{good, attr(strings.Repeat("k", 129), "v", opsec.Public), "attrs"},
		{good, attr("k", "\xff", opsec.Public), "attrs"},
		{good, attr("k\xff", "", opsec.Public), "attrs"},
		{good, attr("k", strings.Repeat("v", 8193), opsec.Public), "attrs"},
		{good, attr("k", strings.Repeat("\x00", 8000), opsec.Public), "attrs"},
		{epoch, func(l *entry.Leaf) { l.Number = 0 }, "epoch"},
		{shard, func(l *entry.Leaf) { l.Log = "" }, "log"},
		{shard, func(l *entry.Leaf) { l.Log = "\xff" }, "log"},
		{shard, func(l *entry.Leaf) { l.Log = strings.Repeat("x", 256) }, "log"},
	} {
		t.Run(fmt.Sprint(i, " ", test.says), func(t *testing.T) {
			l := test.base
			test.spoil(&l)
			b, err := l.Append([]byte("before"))
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.ErrorContains(t, err, "leaf: "+test.says)
			require.Equal(t, "before", string(b))
		})
	}
}

func TestLeafBeyondTheBundlesBound(t *testing.T) {
	_, err := entry.Parse(make([]byte, entry.MaxLeaf+1))
	require.ErrorContains(t, err, "65535")
}

// FuzzParse: what is accepted has one form.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(sampleEpoch))
	f.Add([]byte(sampleShard))
	f.Fuzz(func(t *testing.T, text []byte) { again(t, text) })
}
