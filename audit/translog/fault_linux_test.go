package translog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/export"
)

const inNamespace = "OPSEC_TRANSLOG_NAMESPACE"

// smallDisk mounts a file system of some MiB; without the right to, the test runs again in a namespace of its own.
func smallDisk(t *testing.T, size string) string {
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size)
	if err == nil {
		t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
		return dir
	}
	if os.Getenv(inNamespace) == "" {
		c := exec.CommandContext(t.Context(), "unshare", "-rm", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		c.Env = append(os.Environ(), inNamespace+"=1")
		out, runErr := c.CombinedOutput()
		if runErr == nil {
			t.Skip("has passed in a namespace of its own")
		}
		if bytes.Contains(out, []byte("--- FAIL")) {
			t.Fatalf("in a namespace of its own: %s", out)
		}
		err = errors.Join(err, runErr)
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("CI must be able to mount: ", err)
	}
	t.Skip("cannot mount a small file system: ", err)
	return ""
}

func TestFullDiskTakesCriticalEventsAloneAndLosesNothing(t *testing.T) {
	k := newKit(t)
	k.dir = filepath.Join(smallDisk(t, "40m"), "log") // partial bundles of a log that signs so often take up to 10 MiB
	k.policy.SegmentBytes = 1 << 20
	l := k.open()
	within := func(e *opsec.Event) (translog.Receipt, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return l.Append(ctx, e)
	}
	k.append(l, "acme", "eve", 0)
	filler := filepath.Join(filepath.Dir(k.dir), "filler")
	f, err := os.Create(filler)
	require.NoError(t, err)
	for err == nil { // until the disk is full
		_, err = f.Write(make([]byte, 4096))
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, f.Close())

	var acked []translog.Receipt
	refused := 0
	for n := 0; refused < 50 && n < 100_000; n++ {
		r, err := within(login("acme", "eve", n))
		if err != nil {
			require.ErrorIs(t, err, translog.ErrUnavailable)
			refused++
			continue
		}
		acked = append(acked, r)
	}
	require.Equal(t, 50, refused, "standard events are refused before the room is used up")
	require.True(t, l.Health().Full)
	critical := login("acme", "eve", 1)
	critical.Class = opsec.Critical
	r, err := within(critical)
	require.NoError(t, err, "critical ones are still taken")
	acked = append(acked, r)
	for n := 0; err == nil && n < 100_000; n++ {
		e := login("acme", "eve", n)
		e.Class = opsec.Critical
		if r, err = within(e); err == nil {
			acked = append(acked, r)
		}
	}
	require.ErrorIs(t, err, translog.ErrUnavailable, "until that is used up too")

	require.NoError(t, os.Remove(filler))
	require.Eventually(t, func() bool {
		r, err = within(login("acme", "eve", 7))
		return err == nil
	}, 20*time.Second, 50*time.Millisecond, "with room again it goes on by itself")
	acked = append(acked, r)
	require.Eventually(t, func() bool { return len(l.Health().Errors) == 0 }, 20*time.Second, 50*time.Millisecond)
	settle(t, l)
	require.Empty(t, l.Health().Errors)
	got := map[uint64]bool{}
	for _, e := range collect(t, l.View(reader, translog.TenantProfile()), translog.Query{Actions: []string{"console.login"}}) {
		got[e.Index] = true
	}
	for _, r := range acked {
		require.True(t, got[r.Index], "entry %d", r.Index)
	}
	require.NoError(t, l.stop())
	k.sound()
}

// A commit that fails for want of room takes the places back of those that had joined the next one meanwhile.
func TestManyWritersOnADiskThatFillsUpAgainAndAgain(t *testing.T) {
	const writers, cycles = 24, 4
	k := newKit(t)
	k.dir = filepath.Join(smallDisk(t, "48m"), "log")
	k.policy.SegmentBytes = 64 << 10
	l := k.open()
	filler := filepath.Join(filepath.Dir(k.dir), "filler")
	acked := make([]map[opsec.ID]translog.Receipt, writers)
	refused := make([]*opsec.Event, writers) // each writer's last one that was not taken
	for i := range acked {
		acked[i] = map[opsec.ID]translog.Receipt{}
	}
	event := func(w, n int) *opsec.Event {
		e := login(opsec.TenantID(fmt.Sprint("tenant-", w%5, "-", n/100)), "eve", n)
		e.Class = opsec.Critical
		return e
	}
	for cycle := range cycles {
		f, err := os.Create(filler)
		require.NoError(t, err)
		for err == nil { // until the disk is full
			_, err = f.Write(make([]byte, 4096))
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.NoError(t, f.Close())
		var group sync.WaitGroup
		for w := range writers {
			group.Go(func() {
				refused[w] = nil
				for n := 0; refused[w] == nil && n < 100_000; n++ {
					e := event(w, 100_000*cycle+n)
					if r, err := l.Append(t.Context(), e); err == nil {
						acked[w][e.ID] = r
					} else if assert.ErrorIs(t, err, translog.ErrUnavailable) {
						refused[w] = e
					}
				}
			})
		}
		group.Wait()
		require.NotContains(t, refused, (*opsec.Event)(nil), "the disk is full for each of them")
		require.NoError(t, os.Remove(filler))
		require.Eventually(t, func() bool {
			r, err := l.Append(t.Context(), refused[0])
			if err == nil {
				acked[0][refused[0].ID] = r
			}
			return err == nil
		}, 20*time.Second, 10*time.Millisecond, "what was refused is taken later, under the same id")
		for w, e := range refused {
			r, err := l.Append(t.Context(), e)
			require.NoError(t, err)
			acked[w][e.ID] = r
		}
	}
	settle(t, l)
	leaves := map[tlog.Hash]uint64{}
	for _, e := range collect(t, l.View(reader, translog.AuditorProfile()), translog.Query{Actions: []string{"console.login"}}) {
		leaves[tlog.RecordHash(e.Leaf)] = e.Index
	}
	count := 0
	for _, mine := range acked {
		for id, r := range mine {
			at, ok := leaves[r.Leaf]
			require.True(t, ok, "event %s is not there", id)
			require.Equal(t, at, r.Index)
		}
		count += len(mine)
	}
	require.Len(t, leaves, count, "nothing is there that was refused")
	require.NoError(t, l.stop())
	k.sound()
}

func TestSegmentTakenAwayUnderARunningLogIsNoticed(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"deleted": os.Remove,
		"replaced": func(path string) error {
			data, err := os.ReadFile(path)
			return errors.Join(err, os.Remove(path), os.WriteFile(path, data, 0o600))
		},
		"truncated": func(path string) error { return os.Truncate(path, 4096) },
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			k.policy.SegmentBytes = 64 << 10
			l := k.open()
			for n := range 200 { // several segments
				k.append(l, "acme", "eve", n)
			}
			segments, err := filepath.Glob(filepath.Join(k.dir, "journal", "0*.seg"))
			require.NoError(t, err)
			require.Greater(t, len(segments), 2)
			require.NoError(t, harm(segments[0]))
			require.Eventually(t, func() bool { return l.Health().Refuses != "" }, 10*time.Second, 10*time.Millisecond)
			_, err = l.Append(t.Context(), login("acme", "eve", 1))
			require.ErrorIs(t, err, translog.ErrTampered)
			l.stop()
		})
	}
}

func TestExportToAFullDeviceFails(t *testing.T) {
	k := newKit(t)
	l := k.open()
	k.append(l, "acme", "eve", 1)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	_, err = l.View(reader, translog.TenantProfile()).Export(t.Context(), full, "acme", export.JSON, export.Policy{})
	require.ErrorIs(t, err, syscall.ENOSPC)
}
