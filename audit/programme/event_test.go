package programme_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
)

// whole is an audit that every step was taken in, but Cancel, which another one has.
func whole(t testing.TB) *house {
	h := opened(t)
	h.take("lea", programme.Revise{Plan: plan()})
	for _, m := range team() {
		h.take("lea", h.assign(m))
	}
	h.take("lea", h.assign(member("max", programme.SeniorManagement)))
	h.take("lea", programme.Dismiss{Person: "max", Reason: "is ill"})
	h.take("mia", programme.Guarantee{Resource: "A room"})
	for _, c := range []string{"virtualisation", "operation", "iam", "emergency"} {
		h.take("mia", programme.Waive{Category: c, Reason: "audited in autumn"})
	}
	h.take("mia", programme.Release{})
	h.take("lea", programme.Lend{Grant: grant(h)})
	h.ledger.add(h.take("lea", programme.Fix{Frames: commitments(t)}))
	h.take("tom", h.seed())
	h.take("tom", programme.Use{Grant: "g1", Target: volume})
	h.take("lea", programme.Recall{Grant: "g1", Reason: "done"})
	h.take("tom", programme.Perform{Results: []programme.Result{
		h.result("restore", 0, programme.Failed), h.result("restore", 1, programme.Passed), h.result("restore", 2, programme.NotTested),
	}})
	h.take("tom", programme.Perform{Results: []programme.Result{h.result("restore", 2, programme.Passed)}, Reason: "tried again"})
	h.take("tim", programme.Perform{Results: []programme.Result{
		h.result("rotation", 0, programme.Passed), h.result("rotation", 1, programme.NotApplicable),
	}})
	h.take("tom", programme.Raise{Finding: finding(h)})
	h.take("lea", programme.Agree{Action: action(h)})
	h.take("lea", programme.Issue{})
	h.take("olaf", programme.Complete{Action: "a1", Evidence: evidence("invoice", h.now)})
	h.take("tom", programme.Verify{Action: "a1", Reason: "too small"})
	h.take("mia", programme.Accept{Finding: "f1", Acceptance: programme.Acceptance{Reason: "cheap", Until: h.now.Add(100 * day)}})
	h.take("lea", programme.Close{})
	other := staffed(t)
	h.events = append(h.events, other.take("mia", programme.Cancel{Reason: "no money"}))
	return h
}

// Each action that the package names is the one of some step, and of one kind of step alone.
func TestEveryActionIsRecorded(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, 0)
	require.NoError(t, err)
	named := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Action") {
			s, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			require.False(t, named[s])
			named[s] = true
		}
		return true
	})
	delete(named, programme.ActionRead)
	require.Len(t, named, 21)
	emitted := map[string]bool{}
	for _, e := range whole(t).events {
		require.True(t, named[e.Action], e.Action)
		emitted[e.Action] = true
	}
	require.Equal(t, named, emitted)
}

func TestEventsOfSteps(t *testing.T) {
	h := whole(t)
	for i, e := range h.events[:len(h.events)-1] {
		require.NoError(t, e.Validate())
		require.Equal(t, opsec.Success, e.Outcome)
		require.Equal(t, opsec.Critical, e.Class)
		require.Equal(t, opsec.Resource{Tenant: opsec.Provider, Type: "audit", ID: "2026-1"}, e.Resource)
		entry := h.audit.History[i]
		require.Equal(t, []any{e.ID, e.Action, e.Actor.Person, e.Reason}, []any{entry.Event, entry.Action, entry.Person, entry.Reason})
		require.True(t, e.Time.Equal(entry.Time))
	}
	last := h.events[len(h.events)-2]
	require.Contains(t, last.Attrs, opsec.Attr{Key: "audit_digest", Value: h.audit.Digest(), Mark: opsec.Tenant})
}

// Nobody's name stands in an event where it would outlive its erasure.
func TestPersonsAreMarkedPersonal(t *testing.T) {
	h := whole(t)
	h.try("lea", programme.Dismiss{Person: "tom", Reason: "x", Successor: "tim"})
	h2 := fieldwork(t)
	h2.take("lea", programme.Dismiss{Person: "tim", Reason: "x", Successor: "tom"})
	for _, e := range append(h.events, h2.events...) {
		seen := string(e.Redacted(opsec.Tenant).AppendJSON(nil))
		for _, person := range []string{"mia", "max", "lea", "tom", "tim", "olaf"} {
			require.NotContains(t, seen, `"`+person+`"`, e.Action)
		}
	}
}

func TestAuditsRoundTripThroughJSON(t *testing.T) {
	h := opened(t)
	check := func() {
		b, err := json.Marshal(h.audit)
		require.NoError(t, err)
		var read programme.Audit
		require.NoError(t, json.Unmarshal(b, &read))
		require.Equal(t, h.audit, read)
		require.Equal(t, h.audit.Digest(), read.Digest())
	}
	check()
	h = whole(t)
	check()
}

// A step that is given local times is kept in UTC, as it is read back.
func TestTimesAreKeptInUTC(t *testing.T) {
	zone := time.FixedZone("x", 3600)
	p := plan()
	p.From, p.Until = p.From.In(zone), p.Until.In(zone)
	a, _, err := programme.Policy{}.Open("a", p, programme.By{Actor: actor("lea"), Time: noon.In(zone), Event: opsec.NewID()})
	require.NoError(t, err)
	var read programme.Audit
	require.NoError(t, json.Unmarshal([]byte(text(t, a)), &read))
	require.Equal(t, a, read)
}

func TestOldAndNewShareNoMemory(t *testing.T) {
	h := whole(t)
	h.audit.Stage = programme.Fieldwork // so that one more step can be taken
	next, _, err := h.policy.Apply(h.audit, programme.Agree{Action: programme.Action{
		ID: "a2", Finding: "f1", Text: "x", Owner: "olaf", Due: h.now.Add(day),
	}}, h.by("lea"))
	require.NoError(t, err)
	old := map[uintptr]string{}
	walk(reflect.ValueOf(h.audit), "", func(p uintptr, path string) { old[p] = path })
	require.Greater(t, len(old), 30)
	walk(reflect.ValueOf(next), "", func(p uintptr, path string) {
		require.NotContains(t, old, p, "%s is %s", path, old[p])
	})
}

// walk calls fn for everything that v points to.
func walk(v reflect.Value, path string, fn func(uintptr, string)) {
	switch v.Kind() {
	case reflect.Slice:
		if v.Cap() > 0 {
			fn(v.Pointer(), path)
		}
		for i := range v.Len() {
			walk(v.Index(i), path+"[]", fn)
		}
	case reflect.Map:
		if !v.IsNil() {
			fn(v.Pointer(), path)
		}
		for _, k := range v.MapKeys() {
			walk(v.MapIndex(k), path+"{}", fn)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			fn(v.Pointer(), path)
			walk(v.Elem(), path, fn)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			walk(v.Field(i), path+"."+v.Type().Field(i).Name, fn)
		}
	}
}

// Only the steps of this package are steps: what embeds or points to one could pass for something else.
func TestStepsAreTakenByValue(t *testing.T) {
	h := staffed(t)
	type mine struct{ programme.Release }
	for _, s := range []programme.Step{nil, &programme.Release{}, mine{}, (*programme.Release)(nil)} {
		h.refuses(opsec.ErrInvalid, "mia", s, "by value")
		o := newOffice(t, programme.Policy{})
		o.keep(h.audit)
		_, err := o.Take(o.ctx, actor("mia"), "2026-1", s)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, _, err := h.policy.Apply(programme.Audit{}, programme.Release{}, h.by("mia"))
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestNoStepIsTakenTwice(t *testing.T) {
	h := approved(t)
	h.take("lea", programme.Lend{Grant: grant(h)})
	by := h.by("tom")
	use := programme.Use{Grant: "g1", Target: volume}
	a, _, err := h.policy.Apply(h.audit, use, by)
	require.NoError(t, err)
	b, e, err := h.policy.Apply(a, use, by)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.Equal(t, a, b)
	require.Zero(t, e)
}

func TestTheClockOfAnAuditNeverGoesBack(t *testing.T) {
	h := staffed(t)
	last := h.audit.History[len(h.audit.History)-1].Time
	h.now = noon.Add(-day)
	e := h.take("mia", programme.Release{})
	require.True(t, last.Equal(e.Time))
	require.True(t, last.Equal(h.audit.History[len(h.audit.History)-1].Time))
}
