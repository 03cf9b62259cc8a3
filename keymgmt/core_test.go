package keymgmt_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/keymgmt"
)

// What the tests of the pure core share.

var (
	dawn    = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	subject = keymgmt.Ref{Set: keymgmt.SetID{Tenant: "acme", ID: "disks"}, Key: 7}
)

const hour = time.Hour

var allStates = []keymgmt.State{
	keymgmt.PreActivation, keymgmt.Active, keymgmt.Suspended, keymgmt.Deactivated, keymgmt.Compromised, keymgmt.Destroyed,
	keymgmt.DestroyedCompromised, keymgmt.Importing, keymgmt.DestroyScheduled, keymgmt.DestroyFailed, keymgmt.External,
}

var allOps = []keymgmt.Op{
	keymgmt.Protect, keymgmt.Process, keymgmt.Wrap, keymgmt.Unwrap, keymgmt.Sign, keymgmt.Verify, keymgmt.Derive, keymgmt.Export,
}

var keyVerbs = []keymgmt.Verb{
	keymgmt.Generate, keymgmt.Expect, keymgmt.Import, keymgmt.Link, keymgmt.Activate, keymgmt.Suspend, keymgmt.Resume,
	keymgmt.Deactivate, keymgmt.Compromise, keymgmt.Count, keymgmt.Schedule, keymgmt.Cancel, keymgmt.Fail, keymgmt.Destroy,
	keymgmt.ForceDestroy, keymgmt.Unlink, keymgmt.ChangePeriods,
}

// happen is an event of this verb that is right at that time, for a key that is used for years.
func happen(v keymgmt.Verb, at time.Time) keymgmt.Event {
	e := keymgmt.Event{Verb: v, Time: at, By: "alice", Reason: "because"}
	switch v {
	case keymgmt.Generate, keymgmt.Expect, keymgmt.Import:
		e.Algorithm = "AES256_GCM"
	case keymgmt.Link:
		e.Algorithm, e.ProtectUntil, e.ProcessUntil = "AES256_GCM", at.AddDate(1, 0, 0), at.AddDate(4, 0, 0)
	case keymgmt.Activate, keymgmt.ChangePeriods:
		e.ProtectUntil, e.ProcessUntil = at.AddDate(1, 0, 0), at.AddDate(4, 0, 0)
	case keymgmt.Compromise:
		e.Since = at.Add(-hour)
	case keymgmt.Count:
		e.Census = &keymgmt.Census{Time: at, Of: 10, Digest: "d"}
	case keymgmt.Schedule:
		e.After = at.Add(hour)
	}
	return e
}

// live has these verbs happen two hours apart, beginning at dawn, and returns the key and its events.
func live(t require.TestingT, verbs ...keymgmt.Verb) (keymgmt.Key, []keymgmt.Event) {
	k, at := keymgmt.Key{Ref: subject}, dawn
	var events []keymgmt.Event
	for _, v := range verbs {
		e := happen(v, at)
		next, _, err := keymgmt.Apply(k, e, at)
		require.NoError(t, err, "%s of %v", v, verbs)
		k, events, at = next, append(events, e), at.Add(2*hour)
	}
	return k, events
}

// courses lead to each state.
var courses = map[keymgmt.State][]keymgmt.Verb{
	keymgmt.PreActivation: {keymgmt.Generate},
	keymgmt.Active:        {keymgmt.Generate, keymgmt.Activate},
	keymgmt.Suspended:     {keymgmt.Generate, keymgmt.Activate, keymgmt.Suspend},
	keymgmt.Deactivated:   {keymgmt.Generate, keymgmt.Activate, keymgmt.Deactivate},
	keymgmt.Compromised:   {keymgmt.Generate, keymgmt.Activate, keymgmt.Compromise},
	keymgmt.Destroyed: {keymgmt.Generate, keymgmt.Activate, keymgmt.Deactivate, keymgmt.Count, keymgmt.Schedule,
		keymgmt.Destroy},
	keymgmt.DestroyedCompromised: {keymgmt.Generate, keymgmt.Activate, keymgmt.Compromise, keymgmt.Count, keymgmt.Schedule,
		keymgmt.Destroy},
	keymgmt.Importing: {keymgmt.Expect},
	keymgmt.DestroyScheduled: {keymgmt.Generate, keymgmt.Activate, keymgmt.Deactivate, keymgmt.Count,
		keymgmt.Schedule},
	keymgmt.DestroyFailed: {keymgmt.Generate, keymgmt.Activate, keymgmt.Deactivate, keymgmt.Count, keymgmt.Schedule,
		keymgmt.Fail},
	keymgmt.External: {keymgmt.Link},
}

func TestCoursesLeadToEachState(t *testing.T) {
	for _, s := range allStates {
		k, events := live(t, courses[s]...)
		require.Equal(t, s, k.State)
		again, err := keymgmt.Replay(subject, events)
		require.NoError(t, err)
		require.True(t, k.Equal(again))
	}
}
