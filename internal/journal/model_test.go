package journal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/journal"
)

// model is a journal beside what it must hold.
type model struct {
	dir     string
	journal *journal.Journal
	options journal.Options
	first   uint64
	entries []string // leaf and body; those below first were pruned
	made    int      // entries ever added: no two are the same
}

// add draws a batch.
func (m *model) add(t *rapid.T) (b *journal.Batch, entries []string) {
	b = m.journal.Batch()
	for range rapid.IntRange(1, 20).Draw(t, "entries") {
		m.made++
		leaf := fmt.Sprint("leaf ", m.made)
		body := strings.Repeat(string(rune('a'+m.made%26)), rapid.IntRange(0, 150).Draw(t, "body"))
		i, err := b.Add([]byte(leaf), []byte(body))
		require.NoError(t, err)
		require.Equal(t, m.size()+uint64(len(entries)), i)
		entries = append(entries, leaf+"|"+body)
	}
	return b, entries
}

func (m *model) size() uint64 { return uint64(len(m.entries)) }

// open opens what was closed. Lost are entries that were not acknowledged: some of the first may be there.
func (m *model) open(t *rapid.T, lost []string) {
	m.options.SegmentBytes = rapid.SampledFrom([]int64{4096, 8192}).Draw(t, "segment")
	j, r, err := journal.Open(m.dir, rapid.Uint64Range(0, m.size()).Draw(t, "synced"), rapid.Uint64Range(0, m.size()).Draw(t, "from"), m.options)
	require.NoError(t, err)
	require.GreaterOrEqual(t, r.Size, m.size(), "nothing acknowledged is lost")
	require.LessOrEqual(t, r.Size, m.size()+uint64(len(lost)), "nothing is there that was not added")
	require.Equal(t, r.Size, j.Size())
	require.Equal(t, m.first, r.First)
	m.entries = append(m.entries, lost[:r.Size-m.size()]...)
	m.journal = j
}

func (m *model) commit(t *rapid.T) {
	b, entries := m.add(t)
	require.NoError(t, m.journal.Commit(b))
	m.entries = append(m.entries, entries...)
}

// crash ends a Commit at some moment: what the disk has then is any of what was written.
func (m *model) crash(t *rapid.T) {
	b, entries := m.add(t)
	after := rapid.IntRange(0, 30).Draw(t, "calls") // more than any Commit has, so that some succeed
	fails := func() bool { after--; return after < 0 }
	m.journal.Fail(func(f *os.File, b []byte, off int64) error {
		if !fails() {
			_, err := f.WriteAt(b, off)
			return err
		}
		for at := 0; at < len(b); {
			n := min(len(b)-at, rapid.IntRange(1, 400).Draw(t, "piece"))
			if rapid.Bool().Draw(t, "written") {
				if _, err := f.WriteAt(b[at:at+n], off+int64(at)); err != nil {
					return err
				}
			}
			at += n
		}
		return syscall.EIO
	}, func(f *os.File) error {
		if fails() {
			return syscall.EIO
		}
		return f.Sync()
	})
	if err := m.journal.Commit(b); err == nil {
		m.entries = append(m.entries, entries...)
		entries = nil
	} else {
		require.ErrorIs(t, err, syscall.EIO)
	}
	require.NoError(t, m.journal.Close())
	m.open(t, entries)
}

func (m *model) reopen(t *rapid.T) {
	require.NoError(t, m.journal.Close())
	m.open(t, nil)
}

func (m *model) prune(t *rapid.T) {
	before := rapid.Uint64Range(0, m.size()+1).Draw(t, "before")
	first, err := m.journal.Prune(before)
	require.NoError(t, err)
	require.GreaterOrEqual(t, first, m.first)
	require.LessOrEqual(t, first, max(before, m.first))
	m.first = first
}

func (m *model) read(t *rapid.T) {
	i := rapid.Uint64Range(0, m.size()+1).Draw(t, "index")
	r, err := m.journal.Read(i)
	if i < m.first || i >= m.size() {
		require.ErrorIs(t, err, opsec.ErrNotFound)
		return
	}
	require.NoError(t, err)
	require.Equal(t, i, r.Index)
	require.Equal(t, m.entries[i], string(r.Leaf)+"|"+string(r.Body))
}

func (m *model) replay(t *rapid.T) {
	from := rapid.Uint64Range(m.first, m.size()).Draw(t, "from")
	m.same(t, from, m.journal.Replay(from))
}

// same checks a sequence from an index on.
func (m *model) same(t *rapid.T, from uint64, seq func(func(journal.Record, error) bool)) {
	for r, err := range seq {
		require.NoError(t, err)
		require.Equal(t, from, r.Index)
		require.Equal(t, m.entries[from], string(r.Leaf)+"|"+string(r.Body))
		from++
	}
	require.Equal(t, m.size(), from)
}

func TestJournalIsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		top, err := os.MkdirTemp("", "journal")
		require.NoError(t, err)
		defer os.RemoveAll(top)
		m := &model{dir: filepath.Join(top, "journal"), options: journal.Options{ReserveBytes: 4096}}
		m.open(t, nil)
		defer func() { m.journal.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"commit": m.commit,
			"crash":  m.crash,
			"reopen": m.reopen,
			"prune":  m.prune,
			"read":   m.read,
			"replay": m.replay,
			"prepare": func(t *rapid.T) {
				require.NoError(t, m.journal.Prepare())
			},
			"release": func(t *rapid.T) {
				require.NoError(t, m.journal.Release())
			},
			"": func(t *rapid.T) {
				require.Equal(t, m.size(), m.journal.Size())
				require.NoError(t, m.journal.Intact())
			},
		})
		require.NoError(t, m.journal.Close())
		m.same(t, m.first, journal.Scan(os.DirFS(m.dir), 0))
	})
}
