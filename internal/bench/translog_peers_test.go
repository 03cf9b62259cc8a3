//go:build linux

package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/storage/posix"
	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"
)

// BenchmarkTunePeers is how the batches of the tuned peers were found.
//
//	go test -run='^$' -bench=TunePeers/writers=256 -benchtime=1x -window=1s -turns=3
func BenchmarkTunePeers(b *testing.B) {
	for _, writers := range []int{256, 2048} { // a lone writer has batches of one
		var all []contender
		for _, size := range []int{writers / 4, writers / 2, writers} {
			for _, age := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 250 * time.Millisecond} {
				all = append(all,
					contender{name: fmt.Sprintf("tessera-%d-%v", size, age), open: func(dir string, _ int) (durable, error) {
						return openTessera(dir, uint(size), age)
					}},
					contender{name: fmt.Sprintf("bbolt-%d-%v", size, age), open: func(dir string, _ int) (durable, error) {
						return openBbolt(dir, size, age)
					}},
				)
			}
		}
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) { compete(b, writers, all) })
	}
}

// tesseraLog is Tessera over a directory. Its future is an acknowledgement that the entry is integrated; a checkpoint
// follows within a second, for which the turn doesn't wait.
type tesseraLog struct {
	appender *tessera.Appender
	shutdown func(context.Context) error
	cancel   context.CancelFunc
}

// openTesseraDefault has Tessera's own batches: 256 entries, or 250 ms.
func openTesseraDefault(dir string, _ int) (durable, error) {
	return openTessera(dir, tessera.DefaultBatchMaxSize, tessera.DefaultBatchMaxAge)
}

// openTesseraTuned has batches of as many as there are writers, which a closed loop always fills. A shorter age splits
// them and makes partial tiles, at a third of the rate. With 256 writers this is the default once more: what the two
// differ by then is noise.
func openTesseraTuned(dir string, writers int) (durable, error) {
	return openTessera(dir, uint(writers), tessera.DefaultBatchMaxAge)
}

func openTessera(dir string, batch uint, age time.Duration) (durable, error) {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard) // it says that the directory is new
	secret, _, err := note.GenerateKey(nil, "example.com/bench")
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		cancel()
		return nil, err
	}
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(signer).WithCheckpointInterval(time.Second).WithBatching(batch, age))
	if err != nil {
		cancel()
		return nil, err
	}
	return &tesseraLog{appender, shutdown, cancel}, nil
}

func (t *tesseraLog) Add(ctx context.Context, _ int, entry []byte) error {
	_, err := t.appender.Add(ctx, tessera.NewEntry(entry))()
	return err
}

// Close waits for the checkpoint of all entries.
func (t *tesseraLog) Close() error {
	defer t.cancel()
	return t.shutdown(context.Background())
}

func tesseraKept(dir string) ([][]byte, error) {
	checkpoint, err := os.ReadFile(filepath.Join(dir, layout.CheckpointPath))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(checkpoint), "\n")
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for r := range layout.Range(0, size, size) {
		raw, err := os.ReadFile(filepath.Join(dir, layout.EntriesPath(r.Index, r.Partial)))
		if err != nil {
			return nil, err
		}
		var bundle api.EntryBundle
		if err := bundle.UnmarshalText(raw); err != nil {
			return nil, err
		}
		all = append(all, bundle.Entries...)
	}
	return all, nil
}

// bboltLog is a bucket of bbolt whose keys increase. It proves nothing.
type bboltLog struct{ db *bbolt.DB }

var bboltBucket = []byte("log")

// openBboltTuned has batches of as many as there are writers, and doesn't wait long for the last of them.
func openBboltTuned(dir string, writers int) (durable, error) {
	return openBbolt(dir, writers, time.Millisecond)
}

// openBbolt does for bbolt what one can without losing an entry in a crash.
func openBbolt(dir string, batch int, age time.Duration) (durable, error) {
	db, err := bbolt.Open(filepath.Join(dir, "log"), 0o600, &bbolt.Options{
		NoFreelistSync:  true, // found anew at open
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: 4 << 30,
	})
	if err != nil {
		return nil, err
	}
	db.MaxBatchSize, db.MaxBatchDelay, db.AllocSize = batch, age, segmentBytes
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(bboltBucket)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &bboltLog{db}, nil
}

func (l *bboltLog) Add(_ context.Context, _ int, entry []byte) error {
	return l.db.Batch(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bboltBucket)
		bucket.FillPercent = 1 // nothing is ever put between
		n, err := bucket.NextSequence()
		if err != nil {
			return err
		}
		return bucket.Put(binary.BigEndian.AppendUint64(nil, n), entry)
	})
}

func (l *bboltLog) Close() error { return l.db.Close() }

func bboltKept(dir string) ([][]byte, error) {
	db, err := bbolt.Open(filepath.Join(dir, "log"), 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var all [][]byte
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bboltBucket).ForEach(func(_, v []byte) error {
			all = append(all, slices.Clone(v))
			return nil
		})
	})
	return all, err
}

// segmentBytes is the size of a file that is made before it is needed.
const segmentBytes = 64 << 20

// fileLog is the least that a durable log does, and so the ceiling: who waits while the disk is busy shares the next
// write and sync. There is no checksum, no hash, no index. Segments are filled with zeros beforehand, since a sync of
// data alone is then enough, and a cheap one.
type fileLog struct {
	dir     string
	wake    chan struct{} // of one
	ended   chan struct{}
	segment segment
	next    chan segment // of one
	at, n   int          // where in the segment, and its number

	mu      sync.Mutex
	pending *group
}

// group is what one write holds.
type group struct {
	frames []byte
	done   chan struct{}
	err    error
}

type segment struct {
	file *os.File
	err  error
}

func openFile(dir string, _ int) (durable, error) {
	l := &fileLog{
		dir: dir, wake: make(chan struct{}, 1), ended: make(chan struct{}), next: make(chan segment, 1),
		pending: &group{done: make(chan struct{})},
	}
	l.segment, l.n = prepared(dir, 0), 1
	l.next <- prepared(dir, 1)
	if l.segment.err != nil {
		return nil, l.segment.err
	}
	go l.run()
	return l, nil
}

// prepared is a new segment of zeros that is on the disk.
func prepared(dir string, n int) segment {
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%06d", n)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return segment{err: err}
	}
	zeros := make([]byte, 1<<20)
	for at := 0; at < segmentBytes && err == nil; at += len(zeros) {
		_, err = f.Write(zeros)
	}
	return segment{f, errors.Join(err, f.Sync(), syncDir(dir))}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (l *fileLog) Add(_ context.Context, _ int, entry []byte) error {
	l.mu.Lock()
	g := l.pending
	g.frames = append(binary.LittleEndian.AppendUint32(g.frames, uint32(len(entry))), entry...)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	<-g.done
	return g.err
}

// run is the one that writes, until wake is closed.
func (l *fileLog) run() {
	defer close(l.ended)
	var spare []byte
	for range l.wake {
		l.mu.Lock()
		g := l.pending
		l.pending = &group{frames: spare[:0], done: make(chan struct{})}
		l.mu.Unlock()
		g.err = l.write(g.frames)
		spare = g.frames
		close(g.done)
	}
}

func (l *fileLog) write(frames []byte) error {
	if len(frames) == 0 {
		return nil
	}
	if l.at+len(frames) > segmentBytes {
		l.segment.file.Close()
		l.segment, l.at = <-l.next, 0
		l.n++
		go func(n int) { l.next <- prepared(l.dir, n) }(l.n)
	}
	if l.segment.err != nil {
		return l.segment.err
	}
	if _, err := l.segment.file.WriteAt(frames, int64(l.at)); err != nil {
		return err
	}
	l.at += len(frames)
	return syscall.Fdatasync(int(l.segment.file.Fd()))
}

func (l *fileLog) Close() error {
	close(l.wake)
	<-l.ended
	next := <-l.next
	return errors.Join(next.err, next.file.Close(), l.segment.file.Close())
}

func fileKept(dir string) ([][]byte, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for len(raw) > 4 {
			n := binary.LittleEndian.Uint32(raw)
			if n == 0 {
				break
			}
			all = append(all, raw[4:4+n])
			raw = raw[4+n:]
		}
	}
	return all, nil
}
