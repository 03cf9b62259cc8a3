package bolt_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
)

// backup is a store of n records and its backup.
func backup(t testing.TB, n int) (*bolt.Driver, []byte, bolt.Summary) {
	d := open(t, filepath.Join(t.TempDir(), "state"))
	var b store.Batch
	for i := range n {
		b.Ops = append(b.Ops, store.Op{Key: fmt.Sprintf("%06d", i), Value: []byte("value")})
		if len(b.Ops) == store.MaxOps || i == n-1 {
			_, err := d.Commit(context.Background(), b)
			require.NoError(t, err)
			b.Ops = nil
		}
	}
	var stream bytes.Buffer
	s, err := d.Backup(context.Background(), &stream)
	require.NoError(t, err)
	return d, stream.Bytes(), s
}

func TestBackupComesBack(t *testing.T) {
	for _, n := range []int{0, 1, 500} {
		d, stream, s := backup(t, n)
		require.EqualValues(t, n, s.Records)
		require.EqualValues(t, len(stream), s.Bytes)
		require.Equal(t, sha256.Sum256(stream[:len(stream)-sha256.Size]), s.SHA256)
		require.Equal(t, s.SHA256[:], stream[len(stream)-sha256.Size:])
		verified, err := bolt.Verify(t.Context(), bytes.NewReader(stream))
		require.NoError(t, err)
		require.Equal(t, s, verified)

		dir := t.TempDir()
		path := filepath.Join(dir, "restored")
		restored, err := bolt.Restore(t.Context(), slowly{bytes.NewReader(stream)}, path)
		require.NoError(t, err)
		require.Equal(t, s, restored)
		require.Equal(t, []string{"restored"}, names(t, dir))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode())

		r := open(t, path)
		want, err := d.List(t.Context(), store.Range{Limit: store.MaxPage})
		require.NoError(t, err)
		got, err := r.List(t.Context(), store.Range{Limit: store.MaxPage})
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.NoError(t, r.Check(t.Context()))
		lost := put(t, d, "after", "the backup")
		require.GreaterOrEqual(t, put(t, r, "after", "the restore"), lost+1<<31, "no revision is used again")
	}
}

// slowly reads little at a time.
type slowly struct{ r io.Reader }

func (r slowly) Read(p []byte) (int, error) { return r.r.Read(p[:min(len(p), 7)]) }

func TestBackupUnderWritersIsOneMoment(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "state"))
	const accounts, each = 16, 1000
	names := make([]string, accounts)
	for i := range accounts {
		names[i] = fmt.Sprint("account/", i)
		put(t, d, names[i], string(fmt.Appendf(nil, "%08d", each)))
	}
	amount := func(it store.Item) (n int) {
		fmt.Sscanf(string(it.Value), "%d", &n)
		return n
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	moved := make(chan struct{}, 1)
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				from, to := rand.IntN(accounts), rand.IntN(accounts)
				if from == to {
					continue
				}
				got, err := d.Get(context.Background(), names[from], names[to])
				if err != nil {
					t.Error(err)
					return
				}
				_, err = d.Commit(context.Background(), store.Batch{
					Checks: []store.Check{{Key: names[from], Rev: got[0].Rev}, {Key: names[to], Rev: got[1].Rev}},
					Ops: []store.Op{
						{Key: names[from], Value: fmt.Appendf(nil, "%08d", amount(got[0])-1)},
						{Key: names[to], Value: fmt.Appendf(nil, "%08d", amount(got[1])+1)},
					},
				})
				if conflict := new(store.ConflictError); err != nil && !errors.As(err, &conflict) {
					t.Error(err)
					return
				}
				select {
				case moved <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 10 {
		reader, writer := io.Pipe()
		go func() {
			_, err := d.Backup(context.Background(), writer)
			writer.CloseWithError(err)
		}()
		<-moved // they are at it
		path := filepath.Join(t.TempDir(), "restored")
		s, err := bolt.Restore(t.Context(), reader, path)
		require.NoError(t, err)
		require.EqualValues(t, accounts, s.Records)
		r := open(t, path)
		got, err := r.Get(t.Context(), names...)
		require.NoError(t, err)
		sum := 0
		for _, it := range got {
			sum += amount(it)
		}
		require.Equal(t, accounts*each, sum)
	}
	stop()
	wg.Wait()
}

func TestSlowBackupDoesNotStopTheStore(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "state"))
	put(t, d, "k", "v")
	reader, writer := io.Pipe()
	done := make(chan error)
	go func() {
		_, err := d.Backup(context.Background(), writer)
		writer.CloseWithError(err)
		done <- err
	}()
	one := make([]byte, 1)
	_, err := reader.Read(one) // it has begun, and waits for us
	require.NoError(t, err)
	value := make([]byte, 200<<10)
	for i := range 100 { // the file outgrows several sizes of the map that bbolt would have made
		put(t, d, fmt.Sprint(i), string(value))
		require.NotZero(t, get(t, d, fmt.Sprint(i)).Rev)
	}
	rest, err := io.ReadAll(reader)
	require.NoError(t, err)
	require.NoError(t, <-done)
	s, err := bolt.Verify(t.Context(), bytes.NewReader(append(one, rest...)))
	require.NoError(t, err)
	require.EqualValues(t, 1, s.Records, "as it was when the backup began")
}

type failing struct {
	after int
	err   error
	then  func()
}

func (f *failing) Write(p []byte) (int, error) {
	if f.after -= len(p); f.after < 0 {
		f.then()
		return 0, f.err
	}
	return len(p), nil
}

func TestBackupThatCannotBeWrittenSaysWhy(t *testing.T) {
	d, stream, _ := backup(t, 50)
	broken := errors.New("broken pipe")
	for after := range len(stream) {
		if after%(len(stream)/50) == 0 || after > len(stream)-3 {
			_, err := d.Backup(t.Context(), &failing{after: after, err: broken, then: func() {}})
			require.ErrorIs(t, err, broken)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Backup(ended, io.Discard)
	require.ErrorIs(t, err, context.Canceled)
	put(t, d, "k", "no transaction is left open")
}

func TestChangedStreamsAreRefused(t *testing.T) {
	_, stream, _ := backup(t, 20)
	refused := func(t *testing.T, stream []byte) {
		t.Helper()
		dir := t.TempDir()
		_, err := bolt.Restore(t.Context(), bytes.NewReader(stream), filepath.Join(dir, "restored"))
		require.ErrorIs(t, err, bolt.ErrFormat)
		require.Empty(t, names(t, dir), "nothing is left behind")
		_, err = bolt.Verify(t.Context(), bytes.NewReader(stream))
		require.ErrorIs(t, err, bolt.ErrFormat)
	}
	t.Run("cut", func(t *testing.T) {
		for _, n := range []int{0, 1, 100, 4096, 8192, len(stream) / 2, len(stream) - bolt.SealBytes, len(stream) - 32, len(stream) - 1} {
			refused(t, stream[:n])
		}
	})
	t.Run("longer", func(t *testing.T) {
		refused(t, append(bytes.Clone(stream), 0))
		refused(t, append(bytes.Clone(stream), stream...))
	})
	t.Run("flipped", func(t *testing.T) {
		for at := 0; at < len(stream); at++ {
			if at%211 == 0 || at > len(stream)-bolt.SealBytes {
				flipped := bytes.Clone(stream)
				flipped[at] ^= 1
				refused(t, flipped)
			}
		}
	})
	t.Run("garbage", func(t *testing.T) {
		refused(t, []byte("garbage"))
		refused(t, make([]byte, 1<<20))
	})
	t.Run("endless", func(t *testing.T) {
		_, err := bolt.Restore(t.Context(), endless{}, filepath.Join(t.TempDir(), "restored"))
		require.ErrorIs(t, err, bolt.ErrFormat)
		_, err = bolt.Verify(t.Context(), io.MultiReader(bytes.NewReader(stream), endless{}))
		require.ErrorIs(t, err, bolt.ErrFormat)
	})
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestSealedNonsenseIsRefused(t *testing.T) {
	_, stream, _ := backup(t, 300)
	image := stream[:len(stream)-bolt.SealBytes]
	page := os.Getpagesize()
	for name, c := range map[string]struct {
		records int64
		change  func(image []byte)
	}{
		"count":    {299, func([]byte) {}},
		"no count": {math.MinInt64, func([]byte) {}},
		"key":      {300, func(p []byte) { copy(p[bytes.Index(p, []byte("000100")):], "900100") }},
		"pages": {300, func(p []byte) {
			for at := 2 * page; at < len(p); at += page {
				copy(p[at:], bytes.Repeat([]byte{0xFF}, 64))
			}
		}},
		"counts": {300, func(p []byte) {
			for at := 2 * page; at < len(p); at += page {
				p[at+10], p[at+11] = 0xFF, 0xFF
			}
		}},
		"spans": {300, func(p []byte) {
			for at := 2 * page; at < len(p); at += page {
				p[at+14] = 0xFF
			}
		}},
		"positions": {300, func(p []byte) {
			for at := 2 * page; at < len(p); at += page {
				copy(p[at+16:], bytes.Repeat([]byte{0xEE}, 32))
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			changed := bytes.Clone(image)
			c.change(changed)
			dir := t.TempDir()
			_, err := bolt.Restore(t.Context(), bytes.NewReader(bolt.Seal(changed, c.records)), filepath.Join(dir, "restored"))
			require.ErrorIs(t, err, bolt.ErrFormat)
			require.Empty(t, names(t, dir))
		})
	}
	_, err := bolt.Restore(t.Context(), bytes.NewReader(bolt.Seal(image, 300)), filepath.Join(t.TempDir(), "restored"))
	require.NoError(t, err, "it is the change that is refused")
}

func TestBackupOfAnotherProgramIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "foreign")
	foreign(t, path, "accounts")
	db, err := bbolt.Open(path, 0, nil)
	require.NoError(t, err)
	defer db.Close()
	var image bytes.Buffer
	require.NoError(t, db.View(func(tx *bbolt.Tx) error { _, err := tx.WriteTo(&image); return err }))
	_, err = bolt.Restore(t.Context(), bytes.NewReader(bolt.Seal(image.Bytes(), 0)), filepath.Join(t.TempDir(), "restored"))
	require.ErrorIs(t, err, bolt.ErrFormat)
	require.ErrorContains(t, err, "some other program")
}

func TestRestoreNeverReplaces(t *testing.T) {
	_, stream, _ := backup(t, 20)
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	occupied := func() {
		t.Helper()
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, "mine", string(text))
		require.Equal(t, []string{"state"}, names(t, dir))
	}
	meanwhile := &trigger{r: bytes.NewReader(stream), then: func() { os.WriteFile(path, []byte("mine"), 0o600) }}
	_, err := bolt.Restore(t.Context(), meanwhile, path)
	require.ErrorIs(t, err, fs.ErrExist, "it came while the stream was read")
	occupied()
	_, err = bolt.Restore(t.Context(), bytes.NewReader(stream), path)
	require.ErrorIs(t, err, fs.ErrExist)
	occupied()
	_, err = bolt.Restore(t.Context(), bytes.NewReader(stream), filepath.Join(dir, "absent", "state"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// trigger does something while it is read.
type trigger struct {
	r    io.Reader
	then func()
}

func (r *trigger) Read(p []byte) (int, error) {
	n, err := r.r.Read(p[:min(len(p), 5000)])
	r.then()
	return n, err
}

func TestRestoreThatIsGivenUpLeavesNothing(t *testing.T) {
	_, stream, _ := backup(t, 5000)
	dir := t.TempDir()
	path := filepath.Join(dir, "restored")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := bolt.Restore(ctx, &trigger{r: bytes.NewReader(stream), then: cancel}, path)
	require.ErrorIs(t, err, context.Canceled)
	_, err = bolt.Restore(ctx, bytes.NewReader(stream), path)
	require.ErrorIs(t, err, context.Canceled)
	_, err = bolt.Verify(ctx, bytes.NewReader(stream))
	require.ErrorIs(t, err, context.Canceled)
	broken := errors.New("broken pipe")
	_, err = bolt.Restore(t.Context(), io.MultiReader(bytes.NewReader(stream[:len(stream)/2]), reader(func([]byte) (int, error) { return 0, broken })), path)
	require.ErrorIs(t, err, broken)
	require.Empty(t, names(t, dir))
}

type reader func([]byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

// FuzzRestore gives Restore streams, as they are and with a seal that fits. It returns an error or a store that is whole.
func FuzzRestore(f *testing.F) {
	for _, n := range []int{0, 1, 40} {
		_, stream, _ := backup(f, n)
		f.Add(stream, false, int64(n))
		f.Add(stream[:len(stream)-bolt.SealBytes], true, int64(n))
	}
	f.Add([]byte(nil), true, int64(0))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, stream []byte, seal bool, records int64) {
		if seal {
			stream = bolt.Seal(bolt.Remade(stream), records)
		}
		path := filepath.Join(dir, "restored")
		s, err := bolt.Restore(context.Background(), bytes.NewReader(stream), path)
		if err != nil {
			require.Empty(t, names(t, dir))
			require.ErrorIs(t, err, bolt.ErrFormat)
			return
		}
		defer os.Remove(path)
		d, err := bolt.Open(path, nil)
		require.NoError(t, err)
		defer d.Close()
		require.NoError(t, d.Check(context.Background()))
		n := int64(0)
		for r := (store.Range{Limit: store.MaxPage}); ; {
			page, err := d.List(context.Background(), r)
			require.NoError(t, err)
			if n += int64(len(page)); len(page) == 0 {
				break
			}
			r.Start = page[len(page)-1].Key + "\x00"
		}
		require.Equal(t, s.Records, n)
		_, err = d.Commit(context.Background(), write("k", "v"))
		require.NoError(t, err)
	})
}
