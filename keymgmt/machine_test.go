package keymgmt_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/keymgmt"
)

// uses and moves, the two lists in state_test.go, are the model: they were written from the standard, not from the code.
func mayUse(s keymgmt.State, o keymgmt.Op) bool {
	for line := range strings.Lines(strings.TrimSpace(uses)) {
		if name, list, _ := strings.Cut(line, ":"); name == s.String() {
			return slices.Contains(strings.Fields(list), o.String())
		}
	}
	return false
}

func mayMove(s keymgmt.State, v keymgmt.Verb) bool {
	if v == keymgmt.Unlink { // of a key that is not external, the list has none
		return s == keymgmt.DestroyScheduled || s == keymgmt.DestroyFailed
	}
	for line := range strings.Lines(strings.TrimSpace(moves)) {
		if name, list, _ := strings.Cut(line, ":"); name == s.String() {
			return strings.Contains(" "+list, " "+string(v)+">")
		}
	}
	return false
}

// drawEvent draws an event that is right more often than not.
func drawEvent(t *rapid.T, k keymgmt.Key, now time.Time) keymgmt.Event {
	e := happen(rapid.SampledFrom(keyVerbs).Draw(t, "verb"), now)
	near := func(label string) time.Time {
		return now.Add(time.Duration(rapid.Int64Range(-50, 50).Draw(t, label)) * hour)
	}
	switch rapid.IntRange(0, 5).Draw(t, "twist") {
	case 0:
		if !e.ProtectUntil.IsZero() {
			e.ProtectUntil, e.ProcessUntil = near("protect"), near("process")
		}
	case 1:
		if !e.Since.IsZero() {
			e.Since = near("since")
		}
	case 2:
		if !e.After.IsZero() {
			e.After = near("after")
		}
	case 3:
		if e.Census != nil {
			e.Census.Time, e.Census.Objects = near("census"), rapid.Uint64Range(0, 2).Draw(t, "left")
		}
	case 4:
		e.By = ""
	}
	return e
}

// A key lives at random; after each step every operation is tried by every role at several times. Nothing is let through
// that the lists forbid, and whatever is recorded replays to the same key.
func TestNothingPassesThatTheTableForbids(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := keymgmt.Keyset{SetID: subject.Set, Policy: keymgmt.Preset(keymgmt.DataEncryption)}
		set.Purpose = rapid.SampledFrom(purposes).Draw(t, "purpose")
		set.Policy.InsecureProcessCompromised = rapid.Bool().Draw(t, "rescue")
		k, now := keymgmt.Key{Ref: subject}, dawn
		var events []keymgmt.Event
		var wasCompromised, ended bool
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(-5, 40).Draw(t, "hours")) * hour)
			e := drawEvent(t, k, now)
			after, _, err := keymgmt.Apply(k, e, now)
			if err != nil {
				require.True(t, k.Equal(after), "a refusal changes nothing")
			} else {
				require.True(t, mayMove(k.State, e.Verb), "%s %s", k.State, e.Verb)
				require.False(t, after.Changed.Before(k.Changed), "time goes forward")
				require.Equal(t, k.Steps+1, after.Steps)
				e.Time = after.Changed
				events = append(events, e)
			}
			k = after
			ended = ended || k.State.Final()
			wasCompromised = wasCompromised || !k.Compromised.IsZero()
			require.Equal(t, wasCompromised, !k.Compromised.IsZero(), "a compromise is not forgotten")
			require.False(t, ended && !k.State.Final() && k.State != keymgmt.DestroyFailed, "a destroyed key does not rise")
			if k.State == 0 {
				continue
			}
			tryAll(t, set, k)
		}
		if k.State != 0 {
			text, err := json.Marshal(events)
			require.NoError(t, err)
			var read []keymgmt.Event
			require.NoError(t, json.Unmarshal(text, &read))
			again, err := keymgmt.Replay(subject, read)
			require.NoError(t, err)
			require.True(t, k.Equal(again), "replay equals state")
		}
	})
}

func tryAll(t *rapid.T, set keymgmt.Keyset, k keymgmt.Key) {
	var block keymgmt.Block
	block.Add(keymgmt.Amount{Messages: rapid.Uint64Range(0, 3).Draw(t, "messages"), Bytes: rapid.Uint64Range(0, 30).Draw(t, "bytes")})
	size := rapid.IntRange(0, 20).Draw(t, "size")
	for _, role := range []keymgmt.Role{"", keymgmt.Administrator, keymgmt.CustodianRole, keymgmt.Operator, keymgmt.Auditor} {
		p := keymgmt.NewPermit(set, k, role, &block)
		for _, op := range allOps {
			for _, at := range []time.Time{k.Created, k.Changed, k.ProtectUntil, k.ProcessUntil, k.ProcessUntil.Add(-1)} {
				left := block.Left()
				err := p.Use(op, at.UnixNano(), size)
				spent := keymgmt.Amount{Messages: left.Messages - block.Left().Messages, Bytes: left.Bytes - block.Left().Bytes}
				if err != nil {
					require.Zero(t, spent, "a refusal takes nothing")
					continue
				}
				require.True(t, mayUse(k.State, op), "%s %s", k.State, op)
				require.Equal(t, role == keymgmt.CustodianRole, op == keymgmt.Export)
				require.Contains(t, []keymgmt.Role{keymgmt.CustodianRole, keymgmt.Operator}, role)
				require.True(t, k.State != keymgmt.Compromised || set.Policy.InsecureProcessCompromised)
				require.True(t, at.Before(k.ProcessUntil))
				if op.Protects() {
					require.True(t, at.Before(k.ProtectUntil))
					require.Contains(t, []keymgmt.State{keymgmt.Active, keymgmt.External}, k.State)
					require.Equal(t, keymgmt.Amount{Messages: 1, Bytes: uint64(size)}, spent)
				} else {
					require.Zero(t, spent)
				}
			}
		}
	}
}

// Foreign records: whatever replays, replays again from what it is written as, and to a key that reads as it was written.
func FuzzReplay(f *testing.F) {
	for _, s := range allStates {
		_, events := live(f, courses[s]...)
		text, err := json.Marshal(events)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var events, again []keymgmt.Event
		if len(data) > 64<<10 || json.Unmarshal(data, &events) != nil {
			return
		}
		k, err := keymgmt.Replay(subject, events)
		if err != nil {
			require.Zero(t, k)
			return
		}
		require.LessOrEqual(t, len(events), keymgmt.MaxSteps)
		text, err := json.Marshal(events)
		require.NoError(t, err)
		require.Less(t, len(text), 160<<10, "fits a document")
		require.NoError(t, json.Unmarshal(text, &again))
		same, err := keymgmt.Replay(subject, again)
		require.NoError(t, err)
		require.True(t, k.Equal(same))
		text, err = json.Marshal(k)
		require.NoError(t, err)
		var read keymgmt.Key
		require.NoError(t, json.Unmarshal(text, &read))
		require.True(t, k.Equal(read))
	})
}
