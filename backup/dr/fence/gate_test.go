//go:build unix

package fence_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/dr/fence"
)

// Holders overlap, and each goes on with its token until it is refused.
func TestNoWriteOfAFormerPrimaryIsAcceptedHoweverHoldersOverlap(t *testing.T) {
	name := filepath.Join(t.TempDir(), "token")
	g, err := fence.OpenGate(name)
	require.NoError(t, err)
	var mu sync.Mutex
	var accepted []uint64
	var inside [17]atomic.Int32
	var holders sync.WaitGroup
	for token := uint64(1); token <= 16; token++ {
		holders.Go(func() {
			time.Sleep(time.Duration(token) * time.Millisecond)
			for range 2000 {
				err := g.Do(token, func() error {
					inside[token].Add(1)
					defer inside[token].Add(-1)
					for other := range inside {
						if n := inside[other].Load(); n > 0 && other != int(token) {
							t.Errorf("token %d and %d at once", token, other)
						}
					}
					mu.Lock()
					defer mu.Unlock()
					accepted = append(accepted, token)
					return nil
				})
				if err != nil {
					if !errors.Is(err, fence.ErrFenced) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	holders.Wait()
	require.IsNonDecreasing(t, accepted)
	require.EqualValues(t, 16, accepted[len(accepted)-1])
	require.EqualValues(t, 16, g.Highest())
}

func TestGateWhoseTokenWasTakenAwayIsNotANewOne(t *testing.T) {
	name := filepath.Join(t.TempDir(), "token")
	g, err := fence.OpenGate(name)
	require.NoError(t, err)
	require.NoError(t, g.Raise(7))
	require.NoError(t, g.Close())
	require.NoError(t, os.Remove(name))
	_, err = fence.OpenGate(name)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, name)
	require.NoError(t, os.WriteFile(name, []byte("7\n"), 0o600)) // as the error says
	g, err = fence.OpenGate(name)
	require.NoError(t, err)
	require.ErrorIs(t, g.Raise(6), fence.ErrFenced)
}

// A second name would have a second lock, and the next token would part the two.
func TestGateIsNotOpenedThroughALink(t *testing.T) {
	dir := t.TempDir()
	name, link := filepath.Join(dir, "token"), filepath.Join(dir, "link")
	g, err := fence.OpenGate(name)
	require.NoError(t, err)
	defer g.Close()
	require.NoError(t, os.Symlink(name, link))
	_, err = fence.OpenGate(link)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	fifo := filepath.Join(dir, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	_, err = fence.OpenGate(fifo)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.NoError(t, os.Symlink(dir, filepath.Join(dir, "same")))
	_, err = fence.OpenGate(filepath.Join(dir, "same", "token"))
	require.ErrorIs(t, err, fence.ErrInUse, "by another way to the folder")
}

func TestGateIsOpenAgainAfterAnOpenThatFailed(t *testing.T) {
	name := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(name, []byte("x"), 0o600))
	_, err := fence.OpenGate(name)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.NoError(t, os.WriteFile(name, []byte("3\n"), 0o600))
	g, err := fence.OpenGate(name)
	require.NoError(t, err)
	require.EqualValues(t, 3, g.Highest())
}
