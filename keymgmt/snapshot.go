package keymgmt

import (
	"context"
	"iter"
	"time"
)

// Snapshot is what a node needs to use a keyset: never the material itself.
type Snapshot struct {
	Keyset Keyset
	Key    Held // the primary; a zero Ref when there is none
}

// Held is a key with its material as the custodian wrapped it.
type Held struct {
	Key
	Wrapped []byte // opens under [MaterialContext] with the keyset's custodian
}

// Source is where a node takes keysets from: the manager of package lifecycle is one.
type Source interface {
	// Snapshot returns the keyset and its primary key, as they are after every change that has returned before.
	Snapshot(ctx context.Context, id SetID) (Snapshot, error)
	// Held returns one key of it, whatever its state; without Wrapped when the state lets nobody use it.
	Held(ctx context.Context, ref Ref) (Held, error)
	// Watch yields once at first and after each change of a keyset of the tenant: a hint.
	Watch(ctx context.Context, id SetID) iter.Seq2[struct{}, error]
	// Lease takes messages and bytes of what the policy leaves for a key, for this node alone: at most what is asked
	// for, at least one message, or an [*ExhaustedError].
	Lease(ctx context.Context, ref Ref, ask Amount) (Amount, error)
}

// Amount is a number of messages and of their bytes.
type Amount struct {
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
}

// Membership is how nodes that hold keys in memory promise to let go of them: the manager of
// package lifecycle counts on it. A node joins before it
// uses a key; it beats after each time it has looked at all keysets that it holds; and when it cannot do either for as long
// as its fence, by its own monotonic clock, it uses no key any more. A destruction waits until each node has beaten
// twice since, which shows that it has seen it, or has not for longer than its fence, so that it uses nothing.
type Membership interface {
	Join(ctx context.Context, node string, fence time.Duration) error
	Beat(ctx context.Context, node string) error
	Leave(ctx context.Context, node string) error
}
