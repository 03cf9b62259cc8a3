package entry_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/subject"
)

// attach is an event whose JSON is 512 bytes: five personal fields, a resource, a reason and two attributes.
func attach() *opsec.Event {
	e := opsec.NewEvent("volume.attach", time.Date(2026, 11, 24, 8, 30, 0, 123456789, time.UTC))
	e.ID = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"
	e.Tenant, e.Outcome = "acme", opsec.Success
	e.Actor = opsec.Actor{
		Tenant: "acme", Account: "j.doe", Person: "p-00017", Kind: opsec.Human,
		Session: "s-7f3a9c", IP: netip.MustParseAddr("2001:db8::17"), Terminal: "laptop-0412",
	}
	e.Resource = opsec.Resource{Tenant: "acme", Type: "volume", ID: "vol-42"}
	e.Reason = "night shifts"
	e.Attrs = []opsec.Attr{
		{Key: "method", Value: "webauthn", Mark: opsec.Tenant},
		{Key: "agent", Value: "Firefox/140.0", Mark: opsec.Personal},
	}
	return e
}

func benchmarkDraft(b *testing.B, omit bool) {
	keys := subject.Memory()
	defer keys.Close()
	s := &entry.Scribe{Keys: keys, OmitValues: omit}
	e := attach()
	require.Equal(b, 512, len(e.AppendJSON(nil)))
	var leaf []byte
	var prev tlog.Hash
	seq := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		d, err := s.Draft(b.Context(), e)
		if err != nil {
			b.Fatal(err)
		}
		seq++
		leaf = d.AppendLeaf(leaf[:0], seq, prev)
		prev = tlog.RecordHash(leaf)
	}
	b.ReportMetric(float64(len(leaf)), "leafB")
}

// BenchmarkCommit encodes, commits and hashes; BenchmarkSeal seals the values too.
func BenchmarkCommit(b *testing.B) { benchmarkDraft(b, true) }
func BenchmarkSeal(b *testing.B)   { benchmarkDraft(b, false) }

func BenchmarkParse(b *testing.B) {
	keys := subject.Memory()
	defer keys.Close()
	leaf, body := write(b, &entry.Scribe{Keys: keys}, attach())
	b.Run("leaf", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := entry.Parse(leaf); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("body", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := entry.ParseBody(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		l, err := entry.Parse(leaf)
		require.NoError(b, err)
		parsed, err := entry.ParseBody(body)
		require.NoError(b, err)
		all := func(entry.Field) bool { return true }
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := entry.Open(b.Context(), keys, l, parsed, all); err != nil {
				b.Fatal(err)
			}
		}
	})
}
