package audit_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
)

// BenchmarkFileCritical is a durable event through a Trail, by many callers at once: they share the fsyncs.
func BenchmarkFileCritical(b *testing.B) {
	file, err := audit.OpenFile(filepath.Join(b.TempDir(), "audit.jsonl"), nil)
	require.NoError(b, err)
	trail, err := audit.New(audit.Sinks{"disk": file}, audit.Policy{}, nil)
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	ran := make(chan error, 1)
	go func() { ran <- trail.Run(ctx) }()
	b.ReportAllocs()
	b.SetParallelism(128)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := trail.Record(ctx, event(opsec.Critical, "bench")); err != nil {
				b.Error(err)
				return
			}
		}
	})
	cancel()
	require.NoError(b, <-ran)
}

// BenchmarkFsyncEach is what the same costs one by one: a write and an fsync for each event. It is the peer of
// BenchmarkFileCritical.
func BenchmarkFsyncEach(b *testing.B) {
	f, err := os.OpenFile(filepath.Join(b.TempDir(), "plain"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(b, err)
	defer f.Close()
	for b.Loop() {
		line := append(event(opsec.Critical, "bench").AppendJSON(nil), '\n')
		if _, err := f.Write(line); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}
