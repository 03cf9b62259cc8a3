package etcd_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/etcd"
)

// answering is a server that has one answer.
type answering struct {
	etcdserverpb.UnimplementedKVServer
	err   error
	asked atomic.Int64
	fails int64 // how often the error is the answer; always if zero
	rev   int64 // at which each key is found
}

func (a *answering) Range(_ context.Context, r *etcdserverpb.RangeRequest) (*etcdserverpb.RangeResponse, error) {
	return &etcdserverpb.RangeResponse{
		Header: &etcdserverpb.ResponseHeader{}, Kvs: []*mvccpb.KeyValue{{Key: r.Key, ModRevision: a.rev}}, Count: 1,
	}, nil
}

func (a *answering) Txn(context.Context, *etcdserverpb.TxnRequest) (*etcdserverpb.TxnResponse, error) {
	if n := a.asked.Add(1); a.fails == 0 || n <= a.fails {
		return nil, a.err
	}
	absent := &etcdserverpb.ResponseOp{Response: &etcdserverpb.ResponseOp_ResponseRange{ResponseRange: &etcdserverpb.RangeResponse{}}}
	return &etcdserverpb.TxnResponse{
		Header: &etcdserverpb.ResponseHeader{}, Succeeded: true, Responses: []*etcdserverpb.ResponseOp{absent, absent},
	}, nil
}

func startAnswering(t *testing.T, err error) (*answering, *etcd.Driver) {
	t.Helper()
	path := filepath.Join(tempDir(t), "c")
	listener, failed := net.Listen("unix", path)
	require.NoError(t, failed)
	a, server := &answering{err: err}, grpc.NewServer()
	etcdserverpb.RegisterKVServer(server, a)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return a, newDriver(t, newClient(t, "unix://"+path), "a")
}

// What is not certainly undone is indeterminate, and nothing is sent twice that may have been done.
func TestAnswersToACommit(t *testing.T) {
	message := func(c codes.Code, text string) error { return status.Error(c, text) }
	certain, maybe, large := error(nil), store.ErrIndeterminate, store.ErrTooLarge
	for name, test := range map[string]struct{ answer, want error }{
		"too many requests":      {rpctypes.ErrTooManyRequests, certain}, // so it goes over the wire
		"permission":             {rpctypes.ErrGRPCPermissionDenied, certain},
		"no user":                {rpctypes.ErrGRPCUserEmpty, certain},
		"learner":                {rpctypes.ErrGRPCNotSupportedForLearner, certain},
		"corrupt":                {rpctypes.ErrGRPCCorrupt, certain},
		"unimplemented":          {message(codes.Unimplemented, "none"), certain},
		"request too large":      {rpctypes.ErrGRPCRequestTooLarge, large},
		"too many ops":           {rpctypes.ErrGRPCTooManyOps, large},
		"gRPC's limit":           {message(codes.ResourceExhausted, "grpc: received message larger than max (600000 vs. 524800)"), large},
		"client's send limit":    {message(codes.ResourceExhausted, "trying to send message larger than max (600 vs. 100)"), large},
		"client's receive limit": {message(codes.ResourceExhausted, "grpc: received message larger than max (600 vs. 100)"), maybe},
		"a proxy's limit":        {message(codes.ResourceExhausted, "slow down"), maybe},
		"timeout":                {rpctypes.ErrGRPCTimeout, maybe},
		"leader lost":            {rpctypes.ErrGRPCTimeoutDueToLeaderFail, maybe},
		"connection lost":        {rpctypes.ErrGRPCTimeoutDueToConnectionLost, maybe},
		"leader changed":         {rpctypes.ErrGRPCLeaderChanged, maybe},
		"stopped":                {rpctypes.ErrGRPCStopped, maybe},
		"unavailable":            {message(codes.Unavailable, "closing"), maybe},
		"unknown":                {errors.New("something"), maybe},
		"internal":               {message(codes.Internal, "something"), maybe},
		"aborted":                {message(codes.Aborted, "something"), maybe},
		"deadline":               {rpctypes.ErrGRPCDeadlineExceeded, maybe}, // the server's own: the client would send it again
		"canceled":               {rpctypes.ErrGRPCCanceled, maybe},
		"no space":               {rpctypes.ErrGRPCNoSpace, maybe}, // may have been what filled it
	} {
		t.Run(name, func(t *testing.T) {
			server, d := startAnswering(t, test.answer)
			_, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "k"}}})
			require.Error(t, err)
			require.EqualValues(t, 1, server.asked.Load(), "sent once")
			require.Equal(t, errors.Is(test.want, maybe), errors.Is(err, store.ErrIndeterminate), err)
			require.Equal(t, errors.Is(test.want, large), errors.Is(err, store.ErrTooLarge), err)
			require.ErrorContains(t, err, strings.TrimPrefix(status.Convert(test.answer).Message(), "etcdserver: "))
			require.NotErrorIs(t, err, context.Canceled, "nobody cancelled")
		})
	}
}

func TestMemberWithoutALeaderIsAskedAgain(t *testing.T) {
	server, d := startAnswering(t, rpctypes.ErrGRPCNoLeader)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := d.Commit(ctx, store.Batch{Ops: []store.Op{{Key: "k"}}})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "no leader")
	require.NotErrorIs(t, err, store.ErrIndeterminate, "it has not proposed anything")
	require.Greater(t, server.asked.Load(), int64(1))
}

// The commit that fills the database is done, and answered as the next, which is not.
func TestCommitThatFillsTheDatabaseIsNotDenied(t *testing.T) {
	server, d := startAnswering(t, rpctypes.ErrGRPCNoSpace)
	b := store.Batch{Checks: []store.Check{{Key: "k", Rev: 7}}, Ops: []store.Op{{Key: "k"}}}
	for rev, certain := range map[int64]bool{7: true, 8: false} {
		server.rev = rev
		_, err := d.Commit(t.Context(), b)
		require.ErrorIs(t, err, etcd.ErrNoSpace)
		require.Equal(t, certain, !errors.Is(err, store.ErrIndeterminate))
	}
}

func TestReadsAreAskedForAgain(t *testing.T) {
	server, d := startAnswering(t, rpctypes.ErrGRPCLeaderChanged)
	server.fails = 3
	items, err := d.Get(t.Context(), "k", "l")
	require.NoError(t, err)
	require.Equal(t, []store.Item{{Key: "k"}, {Key: "l"}}, items)
	require.EqualValues(t, 4, server.asked.Load())
}
