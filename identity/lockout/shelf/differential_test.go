package shelf_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/store/memory"
)

// policies for traces: few failures and short times, so that something happens.
var policies = []lockout.Policy{
	{Failures: 3, Lock: 10 * time.Second, Growth: lockout.Doubling, LockMost: time.Minute, Temporary: 2, Forget: 30 * time.Second, Reserve: 2 * time.Second},
	{Failures: 2, Temporary: 0, Reserve: time.Second, Skew: time.Second},
	{Failures: 5, Lock: 5 * time.Second, Growth: lockout.Linear, LockMost: 20 * time.Second, Temporary: -1, Rapid: time.Second, RapidBar: 4 * time.Second, Reserve: 3 * time.Second},
}

// Every repository says of a trace what Step says of it, step by step, and records the same.
func TestRepositoriesAgreeWithStep(t *testing.T) {
	repos := map[string]kept{"Memory": inMemory(), "Stored": stored(t, memory.New()), "Bolt": inFile(t)}
	trace, recorded := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		trace++
		states := map[lockout.Key]lockout.State{}
		batches := []int64{0, -1}
		now := noon
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			k := attempt(fmt.Sprint(trace, "-", rapid.IntRange(0, 1).Draw(t, "account"))).Key
			k.Class = rapid.SampledFrom([]lockout.Class{lockout.Unknown, lockout.Familiar}).Draw(t, "class")
			now = now.Add(time.Duration(rapid.IntRange(-2000, 6000).Draw(t, "ms")) * time.Millisecond)
			c := lockout.Change{
				Policy: &policies[rapid.IntRange(0, len(policies)-1).Draw(t, "policy")], Now: now, Actor: ada, Reason: "test",
				Event: lockout.Event{
					Kind: rapid.SampledFrom([]lockout.Kind{lockout.Reserve, lockout.Reserve, lockout.Reserve, lockout.Fail, lockout.Fail, lockout.Fail,
						lockout.Succeed, lockout.Release, lockout.Unlock, lockout.Hold, lockout.Recover, lockout.Look}).Draw(t, "kind"),
					Batch:  batches[max(0, len(batches)-1-rapid.IntRange(0, 2).Draw(t, "batch"))],
					Repeat: rapid.Bool().Draw(t, "repeat"),
				},
			}
			state, want := c.Policy.Step(states[k], c.Event, c.Now)
			states[k] = state
			if c.Record(k, want) != nil {
				recorded++
			}
			if want.Batch != 0 {
				batches = append(batches, want.Batch)
			}
			for name, repo := range repos {
				got, err := repo.Update(bg, k, c)
				if err != nil || got != want {
					t.Fatalf("%s, %+v: %+v, %v, want %+v", name, c.Event, got, err, want)
				}
			}
		}
	})
	for name, repo := range repos {
		require.Len(t, repo.recorded(t), recorded, name)
	}
	require.NotZero(t, recorded)
}
