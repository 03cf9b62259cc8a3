package keymgmt_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

func TestKeyRemembersItsLife(t *testing.T) {
	k, _ := live(t, keymgmt.Expect, keymgmt.Import, keymgmt.Activate, keymgmt.Suspend, keymgmt.Resume, keymgmt.Deactivate,
		keymgmt.Count, keymgmt.Schedule, keymgmt.Destroy)
	at := func(hours int) time.Time { return dawn.Add(time.Duration(hours) * hour) }
	require.Equal(t, keymgmt.Key{
		Ref: subject, State: keymgmt.Destroyed, Algorithm: "AES256_GCM", Imported: true,
		Created: dawn, Activated: at(4), ProtectUntil: at(4).AddDate(1, 0, 0), ProcessUntil: at(4).AddDate(4, 0, 0),
		Deactivated: at(10), DestroyAfter: at(15), Destroyed: at(16), Changed: at(16), Steps: 9,
		Census: &keymgmt.Census{Time: at(12), Of: 10, Digest: "d"},
	}, k)
}

func TestCompromiseStaysWithAKeyThroughItsDestruction(t *testing.T) {
	for name, verbs := range map[string][]keymgmt.Verb{
		"before":  {keymgmt.Compromise, keymgmt.Count, keymgmt.Schedule, keymgmt.Destroy},
		"between": {keymgmt.Schedule, keymgmt.Compromise, keymgmt.Count, keymgmt.Destroy},
		"failed":  {keymgmt.Schedule, keymgmt.Fail, keymgmt.Compromise, keymgmt.ForceDestroy},
		"after":   {keymgmt.Schedule, keymgmt.ForceDestroy, keymgmt.Compromise},
	} {
		k, _ := live(t, append([]keymgmt.Verb{keymgmt.Generate, keymgmt.Activate}, verbs...)...)
		require.Equal(t, keymgmt.DestroyedCompromised, k.State, name)
		require.False(t, k.Compromised.IsZero(), name)
		require.False(t, k.Destroyed.IsZero(), name)
	}
}

func TestCancelledDestructionLeadsBackToWhereItWas(t *testing.T) {
	for _, s := range []keymgmt.State{keymgmt.PreActivation, keymgmt.Active, keymgmt.Suspended, keymgmt.Deactivated,
		keymgmt.Compromised, keymgmt.Importing, keymgmt.External} {
		before, _ := live(t, courses[s]...)
		k, _ := live(t, append(courses[s][:len(courses[s]):len(courses[s])], keymgmt.Schedule, keymgmt.Cancel)...)
		require.Equal(t, s, k.State)
		k.Steps, k.Changed = before.Steps, before.Changed
		if s != keymgmt.Active && s != keymgmt.External {
			require.True(t, before.Equal(k), "%s: %+v", s, k)
		}
		require.Zero(t, k.Before)
		require.Zero(t, k.DestroyAfter)
	}
}

func TestCompromiseOfAScheduledKeyOutlivesItsCancellation(t *testing.T) {
	k, _ := live(t, keymgmt.Generate, keymgmt.Activate, keymgmt.Suspend, keymgmt.Schedule, keymgmt.Compromise, keymgmt.Cancel)
	require.Equal(t, keymgmt.Compromised, k.State)
	require.Zero(t, k.Resumes)
}

func TestSuspendedKeyResumesAsWhatItWas(t *testing.T) {
	for _, s := range []keymgmt.State{keymgmt.Active, keymgmt.Deactivated, keymgmt.External} {
		suspended := append(courses[s][:len(courses[s]):len(courses[s])], keymgmt.Suspend)
		k, _ := live(t, append(suspended, keymgmt.Resume)...)
		require.Equal(t, s, k.State)
		require.Zero(t, k.Resumes)
		require.Equal(t, s == keymgmt.Deactivated, !k.Deactivated.IsZero())
		k, _ = live(t, append(suspended, keymgmt.Schedule, keymgmt.Cancel, keymgmt.Resume)...)
		require.Equal(t, s, k.State, "after a cancelled destruction too")
	}
}

func TestDestructionWaitsForItsTimeAndForAnEmptyCensus(t *testing.T) {
	refuses := func(k keymgmt.Key, v keymgmt.Verb, at time.Time, why string) {
		t.Helper()
		_, _, err := keymgmt.Apply(k, happen(v, at), at)
		require.ErrorIs(t, err, opsec.ErrDenied, "an attempt that is to be on record")
		require.IsType(t, &keymgmt.EarlyError{}, err)
		require.ErrorContains(t, err, why)
	}
	apply := func(k keymgmt.Key, e keymgmt.Event, at time.Time) keymgmt.Key {
		t.Helper()
		k, _, err := keymgmt.Apply(k, e, at)
		require.NoError(t, err)
		return k
	}
	k, _ := live(t, keymgmt.Generate, keymgmt.Activate, keymgmt.Count, keymgmt.Deactivate, keymgmt.Schedule)
	for _, v := range []keymgmt.Verb{keymgmt.Destroy, keymgmt.ForceDestroy} {
		refuses(k, v, k.DestroyAfter.Add(-1), "must wait until")
	}
	at := k.DestroyAfter
	refuses(k, keymgmt.Destroy, at, "no census since it protects no more")
	require.Equal(t, keymgmt.Destroyed, apply(k, happen(keymgmt.ForceDestroy, at), at).State)

	late := happen(keymgmt.Count, at)
	late.Census.Time = k.Deactivated.Add(-1)
	refuses(apply(k, late, at), keymgmt.Destroy, at, "no census since it protects no more")

	left := happen(keymgmt.Count, at)
	left.Census.Objects = 1
	refuses(apply(k, left, at), keymgmt.Destroy, at, "1 objects are left")
	require.Equal(t, keymgmt.Destroyed, apply(apply(k, happen(keymgmt.Count, at), at), happen(keymgmt.Destroy, at), at).State)

	unused, _ := live(t, keymgmt.Generate, keymgmt.Schedule, keymgmt.Destroy)
	require.Equal(t, keymgmt.Destroyed, unused.State, "nothing is protected by a key that was never active")
}

func TestKeyOfAThirdPartyIsUnlinkedAndNotDestroyed(t *testing.T) {
	k, _ := live(t, keymgmt.Link, keymgmt.Schedule)
	for _, v := range []keymgmt.Verb{keymgmt.Destroy, keymgmt.ForceDestroy} {
		_, _, err := keymgmt.Apply(k, happen(v, k.DestroyAfter), k.DestroyAfter)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	k, effects, err := keymgmt.Apply(k, happen(keymgmt.Unlink, k.DestroyAfter), k.DestroyAfter)
	require.NoError(t, err)
	require.Equal(t, keymgmt.Destroyed, k.State)
	require.True(t, k.External)
	require.Contains(t, effects, keymgmt.Erase)
}

func TestClockGoingBackMovesNoEvent(t *testing.T) {
	k, _ := live(t, keymgmt.Generate, keymgmt.Activate, keymgmt.Schedule)
	back := dawn.Add(-1000 * hour)
	k, _, err := keymgmt.Apply(k, happen(keymgmt.Cancel, back), back)
	require.NoError(t, err)
	require.Equal(t, dawn.Add(4*hour), k.Changed)

	e := happen(keymgmt.Compromise, dawn)
	e.Since = k.Changed
	k, _, err = keymgmt.Apply(k, e, back)
	require.NoError(t, err, "what is in the past of the key is not in its future")
	require.Equal(t, dawn.Add(4*hour), k.Compromised)
}

func TestTimesAreInstants(t *testing.T) {
	zone := time.FixedZone("east", 3*3600)
	k, _, err := keymgmt.Apply(keymgmt.Key{Ref: subject}, happen(keymgmt.Generate, dawn), time.Now().In(zone))
	require.NoError(t, err)
	require.Equal(t, time.UTC, k.Created.Location())
	require.NotContains(t, k.Created.String(), "m=")
	text, err := json.Marshal(k)
	require.NoError(t, err)
	var read keymgmt.Key
	require.NoError(t, json.Unmarshal(text, &read))
	require.True(t, read.Equal(k))
}

func TestLastPlacesAreKeptForTheEndOfALife(t *testing.T) {
	k, _ := live(t, keymgmt.Generate, keymgmt.Activate)
	next := func(v keymgmt.Verb) error {
		at := k.Changed.Add(2 * hour)
		e := happen(v, at)
		if v == keymgmt.Compromise {
			e.Since = dawn.Add(-time.Duration(k.Steps) * hour)
		}
		after, _, err := keymgmt.Apply(k, e, at)
		k = after
		return err
	}
	until := func(steps int, v keymgmt.Verb) {
		t.Helper()
		for k.Steps < steps {
			require.NoError(t, next(v))
		}
		require.ErrorIs(t, next(v), opsec.ErrInvalid)
	}
	until(keymgmt.MaxSteps-8, keymgmt.ChangePeriods)
	until(keymgmt.MaxSteps-8, keymgmt.Count)
	require.NoError(t, next(keymgmt.Deactivate))
	until(keymgmt.MaxSteps-5, keymgmt.Count)
	until(keymgmt.MaxSteps-3, keymgmt.Compromise)
	require.NoError(t, next(keymgmt.Schedule))
	require.NoError(t, next(keymgmt.Fail))
	require.NoError(t, next(keymgmt.Destroy))
	require.Equal(t, keymgmt.DestroyedCompromised, k.State)
	require.Equal(t, keymgmt.MaxSteps, k.Steps)
	require.ErrorIs(t, next(keymgmt.Fail), opsec.ErrInvalid)
}

func TestEventsThatBreakTheirRulesChangeNothing(t *testing.T) {
	at := dawn.Add(24 * hour)
	for name, c := range map[string]struct {
		state  keymgmt.State
		verb   keymgmt.Verb
		change func(*keymgmt.Event)
		field  string
	}{
		"unknown verb":     {0, "mend", func(*keymgmt.Event) {}, "verb"},
		"keyset's verb":    {keymgmt.Active, keymgmt.Rotate, func(*keymgmt.Event) {}, "verb"},
		"nobody":           {0, keymgmt.Generate, func(e *keymgmt.Event) { e.By = "" }, "by"},
		"long name":        {0, keymgmt.Generate, func(e *keymgmt.Event) { e.By = strings.Repeat("x", 261) }, "by"},
		"markup":           {0, keymgmt.Generate, func(e *keymgmt.Event) { e.By = "a&b" }, "by"},
		"long reason":      {0, keymgmt.Generate, func(e *keymgmt.Event) { e.Reason = strings.Repeat("x", 201) }, "reason"},
		"control":          {0, keymgmt.Generate, func(e *keymgmt.Event) { e.Reason = "a\nb" }, "reason"},
		"not UTF-8":        {0, keymgmt.Generate, func(e *keymgmt.Event) { e.Reason = "\xff" }, "reason"},
		"approval":         {0, keymgmt.Generate, func(e *keymgmt.Event) { e.Approval = "x" }, "approval"},
		"no algorithm":     {0, keymgmt.Generate, func(e *keymgmt.Event) { e.Algorithm = "" }, "generate"},
		"its own ancestor": {0, keymgmt.Generate, func(e *keymgmt.Event) { e.Previous = subject.Key }, "previous"},
		"stray census":     {keymgmt.Active, keymgmt.Suspend, func(e *keymgmt.Event) { e.Census = &keymgmt.Census{} }, "suspend"},
		"other algorithm":  {keymgmt.Importing, keymgmt.Import, func(e *keymgmt.Event) { e.Algorithm = "AES128_GCM" }, "algorithm"},
		"no periods":       {keymgmt.PreActivation, keymgmt.Activate, func(e *keymgmt.Event) { e.ProtectUntil, e.ProcessUntil = time.Time{}, time.Time{} }, "activate"},
		"one period":       {keymgmt.PreActivation, keymgmt.Activate, func(e *keymgmt.Event) { e.ProcessUntil = time.Time{} }, "process_until"},
		"other period":     {keymgmt.PreActivation, keymgmt.Activate, func(e *keymgmt.Event) { e.ProtectUntil = time.Time{} }, "protect_until"},
		"period in past":   {keymgmt.PreActivation, keymgmt.Activate, func(e *keymgmt.Event) { e.ProtectUntil = at }, "protect_until"},
		"periods swapped":  {keymgmt.PreActivation, keymgmt.Activate, func(e *keymgmt.Event) { e.ProcessUntil = e.ProtectUntil.Add(-1) }, "process_until"},
		"shorter than":     {keymgmt.Active, keymgmt.ChangePeriods, func(e *keymgmt.Event) { e.ProtectUntil, e.ProcessUntil = time.Time{}, at }, "process_until"},
		"future":           {keymgmt.Active, keymgmt.Compromise, func(e *keymgmt.Event) { e.Since = at.Add(1) }, "since"},
		"no date":          {keymgmt.Active, keymgmt.Compromise, func(e *keymgmt.Event) { e.Since = time.Time{} }, "compromise"},
		"known earlier":    {keymgmt.Compromised, keymgmt.Compromise, func(e *keymgmt.Event) { e.Since = dawn.Add(3 * hour) }, "since"},
		"no census":        {keymgmt.Active, keymgmt.Count, func(e *keymgmt.Event) { e.Census = nil }, "count"},
		"future census":    {keymgmt.Active, keymgmt.Count, func(e *keymgmt.Event) { e.Census.Time = at.Add(1) }, "census"},
		"undated census":   {keymgmt.Active, keymgmt.Count, func(e *keymgmt.Event) { e.Census.Time = time.Time{} }, "census"},
		"more than all":    {keymgmt.Active, keymgmt.Count, func(e *keymgmt.Event) { e.Census.Objects = 11 }, "census"},
		"long digest":      {keymgmt.Active, keymgmt.Count, func(e *keymgmt.Event) { e.Census.Digest = strings.Repeat("x", 129) }, "census"},
		"digest":           {keymgmt.Active, keymgmt.Count, func(e *keymgmt.Event) { e.Census.Digest = "<" }, "census"},
		"due already":      {keymgmt.Deactivated, keymgmt.Schedule, func(e *keymgmt.Event) { e.After = at.Add(-1) }, "after"},
		"year 10000":       {keymgmt.Deactivated, keymgmt.Schedule, func(e *keymgmt.Event) { e.After = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "year"},
	} {
		k := keymgmt.Key{Ref: subject}
		if c.state != 0 {
			k, _ = live(t, courses[c.state]...)
		}
		e := happen(c.verb, at)
		c.change(&e)
		after, effects, err := keymgmt.Apply(k, e, at)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		require.ErrorContains(t, err, c.field, name)
		require.True(t, k.Equal(after), name)
		require.Empty(t, effects, name)
	}
	for _, ref := range []keymgmt.Ref{{}, {Set: subject.Set}, {Set: keymgmt.SetID{Tenant: "acme"}, Key: 1}, {Set: keymgmt.SetID{ID: "x"}, Key: 1}} {
		_, _, err := keymgmt.Apply(keymgmt.Key{Ref: ref}, happen(keymgmt.Generate, dawn), dawn)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	late := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	_, _, err := keymgmt.Apply(keymgmt.Key{Ref: subject}, happen(keymgmt.Generate, late), late)
	require.ErrorIs(t, err, opsec.ErrInvalid, "a time that JSON cannot hold")
	_, _, err = keymgmt.Apply(keymgmt.Key{Ref: subject, State: 12}, happen(keymgmt.Cancel, dawn), dawn)
	require.ErrorIs(t, err, opsec.ErrInvalid, "a state that is none")
}

func TestEffectsSayWhatNodesAndOthersMustDo(t *testing.T) {
	const publish, purge, replace, taint, erase = keymgmt.Publish, keymgmt.Purge, keymgmt.Replace, keymgmt.Taint, keymgmt.Erase
	for verb, want := range map[keymgmt.Verb]map[keymgmt.State][]keymgmt.Effect{
		keymgmt.Generate:   {0: {publish}},
		keymgmt.Activate:   {keymgmt.PreActivation: {publish}},
		keymgmt.Suspend:    {keymgmt.Active: {publish, purge, replace}, keymgmt.Deactivated: {publish, purge}},
		keymgmt.Resume:     {keymgmt.Suspended: {publish}},
		keymgmt.Deactivate: {keymgmt.Active: {publish, replace}, keymgmt.Suspended: {publish}},
		keymgmt.Compromise: {keymgmt.Active: {publish, purge, replace, taint}, keymgmt.Deactivated: {publish, purge, taint},
			keymgmt.Destroyed: {publish, purge, taint}},
		keymgmt.Count:         {keymgmt.Active: nil},
		keymgmt.ChangePeriods: {keymgmt.Active: {publish}},
		keymgmt.Schedule:      {keymgmt.Active: {publish, purge, replace}, keymgmt.Suspended: {publish}},
		keymgmt.Cancel:        {keymgmt.DestroyScheduled: {publish}},
		keymgmt.Destroy:       {keymgmt.DestroyScheduled: {publish, erase}, keymgmt.DestroyFailed: {publish, erase}},
		keymgmt.Fail:          {keymgmt.DestroyScheduled: {publish}},
	} {
		for s, list := range want {
			k, at := keymgmt.Key{Ref: subject}, dawn
			if s != 0 {
				k, _ = live(t, courses[s]...)
				at = k.Changed.Add(2 * hour)
			}
			_, effects, err := keymgmt.Apply(k, happen(verb, at), at)
			require.NoError(t, err)
			require.Equal(t, list, effects, "%s %s", s, verb)
		}
	}
}

func TestReplayRefusesALifeThatCouldNotHaveBeen(t *testing.T) {
	_, events := live(t, courses[keymgmt.Destroyed]...)
	for i := range events {
		without := append(append([]keymgmt.Event(nil), events[:i]...), events[i+1:]...)
		k, err := keymgmt.Replay(subject, without)
		// Without its deactivation, an active key is scheduled, which may be; but then its census is too old.
		if i == len(events)-1 {
			require.NoError(t, err)
			require.Equal(t, keymgmt.DestroyScheduled, k.State)
			continue
		}
		require.ErrorIs(t, err, opsec.ErrInvalid, "without %s", events[i].Verb)
	}
	early := append([]keymgmt.Event(nil), events...)
	early[1].Time = dawn.Add(-1)
	_, err := keymgmt.Replay(subject, early)
	require.ErrorContains(t, err, "event 2 of 6 is earlier than the one before it")
	_, err = keymgmt.Replay(subject, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = keymgmt.Replay(keymgmt.Ref{Set: subject.Set}, events)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestKeysAreEqualWhenTheySayTheSame(t *testing.T) {
	k, _ := live(t, courses[keymgmt.Destroyed]...)
	same, _ := live(t, courses[keymgmt.Destroyed]...)
	require.NotSame(t, k.Census, same.Census)
	require.True(t, k.Equal(same))
	same.Census.Objects++
	require.False(t, k.Equal(same))
	same.Census = nil
	require.False(t, k.Equal(same))
	require.False(t, same.Equal(k))
	k.Census = nil
	require.True(t, same.Equal(k))
	k.Steps++
	require.False(t, same.Equal(k))
}

func TestFullestLifeFitsADocument(t *testing.T) {
	k, events := live(t, keymgmt.Generate, keymgmt.Activate)
	for k.Steps < keymgmt.MaxSteps-8 {
		e := happen(keymgmt.Count, k.Changed.Add(1))
		e.By, e.Reason, e.Approval = strings.Repeat(`"`, 260), strings.Repeat("&", keymgmt.MaxReason), opsec.NewID()
		e.Census.Digest = strings.Repeat("x", 128)
		after, _, err := keymgmt.Apply(k, e, e.Time)
		require.NoError(t, err)
		k, events = after, append(events, e)
	}
	for len(events) < keymgmt.MaxSteps {
		events = append(events, events[len(events)-1])
	}
	text, err := json.Marshal(events)
	require.NoError(t, err)
	require.Less(t, len(text), 160<<10, "of 200 KiB, beside the key and its material")
}

// With a clock that stands still, or has gone back, a count of the time before the key came back is as old as its end.
func TestACountFromBeforeAKeyCameBackIsVoid(t *testing.T) {
	k, _ := live(t, keymgmt.Generate, keymgmt.Activate)
	at := k.Changed
	for _, v := range []keymgmt.Verb{keymgmt.Schedule, keymgmt.Count, keymgmt.Cancel, keymgmt.Schedule} {
		var err error
		k, _, err = keymgmt.Apply(k, happen(v, at), at)
		require.NoError(t, err, v)
	}
	_, _, err := keymgmt.Apply(k, happen(keymgmt.Destroy, at), at.Add(hour))
	var early *keymgmt.EarlyError
	require.ErrorAs(t, err, &early)
}

func TestCallersCannotChangeAKeyThroughTheirCensus(t *testing.T) {
	k, _ := live(t, courses[keymgmt.Deactivated]...)
	e := happen(keymgmt.Count, k.Changed)
	k, _, err := keymgmt.Apply(k, e, k.Changed)
	require.NoError(t, err)
	e.Census.Objects = 5
	require.Zero(t, k.Census.Objects)
}

func ExampleApply() {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	key := keymgmt.Key{Ref: keymgmt.Ref{Set: keymgmt.SetID{Tenant: "acme", ID: "disks"}, Key: 1}}
	policy := keymgmt.Preset(keymgmt.DataEncryption)
	protect, process := policy.Periods(now)
	for _, e := range []keymgmt.Event{
		{Verb: keymgmt.Generate, By: "alice", Algorithm: "AES256_GCM"},
		{Verb: keymgmt.Activate, By: "alice", ProtectUntil: protect, ProcessUntil: process},
		{Verb: keymgmt.Compromise, By: "bob", Since: now, Reason: "laptop lost"},
		{Verb: keymgmt.Activate, By: "alice", ProtectUntil: protect, ProcessUntil: process},
	} {
		next, effects, err := keymgmt.Apply(key, e, now)
		if err != nil {
			fmt.Println(err)
			continue
		}
		key = next
		fmt.Println(e.Verb, key.State, effects)
	}
	// Output:
	// generate pre-activation [publish]
	// activate active [publish]
	// compromise compromised [publish purge replace taint]
	// keymgmt: key acme/disks/00000001 is compromised: no activate: denied
}

func ExampleReplay() {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	ref := keymgmt.Ref{Set: keymgmt.SetID{Tenant: "acme", ID: "disks"}, Key: 1}
	log := []keymgmt.Event{
		{Verb: keymgmt.Generate, Time: at, By: "alice", Algorithm: "AES256_GCM"},
		{Verb: keymgmt.Schedule, Time: at.Add(time.Hour), By: "alice", After: at.AddDate(0, 0, 30)},
	}
	key, err := keymgmt.Replay(ref, log)
	fmt.Println(key.State, key.DestroyAfter.Format(time.DateOnly), err)
	_, err = keymgmt.Replay(ref, log[1:])
	fmt.Println(err)
	// Output:
	// destroy-scheduled 2026-03-31 <nil>
	// keymgmt: key acme/disks/00000001: event 1 of 1 could not have happened: keymgmt: key acme/disks/00000001 is none: no schedule-destruction: denied: invalid
}
