package translog_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/subject"
	"github.com/cloudopsec/opsec/audit/translog/verify"
)

const origin = "log.example/node1"

// kit is a log that is opened, killed and opened again.
type kit struct {
	t      testing.TB
	dir    string
	policy translog.Policy
	opts   translog.Options
	signer note.Signer
}

func newKit(t testing.TB) *kit {
	t.Helper()
	skey, vkey, err := checkpoint.GenerateKey(origin)
	require.NoError(t, err)
	signer, err := note.NewSigner(skey)
	require.NoError(t, err)
	trust, err := checkpoint.ParsePolicy(fmt.Sprintf("log %s\nquorum none\n", vkey))
	require.NoError(t, err)
	return &kit{
		t: t, dir: filepath.Join(t.TempDir(), "log"), signer: signer,
		policy: translog.Policy{
			Trust: trust, CheckpointEvery: 20 * time.Millisecond, EpochEvery: 50 * time.Millisecond,
			SegmentBytes: 256 << 10, ReserveBytes: 64 << 10,
		},
		opts: translog.Options{Signer: signer, Keys: subject.Memory(), Authorizer: opsec.CallerAuthorized{}},
	}
}

// running is a log whose Run is under way.
type running struct {
	*translog.Log
	stop func() error // ends Run and returns what it says
}

func (k *kit) open() *running {
	k.t.Helper()
	l, err := translog.Open(k.dir, k.policy, k.opts)
	require.NoError(k.t, err)
	return k.run(l)
}

func (k *kit) run(l *translog.Log) *running {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	var err error
	done := false
	stop := func() error {
		if !done {
			cancel()
			err, done = <-ended, true
		}
		return err
	}
	k.t.Cleanup(func() { stop() })
	return &running{l, stop}
}

func (k *kit) verify() *verify.Report {
	k.t.Helper()
	r, err := verify.Log(context.Background(), os.DirFS(k.dir), k.policy.Trust, verify.Options{})
	require.NoError(k.t, err)
	return r
}

// sound requires a log without findings.
func (k *kit) sound() *verify.Report {
	k.t.Helper()
	r := k.verify()
	require.True(k.t, r.OK, "%v", r.Findings)
	return r
}

func login(tenant opsec.TenantID, account string, n int) *opsec.Event {
	e := opsec.NewEvent("console.login", time.Date(2026, 11, 25, 8, 0, n%60, n, time.UTC))
	e.Tenant, e.Category, e.Outcome, e.System = tenant, opsec.Authentication, opsec.Success, "console"
	e.Actor = opsec.Actor{
		Tenant: tenant, Account: account, Person: "person-of-" + account, Kind: opsec.Human, Session: fmt.Sprintf("session-%d", n),
		IP: netip.MustParseAddr("192.0.2.7"), Terminal: "laptop-of-" + account,
	}
	e.Resource = opsec.Resource{Tenant: tenant, Type: "console", ID: "main"}
	e.Attrs = []opsec.Attr{
		{Key: "method", Value: "password", Mark: opsec.Public},
		{Key: "realm", Value: "realm-of-" + string(tenant), Mark: opsec.Tenant},
		{Key: "mail", Value: account + "@example.org", Mark: opsec.Personal},
	}
	return e
}

func (k *kit) append(l *running, tenant opsec.TenantID, account string, n int) translog.Receipt {
	k.t.Helper()
	r, err := l.Append(context.Background(), login(tenant, account, n))
	require.NoError(k.t, err)
	return r
}

func collect(t testing.TB, v *translog.View, q translog.Query) []translog.Entry {
	t.Helper()
	var list []translog.Entry
	for e, err := range v.Query(context.Background(), q) {
		require.NoError(t, err)
		list = append(list, e)
	}
	return list
}

// settle waits until all that was written is under the published checkpoint.
func settle(t testing.TB, l *running) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if size := l.Health().Size; size > 0 {
		_, err := l.Prove(ctx, size-1)
		require.NoError(t, err)
	}
}

var reader = opsec.Actor{Tenant: "acme", Account: "auditor", Person: "p-9", Kind: opsec.Human}

var _ = entry.Anonymous
