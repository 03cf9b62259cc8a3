package slapd_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/cloudopsec/opsec/identity/lockout"
)

// pair is one account, in both.
type pair struct {
	*user
	policy lockout.Policy
	state  lockout.State
	passed time.Duration
	said   []string
}

func (p *pair) step(e lockout.Event) (v lockout.Verdict) {
	p.state, v = p.policy.Step(p.state, e, time.Now().Add(p.passed))
	return v
}

func (p *pair) say(format string, args ...any) { p.said = append(p.said, fmt.Sprintf(format, args...)) }

func (p *pair) fail(why string) {
	p.t.Helper()
	p.t.Fatalf("%s, after %q; ours: %+v", why, p.said, p.state)
}

// try tries a password in both. It reports whether each was locked before, and how ours stands after.
func (p *pair) try(password string) (theirs, ours bool, after lockout.Standing) {
	p.t.Helper()
	p.say("%s", password)
	v := p.step(lockout.Event{Kind: lockout.Reserve})
	in, locked := p.bind(password)
	if in != (password == "right" && !locked) {
		p.fail("a bind that makes no sense")
	}
	if v.Answer != lockout.Done {
		return locked, true, v.Standing
	}
	e := lockout.Event{Kind: lockout.Fail, Batch: v.Batch}
	if password == "right" {
		e.Kind = lockout.Succeed
	}
	return locked, false, p.step(e).Standing
}

func (p *pair) pass(d time.Duration) {
	p.t.Helper()
	p.say("%v", d)
	p.passed += d
	p.user.pass(d)
}

// administer lets an administrator do something in both, now and then.
func (p *pair) administer(r *rand.Rand) {
	p.t.Helper()
	switch r.IntN(25) {
	case 0:
		p.say("hold")
		p.hold()
		p.step(lockout.Event{Kind: lockout.Hold})
	case 1, 2:
		p.say("unlock")
		p.unlock()
		p.step(lockout.Event{Kind: lockout.Unlock})
	}
}

// seed is that of a run; SEED repeats one.
func seed(t *testing.T) uint64 {
	n := uint64(time.Now().UnixNano())
	if s := os.Getenv("SEED"); s != "" {
		var err error
		n, err = strconv.ParseUint(s, 10, 64)
		must(t, err)
	}
	t.Logf("SEED=%d", n)
	return n
}

func preset(t *testing.T) lockout.Policy {
	t.Helper()
	p, err := lockout.Preset(lockout.PresetSlapd)
	must(t, err)
	return p.Rules[0].Policy
}

// guide is the policy of the OpenLDAP Administrator's Guide, which our preset is.
var guide = map[string]int{"MaxFailure": 5, "LockoutDuration": 0, "FailureCountInterval": 30}

const (
	traces = 12
	binds  = 80
)

// compare runs random traces, in which time passes by one of jumps. Where both must agree that is checked at each bind, with the
// same password for both; else it is checked that ours is locked whenever theirs is.
func compare(t *testing.T, s *server, name string, policy lockout.Policy, jumps []time.Duration, exact bool) (locked int) {
	t.Helper()
	must(t, policy.Validate())
	r := rand.New(rand.NewPCG(seed(t), 0))
	for i := range traces {
		p := &pair{user: s.user(fmt.Sprint(name, i)), policy: policy}
		right := r.Float64() / 4
		for range binds {
			p.administer(r)
			p.pass(jumps[r.IntN(len(jumps))])
			password := "wrong" + fmt.Sprint(r.IntN(3))
			if r.Float64() < right {
				password = "right"
			}
			theirs, ours, _ := p.try(password)
			switch {
			case theirs && !ours:
				p.fail("slapd locks, and we do not")
			case ours && !theirs && exact:
				p.fail("we lock, and slapd does not")
			case ours && !theirs: // their run is shorter than ours; begin anew
				p.unlock()
				p.step(lockout.Event{Kind: lockout.Unlock})
			case ours:
				locked++
			}
		}
	}
	if locked == 0 {
		t.Error("no trace has locked anything")
	}
	return locked
}

func TestPresetAgreesWithSlapd(t *testing.T) {
	s := start(t)
	s.policy(guide)
	compare(t, s, "guide", preset(t), []time.Duration{0, 0, 0, 0, 0, 0, 40 * time.Second}, true)
}

// Slapd counts the failures of the last interval, we those of a run whose failures are no further apart than that.
func TestPresetIsNoMilderThanSlapdWhereFailuresComeSlowly(t *testing.T) {
	s := start(t)
	s.policy(guide)
	compare(t, s, "slow", preset(t), []time.Duration{0, 0, 4 * time.Second, 12 * time.Second, 20 * time.Second, 40 * time.Second}, false)

	p := &pair{user: s.user("sliding"), policy: preset(t)} // the difference itself
	for range 5 {
		p.try("wrong")
		p.pass(20 * time.Second)
	}
	if theirs, ours, _ := p.try("wrong"); theirs || !ours {
		p.fail("five failures, 20 seconds apart, with an interval of 30: no lock in slapd, one here")
	}
}

// Where pwdFailureCountInterval is 0, nothing but a success ends a run, in both.
func TestWithoutAnIntervalBothAgree(t *testing.T) {
	s := start(t)
	s.policy(map[string]int{"MaxFailure": 3, "LockoutDuration": 0, "FailureCountInterval": 0})
	compare(t, s, "run", lockout.Policy{Failures: 3, Reserve: 30 * time.Second}, []time.Duration{0, time.Second, time.Hour, 1000 * time.Hour}, true)
}

// Locks that end. What the first failure after one does is the one thing in which slapd is milder: it locks anew and, in the same
// change of the entry, takes the old lock away, which is the new one. So there are two guesses after each lock, and here one.
func TestLocksThatEndAgreeButForTheFirstFailureAfterOne(t *testing.T) {
	s := start(t)
	s.policy(map[string]int{"MaxFailure": 3, "LockoutDuration": 60, "FailureCountInterval": 0})
	policy := lockout.Policy{Failures: 3, Lock: time.Minute, Temporary: -1, Reserve: 30 * time.Second}
	must(t, policy.Validate())
	r := rand.New(rand.NewPCG(seed(t), 0))
	jumps := []time.Duration{0, 0, 7 * time.Second, 80 * time.Second}
	locks, again, milder := 0, 0, 0
	for i := range traces {
		p := &pair{user: s.user(fmt.Sprint("temporary", i)), policy: policy}
		for range binds {
			p.pass(jumps[r.IntN(len(jumps))])
			password := []string{"wrong", "wrong", "wrong", "right"}[r.IntN(4)]
			ended := p.state.Locks > 0
			theirs, ours, after := p.try(password)
			if theirs != ours {
				p.fail(fmt.Sprintf("locked in slapd: %v, here: %v", theirs, ours))
			}
			if ours || after != lockout.Locked {
				continue
			}
			locks++
			if !ended {
				continue
			}
			again++
			if _, locked := p.bind("wrong"); !locked {
				p.say("and once more")
				milder++
			}
		}
	}
	t.Logf("%d locks, %d of them by the first failure after another; there slapd took a second guess %d times", locks, again, milder)
	if again == 0 || milder != again && milder != 0 { // 0 in a slapd that does not do so
		t.Error("that is another rule than the one described")
	}
}
