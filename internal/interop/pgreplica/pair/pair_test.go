//go:build unix

package pair_test

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/interop/pgreplica/pair"
)

// The pair is what it says: the standby has what was committed, takes over, and a frozen node answers nobody until it is thawed.
func TestStandbyFollowsAndTakesOver(t *testing.T) {
	nodes := pair.Start(t, &pair.Options{Synchronous: true})
	nodes.Primary.SQL(t, "set synchronous_commit = remote_apply", "create table seen (n int)", "insert into seen values (7)")
	require.Equal(t, "7\n", nodes.Standby.SQL(t, "set synchronous_commit = local", "select n from seen"))

	nodes.Primary.Freeze(t)
	asked := exec.Command("psql", nodes.Primary.DSN("connect_timeout=1"), "-Atc", "select 1")
	done := make(chan error, 1)
	go func() { done <- asked.Run() }()
	select {
	case err := <-done:
		require.Error(t, err, "psql is absent, or gave up")
	case <-time.After(700 * time.Millisecond):
	}
	nodes.Primary.Thaw(t)
	require.Equal(t, "1\n", nodes.Primary.SQL(t, "select 1"))

	nodes.Primary.Crash(t)
	nodes.Standby.Promote(t)
	require.Equal(t, "7\n", nodes.Standby.SQL(t, "insert into seen values (8)", "select min(n) from seen"))
}
