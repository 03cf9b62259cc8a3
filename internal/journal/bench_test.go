package journal_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/journal"
)

func openForBench(b *testing.B) *journal.Journal {
	j, _, err := journal.Open(b.TempDir(), 0, 0, journal.Options{})
	require.NoError(b, err)
	b.Cleanup(func() { j.Close() })
	require.NoError(b, j.Prepare())
	return j
}

// BenchmarkAdd frames entries of 800 bytes.
func BenchmarkAdd(b *testing.B) {
	j := openForBench(b)
	leaf, body := bytes.Repeat([]byte("l"), 400), bytes.Repeat([]byte("b"), 400)
	batch := j.Batch()
	b.SetBytes(800)
	b.ReportAllocs()
	for b.Loop() {
		if batch.Len() == 256 {
			batch = j.Batch()
		}
		if _, err := batch.Add(leaf, body); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommit makes batches of 1 and 150 entries of 800 bytes durable.
func BenchmarkCommit(b *testing.B) {
	leaf, body := bytes.Repeat([]byte("l"), 400), bytes.Repeat([]byte("b"), 400)
	for name, entries := range map[string]int{"1": 1, "150": 150} {
		b.Run(name, func(b *testing.B) {
			j := openForBench(b)
			done := make(chan struct{})
			wake := make(chan struct{}, 1)
			go func() {
				defer close(done)
				for range wake {
					j.Prepare()
				}
			}()
			b.SetBytes(int64(entries) * 800)
			b.ReportAllocs()
			for b.Loop() {
				batch := j.Batch()
				for range entries {
					if _, err := batch.Add(leaf, body); err != nil {
						b.Fatal(err)
					}
				}
				if err := j.Commit(batch); err != nil {
					b.Fatal(err)
				}
				select {
				case wake <- struct{}{}:
				default:
				}
			}
			close(wake)
			<-done
		})
	}
}

// BenchmarkRead reads entries in a segment that is known, at random.
func BenchmarkRead(b *testing.B) {
	j := openForBench(b)
	leaf, body := bytes.Repeat([]byte("l"), 400), bytes.Repeat([]byte("b"), 400)
	for range 40 {
		batch := j.Batch()
		for range 1000 {
			if _, err := batch.Add(leaf, body); err != nil {
				b.Fatal(err)
			}
		}
		require.NoError(b, j.Commit(batch))
	}
	b.ReportAllocs()
	i := uint64(1)
	for b.Loop() {
		i = (i*6364136223846793005 + 1442695040888963407) % j.Size()
		if _, err := j.Read(i); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReplay passes 32 MB.
func BenchmarkReplay(b *testing.B) {
	j := openForBench(b)
	leaf, body := bytes.Repeat([]byte("l"), 400), bytes.Repeat([]byte("b"), 400)
	for range 40 {
		batch := j.Batch()
		for range 1000 {
			if _, err := batch.Add(leaf, body); err != nil {
				b.Fatal(err)
			}
		}
		require.NoError(b, j.Commit(batch))
	}
	b.SetBytes(40 * 1000 * 800)
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range j.Replay(0) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
