package ceremony_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt/custody/ceremony"
)

// Whatever steps are tried, nothing starts without enough persons and shares, in time; what is over stays over; and the
// history gives the state again.
func TestNoCourseOfStepsBreaksTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := ceremony.State{
			ID: opsec.NewID(), Purpose: ceremony.Recover, Threshold: rapid.IntRange(2, 4).Draw(t, "threshold"), Shares: 5,
			By: olga, Opened: noon, Deadline: noon.Add(time.Hour), Status: ceremony.Waiting,
		}
		s := first
		verbs := []ceremony.Verb{
			ceremony.Submit, ceremony.Submit, ceremony.Submit, ceremony.Start, ceremony.Finish, ceremony.Fail, ceremony.Abort, ceremony.Expire, "nap",
		}
		started := 0
		for range 40 {
			name := rapid.SampledFrom([]string{"ann", "bob", "cyd", "dan", "eve", "olga", ""}).Draw(t, "person")
			step := ceremony.Step{
				Verb: rapid.SampledFrom(verbs).Draw(t, "verb"), By: person(name), Index: rapid.IntRange(-1, 6).Draw(t, "index"),
				Time: noon.Add(time.Duration(rapid.IntRange(-5, 62).Draw(t, "minute")) * time.Minute),
			}
			before := len(s.History)
			next, err := s.Apply(step)
			if err != nil {
				require.Equal(t, s, next)
				continue
			}
			require.Len(t, next.History, before+1)
			require.Len(t, s.History, before, "the state before is as it was")
			require.False(t, s.Over())
			taken := next.History[before]
			require.False(t, taken.Time.Before(noon))
			require.False(t, before > 0 && taken.Time.Before(s.History[before-1].Time))
			switch taken.Verb {
			case ceremony.Start:
				started++
				persons, indexes := map[string]bool{}, map[int]bool{}
				for _, past := range s.History {
					persons[past.By.Person], indexes[past.Index] = true, true
				}
				require.GreaterOrEqual(t, len(persons), s.Threshold)
				require.GreaterOrEqual(t, len(indexes), s.Threshold)
				require.False(t, persons["olga"] || persons[""] || indexes[0] || indexes[6])
				require.True(t, taken.Time.Before(s.Deadline))
			case ceremony.Submit:
				require.True(t, taken.Time.Before(s.Deadline))
			case ceremony.Expire:
				require.False(t, taken.Time.Before(s.Deadline))
			}
			s = next
		}
		require.LessOrEqual(t, started, 1)

		again := first
		for _, step := range s.History {
			var err error
			again, err = again.Apply(step)
			require.NoError(t, err)
		}
		require.Equal(t, s, again)
		b, err := json.Marshal(s)
		require.NoError(t, err)
		var read ceremony.State
		require.NoError(t, json.Unmarshal(b, &read))
		require.Equal(t, s.Status, read.Status)
		require.Equal(t, s.Submitted(), read.Submitted())
	})
}

func TestTheDeadlineIsTheFirstMomentThatIsTooLate(t *testing.T) {
	s := ceremony.State{Threshold: 2, Shares: 2, By: olga, Opened: noon, Deadline: noon.Add(time.Hour), Status: ceremony.Waiting}
	for i, name := range []string{"ann", "bob"} {
		step := ceremony.Step{Verb: ceremony.Submit, By: person(name), Index: i + 1, Time: s.Deadline}
		_, err := s.Apply(step)
		require.ErrorIs(t, err, ceremony.StatusError{Status: ceremony.Expired})
		step.Time = s.Deadline.Add(-1)
		s, err = s.Apply(step)
		require.NoError(t, err)
	}
	_, err := s.Apply(ceremony.Step{Verb: ceremony.Expire, Time: s.Deadline.Add(-1)})
	require.ErrorIs(t, err, ceremony.StatusError{Status: ceremony.Ready})
	_, err = s.Apply(ceremony.Step{Verb: ceremony.Start, By: olga, Time: s.Deadline})
	require.ErrorIs(t, err, ceremony.StatusError{Status: ceremony.Expired})
	_, err = s.Apply(ceremony.Step{Verb: "nap", Time: noon})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	started, err := s.Apply(ceremony.Step{Verb: ceremony.Start, By: olga, Time: noon})
	require.NoError(t, err)
	require.Equal(t, s.Deadline.Add(-1), started.History[2].Time, "no earlier than the step before")
	ended, err := started.Apply(ceremony.Step{Verb: ceremony.Finish, By: olga, Time: s.Deadline.Add(time.Hour)})
	require.NoError(t, err, "what runs may take longer")
	require.Equal(t, ceremony.Done, ended.Status)
}

func TestStatesOfTwoBranchesShareNothing(t *testing.T) {
	s := ceremony.State{Threshold: 3, Shares: 5, By: olga, Opened: noon, Deadline: noon.Add(time.Hour), Status: ceremony.Waiting}
	submit := func(s ceremony.State, name string, index int) ceremony.State {
		s, err := s.Apply(ceremony.Step{Verb: ceremony.Submit, By: person(name), Index: index, Time: noon})
		require.NoError(t, err)
		return s
	}
	s = submit(submit(s, "ann", 1), "bob", 2)
	a, b := submit(s, "cyd", 3), submit(s, "dan", 4)
	require.Equal(t, []int{1, 2, 3}, a.Submitted())
	require.Equal(t, []int{1, 2, 4}, b.Submitted())
}

func TestACallerCannotChangeTheStateOfACeremony(t *testing.T) {
	h := newHall(t)
	c := h.open(ceremony.Recover)
	h.submit(c, "ann")
	c.State().History[0].Index = 5
	require.Equal(t, []int{1}, c.State().Submitted())
}

func TestStateTakesOneShareOfAPersonAndEachShareOnce(t *testing.T) {
	s := ceremony.State{Threshold: 3, Shares: 5, By: olga, Opened: noon, Deadline: noon.Add(time.Hour), Status: ceremony.Waiting}
	s, err := s.Apply(ceremony.Step{Verb: ceremony.Submit, By: person("ann"), Index: 1, Time: noon})
	require.NoError(t, err)
	for _, step := range []ceremony.Step{{By: sub("ann"), Index: 2}, {By: person("bob"), Index: 1}} {
		step.Verb, step.Time = ceremony.Submit, noon
		next, err := s.Apply(step)
		require.ErrorIs(t, err, ceremony.ErrSubmitted)
		require.Equal(t, s, next)
	}
}
