package shelf_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/store/memory"
)

// lossy loses the next request, or the answer to it.
type lossy struct {
	lockout.States
	request, answer bool
}

var errLost = errors.New("lost")

func (l *lossy) Update(ctx context.Context, k lockout.Key, c lockout.Change) (lockout.Verdict, error) {
	request, answer := l.request, l.answer
	l.request, l.answer = false, false
	if request {
		return lockout.Verdict{}, errLost
	}
	v, err := l.States.Update(ctx, k, c)
	if answer {
		return lockout.Verdict{}, errLost
	}
	return v, err
}

// judge knows of the policy what an operator knows of it, and nothing of how it is kept. It counts the guesses of one counter that
// were admitted, when they were by the one true clock, and of them those with a secret that was never verified before.
type judge struct {
	policy lockout.Policy
	tried  map[string]bool
	run    []time.Time
	runs   int // that ended, each with a log-in
}

// verified is told of each secret that is compared, and found wrong, under a reservation that was made at that time.
func (j *judge) verified(secret string, at time.Time) {
	if !j.tried[secret] {
		j.tried[secret] = true
		j.run = append(j.run, at)
	}
}

// check returns what was verified beyond the policy: each lock lasts, by whatever clock.
func (j *judge) check() error {
	p := j.policy
	times := j.run
	for i := range times { // in the order of their admission
		for n := i; n > 0 && times[n].Before(times[n-1]); n-- {
			times[n], times[n-1] = times[n-1], times[n]
		}
	}
	run := 0
	for i, at := range times {
		if i > 0 && p.Forget > 0 && at.Sub(times[i-1]) > p.Forget {
			run = 0
		}
		run++
		if run > p.Failures && at.Sub(times[i-1]) < p.Lock {
			return fmt.Errorf("guess %d of a run, %v after the one before", run, at.Sub(times[i-1]))
		}
		if p.Temporary >= 0 && run > p.Failures+p.Temporary {
			return fmt.Errorf("guess %d of a run, where the lock is permanent", run)
		}
	}
	return nil
}

// flight is a guess that was admitted.
type flight struct {
	node   int
	r      lockout.Reservation
	key    lockout.Key
	secret string
	at     time.Time
	run    int // of its counter
}

// plant is nodes over one repository, and what is going on there.
type plant struct {
	policy  lockout.Policy
	faults  []*lossy
	gates   []*lockout.Gate
	offsets []time.Duration
	true    time.Time
	flights []flight
	judges  map[lockout.Key]*judge
}

const right = "right"

func newPlant(t *rapid.T, tb testing.TB, states lockout.States, account string) *plant {
	p := &plant{policy: rapid.SampledFrom([]lockout.Policy{
		{Failures: 3, Lock: 10 * time.Second, Growth: lockout.Doubling, LockMost: time.Minute, Temporary: 2, Reserve: 2 * time.Second, Skew: 3 * time.Second},
		{Failures: 2, Lock: 10 * time.Second, Temporary: -1, Forget: 20 * time.Second, Reserve: 4 * time.Second, Skew: time.Second},
		{Failures: 4, Reserve: time.Second, Skew: 5 * time.Second},
		{Failures: 1, Lock: 5 * time.Second, Temporary: -1, Reserve: 2 * time.Second},
	}).Draw(t, "policy"), true: noon, judges: map[lockout.Key]*judge{}}
	for i := range 3 {
		p.offsets = append(p.offsets, time.Duration(rapid.Int64Range(0, p.policy.Skew.Milliseconds()).Draw(t, "offset"))*time.Millisecond)
		p.faults = append(p.faults, &lossy{States: states})
		p.gates = append(p.gates, gate(tb, p.faults[i], p.policy, time.Nanosecond, func() time.Time { return p.true.Add(p.offsets[i]) }))
	}
	return p
}

// step is how much time passes: mostly some of it, or hardly less than a lock lasts.
func (p *plant) step(t *rapid.T) time.Duration {
	ms := func(most time.Duration) time.Duration {
		return time.Duration(rapid.Int64Range(0, most.Milliseconds()).Draw(t, "ms")) * time.Millisecond
	}
	if rapid.Bool().Draw(t, "a lock") {
		return max(p.policy.Lock-ms(p.policy.Skew+time.Second), 0)
	}
	return ms(15 * time.Second)
}

func (p *plant) begin(node int, key lockout.Key, secret string) error {
	r, err := p.gates[node].Begin(bg, lockout.Attempt{Key: key})
	if err == nil {
		p.flights = append(p.flights, flight{node, r, key, secret, p.true, p.judge(key).runs})
	}
	return err
}

func (p *plant) judge(key lockout.Key) *judge {
	if p.judges[key] == nil {
		p.judges[key] = &judge{policy: p.policy, tried: map[string]bool{}}
	}
	return p.judges[key]
}

// land verifies what was admitted, and settles it unless the node dies first. A wrong guess that is settled after a log-in which it
// was admitted before is one of the run after it, unless it had expired: then it was counted in its own.
func (p *plant) land(i int, dies bool) {
	f := p.flights[i]
	p.flights = append(p.flights[:i], p.flights[i+1:]...)
	j, outcome := p.judge(f.key), lockout.Correct()
	if f.secret != right {
		outcome = lockout.Wrong([]byte(f.secret))
	}
	proof, err := lockout.Proof{}, errLost
	if !dies {
		proof, err = p.gates[f.node].Commit(bg, f.r, outcome)
	}
	switch {
	case f.secret != right:
		if err == nil {
			panic("a proof for a wrong secret")
		}
		if f.run == j.runs || errors.Is(err, lockout.ErrWrong) {
			j.verified(f.secret, f.at)
		}
	case err == nil && proof.Account() != f.key.Account:
		panic("a proof for another account")
	case !dies && (err == nil || errors.Is(err, errLost)):
		j.run, j.runs = nil, j.runs+1
	}
}

// Over every schedule of nodes, guessers, crashes, lost messages and clocks apart: no more guesses than the policy says, and the owner
// comes in by a device that has done nothing wrong.
func schedules(t *testing.T, states lockout.States) {
	trace := 0
	rapid.Check(t, func(rt *rapid.T) {
		trace++
		account := fmt.Sprint("account-", trace)
		p := newPlant(rt, t, states, account)
		unknown := attempt(account).Key
		familiar, stolen, owners := unknown, unknown, unknown
		familiar.Class = lockout.Familiar
		stolen.Class, stolen.Device = lockout.Trusted, "stolen"
		owners.Class, owners.Device = lockout.Trusted, "owner's"
		for range rapid.IntRange(20, 200).Draw(rt, "steps") {
			node := rapid.IntRange(0, 2).Draw(rt, "node")
			switch rapid.IntRange(0, 13).Draw(rt, "what") {
			case 0, 1, 2, 3, 4:
				key := rapid.SampledFrom([]lockout.Key{unknown, unknown, familiar, stolen}).Draw(rt, "key")
				p.begin(node, key, fmt.Sprint("guess-", rapid.IntRange(0, 40).Draw(rt, "secret")))
			case 5, 6, 7, 8:
				if n := len(p.flights); n > 0 {
					p.land(rapid.IntRange(0, n-1).Draw(rt, "flight"), rapid.IntRange(0, 5).Draw(rt, "crash") == 0)
				}
			case 9:
				p.true = p.true.Add(p.step(rt))
			case 10:
				p.faults[node].request = true
			case 11:
				p.faults[node].answer = true
			case 12:
				if rapid.IntRange(0, 4).Draw(rt, "owner guesses too") == 0 {
					p.begin(node, unknown, right)
				}
			case 13:
				*p.faults[node] = lossy{States: states}
				r, err := p.gates[node].Begin(bg, lockout.Attempt{Key: owners})
				if err == nil {
					_, err = p.gates[node].Commit(bg, r, lockout.Correct())
				}
				if err != nil {
					rt.Fatalf("the owner, by a device that has done nothing: %v", err)
				}
			}
			for key, j := range p.judges {
				if err := j.check(); err != nil {
					rt.Fatalf("%v of class %q, policy %+v: %v", key.Account, key.Class, p.policy, err)
				}
			}
		}
	})
}

func TestGuessesNeverExceedThePolicy(t *testing.T) {
	t.Run("Memory", func(t *testing.T) { schedules(t, lockout.NewMemory(1_000_000, nil)) })
	t.Run("Stored", func(t *testing.T) { schedules(t, stored(t, memory.New()).States) })
}

func TestJudgeSeesWhatIsTooMuch(t *testing.T) {
	j := &judge{policy: lockout.Policy{Failures: 2, Lock: time.Minute, Temporary: 1, Forget: time.Hour}, tried: map[string]bool{}}
	j.verified("a", noon)
	j.verified("b", noon)
	j.verified("a", noon.Add(time.Second))
	require.NoError(t, j.check())
	j.verified("c", noon.Add(time.Minute))
	require.NoError(t, j.check())
	j.verified("d", noon.Add(3*time.Minute))
	require.ErrorContains(t, j.check(), "permanent")
	j.run = j.run[:2]
	j.verified("e", noon.Add(time.Second))
	require.ErrorContains(t, j.check(), "guess 3 of a run")
	j.run[2] = noon.Add(2 * time.Hour)
	require.NoError(t, j.check())
}
