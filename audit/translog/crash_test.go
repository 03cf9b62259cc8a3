package translog_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
)

const childEnv = "OPSEC_TRANSLOG_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		child(dir)
		return
	}
	os.Exit(m.Run())
}

// child writes events until it is killed, and says which were acknowledged.
func child(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	skey, err := os.ReadFile(filepath.Join(dir, "skey"))
	fail(err)
	signer, err := note.NewSigner(string(skey))
	fail(err)
	trust, err := os.ReadFile(filepath.Join(dir, "trust"))
	fail(err)
	var p translog.Policy
	fail(p.Trust.UnmarshalText(trust))
	p.CheckpointEvery, p.EpochEvery, p.SegmentBytes, p.ReserveBytes = 10*time.Millisecond, 15*time.Millisecond, 64<<10, 64<<10
	keys := openKeys(filepath.Join(dir, "keys"))
	l, err := translog.Open(filepath.Join(dir, "log"), p, translog.Options{Signer: signer, Keys: keys, Authorizer: opsec.CallerAuthorized{}})
	fail(err)
	go l.Run(context.Background())
	var mu sync.Mutex
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			for n := 0; ; n++ {
				e := login(opsec.TenantID(fmt.Sprintf("t%d", w%3)), fmt.Sprintf("a%d", n%50), n)
				r, err := l.Append(context.Background(), e)
				fail(err)
				mu.Lock()
				fmt.Printf("%d %s\n", r.Index, e.ID)
				mu.Unlock()
			}
		})
	}
	group.Wait()
}

func TestKilledAtAnyMomentNothingAcknowledgedIsLost(t *testing.T) {
	k := newKit(t)
	dir := t.TempDir()
	skey, vkey, err := checkpoint.GenerateKey(origin)
	require.NoError(t, err)
	k.signer, err = note.NewSigner(skey)
	require.NoError(t, err)
	k.opts.Signer = k.signer
	require.NoError(t, os.WriteFile(filepath.Join(dir, "skey"), []byte(skey), 0o600))
	trust := fmt.Sprintf("log %s\nquorum none\n", vkey)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "trust"), []byte(trust), 0o600))
	k.policy.Trust, err = checkpoint.ParsePolicy(trust)
	require.NoError(t, err)
	k.policy.SegmentBytes = 64 << 10
	k.dir = filepath.Join(dir, "log")

	acked := map[string]string{} // index to id
	kills := 12
	if testing.Short() {
		kills = 3
	}
	for range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewReader(out)
		_, err = lines.ReadString('\n') // it has begun
		require.NoError(t, err)
		time.AfterFunc(time.Duration(rand.IntN(300))*time.Millisecond, func() { cmd.Process.Kill() })
		rest, _ := io.ReadAll(lines)
		cmd.Wait()
		all := strings.Split(string(rest), "\n")
		for _, line := range all[:len(all)-1] {
			index, id, _ := strings.Cut(line, " ")
			require.NotContains(t, acked, index)
			acked[index] = id
		}
	}
	require.NotEmpty(t, acked)
	keys := openKeys(filepath.Join(dir, "keys"))
	defer keys.Close()
	k.opts.Keys = keys
	l := k.open()
	settle(t, l)
	found := map[string]string{}
	all := translog.Profile{Name: "all", AllTenants: true, Most: opsec.Personal}
	for e, err := range l.View(reader, all).Query(t.Context(), translog.Query{Actions: []string{"console.login"}}) {
		require.NoError(t, err)
		require.NotEqual(t, "[erased]", e.Event.Actor.Account)
		found[fmt.Sprint(e.Index)] = string(e.Event.ID)
	}
	for index, id := range acked {
		require.Equal(t, id, found[index], "entry %s", index)
	}
	require.NoError(t, l.stop())
	k.sound()
	t.Logf("%d acknowledged over %d kills", len(acked), kills)
}
