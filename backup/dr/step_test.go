package dr_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/dr"
)

var (
	noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	ada  = opsec.Actor{Tenant: opsec.Provider, Account: "ada", Person: "p-1", Kind: opsec.Human}
	bot  = opsec.Actor{Tenant: opsec.Provider, Account: "replicator", Kind: opsec.System}
)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

func seconds(n int) dr.Duration { return dr.Duration(time.Duration(n) * time.Second) }

func evaluation() *dr.RiskEvaluation {
	return &dr.RiskEvaluation{ID: "R-7", Exposure: seconds(60), Degraded: seconds(600), Loss: "orders of a minute", By: ada, At: noon.Add(-time.Hour), Until: noon.Add(time.Hour)}
}

func policy(want dr.Mode, loss dr.Loss) dr.Policy {
	p := dr.Policy{Want: want, OnLoss: loss, Patience: seconds(10), Stale: seconds(5)}
	if want == dr.Asynchronous {
		p.Bound = seconds(60)
	}
	return p
}

// here is a status in which all that was acknowledged is on the other site.
func here(t time.Time) *dr.Status {
	return &dr.Status{At: t, Newest: t.Add(-time.Millisecond), Safe: t.Add(-time.Millisecond), Connected: true, Synchronous: true}
}

// gone is a status without the other site, where nothing was acknowledged since.
func gone(t, newest time.Time) *dr.Status {
	return &dr.Status{At: t, Newest: newest, Safe: newest, Behind: -1}
}

type run struct {
	p dr.Policy
	s dr.State
	v dr.Verdict
}

func (r *run) step(e dr.Event, now time.Time) dr.Verdict {
	r.s, r.v = r.p.Step(r.s, e, now)
	return r.v
}

func actions(v dr.Verdict) (list []string) {
	for _, n := range v.Notices {
		list = append(list, n.Action)
	}
	return list
}

func TestSynchronousMirrorHoldsAtOnceAndDegradesOnlyAfterPatience(t *testing.T) {
	for _, loss := range []dr.Loss{"", dr.Stop, dr.Degrade, dr.Ask} {
		t.Run(string(loss), func(t *testing.T) {
			r := run{p: policy(dr.Synchronous, loss)}
			require.Equal(t, []string{dr.ActionResyncing, dr.ActionSynchronous}, actions(r.step(dr.Event{Status: here(at(0))}, at(0))))
			require.Equal(t, dr.BothSites, r.v.Writes)
			require.NoError(t, r.step(dr.Event{Accept: evaluation()}, at(1)).Refused)

			r.step(dr.Event{Status: gone(at(2), at(0))}, at(2))
			require.Equal(t, dr.Hold, r.v.Writes)
			require.Equal(t, dr.Synchronous, r.s.Mode)
			require.Empty(t, r.step(dr.Event{Status: gone(at(11), at(0))}, at(11)).Notices, "patience has not ended")
			r.step(dr.Event{Status: gone(at(12), at(0))}, at(12))
			switch loss {
			case dr.Degrade:
				require.Equal(t, []string{dr.ActionDegraded}, actions(r.v))
				require.Equal(t, dr.OnPrimary, r.v.Writes)
			case dr.Ask:
				require.Equal(t, []string{dr.ActionAsked}, actions(r.v))
				require.Equal(t, dr.Hold, r.v.Writes)
				require.ErrorIs(t, r.step(dr.Event{Degrade: &dr.Decision{By: bot, Reason: "x"}}, at(13)).Refused, opsec.ErrInvalid)
				require.Equal(t, dr.OnPrimary, r.step(dr.Event{Degrade: &dr.Decision{By: ada, Reason: "the line is cut"}}, at(13)).Writes)
				require.Equal(t, ada, r.v.Notices[0].By)
			default:
				require.Equal(t, []string{dr.ActionHeld}, actions(r.v))
				require.Equal(t, dr.Hold, r.v.Writes)
				require.ErrorIs(t, r.step(dr.Event{Degrade: &dr.Decision{By: ada, Reason: "x"}}, at(13)).Refused, opsec.ErrDenied)
			}
			back := here(at(20))
			back.Safe, back.Synchronous = at(0), false // connected, and still behind
			r.step(dr.Event{Status: back}, at(20))
			require.NotEqual(t, dr.BothSites, r.v.Writes)
			require.Equal(t, dr.BothSites, r.step(dr.Event{Status: here(at(21))}, at(21)).Writes)
			require.Equal(t, dr.Synchronous, r.s.Mode)
		})
	}
}

func TestNothingDegradesWithoutARiskEvaluationInForce(t *testing.T) {
	r := run{p: policy(dr.Synchronous, dr.Degrade)}
	r.step(dr.Event{Status: here(at(0))}, at(0))
	r.step(dr.Event{Status: gone(at(1), at(0))}, at(1))
	require.Equal(t, []string{dr.ActionHeld}, actions(r.step(dr.Event{Tick: true}, at(11))))
	require.Contains(t, r.v.Notices[0].Reason, "no risk evaluation")
	require.Equal(t, dr.Synchronous, r.s.Mode)

	require.Equal(t, dr.OnPrimary, r.step(dr.Event{Accept: evaluation()}, at(12)).Writes)
	require.Equal(t, []string{dr.ActionRiskAccepted, dr.ActionDegraded, dr.ActionBreached}, actions(r.v), "what is exposed is not known")
	require.Equal(t, []string{dr.ActionRiskExpired}, actions(r.step(dr.Event{Tick: true}, noon.Add(time.Hour)))[:1])
	require.Equal(t, dr.Hold, r.v.Writes)
	require.Equal(t, dr.Hold, r.step(dr.Event{Tick: true}, noon).Writes, "a clock that goes back revives nothing")
}

func TestAsynchronousNeedsAnEvaluationThatCoversItsBound(t *testing.T) {
	r := run{p: policy(dr.Asynchronous, dr.Stop)}
	require.Equal(t, dr.Hold, r.step(dr.Event{Status: here(at(0))}, at(0)).Writes)
	small := evaluation()
	small.Exposure = seconds(59)
	require.ErrorIs(t, r.step(dr.Event{Accept: small}, at(1)).Refused, opsec.ErrDenied)
	ended := evaluation()
	ended.Until = noon
	require.ErrorIs(t, r.step(dr.Event{Accept: ended}, at(1)).Refused, opsec.ErrDenied)
	require.Equal(t, dr.OnPrimary, r.step(dr.Event{Accept: evaluation()}, at(2)).Writes)
	require.Equal(t, dr.Asynchronous, r.s.Mode)

	behind := here(at(70))
	behind.Safe, behind.Synchronous = at(9), false
	require.Equal(t, []string{dr.ActionBreached}, actions(r.step(dr.Event{Status: behind}, at(70))))
	require.Equal(t, 61*time.Second, r.v.Exposure)
	require.Equal(t, 63*time.Second, r.step(dr.Event{Tick: true}, at(72)).Exposure, "it grows while nothing is heard")
	require.Equal(t, dr.OnPrimary, r.v.Writes)
	require.False(t, r.step(dr.Event{Tick: true}, at(76)).ExposureKnown)
	require.Equal(t, dr.Hold, r.step(dr.Event{Tick: true}, at(80)).Writes, "patience has ended, and the policy says stop")
	require.Equal(t, dr.OnPrimary, r.step(dr.Event{Status: here(at(81))}, at(81)).Writes)
}

func TestAcknowledgedWritesThatAreNotThereUnmaskASynchronousMirror(t *testing.T) {
	r := run{p: policy(dr.Synchronous, dr.Ask)}
	r.step(dr.Event{Status: here(at(0))}, at(0))
	lie := here(at(1))
	lie.Synchronous, lie.Safe = false, at(0)
	r.step(dr.Event{Status: lie}, at(1))
	require.Equal(t, dr.ActionDegraded, r.v.Notices[0].Action)
	require.Equal(t, opsec.SeverityCritical, r.v.Notices[0].Severity)
	require.Equal(t, dr.Hold, r.v.Writes)
	require.ErrorIs(t, r.step(dr.Event{FailOver: &dr.Takeover{Decision: dr.Decision{By: ada, Reason: "fire"}}}, at(2)).Refused, opsec.ErrDenied)
}

func TestSynchronousAgainOnlyWhenCaughtUp(t *testing.T) {
	r := run{p: policy(dr.Synchronous, dr.Stop)}
	behind := here(at(0))
	behind.Safe = at(-30)
	require.Equal(t, dr.Hold, r.step(dr.Event{Status: behind}, at(0)).Writes)
	require.Equal(t, dr.Resyncing, r.s.Mode)
	require.Equal(t, dr.BothSites, r.step(dr.Event{Status: here(at(1))}, at(1)).Writes)
}

// What somebody has decided under an evaluation ends with it: under the next one it is decided anew.
func TestDecisionEndsWithItsEvaluation(t *testing.T) {
	r := run{p: policy(dr.Synchronous, dr.Ask)}
	r.step(dr.Event{Status: here(at(0))}, at(0))
	r.step(dr.Event{Accept: evaluation()}, at(0))
	r.step(dr.Event{Status: gone(at(1), at(0))}, at(1))
	require.Equal(t, dr.OnPrimary, r.step(dr.Event{Degrade: &dr.Decision{By: ada, Reason: "x"}}, at(11)).Writes)
	end := noon.Add(time.Hour)
	require.Equal(t, []string{dr.ActionRiskExpired, dr.ActionAsked}, actions(r.step(dr.Event{Tick: true}, end)))
	next := evaluation()
	next.Until = end.Add(time.Hour)
	require.Equal(t, dr.Hold, r.step(dr.Event{Accept: next}, end).Writes)
	require.Equal(t, dr.OnPrimary, r.step(dr.Event{Degrade: &dr.Decision{By: ada, Reason: "y"}}, end).Writes)
}

func TestFailoverAndTheWayBack(t *testing.T) {
	r := run{p: policy(dr.Synchronous, dr.Stop)}
	system := dr.Takeover{Decision: dr.Decision{By: bot, Reason: "the primary is gone"}}
	require.ErrorIs(t, r.step(dr.Event{FailOver: &system}, at(0)).Refused, opsec.ErrDenied, "nothing is known yet")
	lossy := system
	lossy.AcceptLoss = true
	require.ErrorIs(t, r.step(dr.Event{FailOver: &lossy}, at(0)).Refused, opsec.ErrDenied, "a machine accepts no loss")
	r.step(dr.Event{Status: here(at(1))}, at(1))
	require.NoError(t, r.step(dr.Event{FailOver: &system}, at(2)).Refused)
	require.Equal(t, dr.Refuse, r.v.Writes)
	require.Equal(t, dr.Refuse, r.step(dr.Event{Status: here(at(3))}, at(3)).Writes, "no status brings it back")
	require.ErrorIs(t, r.step(dr.Event{FailBack: &dr.Decision{By: bot, Reason: "x"}}, at(4)).Refused, opsec.ErrInvalid)
	require.NoError(t, r.step(dr.Event{FailBack: &dr.Decision{By: ada, Reason: "report D-1"}}, at(5)).Refused)
	require.Equal(t, dr.Hold, r.v.Writes)
	require.Equal(t, dr.BothSites, r.step(dr.Event{Status: here(at(6))}, at(6)).Writes)
}

func TestEventsAndPoliciesThatAreNotWhole(t *testing.T) {
	r := run{p: policy(dr.Synchronous, dr.Stop)}
	for _, e := range []dr.Event{{}, {Tick: true, Status: here(at(0))}, {Status: &dr.Status{}}, {Status: here(at(6))}, {Accept: &dr.RiskEvaluation{}}} {
		require.ErrorIs(t, r.step(e, at(0)).Refused, opsec.ErrInvalid)
		require.Equal(t, dr.Hold, r.v.Writes)
	}
	for _, p := range []dr.Policy{{}, {Want: dr.Degraded, Stale: 1}, {Want: dr.Synchronous}, {Want: dr.Asynchronous, Stale: 1}, {Want: dr.Synchronous, Stale: 1, Bound: 1},
		{Want: dr.Synchronous, Stale: 1, OnLoss: "shrug"}, {Want: dr.Synchronous, Stale: 1, Patience: seconds(90_000)}} {
		require.ErrorIs(t, p.Validate(), opsec.ErrInvalid)
		_, v := p.Step(dr.State{}, dr.Event{Tick: true}, noon)
		require.Equal(t, dr.Hold, v.Writes)
	}
}

// Over any schedule: writes that are on one site alone are acknowledged only under an evaluation in force; a change of mode is always
// told; the way from synchronous to such writes has a degraded notice on it; and the state survives being kept as JSON.
func TestNoScheduleDegradesInSilence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := run{p: policy(rapid.SampledFrom([]dr.Mode{dr.Synchronous, dr.Asynchronous}).Draw(t, "want"),
			rapid.SampledFrom([]dr.Loss{dr.Stop, dr.Degrade, dr.Ask}).Draw(t, "loss"))}
		now, clock := at(0), at(0)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			clock = clock.Add(time.Duration(rapid.IntRange(-3, 8).Draw(t, "s")) * time.Second)
			if clock.After(now) {
				now = clock
			}
			var e dr.Event
			switch rapid.IntRange(0, 9).Draw(t, "event") {
			case 0:
				e.Tick = true
			case 1:
				e.Accept = evaluation()
				e.Accept.Until = now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "until")) * time.Second)
			case 2:
				e.Degrade = &dr.Decision{By: ada, Reason: "x"}
			case 3:
				e.FailOver = &dr.Takeover{Decision: dr.Decision{By: ada, Reason: "x"}, AcceptLoss: rapid.Bool().Draw(t, "loss accepted")}
			case 4:
				e.FailBack = &dr.Decision{By: ada, Reason: "x"}
			default:
				s := here(now)
				s.Connected = rapid.Bool().Draw(t, "connected")
				s.Synchronous = s.Connected && rapid.Bool().Draw(t, "synchronous")
				if rapid.Bool().Draw(t, "behind") {
					s.Safe = now.Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "safe")) * time.Second)
				}
				e.Status = s
			}
			before := r.s
			v := r.step(e, clock)
			again, same := r.p.Step(before, e, clock)
			require.Equal(t, r.s, again)
			require.Equal(t, v, same)
			if v.Writes == dr.OnPrimary {
				require.NotNil(t, r.s.Risk)
				require.True(t, now.Before(r.s.Risk.Until))
				require.True(t, r.s.Mode == dr.Asynchronous || r.s.Open)
			}
			if v.Writes == dr.BothSites {
				require.True(t, r.s.Last.Synchronous && r.s.Last.Connected)
			}
			if before.Mode != r.s.Mode {
				require.NotEmpty(t, v.Notices)
				require.Equal(t, r.s.Mode, v.Notices[len(v.Notices)-1].To)
			}
			if r.s.Open && !before.Open {
				require.Contains(t, actions(v), dr.ActionDegraded)
				require.True(t, e.Degrade != nil || r.s.Now.Sub(r.s.Lost) >= 10*time.Second)
			}
			if before.Mode != dr.Synchronous && e.FailOver != nil && !e.FailOver.AcceptLoss {
				require.Error(t, v.Refused)
			}
			text, err := json.Marshal(r.s)
			require.NoError(t, err)
			var read dr.State
			require.NoError(t, json.Unmarshal(text, &read))
			require.Equal(t, r.s, read)
		}
	})
}

// What a late status shows is as true as what one in time shows.
func TestALateStatusUnmasksASynchronousMirrorToo(t *testing.T) {
	r := &run{p: policy(dr.Synchronous, dr.Stop)}
	r.step(dr.Event{Status: here(noon)}, noon)
	require.Equal(t, dr.Synchronous, r.s.Mode)
	late := &dr.Status{At: at(1), Newest: at(1), Safe: noon, Connected: true}
	r.step(dr.Event{Status: late}, at(20))
	require.Equal(t, dr.Degraded, r.s.Mode)
	r.step(dr.Event{FailOver: &dr.Takeover{Decision: dr.Decision{By: bot, Reason: "the primary is gone"}}}, at(21))
	require.ErrorIs(t, r.v.Refused, opsec.ErrDenied)
}

// All is there, and from now on nobody waits: what comes before the next status may be lost, so that a person has to accept it.
func TestATakeoverAfterWritesHaveStoppedToWaitIsNotFree(t *testing.T) {
	r := &run{p: policy(dr.Synchronous, dr.Stop)}
	r.step(dr.Event{Status: here(noon)}, noon)
	s := here(at(1))
	s.Synchronous = false
	r.step(dr.Event{Status: s}, at(1))
	system := dr.Takeover{Decision: dr.Decision{By: bot, Reason: "the primary is gone"}}
	r.step(dr.Event{FailOver: &system}, at(2))
	require.ErrorIs(t, r.v.Refused, opsec.ErrDenied)
	r.step(dr.Event{FailOver: &dr.Takeover{Decision: dr.Decision{By: ada, Reason: "the primary is gone"}, AcceptLoss: true}}, at(2))
	require.NoError(t, r.v.Refused)
}

// What was written since the newest status is not known, and is exposed as well.
func TestExposureGrowsSinceTheStatus(t *testing.T) {
	r := &run{p: policy(dr.Asynchronous, dr.Degrade)}
	r.step(dr.Event{Accept: evaluation()}, noon)
	s := here(noon)
	s.Synchronous = false
	r.step(dr.Event{Status: s}, noon)
	require.Equal(t, dr.Asynchronous, r.s.Mode)
	require.Zero(t, r.v.Exposure)
	r.step(dr.Event{Tick: true}, at(4))
	require.True(t, r.v.ExposureKnown)
	require.Equal(t, 4*time.Second, r.v.Exposure)
}
