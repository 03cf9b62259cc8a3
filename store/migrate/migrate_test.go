package migrate_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/migrate"
)

func openBolt(t testing.TB) store.Driver {
	d, err := bolt.Open(filepath.Join(t.TempDir(), "store"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

func fill(t testing.TB, d store.Driver, n, size int) {
	for i := range n {
		_, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: fmt.Sprintf("k%05d", i), Value: make([]byte, size)}}})
		require.NoError(t, err)
	}
}

func TestCopyHasTheSumOfTheOriginal(t *testing.T) {
	src := memory.New()
	fill(t, src, 350, 100)
	fill(t, src, 30, store.MaxValue) // over the bytes of a batch and of a page
	dst := openBolt(t)
	sum, err := migrate.Copy(t.Context(), dst, src)
	require.NoError(t, err)
	require.EqualValues(t, 350, sum.Keys)
	again, err := migrate.SumOf(t.Context(), dst)
	require.NoError(t, err)
	require.Equal(t, sum, again)
	back := memory.New()
	sum, err = migrate.Copy(t.Context(), back, dst)
	require.NoError(t, err)
	require.Equal(t, again, sum)

	_, err = migrate.Copy(t.Context(), back, src)
	require.ErrorIs(t, err, opsec.ErrInvalid, "not over what is there")
	empty, err := migrate.Copy(t.Context(), memory.New(), memory.New())
	require.NoError(t, err)
	require.Zero(t, empty.Keys)
}

// writing is a driver to which somebody writes while it is listed.
type writing struct {
	store.Driver
	at, n int
}

func (w *writing) List(ctx context.Context, r store.Range) ([]store.Item, error) {
	if w.n++; w.n == w.at {
		if _, err := w.Commit(ctx, store.Batch{Ops: []store.Op{{Key: "k00001", Value: []byte("new")}}}); err != nil {
			return nil, err
		}
	}
	return w.Driver.List(ctx, r)
}

func TestCopyNoticesWriters(t *testing.T) {
	for at := 2; at <= 3; at++ {
		src := memory.New()
		fill(t, src, 1500, 10)
		_, err := migrate.Copy(t.Context(), memory.New(), &writing{Driver: src, at: at})
		require.ErrorContains(t, err, "somebody has written")
	}
}

// spoiling is a driver that does not keep what it was given.
type spoiling struct{ store.Driver }

func (s spoiling) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	for i := range b.Ops {
		if b.Ops[i].Key == "k00300" {
			b.Ops[i].Value = []byte("other")
		}
	}
	return s.Driver.Commit(ctx, b)
}

func TestCopyReadsBackWhatItHasWritten(t *testing.T) {
	src := memory.New()
	fill(t, src, 350, 5)
	_, err := migrate.Copy(t.Context(), spoiling{memory.New()}, src)
	require.ErrorContains(t, err, "somebody has written")
}

// One random sequence of commits, some of which conflict, leaves the same bytes on both engines, and each commit ends in
// the same way.
func TestSameWorkloadLeavesTheSameContentOnBothEngines(t *testing.T) {
	n := 0
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		n++
		file, err := bolt.Open(filepath.Join(dir, fmt.Sprint(n)), nil)
		require.NoError(t, err)
		defer file.Close()
		model := memory.New()
		key := rapid.Custom(func(t *rapid.T) string {
			return rapid.SampledFrom([]string{"a", "b", "a\x00", "ab", "\xff", "\x00", "\xff\xff", "é"}).Draw(t, "key")
		})
		for range rapid.IntRange(1, 25).Draw(t, "commits") {
			var onModel, onFile store.Batch
			for k := range rapid.MapOfN(key, rapid.Bool(), 0, 3).Draw(t, "checks") {
				here, err := model.Get(context.Background(), k)
				require.NoError(t, err)
				there, err := file.Get(context.Background(), k)
				require.NoError(t, err)
				require.Equal(t, here[0].Rev == 0, there[0].Rev == 0)
				stale := rapid.IntRange(0, 5).Draw(t, "stale") == 0
				if stale {
					here[0].Rev += 1 << 40
					there[0].Rev += 1 << 40
				}
				onModel.Checks = append(onModel.Checks, store.Check{Key: k, Rev: here[0].Rev})
				onFile.Checks = append(onFile.Checks, store.Check{Key: k, Rev: there[0].Rev})
			}
			for k, value := range rapid.MapOfN(key, rapid.SliceOfN(rapid.Byte(), 0, 20), 0, 4).Draw(t, "ops") {
				op := store.Op{Key: k, Value: value}
				if len(value) == 0 && rapid.Bool().Draw(t, "delete") {
					op = store.Op{Key: k, Delete: true}
				}
				onModel.Ops, onFile.Ops = append(onModel.Ops, op), append(onFile.Ops, op)
			}
			_, errModel := model.Commit(context.Background(), onModel)
			_, errFile := file.Commit(context.Background(), onFile)
			require.Equal(t, errModel, errFile)
		}
		want, err := migrate.SumOf(context.Background(), model)
		require.NoError(t, err)
		got, err := migrate.SumOf(context.Background(), file)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func ExampleCopy() {
	ctx := context.Background()
	from, to := memory.New(), memory.New()
	_, _ = from.Commit(ctx, store.Batch{Ops: []store.Op{{Key: "k", Value: []byte("v")}}})
	sum, err := migrate.Copy(ctx, to, from)
	fmt.Println(sum.Keys, sum.SHA256[:8], err)
	// Output: 1 5e4df063 <nil>
}
