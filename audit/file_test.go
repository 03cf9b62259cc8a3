package audit_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
	"github.com/cloudopsec/opsec/audit/audittest"
)

func batch(actions ...string) []audit.Record {
	var list []audit.Record
	for _, a := range actions {
		e := event(opsec.Standard, a)
		list = append(list, audit.Record{Event: e, JSON: e.AppendJSON(nil)})
	}
	return list
}

func openFile(t *testing.T, path string) *audit.File {
	t.Helper()
	f, err := audit.OpenFile(path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close(t.Context())) })
	return f
}

// contents reads the whole file; bad is the number of lines that are no events.
func contents(t *testing.T, path string) (events []opsec.Event, bad int) {
	t.Helper()
	for e, err := range audit.ReadFile(path) {
		if err != nil {
			var line *audit.LineError
			require.ErrorAs(t, err, &line)
			bad++
			continue
		}
		events = append(events, e)
	}
	return events, bad
}

func TestFileGrowsLineByLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	f := openFile(t, path)
	require.True(t, f.Durable())
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), st.Mode())

	one := batch("a", "b")
	require.NoError(t, f.Write(t.Context(), one))
	require.NoError(t, openFile(t, path).Write(t.Context(), batch("c")), "an existing file is continued")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(data, append(append(one[0].JSON, '\n'), one[1].JSON...)))
	events, bad := contents(t, path)
	require.Zero(t, bad)
	require.Equal(t, []string{"a", "b", "c"}, names(events))
}

func TestFileNoticesThatItIsGone(t *testing.T) {
	for what, act := range map[string]func(t *testing.T, path string){
		"deleted": func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) },
		"replaced": func(t *testing.T, path string) {
			require.NoError(t, os.Rename(path, path+".1"))
			require.NoError(t, os.WriteFile(path, nil, 0o600))
		},
		"truncated": func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 0)) },
	} {
		t.Run(what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.jsonl")
			f := openFile(t, path)
			require.NoError(t, f.Write(t.Context(), batch("a")))
			act(t, path)
			require.NoError(t, f.Write(t.Context(), batch("b")))
			require.NoError(t, f.Write(t.Context(), batch("c")))
			events, bad := contents(t, path)
			require.Zero(t, bad)
			require.Equal(t, []string{audit.ActionFileReplaced, "b", "c"}, names(events))
			require.Equal(t, what, attr(t, events[0], "what"))
			require.Equal(t, path, attr(t, events[0], "path"))
			st, err := os.Stat(path)
			require.NoError(t, err)
			require.Equal(t, fs.FileMode(0o600), st.Mode())
		})
	}
}

func TestFileReplacedByOneWithATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	f := openFile(t, path)
	require.NoError(t, f.Write(t.Context(), batch("a")))
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(path, []byte(`{"id":`), 0o600))
	require.NoError(t, f.Write(t.Context(), batch("b")))
	events, bad := contents(t, path)
	require.Equal(t, 1, bad)
	require.Equal(t, []string{audit.ActionFileReplaced, audit.ActionFileRepaired, "b"}, names(events))
}

func TestFileFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	target, path := filepath.Join(dir, "target"), filepath.Join(dir, "audit.jsonl")
	require.NoError(t, os.WriteFile(target, nil, 0o600))
	require.NoError(t, os.Symlink(target, path))
	_, err := audit.OpenFile(path, nil)
	require.Error(t, err)

	require.NoError(t, os.Remove(path))
	f := openFile(t, path)
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Symlink(target, path))
	require.Error(t, f.Write(t.Context(), batch("a")))
	data, err := os.ReadFile(target)
	require.NoError(t, err)
	require.Empty(t, data)

	require.NoError(t, os.Remove(path))
	require.NoError(t, f.Write(t.Context(), batch("a")), "it recovers when the link is gone")
	events, _ := contents(t, path)
	require.Equal(t, []string{audit.ActionFileReplaced, "a"}, names(events))
}

func TestFileRefusesWhatIsNone(t *testing.T) {
	_, err := audit.OpenFile(t.TempDir(), nil)
	require.Error(t, err)
	_, err = audit.OpenFile(filepath.Join(t.TempDir(), "missing", "audit.jsonl"), nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestTornLastLineIsRepaired(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	whole := batch("a", "b", "c")
	var data []byte
	for _, r := range whole {
		data = append(append(data, r.JSON...), '\n')
	}
	for cut := len(data) - len(whole[2].JSON); cut < len(data); cut += 7 { // a crash somewhere in the third line
		require.NoError(t, os.WriteFile(path, data[:cut], 0o600))
		f, err := audit.OpenFile(path, nil)
		require.NoError(t, err)
		events, bad := contents(t, path)
		require.LessOrEqual(t, bad, 1)
		require.Equal(t, []string{"a", "b", audit.ActionFileRepaired}, append(names(events[:2]), events[2+1-bad].Action))
		require.NoError(t, f.Write(t.Context(), batch("d")))
		require.NoError(t, f.Close(t.Context()))
		events, _ = contents(t, path)
		require.Equal(t, "test.d", events[len(events)-1].Action)
	}
	require.NoError(t, os.WriteFile(path, data, 0o600))
	openFile(t, path)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, data, after, "a whole file is left as it is")
}

func TestClosedFileTakesNothing(t *testing.T) {
	f, err := audit.OpenFile(filepath.Join(t.TempDir(), "audit.jsonl"), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, f.Write(ctx, batch("a")), context.Canceled)
	require.NoError(t, f.Close(t.Context()))
	require.NoError(t, f.Close(t.Context()))
	require.ErrorIs(t, f.Write(t.Context(), batch("a")), os.ErrClosed)
}

// The same through a Trail: somebody deletes and replaces the log of a running control plane.
func TestDeletedLogLosesNothingFurther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	file, err := audit.OpenFile(path, nil)
	require.NoError(t, err)
	var other audittest.Sink
	trail, stop := start(t, audit.Sinks{"disk": file, "other": &other}, audit.Policy{})
	record(t, trail, event(opsec.Critical, "a"))
	require.NoError(t, os.Remove(path))
	record(t, trail, event(opsec.Critical, "b"))
	require.NoError(t, os.Rename(path, path+".1"))
	record(t, trail, event(opsec.Critical, "c"))
	require.NoError(t, stop())

	first, bad := contents(t, path+".1")
	require.Zero(t, bad)
	require.Equal(t, []string{audit.ActionFileReplaced, "b"}, names(first))
	second, bad := contents(t, path)
	require.Zero(t, bad)
	require.Equal(t, []string{audit.ActionFileReplaced, "c"}, names(second))
	require.Equal(t, []string{"a", "b", "c"}, names(other.Events()))
}

// A log directory that goes away, and comes back: the file's sink fails meanwhile, and says what it has lost.
func TestGapIsToldInTheNewFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "log")
		require.NoError(t, os.Mkdir(dir, 0o700))
		path := filepath.Join(dir, "audit.jsonl")
		file, err := audit.OpenFile(path, nil)
		require.NoError(t, err)
		var other audittest.Sink
		trail, stop := start(t, audit.Sinks{"disk": file, "other": &other}, audit.Policy{Queue: 8, Require: 1})
		require.NoError(t, os.RemoveAll(dir))
		for range 10 {
			record(t, trail, event(opsec.Standard, "s"))
			synctest.Wait()
		}
		require.NoError(t, os.Mkdir(dir, 0o700))
		time.Sleep(time.Minute)
		require.NoError(t, stop())
		events, bad := contents(t, path)
		require.Zero(t, bad)
		require.Equal(t, []string{audit.ActionFileReplaced, "s", "s", "s", "s", "s", "s", audit.ActionGap}, names(events))
		require.Equal(t, "4", attr(t, events[7], "lost"))
		require.Len(t, other.Events(), 11)
	})
}

func TestFullDevice(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("no " + full)
	}
	synctest.Test(t, func(t *testing.T) {
		file, err := audit.OpenFile(full, nil)
		require.NoError(t, err)
		require.False(t, file.Durable())
		disk := &audittest.Sink{}
		trail, stop := start(t, audit.Sinks{"full": durable{file}, "disk": disk}, audit.Policy{Queue: 8})
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err = trail.Record(ctx, event(opsec.Critical, "c"))
		require.ErrorIs(t, err, audit.ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "no space left on device")
		require.Equal(t, 50*time.Millisecond, time.Since(began))
		for range 10 {
			record(t, trail, event(opsec.Standard, "s"))
			synctest.Wait()
		}
		require.Equal(t, strings.Fields("c s s s s s s s s s s"), names(disk.Events()))
		require.ErrorContains(t, stop(), "sink full (open): 11 events lost")
		gap := disk.Events()[11]
		require.Equal(t, audit.ActionGap, gap.Action)
		require.Equal(t, "full", attr(t, gap, "sink"))
		require.Equal(t, "11", attr(t, gap, "lost"))
	})
}

// durable says so of any sink.
type durable struct{ audit.Sink }

func (durable) Durable() bool { return true }
