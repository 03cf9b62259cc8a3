package spray_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout/spray"
)

func encoded(t require.TestingT, s *spray.State) []byte {
	b, err := s.MarshalBinary()
	require.NoError(t, err)
	return b
}

func merged(t require.TestingT, a, b *spray.State) *spray.State {
	m, err := spray.Merge(a, b)
	require.NoError(t, err)
	return m
}

// small is for few things.
var small = spray.Policy{Accounts: 3, Wide: 3, Shared: 3, Invented: 3, Sources: 32, Tags: 32, Counters: 1024}

// draw adds few attempts at few things, so that nodes meet.
func draw(t *rapid.T, tb testing.TB, name string) *spray.State {
	w := newWorld(tb, small)
	sources := []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:2::1"}
	for _, n := range rapid.SliceOfN(rapid.IntRange(0, 1<<20), 1, 60).Draw(t, name) {
		s := fails(sources[n%6], fmt.Sprint("user", n/6%7), fmt.Sprint("secret", n/42%3))
		s.Tenant = opsec.TenantID([]string{"acme", "globex"}[n/126%8/7])
		s.OK, s.Invented = n/1008%5 == 0, n/1008%5 == 1
		w.at = begin.Add(time.Duration(n/5040%60) * time.Minute)
		w.add(s)
	}
	return w.d.State()
}

func TestMergeIsAssociativeAndCommutative(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a, b, c := draw(r, t, "a"), draw(r, t, "b"), draw(r, t, "c")
		before := encoded(r, a)
		require.Equal(r, encoded(r, merged(r, a, b)), encoded(r, merged(r, b, a)))
		require.Equal(r, encoded(r, merged(r, merged(r, a, b), c)), encoded(r, merged(r, a, merged(r, b, c))))
		require.Equal(r, before, encoded(r, a), "what is merged stays as it is")
	})
}

// Attempts dealt to two nodes give what one node would have counted, as long as all sources are followed.
func TestMergedStateIsThatOfOneNode(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		one, a, b := newWorld(t, small), newWorld(t, small), newWorld(t, small)
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 1<<16), 1, 100).Draw(r, "attempts") {
			s := fails(from4(uint32(n%3)), fmt.Sprint("user", n/3%50), fmt.Sprint("secret", n/150%3))
			one.add(s)
			[]*world{a, b}[n/1000%2].add(s)
		}
		if a.d.Totals().Attempts == 0 || b.d.Totals().Attempts == 0 {
			r.Skip("all at one node")
		}
		m := merged(r, a.d.State(), b.d.State())
		want, got := small.Judge(one.d.State()), small.Judge(m)
		require.Len(r, got, len(want))
		for i := range got {
			got[i].Told, want[i].Told = false, false
		}
		require.Equal(r, want, got)
	})
}

func TestAttackThatNoNodeSeesIsSeenInAll(t *testing.T) {
	var all *spray.State
	for node := range 4 {
		w := newWorld(t, spray.Policy{})
		for i := range 15 {
			w.add(fails("198.51.100.9", fmt.Sprint("user", 100*node+i), "Spring2026"))
		}
		require.Empty(t, w.found)
		if all == nil {
			all = w.d.State()
		} else {
			all = merged(t, all, w.d.State())
		}
	}
	require.Equal(t, begin, all.Window())
	var once spray.Once
	found := spray.Policy{}.Judge(all)
	require.ElementsMatch(t, []spray.Kind{spray.Spraying, spray.SharedSecret}, kinds(once.New(found)))
	require.Empty(t, once.New(found), "a minute later")
}

func TestWhatANodeHasToldIsNotToldAgain(t *testing.T) {
	w := newWorld(t, spray.Policy{})
	for i := range 40 {
		w.add(fails("198.51.100.9", fmt.Sprint("user", i), "Spring2026"))
	}
	require.Len(t, w.found, 2)
	found := spray.Policy{}.Judge(w.d.State())
	require.ElementsMatch(t, kinds(w.found), kinds(found))
	require.True(t, found[0].Told)
	require.Empty(t, new(spray.Once).New(found))
}

func TestOnceForgetsOldWindows(t *testing.T) {
	var once spray.Once
	v := spray.Verdict{Kind: spray.Surge, From: begin, To: begin.Add(time.Hour)}
	require.Len(t, once.New([]spray.Verdict{v, v}), 1)
	v.Kind = spray.Stuffing
	require.Len(t, once.New([]spray.Verdict{v}), 1)
	v.Kind = spray.Spraying
	require.Empty(t, once.New([]spray.Verdict{v}), "the same attack, seen otherwise")
	v.From, v.To = begin.Add(2*time.Hour), begin.Add(3*time.Hour)
	require.Len(t, once.New([]spray.Verdict{v}), 1)
}

func TestStatesOfOtherKeysAndWindowsAreRefused(t *testing.T) {
	a, b := newWorld(t, spray.Policy{}), newWorld(t, spray.Policy{})
	a.add(fails("192.0.2.1", "ann", "x"))
	b.at = begin.Add(time.Hour)
	b.add(fails("192.0.2.1", "ann", "x"))
	day := newWorld(t, spray.Policy{Window: 2 * time.Hour})
	day.add(fails("192.0.2.1", "ann", "x"))
	other, err := spray.New(spray.Policy{}, nil)
	require.NoError(t, err)
	other.Add(spray.Sighting{Time: begin})
	for _, s := range []*spray.State{b.d.State(), day.d.State(), other.State()} {
		_, err := spray.Merge(a.d.State(), s)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestStateIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := draw(r, t, "state")
		b := encoded(r, s)
		var read spray.State
		require.NoError(r, read.UnmarshalBinary(b))
		require.Equal(r, b, encoded(r, &read))
		require.Equal(r, small.Judge(s), small.Judge(&read))
		cut := rapid.IntRange(0, len(b)-1).Draw(r, "cut")
		require.ErrorIs(r, read.UnmarshalBinary(b[:cut]), opsec.ErrInvalid)
		require.ErrorIs(r, read.UnmarshalBinary(append(b, 0)), opsec.ErrInvalid)
		require.Equal(r, b, encoded(r, &read), "an error changes nothing")
	})
}

func FuzzState(f *testing.F) {
	w := newWorld(f, spray.Policy{})
	f.Add(encoded(f, w.d.State()))
	for i := range 300 {
		w.add(fails("198.51.100.9", fmt.Sprint("user", i), "x"))
		w.add(fails("2001:db8::1", fmt.Sprint("user", i%7), fmt.Sprint(i)))
	}
	f.Add(encoded(f, w.d.State()))
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{1}, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s spray.State
		if err := s.UnmarshalBinary(b); err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		require.Equal(t, b, encoded(t, &s), "one state, one encoding")
		twice := merged(t, &s, &s)
		require.Equal(t, encoded(t, twice), encoded(t, merged(t, &s, &s)))
		for _, v := range (spray.Policy{}).Judge(twice) {
			require.NoError(t, v.Event(begin).Validate())
		}
	})
}

func TestEventCarriesTheEvidence(t *testing.T) {
	w := newWorld(t, spray.Policy{})
	source := func() string { return from4(w.random.Uint32()) }
	for range 10_000 {
		w.at = w.at.Add(time.Second)
		w.honest(source, 50_000, 20)
	}
	for i := range 2000 {
		w.add(fails("198.51.100.9", fmt.Sprint("user", i), "hunter2"))
		w.add(fails("2001:db8::9", fmt.Sprint("user", i), fmt.Sprint("leaked", i)))
		s := fails("198.51.100.7", fmt.Sprint("nobody", i), "")
		s.Invented = true
		w.add(s)
	}
	w.add(enters("198.51.100.9", "user7"))
	actions := map[string]bool{}
	for _, v := range w.found {
		e := v.Event(w.at)
		require.NoError(t, e.Validate())
		actions[e.Action] = true
		attrs := map[string]string{}
		for _, a := range e.Attrs {
			attrs[a.Key] = a.Value
		}
		require.Equal(t, string(v.Severity), attrs["severity"])
		require.Contains(t, attrs, "attempts")
		require.Contains(t, attrs, "first")
		require.Equal(t, v.Source.IsValid(), attrs["source"] != "")
		require.Equal(t, v.Tag, attrs["tag"])
		text, err := json.Marshal([]any{e, v})
		require.NoError(t, err)
		for _, never := range []string{"hunter2", "leaked", "user7", "nobody1"} {
			require.NotContains(t, string(text)+v.String(), never)
		}
		redacted, err := json.Marshal(e.Redacted(opsec.Public))
		require.NoError(t, err)
		require.NotContains(t, string(redacted), "198.51.100")
	}
	for _, a := range []string{
		spray.ActionSpraying, spray.ActionStuffing, spray.ActionEntered, spray.ActionSharedSecret, spray.ActionInvented, spray.ActionSurge,
	} {
		require.True(t, actions[a], a)
	}
}

func TestPolicyIsStrictJSON(t *testing.T) {
	p := spray.Policy{
		Window: time.Hour, Accounts: 20, Wide: 60, Honest: 50, Shared: 30, Invented: 10, InventedShare: 25, Surge: 3, SurgeLeast: 100,
		Sources: 1024, Tags: 512, Counters: 1 << 15,
	}
	text, err := json.Marshal(p)
	require.NoError(t, err)
	var again spray.Policy
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, p, again)
	require.NoError(t, json.Unmarshal([]byte(`{}`), &again))
	require.Equal(t, spray.Policy{}, again)
	for _, bad := range []string{
		`{"window":"1s"}`, `{"window":"49h"}`, `{"window":"1m0.001s"}`, `{"window":3600}`, `{"accounts":2}`, `{"accounts":100001}`, `{"wide":-1}`,
		`{"honest":100}`, `{"shared":1}`, `{"invented":2}`, `{"invented_share":100}`, `{"surge":1}`, `{"surge_least":9}`, `{"sources":15}`,
		`{"tags":65537}`, `{"counters":1000}`, `{"counters":1025}`, `{"account":20}`, `{"accounts":` + strings.Repeat(" ", 5000) + `20}`,
	} {
		require.ErrorIs(t, json.Unmarshal([]byte(bad), &again), opsec.ErrInvalid, bad)
	}
	_, err = spray.New(spray.Policy{Accounts: 1}, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = spray.New(spray.Policy{}, &spray.Options{Key: make([]byte, 31)})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}
