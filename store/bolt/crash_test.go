package bolt_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
)

const committers = 4

// commitUntilKilled writes two keys that must agree with each commit, and acknowledges it.
func commitUntilKilled(path string) error {
	d, err := bolt.Open(path, nil)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	failed := make(chan error, committers)
	for c := range committers {
		wg.Go(func() {
			left := fmt.Sprint("left/", c)
			got, err := d.Get(context.Background(), left)
			if err != nil {
				failed <- err
				return
			}
			for n, rev := number(got[0].Value)+1, got[0].Rev; ; n++ {
				value := make([]byte, 8+n%3000) // pages split and merge
				binary.BigEndian.PutUint64(value, n)
				rev, err = d.Commit(context.Background(), store.Batch{
					Checks: []store.Check{{Key: left, Rev: rev}},
					Ops:    []store.Op{{Key: left, Value: value}, {Key: fmt.Sprint("right/", c), Value: value}},
				})
				if err != nil {
					failed <- err
					return
				}
				if _, err := fmt.Printf("%d %d %d\n", c, n, rev); err != nil { // one write(2)
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	return <-failed
}

func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	kills := 200
	if testing.Short() {
		kills = 20
	}
	acknowledged := make([]uint64, committers)
	revs := map[store.Rev]bool{}
	total := 0
	for range kills {
		child := process(t, "commit", path)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		lines := bufio.NewScanner(out)
		die := time.Duration(rand.IntN(50_000)) * time.Microsecond
		var killer *time.Timer
		for lines.Scan() {
			if killer == nil { // it is at work
				killer = time.AfterFunc(die, func() { child.Process.Kill() })
			}
			var c int
			var n uint64
			var rev store.Rev
			_, err := fmt.Sscan(lines.Text(), &c, &n, &rev)
			require.NoError(t, err)
			require.Equal(t, acknowledged[c]+1, n, "each goes on from the last")
			require.False(t, revs[rev], "no revision is used twice")
			acknowledged[c], revs[rev] = n, true
			total++
		}
		require.NotNil(t, killer, "the child has committed something")
		require.Error(t, child.Wait())
		require.Equal(t, -1, child.ProcessState.ExitCode(), "it was killed, and did not fail")

		d, err := bolt.Open(path, nil)
		require.NoError(t, err)
		for c := range committers {
			got, err := d.Get(t.Context(), fmt.Sprint("left/", c), fmt.Sprint("right/", c))
			require.NoError(t, err)
			n := number(got[0].Value)
			require.Equal(t, got[0].Value, got[1].Value, "nothing is half applied")
			require.Equal(t, got[0].Rev, got[1].Rev)
			require.Contains(t, []uint64{acknowledged[c], acknowledged[c] + 1}, n, "one may be committed and not yet acknowledged")
			acknowledged[c] = n
		}
		require.NoError(t, d.Check(t.Context()))
		require.NoError(t, d.Close())
	}
	t.Logf("%d kills, %d commits acknowledged", kills, total)
	require.Greater(t, total, kills)
}
