package lockout_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/identity/lockout"
)

// realm is what Keycloak's brute force detection is told, in its units.
type realm struct {
	permanent    bool
	maxTemporary int
	factor       int
	linear       bool
	increment    int64 // s
	maxWait      int64 // s
	maxDelta     int64 // s
	quickCheck   int64 // ms
	quickWait    int64 // s
	maxSecondary int
}

func (r realm) purePermanent() bool { return r.permanent && r.maxTemporary == 0 }

// login is what Keycloak remembers of a user's failures. Its methods are the algorithm of DefaultBruteForceProtector as it is
// described in our notes, step by step.
type login struct {
	failures, temporary, secondary int
	last                           int64 // ms
	notBefore                      int64 // s
	disabled                       bool
}

func (l *login) allowed(now int64) bool { return !l.disabled && now/1000 >= l.notBefore }

func (l *login) success(otp bool) {
	*l = login{secondary: l.secondary, disabled: l.disabled}
	if otp {
		l.secondary = 0
	}
}

func (l *login) failure(r realm, now int64, otp bool) {
	last, delta := l.last, int64(0)
	if last > 0 {
		delta = now - last
	}
	if !r.purePermanent() && delta > r.maxDelta*1000 {
		l.failures, l.temporary, l.notBefore = 0, 0, 0
	}
	l.last = now
	l.failures++
	wait := int64(0)
	switch {
	case r.purePermanent():
	case r.linear:
		wait = r.increment * int64(1+l.failures-r.factor)
	default:
		wait = r.increment * int64(l.failures/r.factor)
	}
	quick := false
	if wait <= 0 && last > 0 && delta < r.quickCheck {
		wait, quick = r.quickWait, true
	}
	if wait > 0 {
		if !r.purePermanent() {
			wait = min(r.maxWait, wait)
		}
		if !quick {
			l.temporary++
		}
		if quick || !r.permanent || l.temporary <= r.maxTemporary {
			l.notBefore = now/1000 + wait
		}
	}
	if otp {
		if l.secondary++; r.maxSecondary > 0 && l.secondary > r.maxSecondary {
			l.disabled = true
		}
	}
	if r.permanent && (l.temporary > r.maxTemporary || r.maxTemporary == 0 && l.failures >= r.factor) {
		l.disabled = true
	}
}

// policy says the same in our words.
func (r realm) policy() lockout.Policy {
	p := lockout.Policy{
		Failures: r.factor, Forget: time.Duration(r.maxDelta) * time.Second, Lock: time.Duration(r.increment) * time.Second,
		Growth: lockout.Multiple, LockMost: time.Duration(r.maxWait) * time.Second, Temporary: -1,
		Rapid: time.Duration(r.quickCheck) * time.Millisecond, RapidBar: time.Duration(min(r.quickWait, r.maxWait)) * time.Second,
		Reserve: 30 * time.Second,
	}
	if r.linear {
		p.Growth = lockout.Linear
	}
	if r.permanent {
		p.Temporary = r.maxTemporary
	}
	if r.purePermanent() {
		p.Forget, p.Lock, p.LockMost, p.Growth = 0, 0, 0, lockout.Fixed
		p.RapidBar = time.Duration(r.quickWait) * time.Second
	}
	return p
}

var defaultRealm = realm{factor: 30, increment: 60, maxWait: 900, maxDelta: 12 * 3600, quickCheck: 1000, quickWait: 60}

func TestPresetOfKeycloakIsItsDefaultRealm(t *testing.T) {
	require.Equal(t, defaultRealm.policy(), preset(t, lockout.PresetKeycloak).Rules[0].Policy)
}

// Keycloak knows the end of a lock in whole seconds, rounded down; so time passes here in whole seconds.
func TestAgreesWithKeycloakOnEachTrace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := func(name string, from, to int64) int64 { return rapid.Int64Range(from, to).Draw(t, name) }
		r := defaultRealm
		if rapid.Bool().Draw(t, "another realm") {
			r = realm{
				permanent: rapid.Bool().Draw(t, "permanent"), maxTemporary: int(number("maxTemporary", 0, 3)), factor: int(number("factor", 1, 5)),
				linear: rapid.Bool().Draw(t, "linear"), increment: number("increment", 1, 60), maxDelta: number("maxDelta", 4, 300),
				quickCheck: 1000 * number("quickCheck", 1, 4), quickWait: number("quickWait", 1, 60),
			}
			r.maxWait = r.increment * number("maxWait", 1, 6)
		}
		p := r.policy()
		require.NoError(t, p.Validate())
		var ours lockout.State
		var theirs login
		now := noon
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.OneOf(
				rapid.Int64Range(0, 3), rapid.Int64Range(0, 70), rapid.Int64Range(0, 2*r.maxDelta),
			).Draw(t, "s")) * time.Second)
			next, v := p.Step(ours, lockout.Event{Kind: lockout.Reserve}, now)
			allowed := theirs.allowed(now.UnixMilli())
			require.Equal(t, allowed, v.Answer == lockout.Done, "%v after noon: %+v, %+v", now.Sub(noon), theirs, ours)
			if !allowed {
				continue
			}
			e := lockout.Event{Kind: lockout.Fail, Batch: v.Batch}
			if rapid.IntRange(0, 9).Draw(t, "right") == 0 {
				e.Kind = lockout.Succeed
				theirs.success(false)
			} else {
				theirs.failure(r, now.UnixMilli(), false)
			}
			ours, v = p.Step(next, e, now)
			require.Equal(t, theirs.failures, v.Failures)
			require.Equal(t, theirs.disabled, v.Standing == lockout.Permanent)
			if !v.Until.IsZero() {
				require.Equal(t, theirs.notBefore, v.Until.Unix())
			}
		}
	})
}

// The second factor: permanent above maxSecondaryAuthFailures, and cleared by a right code alone.
func TestAgreesWithKeycloakOnTheSecondFactor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := realm{factor: 1000, increment: 1, maxWait: 1, maxDelta: 1, maxSecondary: rapid.IntRange(1, 5).Draw(t, "maxSecondary")}
		codes := lockout.Policy{Failures: r.maxSecondary + 1, Reserve: 30 * time.Second}
		passwords := r.policy()
		var password, code lockout.State
		var theirs login
		now := noon
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 100).Draw(t, "s")) * time.Second)
			otp, right := rapid.Bool().Draw(t, "otp"), rapid.IntRange(0, 3).Draw(t, "right") == 0
			p, s := &passwords, &password
			if otp {
				p, s = &codes, &code
			}
			next, v := p.Step(*s, lockout.Event{Kind: lockout.Reserve}, now)
			if theirs.disabled {
				_, v = codes.Step(code, lockout.Event{Kind: lockout.Reserve}, now)
				require.Equal(t, lockout.Permanent, v.Standing)
				continue
			}
			require.Equal(t, lockout.Done, v.Answer)
			e := lockout.Event{Kind: lockout.Fail, Batch: v.Batch}
			if right {
				e.Kind = lockout.Succeed
				theirs.success(otp)
			} else {
				theirs.failure(r, now.UnixMilli(), otp)
			}
			*s, _ = p.Step(next, e, now)
			require.EqualValues(t, theirs.secondary, code.Failures)
			require.Equal(t, theirs.disabled, code.Standing == lockout.Permanent)
		}
	})
}

// keycloak#30969: whether a permanent lock comes depended on parameters of temporary ones.
func TestPermanentLockDependsOnNoParameterOfTemporaryOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.Map(rapid.Int64Range(-10, 1<<40), func(n int64) time.Duration { return time.Duration(n) })
		p := &lockout.Policy{
			Failures: 3, Temporary: 0, Reserve: 30 * time.Second, // and what Validate would not let pass here:
			Lock: seconds.Draw(t, "lock"), LockMost: seconds.Draw(t, "most"),
			Growth: rapid.SampledFrom([]lockout.Growth{lockout.Fixed, lockout.Multiple, lockout.Linear, lockout.Doubling}).Draw(t, "growth"),
		}
		c := &counter{t: t, p: p, now: noon}
		require.Equal(t, lockout.Open, c.wrong(2).Standing)
		require.Equal(t, lockout.Permanent, c.wrong(1).Standing)
	})
}

// keycloak#46634: of failures further apart than the reset only the first ended the run, since it took its own time with it.
func TestRunIsForgottenEachTimeItsLastFailureIsOldEnough(t *testing.T) {
	c := count(t, strict(func(p *lockout.Policy) { p.Forget = time.Minute }))
	for range 20 {
		c.end(lockout.Fail, c.begin())
		require.Equal(t, 1, c.v.Failures)
		c.pass(time.Minute + time.Millisecond)
	}
	c = count(t, strict(func(p *lockout.Policy) { p.Failures, p.Forget = 10, time.Minute }))
	for range 8 {
		c.end(lockout.Fail, c.begin())
		c.pass(time.Minute)
	}
	require.Equal(t, 8, c.look().Failures, "each came within a minute of the one before")
}

// keycloak#30939: a wait that was too long for the number it was kept in was none.
func TestLongestLockIsALock(t *testing.T) {
	for _, lock := range []time.Duration{lockout.MaxPeriod, math.MaxInt64} {
		for _, g := range []lockout.Growth{lockout.Fixed, lockout.Multiple, lockout.Linear, lockout.Doubling} {
			c := &counter{t: t, p: strict(func(p *lockout.Policy) { p.Lock, p.Growth, p.Forget = lock, g, 0 }), now: noon}
			v := c.wrong(3)
			require.Equal(t, lockout.Locked, v.Standing)
			require.True(t, v.Until.After(noon.AddDate(10, 0, 0)))
		}
	}
}
