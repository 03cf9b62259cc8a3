package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/index"
	"github.com/cloudopsec/opsec/audit/translog/internal/ledger"
)

func keys(i uint64) ledger.Keys {
	return ledger.Keys{Time: time.Unix(int64(i), 0), Action: fmt.Sprint("action.", i%1000), Outcome: "success"}
}

func find(t *testing.T, s *ledger.Spans, q index.Query, from, first, size uint64) (list []uint64) {
	t.Helper()
	for i, err := range s.Find(q, from, first, size) {
		require.NoError(t, err)
		list = append(list, i)
	}
	return list
}

func TestSpanWhoseFileCannotBeWrittenIsTriedAgain(t *testing.T) {
	dir := t.TempDir()
	s, err := ledger.NewSpans(dir, nil, 0)
	require.NoError(t, err)
	obstacle := filepath.Join(dir, ledger.SpanFile(0))
	require.NoError(t, os.Mkdir(obstacle, 0o700))
	for i := range uint64(index.Span - 1) {
		require.NoError(t, s.Add(i, keys(i)))
	}
	for range 2 {
		require.Error(t, s.Add(index.Span-1, keys(index.Span-1)))
	}
	require.NoError(t, os.Remove(obstacle))
	require.NoError(t, s.Add(index.Span-1, keys(index.Span-1)))
	require.NoError(t, s.Add(index.Span, keys(index.Span)))
	require.FileExists(t, obstacle)
	q := index.Query{All: []index.AnyOf{{ledger.ActionKey("action.535")}}}
	got := find(t, s, q, 0, 0, index.Span+1)
	require.Len(t, got, 66)
	require.Equal(t, uint64(535), got[0])
	q = index.Query{All: []index.AnyOf{{ledger.ActionKey("action.536")}}}
	require.Equal(t, uint64(index.Span), slices.Max(find(t, s, q, 0, 0, index.Span+1)))
}

func TestWhatIsBelowTheFirstIsNotFound(t *testing.T) {
	s, err := ledger.NewSpans(t.TempDir(), nil, 0)
	require.NoError(t, err)
	for i := range uint64(3000) {
		require.NoError(t, s.Add(i, keys(i)))
	}
	q := index.Query{All: []index.AnyOf{{ledger.ActionKey("action.7")}}}
	require.Equal(t, []uint64{1007, 2007}, find(t, s, q, 0, 100, 3000))
	require.Equal(t, []uint64{7, 1007}, find(t, s, q, 0, 0, 2007))
	require.Empty(t, find(t, s, q, 0, 3000, 3000))
	q.Descending = true
	require.Equal(t, []uint64{2007, 1007}, find(t, s, q, 2999, 100, 3000))
	require.Equal(t, []uint64{1007, 7}, find(t, s, q, 1007, 7, 3000))
	require.Empty(t, find(t, s, q, 7, 1007, 3000), "what is first is not what comes before it")
}

func TestEntryWithAllKeysThatAnEventCanHaveIsIndexed(t *testing.T) {
	s, err := ledger.NewSpans(t.TempDir(), nil, 0)
	require.NoError(t, err)
	k := keys(0)
	for i := range 4 + 64 { // actor, on behalf of, resource, intent, and whom each attribute is about
		k.Terms = append(k.Terms, entry.Term{Kind: entry.TermAbout, Tag: [16]byte{byte(i)}})
	}
	require.NoError(t, s.Add(0, k))
	for _, term := range k.Terms {
		q := index.Query{All: []index.AnyOf{{ledger.TermKey(term)}}}
		require.Equal(t, []uint64{0}, find(t, s, q, 0, 0, 1))
	}
}

func TestFilesThatAreBeingWrittenAreNotDropped(t *testing.T) {
	dir := t.TempDir()
	s, err := ledger.NewSpans(dir, nil, 5*index.Span)
	require.NoError(t, err)
	being := filepath.Join(dir, "."+ledger.SpanFile(4)+".123")
	for _, name := range []string{filepath.Join(dir, ledger.SpanFile(1)), filepath.Join(dir, ledger.SpanFile(2)), being} {
		require.NoError(t, os.WriteFile(name, nil, 0o600))
	}
	require.NoError(t, s.Drop(2*index.Span+1))
	require.NoFileExists(t, filepath.Join(dir, ledger.SpanFile(1)))
	require.FileExists(t, filepath.Join(dir, ledger.SpanFile(2)))
	require.FileExists(t, being)
}
