package lockout_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/identity/lockout"
)

// strict is the policy that tests of Step change.
func strict(change ...func(*lockout.Policy)) *lockout.Policy {
	p := &lockout.Policy{Failures: 3, Forget: time.Hour, Lock: time.Minute, Temporary: -1, Reserve: 10 * time.Second}
	for _, c := range change {
		c(p)
	}
	return p
}

// counter is a state under a policy, and the time.
type counter struct {
	t   require.TestingT
	p   *lockout.Policy
	s   lockout.State
	now time.Time
	v   lockout.Verdict
}

func count(t require.TestingT, p *lockout.Policy) *counter {
	require.NoError(t, p.Validate())
	return &counter{t: t, p: p, now: noon}
}

func (c *counter) do(e lockout.Event) lockout.Verdict {
	c.s, c.v = c.p.Step(c.s, e, c.now)
	return c.v
}

func (c *counter) pass(d time.Duration) *counter {
	c.now = c.now.Add(d)
	return c
}

// begin reserves, and returns what settles.
func (c *counter) begin() int64 {
	v := c.do(lockout.Event{Kind: lockout.Reserve})
	require.Equal(c.t, lockout.Done, v.Answer, "%+v", c.s)
	return v.Batch
}

func (c *counter) end(k lockout.Kind, batch int64) lockout.Verdict {
	return c.do(lockout.Event{Kind: k, Batch: batch})
}

// wrong is n guesses, one after the other, some seconds apart.
func (c *counter) wrong(n int) lockout.Verdict {
	for range n {
		c.end(lockout.Fail, c.begin())
		c.pass(3 * time.Second)
	}
	return c.v
}

func (c *counter) look() lockout.Verdict { return c.do(lockout.Event{Kind: lockout.Look}) }

func (c *counter) right() lockout.Verdict { return c.end(lockout.Succeed, c.begin()) }

// 8.1.1-3b.
func TestContinuousFailuresLock(t *testing.T) {
	c := count(t, strict())
	require.Equal(t, lockout.Verdict{Answer: lockout.Done, Failures: 2, Left: 1}, c.wrong(2))
	at := c.now
	v := c.end(lockout.Fail, c.begin())
	require.Equal(t, lockout.Verdict{
		Answer: lockout.Done, Standing: lockout.Locked, Became: lockout.Locked, Until: at.Add(time.Minute), Failures: 3,
	}, v)
	c.pass(time.Minute - time.Millisecond)
	v = c.do(lockout.Event{Kind: lockout.Reserve})
	require.Equal(t, lockout.Verdict{Answer: lockout.Refused, Standing: lockout.Locked, Until: at.Add(time.Minute), Failures: 3}, v)
	c.pass(time.Millisecond).begin()
}

func TestSuccessEndsTheRun(t *testing.T) {
	c := count(t, strict())
	for range 10 {
		c.wrong(2)
		require.Equal(t, lockout.Verdict{Answer: lockout.Done, Left: 3}, c.right())
		require.Zero(t, c.s, "nothing is left of it")
	}
}

func TestAfterALockOneGuessAtATimeAndEachFailureLocks(t *testing.T) {
	c := count(t, strict())
	c.wrong(3)
	for range 4 {
		c.pass(time.Minute)
		batch := c.begin()
		require.Equal(t, lockout.Wait, c.do(lockout.Event{Kind: lockout.Reserve}).Answer)
		require.Equal(t, lockout.Locked, c.end(lockout.Fail, batch).Became)
	}
	c.pass(time.Minute)
	c.right()
	c.wrong(2)
	require.Equal(t, lockout.Open, c.v.Standing, "the run is over, and has its budget again")
}

func TestLocksGrow(t *testing.T) {
	for _, k := range []struct {
		name   string
		change func(*lockout.Policy)
		want   []int // minutes
	}{
		{"fixed", func(p *lockout.Policy) {}, []int{1, 1, 1, 1, 1, 1, 1}},
		{"multiple", func(p *lockout.Policy) { p.Growth, p.LockMost = lockout.Multiple, time.Hour }, []int{1, 1, 1, 2, 2, 2, 3}},
		{"linear", func(p *lockout.Policy) { p.Growth, p.LockMost = lockout.Linear, time.Hour }, []int{1, 2, 3, 4, 5, 6, 7}},
		{"doubling", func(p *lockout.Policy) { p.Growth, p.LockMost = lockout.Doubling, time.Hour }, []int{1, 2, 4, 8, 16, 32, 60}},
		{"linear to a limit", func(p *lockout.Policy) { p.Growth, p.LockMost = lockout.Linear, 3*time.Minute }, []int{1, 2, 3, 3, 3}},
		{"without a limit of its own", func(p *lockout.Policy) { p.Growth = lockout.Doubling }, []int{1, 1, 1}},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := count(t, strict(k.change, func(p *lockout.Policy) { p.Forget = 0 }))
			c.wrong(2)
			for i, minutes := range k.want {
				v := c.end(lockout.Fail, c.begin())
				require.Equal(t, time.Duration(minutes)*time.Minute, v.Until.Sub(c.now), "lock %d", i)
				c.pass(v.Until.Sub(c.now))
			}
		})
	}
}

func TestPermanentAfterTheTemporaryOnes(t *testing.T) {
	for _, temporary := range []int{0, 1, 3} {
		c := count(t, strict(func(p *lockout.Policy) {
			if p.Temporary = temporary; temporary == 0 {
				p.Lock = 0
			}
		}))
		c.wrong(2)
		for range temporary {
			require.Equal(t, lockout.Locked, c.end(lockout.Fail, c.begin()).Became)
			c.pass(time.Minute)
		}
		require.Equal(t, lockout.Permanent, c.end(lockout.Fail, c.begin()).Became)
		c.pass(50 * 366 * 24 * time.Hour)
		v := c.do(lockout.Event{Kind: lockout.Reserve})
		require.Equal(t, lockout.Refused, v.Answer, "nothing is forgotten, and nothing ends by itself")
		require.Equal(t, lockout.Permanent, v.Standing)
		require.Zero(t, v.Until)
		require.True(t, c.do(lockout.Event{Kind: lockout.Unlock}).Opened)
		require.Zero(t, c.s)
	}
}

// 8.1.1-3d.
func TestRapidRepetitionBars(t *testing.T) {
	rapid := func(p *lockout.Policy) { p.Rapid, p.RapidBar = time.Second, 30*time.Second }
	c := count(t, strict(rapid))
	c.end(lockout.Fail, c.begin())
	c.pass(time.Second - time.Millisecond)
	v := c.end(lockout.Fail, c.begin())
	require.Equal(t, lockout.Barred, v.Became)
	require.Equal(t, c.now.Add(30*time.Second), v.Until)
	c.pass(30*time.Second - time.Millisecond)
	require.Equal(t, lockout.Refused, c.do(lockout.Event{Kind: lockout.Reserve}).Answer)
	c.pass(time.Millisecond)
	require.Equal(t, lockout.Locked, c.end(lockout.Fail, c.begin()).Became, "the third in a row")
	require.EqualValues(t, 1, c.s.Locks, "a bar is no lock")

	c = count(t, strict(rapid))
	c.end(lockout.Fail, c.begin())
	c.pass(time.Second)
	require.Equal(t, lockout.Open, c.end(lockout.Fail, c.begin()).Standing, "not sooner than Rapid")
}

func TestFailureWhileBarredStillLocks(t *testing.T) {
	c := count(t, strict(func(p *lockout.Policy) { p.Rapid, p.RapidBar = time.Second, 5*time.Minute }))
	a, b, d := c.begin(), c.begin(), c.begin()
	c.end(lockout.Fail, a)
	v := c.end(lockout.Fail, b)
	require.Equal(t, lockout.Barred, v.Became)
	bar := v.Until
	v = c.end(lockout.Fail, d)
	require.Equal(t, lockout.Locked, v.Became)
	require.Equal(t, bar, v.Until, "and not for a shorter time than the bar")
}

func TestRunIsForgotten(t *testing.T) {
	c := count(t, strict(func(p *lockout.Policy) { p.Skew = 2 * time.Second }))
	c.wrong(2)
	last := c.now.Add(-3 * time.Second)
	c.now = last.Add(time.Hour + 2*time.Second)
	require.Equal(t, 2, c.look().Failures)
	c.pass(time.Millisecond)
	require.Equal(t, 0, c.look().Failures)
	require.Zero(t, c.s)

	c = count(t, strict(func(p *lockout.Policy) { p.Forget = 0 }))
	c.wrong(2)
	require.Equal(t, 2, c.pass(10*366*24*time.Hour).look().Failures)
}

func TestRunIsNotForgottenWhileAGuessIsUnderWay(t *testing.T) {
	c := count(t, strict(func(p *lockout.Policy) { p.Forget, p.Reserve = time.Minute, 10*time.Minute }))
	c.wrong(2)
	batch := c.begin()
	c.pass(5 * time.Minute)
	require.Equal(t, lockout.Locked, c.end(lockout.Fail, batch).Became)
}

func TestSkewMakesLocksLonger(t *testing.T) {
	c := count(t, strict(func(p *lockout.Policy) { p.Skew = 2 * time.Second }))
	c.wrong(2)
	v := c.end(lockout.Fail, c.begin())
	require.Equal(t, c.now.Add(time.Minute+2*time.Second), v.Until)
}

func TestRepeatOfAWrongSecretIsNotCounted(t *testing.T) {
	c := count(t, strict())
	c.wrong(2)
	before := c.s
	for range 10 {
		v := c.do(lockout.Event{Kind: lockout.Fail, Repeat: true, Batch: c.begin()})
		require.Equal(t, lockout.Verdict{Answer: lockout.Done, Failures: 2, Left: 1}, v)
		require.Equal(t, before, c.s)
	}
}

func TestReleaseTakesTheReservationBack(t *testing.T) {
	c := count(t, strict())
	for range 10 {
		c.end(lockout.Release, c.begin())
		require.Zero(t, c.s)
	}
}

// keycloak#48272, #37315, #34302 want that valid log-ins do not exclude each other; that all wait for each other when the
// budget is spent is the Gate's part.
func TestAsManyGuessesAtATimeAsTheBudgetHas(t *testing.T) {
	c := count(t, strict())
	c.wrong(1)
	a := c.begin()
	require.Equal(t, 1, c.v.Left)
	b := c.begin()
	require.Equal(t, 0, c.v.Left)
	require.Equal(t, lockout.Wait, c.do(lockout.Event{Kind: lockout.Reserve}).Answer)
	c.end(lockout.Release, a)
	d := c.begin()
	require.Equal(t, lockout.Done, c.end(lockout.Succeed, b).Answer)
	require.Equal(t, 2, c.v.Left, "d is under way")
	require.Equal(t, lockout.Done, c.end(lockout.Succeed, d).Answer)
	require.Zero(t, c.s)
}

func TestReservationThatIsNeverSettledCountsAsFailure(t *testing.T) {
	c := count(t, strict()) // noon is on the grid
	batch := c.begin()
	c.pass(20*time.Second - time.Millisecond)
	require.Equal(t, 0, c.look().Failures)
	c.pass(time.Millisecond)
	require.Equal(t, 1, c.look().Failures)
	before := c.s
	for _, k := range []lockout.Kind{lockout.Succeed, lockout.Fail, lockout.Release} {
		require.Equal(t, lockout.Expired, c.end(k, batch).Answer)
		require.Equal(t, before, c.s)
	}
	c.begin()
	c.begin()
	require.Equal(t, lockout.Locked, c.pass(20*time.Second).look().Became)
}

// The failures count when they became so, not when somebody looks.
func TestLockOfExpiredReservationsBeganWhenTheyExpired(t *testing.T) {
	c := count(t, strict())
	for range 3 {
		c.begin()
	}
	c.pass(25 * time.Second)
	require.Equal(t, noon.Add(20*time.Second+time.Minute), c.look().Until)
	c = count(t, strict())
	for range 3 {
		c.begin()
	}
	c.pass(20*time.Second + time.Minute)
	v := c.look()
	require.Equal(t, lockout.Verdict{Answer: lockout.Done, Failures: 3, Left: 1}, v, "it is over")
}

func TestBatchesExpireOneAfterTheOther(t *testing.T) {
	c := count(t, strict())
	a := c.pass(9 * time.Second).begin() // 12:00:09, of the batch of 12:00:00
	b := c.pass(2 * time.Second).begin() // 12:00:11
	require.Equal(t, a+10000, b)
	require.Equal(t, 1, c.pass(9*time.Second).look().Failures)
	require.Equal(t, lockout.Expired, c.end(lockout.Fail, a).Answer)
	require.Equal(t, lockout.Done, c.end(lockout.Succeed, b).Answer)
}

func TestReservationOffTheGridHasExpired(t *testing.T) {
	c := count(t, strict())
	c.pass(10 * time.Second)
	batch := c.begin()
	c.p = strict(func(p *lockout.Policy) { p.Reserve = 7 * time.Second })
	require.Equal(t, lockout.Expired, c.end(lockout.Succeed, batch).Answer)
	require.Equal(t, 1, c.v.Failures)
	c = count(t, strict())
	batch = c.begin()
	for _, other := range []int64{0, batch - 10000, batch + 10000, batch + 1, math.MinInt64, math.MaxInt64} {
		require.Equal(t, lockout.Expired, c.end(lockout.Succeed, other).Answer)
	}
	require.Equal(t, lockout.Done, c.end(lockout.Succeed, batch).Answer)
	require.Equal(t, lockout.Expired, c.end(lockout.Succeed, batch).Answer, "settled once")
}

func TestSuccessUnderWayOpensALock(t *testing.T) {
	c := count(t, strict())
	a, b, right := c.begin(), c.begin(), c.begin()
	c.p = strict(func(p *lockout.Policy) { p.Failures = 2 })
	c.end(lockout.Fail, a)
	require.Equal(t, lockout.Locked, c.end(lockout.Fail, b).Became)
	v := c.end(lockout.Succeed, right)
	require.Equal(t, lockout.Verdict{Answer: lockout.Done, Opened: true, Left: 2}, v)
	require.Zero(t, c.s)
}

func TestSuccessUnderWayOpensNeitherPermanentNorHeld(t *testing.T) {
	c := count(t, strict())
	a, right := c.begin(), c.begin()
	c.p = strict(func(p *lockout.Policy) { p.Failures, p.Lock, p.Temporary = 1, 0, 0 })
	require.Equal(t, lockout.Permanent, c.end(lockout.Fail, a).Became)
	v := c.end(lockout.Succeed, right)
	require.Equal(t, lockout.Verdict{Answer: lockout.Refused, Standing: lockout.Permanent, Failures: 1}, v)
	require.Zero(t, c.s.Pending)

	c = count(t, strict())
	right = c.begin()
	require.Equal(t, lockout.Held, c.do(lockout.Event{Kind: lockout.Hold}).Became)
	require.Equal(t, lockout.Refused, c.end(lockout.Succeed, right).Answer)
	require.Equal(t, lockout.Held, c.s.Standing)
}

func TestLockInForceIsNotExtendedByFailuresUnderWay(t *testing.T) {
	c := count(t, strict())
	a, b, d := c.begin(), c.begin(), c.begin()
	c.p = strict(func(p *lockout.Policy) { p.Failures, p.Growth, p.LockMost = 1, lockout.Linear, time.Hour })
	until := c.end(lockout.Fail, a).Until
	for _, batch := range []int64{b, d} {
		v := c.pass(time.Second).end(lockout.Fail, batch)
		require.Equal(t, until, v.Until)
		require.Equal(t, lockout.Open, v.Became)
	}
	require.EqualValues(t, 1, c.s.Locks)
	require.EqualValues(t, 3, c.s.Failures)
}

func TestBarInForceIsNotExtendedByFailuresUnderWay(t *testing.T) {
	c := count(t, strict(func(p *lockout.Policy) { p.Failures, p.Rapid, p.RapidBar = 10, time.Second, 10*time.Second }))
	a, b, d := c.begin(), c.begin(), c.begin()
	c.end(lockout.Fail, a)
	until := c.end(lockout.Fail, b).Until
	v := c.pass(500*time.Millisecond).end(lockout.Fail, d)
	require.Equal(t, until, v.Until)
	require.Equal(t, lockout.Open, v.Became)
	require.Equal(t, 3, v.Failures)
}

// Nobody knows how soon after another the secrets were that nobody told of.
func TestReservationsThatExpireBarNothing(t *testing.T) {
	c := count(t, strict(func(p *lockout.Policy) { p.Rapid, p.RapidBar = time.Second, time.Minute }))
	c.begin()
	c.pass(19500 * time.Millisecond).wrong(1)
	v := c.look() // the first has expired half a second after the second was wrong
	require.Equal(t, lockout.Verdict{Answer: lockout.Done, Failures: 2, Left: 1}, v)
}

func TestReservationThatExpiresAfterALockHasEndedLocksAnew(t *testing.T) {
	ms := noon.UnixMilli()
	s := lockout.State{Failures: 3, Locks: 1, Last: ms, Standing: lockout.Locked, Until: ms + 1000, Pending: [2]uint16{1, 0}, Batch: ms}
	_, v := strict().Step(s, lockout.Event{Kind: lockout.Look}, noon.Add(30*time.Second))
	require.Equal(t, lockout.Locked, v.Became)
	require.Equal(t, noon.Add(20*time.Second+time.Minute), v.Until)
	require.Equal(t, 4, v.Failures)
	s.Until = ms + 25000
	_, v = strict().Step(s, lockout.Event{Kind: lockout.Look}, noon.Add(30*time.Second))
	require.Equal(t, lockout.Open, v.Standing, "in force it was not extended")
}

func TestLastFailureIsTheLatest(t *testing.T) {
	ms := noon.UnixMilli()
	s := lockout.State{Failures: 1, Last: ms, Pending: [2]uint16{1, 0}, Batch: ms - 60000} // no steps lead there
	s, _ = strict().Step(s, lockout.Event{Kind: lockout.Look}, noon)
	require.Equal(t, ms, s.Last)
}

func TestUnlockClearsAllButWhatIsUnderWay(t *testing.T) {
	c := count(t, strict())
	c.wrong(1)
	batch := c.begin()
	v := c.do(lockout.Event{Kind: lockout.Unlock})
	require.Equal(t, lockout.Verdict{Answer: lockout.Done, Opened: true, Left: 2}, v, "a run that is cleared is to be seen")
	require.False(t, c.do(lockout.Event{Kind: lockout.Unlock}).Opened)
	c.end(lockout.Fail, batch)
	require.Equal(t, 1, c.v.Failures)
}

// keycloak#45388: who has recovered the account is let in. What an administrator holds is another thing.
func TestRecoveryOpensLocksButNoHold(t *testing.T) {
	for _, p := range []*lockout.Policy{strict(), strict(func(p *lockout.Policy) { p.Temporary, p.Lock = 0, 0 })} {
		c := count(t, p)
		require.NotEqual(t, lockout.Open, c.wrong(3).Standing)
		require.Equal(t, lockout.Verdict{Answer: lockout.Done, Opened: true, Left: 3}, c.do(lockout.Event{Kind: lockout.Recover}))
		c.right()
	}
	c := count(t, strict())
	c.do(lockout.Event{Kind: lockout.Hold})
	require.Equal(t, lockout.Verdict{Answer: lockout.Refused, Standing: lockout.Held}, c.do(lockout.Event{Kind: lockout.Recover}))
	require.Equal(t, lockout.Open, c.do(lockout.Event{Kind: lockout.Hold}).Became, "it was held before")
	require.Equal(t, lockout.Verdict{Answer: lockout.Done, Opened: true, Left: 3}, c.do(lockout.Event{Kind: lockout.Unlock}))
}

func TestLockSurvivesClockGoingBack(t *testing.T) {
	c := count(t, strict())
	until := c.wrong(3).Until
	for _, back := range []time.Duration{time.Millisecond, time.Hour, 100 * 366 * 24 * time.Hour} {
		c.now = noon.Add(-back)
		v := c.look()
		require.Equal(t, lockout.Refused, v.Answer)
		require.Equal(t, until, v.Until)
	}
	c.now = until
	require.Equal(t, lockout.Done, c.look().Answer)
}

// By a clock that is behind, guesses are of the latest batch: else those could not be settled that were there before.
func TestReservationsSurviveClockGoingBack(t *testing.T) {
	c := count(t, strict())
	a := c.begin()
	b := c.pass(-25 * time.Second).begin()
	require.Equal(t, a, b)
	require.Equal(t, lockout.Done, c.end(lockout.Release, a).Answer)
	require.Equal(t, lockout.Done, c.end(lockout.Release, b).Answer)
	require.Zero(t, c.s)
}

// What has expired does not come back with the clock, to be settled in the place of another.
func TestReservationThatHasExpiredStaysSoWhenTheClockGoesBack(t *testing.T) {
	c := count(t, strict())
	lost := c.begin()
	require.Equal(t, 1, c.pass(20*time.Second).look().Failures)
	other := c.pass(-20 * time.Second).begin()
	require.Equal(t, lockout.Expired, c.end(lockout.Succeed, lost).Answer)
	require.Equal(t, lockout.Done, c.end(lockout.Succeed, other).Answer)
}

// A node with a wild clock has made reservations in the future: who unlocks says what time it is.
func TestUnlockDropsReservationsOfAWildClock(t *testing.T) {
	c := count(t, strict())
	c.now = noon.AddDate(50, 0, 0)
	c.begin()
	c.wrong(1)
	c.now = noon
	require.Equal(t, 1, c.look().Left, "the reservation is still in its time")
	c.do(lockout.Event{Kind: lockout.Unlock})
	require.Zero(t, c.s)
	require.Equal(t, noon.UnixMilli(), c.begin(), "and the counter is in ours again")
}

func TestUnlockByAClockThatIsALittleBehindDropsNothing(t *testing.T) {
	c := count(t, strict())
	batch := c.begin()
	c.pass(-5 * time.Second).do(lockout.Event{Kind: lockout.Unlock})
	require.Equal(t, lockout.Done, c.end(lockout.Succeed, batch).Answer)
}

// The zero policy is not valid, and strict where it is used nevertheless.
func TestPolicyThatIsNotValidIsStrict(t *testing.T) {
	for _, p := range []*lockout.Policy{nil, {}, {Failures: -5, Lock: -time.Hour, Temporary: -9, Growth: "random", Reserve: -1, Skew: -time.Hour, Forget: -1}} {
		c := &counter{t: t, p: p, now: noon}
		require.Equal(t, lockout.Permanent, c.wrong(1).Standing)
	}
}

func TestUnknownKindChangesNothing(t *testing.T) {
	c := count(t, strict())
	c.wrong(1)
	before := c.s
	for _, k := range []lockout.Kind{0, lockout.Look + 1, 255} {
		require.Equal(t, lockout.Refused, c.do(lockout.Event{Kind: k}).Answer)
		require.Equal(t, before, c.s)
	}
}

// States of a repository that somebody has written into.
func TestStatesThatNoStepsLeadToAreTakenStrictly(t *testing.T) {
	ms := noon.UnixMilli()
	for _, k := range []struct {
		name string
		in   lockout.State
		want lockout.Standing
	}{
		{"an unknown standing", lockout.State{Standing: "open!"}, lockout.Held},
		{"a lock that has no end", lockout.State{Standing: lockout.Locked}, lockout.Permanent},
		{"a bar that ended before time began", lockout.State{Standing: lockout.Barred, Until: -1}, lockout.Permanent},
		{"a lock to the end of time", lockout.State{Standing: lockout.Locked, Until: math.MaxInt64}, lockout.Locked},
		{"a lock that the last failure outlived", lockout.State{Standing: lockout.Locked, Until: ms + 1, Last: math.MaxInt64, Failures: 1}, lockout.Locked},
		{"a lock that a batch outlived", lockout.State{Standing: lockout.Locked, Until: ms + 1, Batch: math.MaxInt64 - 3, Pending: [2]uint16{1, 1}}, lockout.Locked},
		{"more under way than can be", lockout.State{Pending: [2]uint16{math.MaxUint16, math.MaxUint16}, Batch: ms - 10000}, lockout.Locked},
		{"a batch before 1970", lockout.State{Pending: [2]uint16{math.MaxUint16, 1}, Batch: math.MinInt64}, lockout.Locked},
	} {
		s, v := strict().Step(k.in, lockout.Event{Kind: lockout.Look}, noon)
		require.Equal(t, k.want, v.Standing, k.name)
		require.LessOrEqual(t, v.Left, 1, k.name)
		_, err := json.Marshal([]any{s, v})
		require.NoError(t, err, k.name)
	}
	s, v := strict().Step(lockout.State{Failures: 2, Last: math.MinInt64}, lockout.Event{Kind: lockout.Look}, noon)
	require.Equal(t, 2, v.Failures, "a run whose time is lost is not forgotten")
	_, v = strict().Step(s, lockout.Event{Kind: lockout.Look}, noon.Add(59*time.Minute))
	require.Equal(t, 2, v.Failures)
	_, v = strict().Step(lockout.State{Failures: math.MaxUint16, Locks: math.MaxUint16, Last: ms}, lockout.Event{Kind: lockout.Reserve}, noon)
	require.Equal(t, lockout.Done, v.Answer)
	s = lockout.State{Failures: math.MaxUint16, Locks: math.MaxUint16, Last: ms, Pending: [2]uint16{1, 0}, Batch: ms}
	s, v = strict(func(p *lockout.Policy) { p.Growth = lockout.Doubling; p.LockMost = lockout.MaxPeriod }).
		Step(s, lockout.Event{Kind: lockout.Fail, Batch: ms}, noon)
	require.Equal(t, noon.Add(lockout.MaxPeriod), v.Until)
	require.EqualValues(t, math.MaxUint16, s.Locks)
}

func TestClocksThatNobodyHas(t *testing.T) {
	for _, now := range []time.Time{{}, time.Unix(math.MinInt64, 0), time.Unix(math.MaxInt64, 0), time.Unix(1<<62, 0), time.UnixMilli(-1)} {
		c := count(t, strict())
		c.now = now
		batch := c.begin()
		require.Positive(t, batch)
		c.end(lockout.Fail, batch)
		c.end(lockout.Fail, c.begin())
		v := c.end(lockout.Fail, c.begin())
		require.Equal(t, lockout.Locked, v.Became)
		require.Equal(t, lockout.Refused, c.look().Answer, "%v", now)
		require.LessOrEqual(t, v.Until.Year(), 9999)
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	p := strict()
	var s lockout.State
	require.Zero(t, testing.AllocsPerRun(100, func() {
		var v lockout.Verdict
		s, v = p.Step(s, lockout.Event{Kind: lockout.Reserve}, noon)
		s, _ = p.Step(s, lockout.Event{Kind: lockout.Fail, Batch: v.Batch}, noon)
		s, _ = p.Step(s, lockout.Event{Kind: lockout.Unlock}, noon)
	}))
}

func BenchmarkStep(b *testing.B) {
	p := strict()
	var s lockout.State
	b.ReportAllocs()
	for b.Loop() {
		var v lockout.Verdict
		s, v = p.Step(s, lockout.Event{Kind: lockout.Reserve}, noon)
		s, _ = p.Step(s, lockout.Event{Kind: lockout.Succeed, Batch: v.Batch}, noon)
	}
}
