package lockout_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/identity/lockout"
)

// policies are valid ones, with figures that come into each other's way.
func policies() *rapid.Generator[lockout.Policy] {
	return rapid.Custom(func(t *rapid.T) lockout.Policy {
		seconds := func(name string, from, to int) time.Duration {
			return time.Duration(rapid.IntRange(from, to).Draw(t, name)) * time.Second
		}
		p := lockout.Policy{
			Failures:  rapid.IntRange(1, 6).Draw(t, "failures"),
			Forget:    seconds("forget", 0, 100),
			Temporary: rapid.IntRange(-1, 3).Draw(t, "temporary"),
			Reserve:   seconds("reserve", 1, 20),
			Skew:      seconds("skew", 0, 3),
		}
		if p.Temporary != 0 {
			p.Lock = seconds("lock", 1, 60)
			p.Growth = rapid.SampledFrom([]lockout.Growth{lockout.Fixed, lockout.Multiple, lockout.Linear, lockout.Doubling}).Draw(t, "growth")
			if p.Growth != lockout.Fixed {
				p.LockMost = p.Lock * time.Duration(rapid.IntRange(1, 10).Draw(t, "most"))
			}
		}
		if rapid.Bool().Draw(t, "rapidly") {
			p.Rapid, p.RapidBar = seconds("rapid", 1, 5), seconds("bar", 1, 60)
			if p.Forget > 0 {
				p.Rapid = min(p.Rapid, p.Forget)
			}
		}
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		return p
	})
}

// clocks are of several nodes: mostly going on, sometimes back, sometimes far.
func clocks(t *rapid.T, now time.Time) time.Time {
	return now.Add(time.Duration(rapid.OneOf(
		rapid.IntRange(0, 3000), rapid.IntRange(-5000, 30000), rapid.IntRange(-300000, 300000),
	).Draw(t, "ms")) * time.Millisecond)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// What is admitted and not taken back never goes beyond the budget: Failures before the first lock of a run, and one at a time
// after it, each with a lock of its own.
func TestNoScheduleGetsMoreGuessesThanTheBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := policies().Draw(t, "policy")
		var s lockout.State
		now := noon
		type guess struct {
			batch int64
			at    time.Time
		}
		var open []guess         // that this side has not settled
		counted := 0             // guesses since the run began that nobody took back: under way, wrong, lost
		var late, last time.Time // that some clock has shown; of the last failure, or before it
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			now = clocks(t, now)
			late = later(late, now)
			var v lockout.Verdict
			s, v = p.Step(s, lockout.Event{Kind: lockout.Look}, now)
			if v.Failures == 0 && s.Pending == [2]uint16{} && counted > 0 {
				for _, g := range open { // all lost
					last = later(last, g.at)
				}
				if p.Forget == 0 || late.Sub(last) <= p.Forget {
					t.Fatalf("%d guesses are forgotten after %v", counted, late.Sub(last))
				}
				counted = 0
			}
			switch what := rapid.IntRange(0, 9).Draw(t, "what"); {
			case what < 5:
				s, v = p.Step(s, lockout.Event{Kind: lockout.Reserve}, now)
				if v.Answer == lockout.Done {
					open = append(open, guess{v.Batch, now})
					counted++
				}
			case what < 9 && len(open) > 0:
				i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
				g := open[i]
				e := lockout.Event{Batch: g.batch}
				e.Kind = rapid.SampledFrom([]lockout.Kind{lockout.Fail, lockout.Fail, lockout.Fail, lockout.Fail, lockout.Release, lockout.Succeed}).Draw(t, "kind")
				e.Repeat = e.Kind == lockout.Fail && rapid.IntRange(0, 4).Draw(t, "repeat") == 0
				open = append(open[:i], open[i+1:]...)
				s, v = p.Step(s, e, now)
				switch {
				case v.Answer == lockout.Expired:
					last = later(last, g.at)
				case e.Kind == lockout.Fail && !e.Repeat:
					last = later(last, now)
				}
				if v.Answer == lockout.Done && (e.Repeat || e.Kind == lockout.Release) {
					counted--
				}
				if v.Answer == lockout.Done && e.Kind == lockout.Succeed {
					counted = int(s.Pending[0]) + int(s.Pending[1])
				}
			case what == 9 && rapid.IntRange(0, 5).Draw(t, "unlocking") == 0:
				s, _ = p.Step(s, lockout.Event{Kind: lockout.Unlock}, now)
				if counted = int(s.Pending[0]) + int(s.Pending[1]); counted == 0 {
					open = nil // some of which may be of a clock that was ahead
				}
			}
			if s.Failures == 0 { // with the run, the time that it has seen is gone
				late, last = later(now, time.UnixMilli(s.Batch)), time.Time{}
				for i := range open {
					if age := s.Batch - open[i].batch; s.Batch == 0 || age != 0 && age != p.Reserve.Milliseconds() {
						open[i].at = time.Time{} // lost, and forgotten
					}
				}
			}
			pending := int(s.Pending[0]) + int(s.Pending[1])
			if most := p.Failures + int(s.Locks); counted > most {
				t.Fatalf("%d guesses, want at most %d failures and one for each of %d locks: %+v", counted, p.Failures, s.Locks, s)
			}
			if int(s.Failures) >= p.Failures && pending > 1 {
				t.Fatalf("%d guesses at a time after the first lock", pending)
			}
			if got := int(s.Failures) + pending; got != counted {
				t.Fatalf("%d of %d guesses are remembered", got, counted)
			}
		}
	})
}

// What Step returns depends on nothing but what it is given, and it does not matter whether somebody has looked meanwhile.
func TestStepIsDeterministicAndPassesTimeAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := policies().Draw(t, "policy")
		var a, b lockout.State
		now := noon
		var open []int64
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			from := now
			now = now.Add(time.Duration(rapid.OneOf(rapid.IntRange(0, 3000), rapid.IntRange(0, 100000)).Draw(t, "ms")) * time.Millisecond)
			if d := now.Sub(from).Milliseconds(); d > 0 { // somebody looks at b, on the way
				at := from.Add(time.Duration(rapid.Int64Range(0, d).Draw(t, "look")) * time.Millisecond)
				b, _ = p.Step(b, lockout.Event{Kind: lockout.Look}, at)
			}
			e := lockout.Event{Kind: lockout.Reserve}
			if len(open) > 0 && rapid.Bool().Draw(t, "settle") {
				e = lockout.Event{Kind: rapid.SampledFrom([]lockout.Kind{lockout.Fail, lockout.Fail, lockout.Release}).Draw(t, "kind"), Batch: open[0]}
				open = open[1:]
			}
			var v, w lockout.Verdict
			a, v = p.Step(a, e, now)
			b, w = p.Step(b, e, now)
			if v.Answer == lockout.Done && e.Kind == lockout.Reserve {
				open = append(open, v.Batch)
			}
			v.Became, w.Became = "", "" // whoever looks first is told
			if a != b || v != w {
				t.Fatalf("with a look in between:\n%+v %+v, without\n%+v %+v", b, w, a, v)
			}
		}
	})
}

// Whatever a state is, and whatever the clock says.
func TestLawsOfEachStep(t *testing.T) {
	standings := []lockout.Standing{lockout.Open, lockout.Barred, lockout.Locked, lockout.Permanent, lockout.Held, "hostile"}
	rapid.Check(t, func(t *rapid.T) {
		p := policies().Draw(t, "policy")
		moments := rapid.OneOf(rapid.Int64(), rapid.Int64Range(noon.UnixMilli()-200000, noon.UnixMilli()+200000), rapid.Just(int64(0)))
		s := lockout.State{
			Failures: rapid.OneOf(rapid.Uint16(), rapid.Uint16Range(0, 7)).Draw(t, "failures"),
			Locks:    rapid.OneOf(rapid.Uint16(), rapid.Uint16Range(0, 4)).Draw(t, "locks"),
			Pending:  [2]uint16{rapid.OneOf(rapid.Uint16(), rapid.Uint16Range(0, 3)).Draw(t, "young"), rapid.OneOf(rapid.Uint16(), rapid.Uint16Range(0, 3)).Draw(t, "old")},
			Batch:    moments.Draw(t, "batch"),
			Last:     moments.Draw(t, "last"),
			Until:    moments.Draw(t, "until"),
			Standing: rapid.SampledFrom(standings).Draw(t, "standing"),
		}
		if rapid.Bool().Draw(t, "on the grid") {
			s.Batch -= s.Batch % p.Reserve.Milliseconds()
		}
		e := lockout.Event{
			Kind:   lockout.Kind(rapid.IntRange(0, 9).Draw(t, "kind")),
			Batch:  rapid.OneOf(rapid.Int64(), rapid.Just(s.Batch), rapid.Just(s.Batch-p.Reserve.Milliseconds())).Draw(t, "settles"),
			Repeat: rapid.Bool().Draw(t, "repeat"),
		}
		now := noon.Add(time.Duration(rapid.Int64Range(-300000, 300000).Draw(t, "now")) * time.Millisecond)
		after, v := p.Step(s, e, now)

		// It is a state that Step itself would leave: a second look changes nothing.
		if again, _ := p.Step(after, lockout.Event{Kind: lockout.Look}, now); again != after {
			t.Fatalf("%+v, and at the same time %+v", after, again)
		}
		pending := int(after.Pending[0]) + int(after.Pending[1])
		if v.Left < 0 || v.Left > p.Failures || v.Left > 0 && v.Standing != lockout.Open || after.Pending[0] > 1000 || after.Pending[1] > 1000 {
			t.Fatalf("left %d with %+v", v.Left, after)
		}
		if int(after.Failures) != v.Failures || after.Standing != v.Standing {
			t.Fatalf("%+v is told as %+v", after, v)
		}
		timed := v.Standing == lockout.Barred || v.Standing == lockout.Locked
		if timed != !v.Until.IsZero() || timed != (after.Until != 0) || timed && !v.Until.After(now) || v.Until.Year() > 9999 {
			t.Fatalf("%+v with %+v", v, after)
		}
		if pending == 0 && after.Batch != 0 || after.Failures == 0 && pending == 0 && after.Standing == lockout.Open && after != (lockout.State{}) {
			t.Fatalf("what is left of nothing is %+v", after)
		}
		// A Repeat is like taking the reservation back.
		if e.Kind == lockout.Fail && e.Repeat {
			e.Kind = lockout.Release
			if same, w := p.Step(s, e, now); same != after || w != v {
				t.Fatalf("repeat: %+v %+v, release: %+v %+v", after, v, same, w)
			}
			e.Kind = lockout.Fail
		}
		// Nothing but an administrator opens what waits for somebody.
		if (s.Standing == lockout.Held || s.Standing == "hostile") && e.Kind != lockout.Unlock && after.Standing != lockout.Held {
			t.Fatalf("%s became %+v", s.Standing, after)
		}
		if s.Standing == lockout.Permanent && e.Kind != lockout.Unlock && e.Kind != lockout.Recover && e.Kind != lockout.Hold && after.Standing != lockout.Permanent {
			t.Fatalf("permanent became %+v", after)
		}
		// A lock in force is not extended by what was under way, and ends sooner by a success or an administrator alone.
		in, _ := p.Step(s, lockout.Event{Kind: lockout.Look}, now)
		if in.Standing == lockout.Locked && e.Kind <= lockout.Release && e.Kind != lockout.Succeed && after.Until != in.Until {
			t.Fatalf("%+v became %+v", in, after)
		}
		// A clock that has gone back neither unlocks nor forgets.
		back := now.Add(-time.Duration(rapid.Int64Range(0, 1<<40).Draw(t, "back")) * time.Millisecond)
		if seen, _ := p.Step(after, lockout.Event{Kind: lockout.Look}, back); seen != after {
			t.Fatalf("%v earlier, %+v is %+v", now.Sub(back), after, seen)
		}
		// A later one neither, before the time.
		then := now.Add(time.Duration(rapid.Int64Range(0, 400000).Draw(t, "later")) * time.Millisecond)
		seen, w := p.Step(after, lockout.Event{Kind: lockout.Look}, then)
		if timed && then.Before(v.Until) && slices.Index(standings, seen.Standing) < slices.Index(standings, after.Standing) {
			t.Fatalf("unlocked %v before the end", v.Until.Sub(then))
		}
		if w.Failures < v.Failures && (p.Forget == 0 || then.UnixMilli()-after.Last <= (p.Forget+p.Skew).Milliseconds()) {
			t.Fatalf("forgot %d failures too early: %+v, %+v", v.Failures, after, seen)
		}
	})
}

// The policy does not have to be valid for Step to answer.
func FuzzStep(f *testing.F) {
	f.Add(int64(3), int64(time.Hour), int64(time.Minute), "", int64(0), int64(-1), int64(time.Second), int64(time.Minute), int64(10*time.Second), int64(0),
		uint16(2), uint16(0), uint16(1), uint16(0), noon.UnixMilli(), noon.UnixMilli(), int64(0), "", byte(3), noon.UnixMilli(), noon.Unix())
	f.Add(int64(0), int64(-1), int64(math.MaxInt64), "doubling", int64(math.MaxInt64), int64(math.MinInt64), int64(math.MinInt64), int64(math.MaxInt64), int64(0), int64(math.MaxInt64),
		uint16(math.MaxUint16), uint16(math.MaxUint16), uint16(math.MaxUint16), uint16(math.MaxUint16), int64(math.MaxInt64), int64(math.MinInt64), int64(math.MaxInt64), "locked", byte(3), int64(math.MaxInt64), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, failures, forget, lock int64, growth string, most, temporary, quick, bar, reserve, skew int64,
		fails, locks, young, old uint16, batch, last, until int64, standing string, kind byte, settles, now int64) {
		p := lockout.Policy{
			Failures: int(failures), Forget: time.Duration(forget), Lock: time.Duration(lock), Growth: lockout.Growth(growth), LockMost: time.Duration(most),
			Temporary: int(temporary), Rapid: time.Duration(quick), RapidBar: time.Duration(bar), Reserve: time.Duration(reserve), Skew: time.Duration(skew),
		}
		s := lockout.State{
			Failures: fails, Locks: locks, Pending: [2]uint16{young, old}, Batch: batch, Last: last, Until: until, Standing: lockout.Standing(standing),
		}
		e := lockout.Event{Kind: lockout.Kind(kind), Batch: settles}
		after, v := p.Step(s, e, time.Unix(now, 0))
		again, w := p.Step(s, e, time.Unix(now, 0))
		require.Equal(t, after, again)
		require.Equal(t, v, w)
		require.NotZero(t, v.Answer)
		require.GreaterOrEqual(t, v.Left, 0)
		require.LessOrEqual(t, v.Until.Year(), 9999)
		require.GreaterOrEqual(t, min(after.Batch, after.Last, after.Until), int64(0))
	})
}
