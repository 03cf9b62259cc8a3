package catalogue_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/catalogue"
	"github.com/cloudopsec/opsec/backup/plan"
)

func TestAPointIsWhatWasRegistered(t *testing.T) {
	b := standard(t)
	b.add("full")
	p := b.add("next", "full")
	require.Equal(t, p, b.point("next"))
	require.Equal(t, 2, p.Depth)
	require.Equal(t, b.now, p.Received)
	require.Equal(t, agent.Actor, p.By)
	require.Equal(t, catalogue.Present, p.State)
	require.False(t, p.Full())
	require.Equal(t, []string{"full", "next"}, b.present())
	s, err := b.Source(bg, alice.Actor, "acme", "vol-7")
	require.NoError(t, err)
	require.Equal(t, noon.Add(time.Hour), s.Since)
	require.Len(t, collect(t, b.Sources(bg, alice.Actor, "acme")), 1)
	require.Empty(t, collect(t, b.Sources(bg, alice.Actor, "other")))
	require.Len(t, b.events(catalogue.ActionRegister), 2)
	b.sound()
}

func TestAHostThatWasTakenOverWritesNothingOver(t *testing.T) {
	b := standard(t)
	p := b.add("a")
	again := p.Registration
	again.Manifest = "sha256:evil"
	_, err := b.Register(bg, agent, "acme", again)
	require.ErrorIs(t, err, catalogue.ErrExists)
	b.add("b")
	b.remove(false, "a")
	_, err = b.Register(bg, agent, "acme", again) // nor after it was deleted
	require.ErrorIs(t, err, catalogue.ErrExists)
	require.Equal(t, "sha256:00", b.point("a").Manifest)
}

func TestWhatTheHostClaimsIsKeptApartFromWhenItCame(t *testing.T) {
	b := standard(t)
	r := b.add("a").Registration
	r.ID, r.Claimed = "future", b.now.AddDate(5, 0, 0)
	p, err := b.Register(bg, agent, "acme", r)
	require.NoError(t, err)
	require.Equal(t, b.now, p.Captured())
	r.ID, r.Claimed = "past", b.now.AddDate(-1, 0, 0)
	p, err = b.Register(bg, agent, "acme", r)
	require.NoError(t, err)
	require.Equal(t, r.Claimed, p.Captured())
	require.Equal(t, b.now, p.Received)
}

func TestRegisterRefuses(t *testing.T) {
	b := standard(t)
	good := b.add("a").Registration
	for name, spoil := range map[string]func(*catalogue.Registration){
		"no source":          func(r *catalogue.Registration) { r.Source = "" },
		"control character":  func(r *catalogue.Registration) { r.ID = "a\nb" },
		"long id":            func(r *catalogue.Registration) { r.ID = strings.Repeat("x", 129) },
		"level":              func(r *catalogue.Registration) { r.Level = "tape" },
		"no time":            func(r *catalogue.Registration) { r.Claimed = time.Time{} },
		"negative size":      func(r *catalogue.Registration) { r.Bytes = -1 },
		"itself as parent":   func(r *catalogue.Registration) { r.Parents = []string{"new"} },
		"a parent twice":     func(r *catalogue.Registration) { r.Parents = []string{"a", "a"} },
		"an unknown parent":  func(r *catalogue.Registration) { r.Parents = []string{"b"} },
		"many parents":       func(r *catalogue.Registration) { r.Parents = make([]string, 17) },
		"an empty tag":       func(r *catalogue.Registration) { r.Tags = []string{""} },
		"a location twice":   func(r *catalogue.Registration) { r.Copies = []catalogue.Copy{local(), local()} },
		"no site":            func(r *catalogue.Registration) { r.Copies[0].Site = "" },
		"durable to come":    func(r *catalogue.Registration) { r.Copies[0].Durable = b.now.Add(time.Hour) },
		"verified by itself": func(r *catalogue.Registration) { r.Copies[0].Verified = b.now },
		"key without number": func(r *catalogue.Registration) { r.Copies[0].Key.Version = 0 },
	} {
		r := good
		r.ID, r.Copies = "new", []catalogue.Copy{local()}
		spoil(&r)
		_, err := b.Register(bg, agent, "acme", r)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
	require.Equal(t, []string{"a"}, b.present())
	good.ID = "new"
	_, err := b.Register(bg, agent, "@nobody", good)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestACopyIsOnlyAddedTo(t *testing.T) {
	b := standard(t)
	b.add("a")
	away := catalogue.Copy{Location: "far", Site: plan.OffSite, Key: catalogue.Key{Name: "k", Version: 2}, LockedUntil: b.now.Add(day)}
	p, err := b.AddCopy(bg, agent, "acme", "vol-7", "a", away)
	require.NoError(t, err)
	_, off := p.Durable(true)
	require.False(t, off)

	later := away
	later.Durable, later.LockedUntil = b.now, b.now.Add(2*day)
	p, err = b.AddCopy(bg, agent, "acme", "vol-7", "a", later)
	require.NoError(t, err)
	at, off := p.Durable(true)
	require.True(t, off)
	require.Equal(t, b.now, at)
	require.Equal(t, b.now.Add(2*day), p.LockedUntil())

	for name, spoil := range map[string]func(*catalogue.Copy){
		"a shorter lock": func(c *catalogue.Copy) { c.LockedUntil = b.now.Add(day) },
		"not durable":    func(c *catalogue.Copy) { c.Durable = time.Time{} },
		"another site":   func(c *catalogue.Copy) { c.Site = plan.OnSite },
		"another key":    func(c *catalogue.Copy) { c.Key.Version = 3 },
	} {
		c := later
		spoil(&c)
		_, err := b.AddCopy(bg, agent, "acme", "vol-7", "a", c)
		require.ErrorIs(t, err, opsec.ErrDenied, name)
	}
	require.Equal(t, p, b.point("a"))
	for i := range 14 {
		k := local()
		k.Location = strconv.Itoa(i)
		_, err := b.AddCopy(bg, agent, "acme", "vol-7", "a", k)
		require.NoError(t, err)
	}
	k := local()
	k.Location = "one more"
	_, err = b.AddCopy(bg, agent, "acme", "vol-7", "a", k)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	b.sound()
}

func TestAPointIsWholeWhileOneCopyIs(t *testing.T) {
	b := standard(t)
	b.add("a")
	_, err := b.AddCopy(bg, agent, "acme", "vol-7", "a", catalogue.Copy{Location: "far", Site: plan.OffSite})
	require.NoError(t, err)
	b.verify("a", true)
	at := b.now
	b.verify("a", false)
	p := b.point("a")
	require.True(t, p.Verified().IsZero())
	require.False(t, p.Broken()) // of the other copy nothing is known
	b.now = b.now.Add(time.Minute)
	_, err = b.Verify(bg, agent, "acme", "vol-7", "a", catalogue.Check{Location: "far", Report: "sha256:11"})
	require.NoError(t, err)
	p = b.point("a")
	require.True(t, p.Broken())
	b.verify("a", true)
	p = b.point("a")
	require.False(t, p.Broken())
	require.Equal(t, b.now, p.Verified())

	checks := collect(t, b.Checks(bg, alice.Actor, "acme", "vol-7", "a"))
	require.Len(t, checks, 4)
	require.Equal(t, at, checks[0].Time)
	require.True(t, checks[0].Whole)
	require.Equal(t, "sha256:11", checks[2].Report)
	require.Equal(t, agent.Actor, checks[2].By)
	_, err = b.Verify(bg, agent, "acme", "vol-7", "a", catalogue.Check{Location: "nowhere", Whole: true})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	b.sound()
}

func TestWhatGoesWithAKeyIsKnown(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("b")
	second := catalogue.Key{Name: "acme-backup", Version: 2}
	_, err := b.AddCopy(bg, agent, "acme", "vol-7", "b", catalogue.Copy{Location: "far", Site: plan.OffSite, Key: second})
	require.NoError(t, err)
	first := local().Key
	ids := func(k catalogue.Key) (some, all []string) {
		for _, p := range collect(t, b.ByKey(bg, alice.Actor, "acme", k)) {
			has, only := p.Under(k)
			require.True(t, has)
			some = append(some, p.ID)
			if only {
				all = append(all, p.ID)
			}
		}
		return some, all
	}
	some, all := ids(first)
	require.Equal(t, []string{"a", "b"}, some)
	require.Equal(t, []string{"a"}, all)
	some, all = ids(second)
	require.Equal(t, []string{"b"}, some)
	require.Empty(t, all)
	b.remove(false, "a")
	some, _ = ids(first)
	require.Equal(t, []string{"b"}, some)
	for _, err := range b.ByKey(bg, alice.Actor, "acme", catalogue.Key{}) {
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestChainIsWalkedEachPointOnce(t *testing.T) {
	b := standard(t)
	b.add("a")
	b.add("l", "a")
	b.add("r", "a")
	b.add("tip", "l", "r")
	var ids []string
	for _, p := range collect(t, b.Chain(bg, alice.Actor, "acme", "vol-7", "tip")) {
		ids = append(ids, p.ID)
	}
	require.Equal(t, []string{"tip", "l", "r", "a"}, ids)
	require.Len(t, collect(t, b.Children(bg, alice.Actor, "acme", "vol-7", "a")), 2)
	for _, err := range b.Chain(bg, alice.Actor, "acme", "vol-7", "none") {
		require.ErrorIs(t, err, opsec.ErrNotFound)
	}
}

func TestPagesTogetherAreTheList(t *testing.T) {
	b := standard(t)
	for i := range 7 {
		b.add(strconv.Itoa(i))
	}
	var got []string
	cursor := ""
	for {
		page, next, err := b.Page(bg, alice.Actor, "acme", "vol-7", cursor, 3)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page), 3)
		for _, p := range page {
			got = append(got, p.ID)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	require.Equal(t, b.present(), got)
	some := collect(t, b.Points(bg, alice.Actor, "acme", "vol-7", noon.Add(2*time.Hour), noon.Add(4*time.Hour)))
	require.Len(t, some, 2)
	require.Equal(t, "1", some[0].ID)
}

func TestEachVerbIsAuthorisedAndItsRefusalRecorded(t *testing.T) {
	b := standard(t)
	r := b.add("a").Registration
	b.verify("a", true)
	r.ID = "new"
	o, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, true)
	require.NoError(t, err)
	verbs := map[string]func() error{
		catalogue.ActionRegister: func() error { _, err := b.Register(bg, agent, "acme", r); return err },
		catalogue.ActionCopy:     func() error { _, err := b.AddCopy(bg, agent, "acme", "vol-7", "a", local()); return err },
		catalogue.ActionVerify: func() error {
			_, err := b.Verify(bg, agent, "acme", "vol-7", "a", catalogue.Check{Location: "rack-1"})
			return err
		},
		catalogue.ActionTest: func() error {
			_, err := b.Tested(bg, agent, "acme", catalogue.Test{ID: "t", Source: "vol-7", Point: "a", Location: "rack-1"})
			return err
		},
		catalogue.ActionHold: func() error { _, err := b.HoldPoint(bg, alice, "acme", "vol-7", "a"); return err },
		catalogue.ActionPropose: func() error {
			_, err := b.ProposeDeletion(bg, alice, "acme", "vol-7", []string{"a"}, false)
			return err
		},
		catalogue.ActionDecide:  func() error { _, err := b.Decide(bg, "acme", o.ID, approve(bob)); return err },
		catalogue.ActionCancel:  func() error { _, err := b.Cancel(bg, alice, "acme", o.ID); return err },
		catalogue.ActionExecute: func() error { _, err := b.Execute(bg, alice, "acme", o.ID); return err },
		catalogue.ActionExpire:  func() error { _, _, err := b.ProposeExpiry(bg, alice, "acme", "vol-7"); return err },
	}
	before := b.point("a")
	for action, verb := range verbs {
		b.gate.refuse = []string{action}
		seen := len(b.events())
		require.ErrorIs(t, verb(), opsec.ErrDenied, action)
		events := b.events()
		require.Len(t, events, seen+1, action)
		require.Equal(t, opsec.Denied, events[seen].Outcome)
		require.Equal(t, action, events[seen].Action)
	}
	b.gate.refuse = []string{catalogue.ActionRead}
	_, err = b.Point(bg, alice.Actor, "acme", "vol-7", "a")
	require.ErrorIs(t, err, opsec.ErrDenied)
	for _, err := range b.Points(bg, alice.Actor, "acme", "vol-7", time.Time{}, time.Time{}) {
		require.ErrorIs(t, err, opsec.ErrDenied)
	}
	b.gate.refuse = nil
	require.Equal(t, before, b.point("a"))
	require.Equal(t, []string{"a"}, b.present())
}

func TestNewRefusesWhatIsMissing(t *testing.T) {
	_, err := catalogue.New(nil, catalogue.DefaultPolicy(), &catalogue.Options{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	b := standard(t)
	_, err = catalogue.New(b.db, catalogue.DefaultPolicy(), &catalogue.Options{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}
