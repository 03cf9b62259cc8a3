package fence_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/backup/dr/fence"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/lease"
	"github.com/cloudopsec/opsec/store/memory"
)

var (
	alice = opsec.Actor{Tenant: opsec.Provider, Account: "alice", Person: "p1", Kind: opsec.Human}
	agent = opsec.Actor{Tenant: opsec.Provider, Account: "dr-agent", Kind: opsec.Service}
)

// onlyAlice accepts losses; everybody does the rest.
type onlyAlice struct{}

func (onlyAlice) Authorize(_ context.Context, who opsec.Actor, action string, what opsec.Resource) error {
	if action == fence.ActionAccept && who.Account != "alice" || what.ID != "orders" {
		return fmt.Errorf("no: %w", opsec.ErrDenied)
	}
	return nil
}

// kept is a cluster of a and b in a store.
type kept struct {
	*fence.Clusters
	t   *testing.T
	db  *store.DB
	now time.Time
}

func keep(t *testing.T) *kept {
	db, err := store.New(memory.New(), &store.Options{Node: "here"})
	require.NoError(t, err)
	k := &kept{t: t, db: db, now: now}
	k.Clusters, err = fence.NewClusters(db, &fence.ClustersOptions{Now: func() time.Time { return k.now }, Authorizer: onlyAlice{}})
	require.NoError(t, err)
	for _, member := range []string{"a", "b"} {
		require.NoError(t, k.Join(t.Context(), agent, "orders", member, 0))
		require.NoError(t, k.Report(t.Context(), agent, "orders", member, 0))
	}
	return k
}

func (k *kept) take(owner string) *lease.Held {
	l, err := lease.New(k.db, "orders", owner, time.Minute)
	require.NoError(k.t, err)
	h, err := l.Try(k.t.Context())
	require.NoError(k.t, err)
	return h
}

func (k *kept) cluster() (fence.Cluster, *fence.Acceptance) {
	c, a, err := k.Get(k.t.Context(), agent, "orders")
	require.NoError(k.t, err)
	return c, a
}

func (k *kept) told() (list []string) {
	log := audittest.New(k.t)
	_, err := k.db.Deliver(k.t.Context(), k.db.Node(), log)
	require.NoError(k.t, err)
	for _, e := range log.Events() {
		list = append(list, fmt.Sprint(e.Action, " ", e.Outcome, " ", e.Actor.Account))
	}
	return list
}

func TestAClusterInAStoreElectsBehindItsLease(t *testing.T) {
	k, ctx := keep(t), t.Context()
	first := k.take("a")
	loss, err := k.Elect(ctx, agent, first)
	require.NoError(t, err)
	require.Zero(t, loss)
	require.NoError(t, k.Acknowledge(ctx, agent, first, 100))
	require.NoError(t, k.Report(ctx, agent, "orders", "b", 90))
	require.Len(t, k.told(), 5, "two joined, two became ready, one was elected; positions alone are not recorded")

	require.NoError(t, first.Release(ctx))
	second := k.take("b")
	require.ErrorIs(t, k.Acknowledge(ctx, agent, first, 110), lease.ErrLost)
	_, err = k.Elect(ctx, agent, first)
	require.ErrorIs(t, err, lease.ErrLost)

	loss, err = k.Elect(ctx, agent, second)
	require.ErrorIs(t, err, opsec.ErrDenied, "nobody has accepted a loss")
	require.EqualValues(t, 10, loss)
	require.ErrorIs(t, k.Accept(ctx, agent, "orders", 10, now.Add(time.Hour)), opsec.ErrDenied)
	require.ErrorIs(t, k.Accept(ctx, alice, "orders", 10, now), opsec.ErrInvalid)
	require.NoError(t, k.Accept(ctx, alice, "orders", 10, now.Add(time.Hour)))
	k.now = now.Add(time.Hour)
	_, err = k.Elect(ctx, agent, second)
	require.ErrorIs(t, err, opsec.ErrDenied, "too late")
	k.now = now
	c, a := k.cluster()
	require.Equal(t, "a", c.Primary)
	require.Equal(t, &fence.Acceptance{By: "alice", Loss: 10, Until: now.Add(time.Hour).UTC()}, a)

	loss, err = k.Elect(ctx, agent, second)
	require.NoError(t, err)
	require.EqualValues(t, 10, loss)
	c, a = k.cluster()
	require.Nil(t, a, "used up")
	require.Equal(t, "b", c.Primary)
	require.Equal(t, second.Token(), c.Token)
	require.EqualValues(t, 90, c.Acknowledged)
	require.Equal(t, fence.Diverged, c.Members[0].State)
	require.NoError(t, k.Leave(ctx, agent, "orders", "a"))
	require.ElementsMatch(t, []string{
		"dr.elect denied dr-agent", "dr.accept denied dr-agent", "dr.accept success alice", "dr.elect denied dr-agent",
		"dr.elect success dr-agent", "dr.leave success dr-agent",
	}, k.told())
}

func TestALossIsWithdrawn(t *testing.T) {
	k := keep(t)
	require.NoError(t, k.Accept(t.Context(), alice, "orders", 10, now.Add(time.Hour)))
	require.NoError(t, k.Accept(t.Context(), alice, "orders", 0, time.Time{}))
	_, a := k.cluster()
	require.Nil(t, a)
}

func TestWhatFailsChangesNothing(t *testing.T) {
	k, ctx := keep(t), t.Context()
	before, _ := k.cluster()
	require.ErrorIs(t, k.Join(ctx, agent, "other", "c", 0), opsec.ErrDenied)
	require.ErrorIs(t, k.Join(ctx, agent, "orders", "", 0), opsec.ErrInvalid)
	require.ErrorIs(t, k.Leave(ctx, agent, "orders", "c"), opsec.ErrNotFound)
	require.ErrorIs(t, k.Report(ctx, agent, "orders", "c", 7), opsec.ErrNotFound)
	_, _, err := k.Get(ctx, agent, "other")
	require.ErrorIs(t, err, opsec.ErrDenied)
	held := k.take("c") // who is no member
	_, err = k.Elect(ctx, agent, held)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	after, _ := k.cluster()
	require.Equal(t, before, after)
	for _, o := range []*fence.ClustersOptions{nil, {}} {
		_, err = fence.NewClusters(k.db, o)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	require.False(t, slices.Contains(k.told(), "dr.leave success dr-agent"))
}

func ExampleClusters() {
	ctx := context.Background()
	db, _ := store.New(memory.New(), nil) // or bolt, postgres, etcd: not on the machine whose failure is to be survived
	clusters, _ := fence.NewClusters(db, &fence.ClustersOptions{Authorizer: opsec.CallerAuthorized{}})
	for _, member := range []string{"site-a", "site-b"} {
		_ = clusters.Join(ctx, agent, "orders", member, 0)
		_ = clusters.Report(ctx, agent, "orders", member, 0)
	}
	l, _ := lease.New(db, "orders", "site-b", 10*time.Second) // in a Node, May is given what is held
	held, _ := l.Try(ctx)
	loss, err := clusters.Elect(ctx, agent, held)
	c, _, _ := clusters.Get(ctx, agent, "orders")
	fmt.Println(c.Primary, c.Token, loss, err)
	// Output: site-b 1 0 <nil>
}
