// Package translog_test has others read, prove and witness what audit/translog writes: Tessera's tools, torchwood and its
// litewitness, golang.org/x/mod/sumdb/tlog alone; and has keys of Tink wrap those of its subjects.
package translog_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"golang.org/x/mod/sumdb/note"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/subject"
	"github.com/cloudopsec/opsec/audit/translog/verify"
)

const origin = "log.example/interop"

func private(seed string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(sum[:])
}

func newSigner(t testing.TB) *checkpoint.Signer {
	t.Helper()
	s, err := checkpoint.NewSigner(origin, private("log"))
	require.NoError(t, err)
	return s
}

// theirVerifier is the log's key as x/mod reads it.
func theirVerifier(t testing.TB) note.Verifier {
	t.Helper()
	v, err := note.NewVerifier(newSigner(t).VerifierKey())
	require.NoError(t, err)
	return v
}

// kit is a log in a directory, with the keys of its subjects in a file there, under a keyset of Tink.
type kit struct {
	t      testing.TB
	dir    string
	policy translog.Policy
	opts   translog.Options
	master subject.Sealer // of the keys in dir
}

func newKit(t testing.TB) *kit {
	t.Helper()
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	master, err := aead.New(handle)
	require.NoError(t, err)
	return &kit{
		t: t, dir: filepath.Join(t.TempDir(), "log"), master: master,
		policy: translog.Policy{
			Trust:           checkpoint.Policy{Logs: []checkpoint.Log{{Key: newSigner(t).VerifierKey()}}, Quorum: checkpoint.None},
			CheckpointEvery: 20 * time.Millisecond, EpochEvery: 50 * time.Millisecond,
			SegmentBytes: 4 << 20, ReserveBytes: 64 << 10,
		},
		opts: translog.Options{Signer: newSigner(t), Authorizer: opsec.CallerAuthorized{}},
	}
}

// open opens the keys and the log.
func (k *kit) open() (*translog.Log, *subject.File, error) {
	k.t.Helper()
	require.NoError(k.t, os.MkdirAll(k.dir, 0o700))
	keys, err := k.openKeys()
	require.NoError(k.t, err)
	k.opts.Keys = keys
	l, err := translog.Open(k.dir, k.policy, k.opts)
	if err != nil {
		require.NoError(k.t, keys.Close())
	}
	return l, keys, err
}

func (k *kit) openKeys() (*subject.File, error) {
	return subject.OpenFile(filepath.Join(k.dir, "keys"), k.master, bytes.Repeat([]byte{7}, 32), nil)
}

// running is a log whose Run is under way.
type running struct {
	*translog.Log
	stop func() error // ends Run, closes the keys and returns what Run says
}

func (k *kit) run() *running {
	k.t.Helper()
	l, keys, err := k.open()
	require.NoError(k.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	done := false
	stop := func() error {
		if done {
			return nil
		}
		done = true
		cancel()
		err := <-ended
		require.NoError(k.t, keys.Close())
		return err
	}
	k.t.Cleanup(func() { stop() })
	return &running{l, stop}
}

// write writes n events of six tenants and their accounts, in batches, the last of each of which is delivered twice.
func write(ctx context.Context, l *running, first, n, size int) error {
	var batch []audit.Record
	for i := first; i < first+n; i++ {
		batch = append(batch, audit.Record{Event: event(i)})
		if len(batch) < size && i < first+n-1 {
			continue
		}
		if err := l.Write(ctx, batch); err != nil {
			return err
		}
		if _, err := l.Append(ctx, event(i)); err != nil {
			return err
		}
		batch = nil
	}
	return nil
}

// event is the ith event, with the same id each time.
func event(i int) *opsec.Event {
	tenant, account := opsec.TenantID(fmt.Sprintf("tenant-%d", i%6)), fmt.Sprintf("account-%d", i%37)
	e := opsec.NewEvent("console.login", time.Date(2026, 11, 25, 8, 0, 0, i, time.UTC))
	e.ID = opsec.ID(fmt.Sprintf("0193a5b0-0000-7000-8000-%012x", i))
	e.Tenant, e.Category, e.Outcome, e.System = tenant, opsec.Authentication, opsec.Success, "console"
	e.Actor = opsec.Actor{
		Tenant: tenant, Account: account, Person: "person-of-" + account, Kind: opsec.Human,
		IP: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), Terminal: "laptop-of-" + account,
	}
	e.Resource = opsec.Resource{Tenant: tenant, Type: "console", ID: "main"}
	e.Attrs = []opsec.Attr{{Key: "method", Value: "password", Mark: opsec.Public}, {Key: "mail", Value: account + "@example.org", Mark: opsec.Personal}}
	return e
}

// settle waits until all that was written is under the published checkpoint.
func settle(t testing.TB, l *running) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := l.Prove(ctx, l.Health().Size-1)
	require.NoError(t, err)
}

func (k *kit) verify(o verify.Options) *verify.Report {
	k.t.Helper()
	r, err := verify.Log(k.t.Context(), os.DirFS(k.dir), k.policy.Trust, o)
	require.NoError(k.t, err)
	return r
}

// files reads a whole directory.
func files(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	require.NoError(t, filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		all[rel], err = os.ReadFile(name)
		return err
	}))
	return all
}

// restore puts a whole directory back.
func restore(t testing.TB, dir string, all map[string][]byte) {
	t.Helper()
	require.NoError(t, os.RemoveAll(dir))
	for name, data := range all {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
}

var reader = opsec.Actor{Tenant: opsec.Provider, Account: "auditor", Person: "p-9", Kind: opsec.Human}
