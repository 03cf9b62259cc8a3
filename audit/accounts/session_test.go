package accounts_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
)

// sessionsOf draws complete sessions of one account, one after the other, as logs of different quality have them: with or
// without ids, with or without the beginning on the log-out, by clocks that tick in hours. Each is a log-in and a log-out.
func sessionsOf(t *rapid.T) (rows []accounts.SignIn) {
	ids, began := rapid.Bool().Draw(t, "ids"), rapid.Bool().Draw(t, "beginnings")
	oneTerminal := rapid.Bool().Draw(t, "one terminal")
	at := ago(80 * day)
	for i := range rapid.IntRange(1, 12).Draw(t, "sessions") {
		at = at.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "pause")) * time.Hour)
		in := accounts.SignIn{Key: name("bob"), Time: at, Outcome: opsec.Success, Terminal: "t1", Ref: fmt.Sprint("in", i)}
		if !oneTerminal {
			in.Terminal = rapid.SampledFrom([]string{"t1", "t2", "t3"}).Draw(t, "terminal")
		}
		if ids {
			in.Session = fmt.Sprint("s", i)
		}
		out := in
		at = at.Add(time.Duration(rapid.IntRange(1, 12).Draw(t, "length")) * time.Hour)
		out.Time, out.Logout, out.Ref = at, true, fmt.Sprint("out", i)
		if began {
			out.Began = in.Time
		}
		rows = append(rows, in, out)
	}
	return rows
}

func auditSessions(t *rapid.T, rows []accounts.SignIn) []accounts.Finding {
	w := newWorld()
	w.gone("bob")
	w.account("bob").Roles = nil
	w.signIns = append(w.signIns, rows...)
	found, summary := w.audit(t)
	require.Empty(t, summary.NotTested)
	return found
}

func TestSessionsThatEndHaveNoFindings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := sessionsOf(t)
		// Rows of one time come in any order.
		for i := range len(rows) - 1 {
			if rows[i].Time.Equal(rows[i+1].Time) && rapid.Bool().Draw(t, "swap") {
				rows[i], rows[i+1] = rows[i+1], rows[i]
			}
		}
		require.Empty(t, auditSessions(t, rows))
	})
}

func TestARowThatIsMissingIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := sessionsOf(t)
		i := rapid.IntRange(0, len(rows)-1).Draw(t, "missing")
		missing := rows[i]
		found := auditSessions(t, slices.Delete(slices.Clone(rows), i, i+1))
		found = slices.DeleteFunc(found, func(f accounts.Finding) bool { // a session that stays open may overlap the next
			return f.Kind == accounts.Shared && missing.Logout
		})
		require.Len(t, found, 1)
		f := found[0]
		require.Equal(t, name("bob"), f.Account)
		require.EqualValues(t, 1, f.Count)
		switch {
		case missing.Logout:
			require.Equal(t, accounts.Unclosed, f.Kind)
			if missing.Session != "" || !missing.Began.IsZero() {
				require.Equal(t, []string{"in" + missing.Ref[3:]}, f.Evidence, "the session that was not closed")
			}
		default:
			require.Equal(t, accounts.Unopened, f.Kind)
			if missing.Session != "" || !rows[i+1].Began.IsZero() {
				require.Equal(t, []string{"out" + missing.Ref[2:]}, f.Evidence)
			}
		}
	})
}

// Of sessions that overlap, those count that are open at once from different places.
func TestOverlapsAreCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		places := rapid.IntRange(1, 3).Draw(t, "places allowed")
		type session struct {
			from, to int // hours; open within [from, to)
			place    string
		}
		var sessions []session
		w := newWorld()
		w.policy.Places = places
		w.gone("bob")
		w.account("bob").Roles = nil
		starts := rapid.SliceOfNDistinct(rapid.IntRange(0, 40), 0, 8, rapid.ID).Draw(t, "starts")
		slices.Sort(starts)
		for i, from := range starts {
			s := session{from, from + rapid.IntRange(1, 12).Draw(t, "length"), rapid.SampledFrom([]string{"t1", "t2", "t3", "t4"}).Draw(t, "place")}
			sessions = append(sessions, s)
			in := accounts.SignIn{
				Key: name("bob"), Time: ago(20 * day).Add(time.Duration(s.from) * time.Hour), Outcome: opsec.Success, Session: fmt.Sprint(i), Terminal: s.place,
			}
			out := in
			out.Time, out.Logout = ago(20*day).Add(time.Duration(s.to)*time.Hour), true
			w.signIns = append(w.signIns, in, out)
		}
		want := 0
		for i, s := range sessions {
			open := map[string]bool{s.place: true}
			for _, other := range sessions[:i] {
				if other.from <= s.from && s.from < other.to {
					open[other.place] = true
				}
			}
			if len(open) > places {
				want++
			}
		}
		found, _ := w.audit(t)
		if want == 0 {
			require.Empty(t, found)
			return
		}
		require.Len(t, found, 1)
		require.Equal(t, accounts.Shared, found[0].Kind)
		require.EqualValues(t, want, found[0].Count)
	})
}

// Without ids and beginnings nobody knows which of the sessions at one place a log-out ends: that they were short, when
// they can have been, is no finding; that one is open is.
func TestSessionsAtOnePlaceWithoutIDs(t *testing.T) {
	w := newWorld()
	out := func(at time.Time) { w.logOut("bob", at, time.Time{}) }
	w.logIn("bob", ago(50*time.Hour), "t1")
	w.logIn("bob", ago(46*time.Hour), "t1")
	out(ago(45 * time.Hour))
	out(ago(37 * time.Hour)) // 13 hours after the first, 9 after the second
	found, _ := w.audit(t)
	require.Empty(t, found)

	w.logIn("bob", ago(30*time.Hour), "t1")
	w.logIn("bob", ago(29*time.Hour), "t1")
	out(ago(28 * time.Hour))
	found, _ = w.audit(t)
	require.Len(t, found, 1)
	require.Equal(t, accounts.Unclosed, found[0].Kind)
	require.EqualValues(t, 1, found[0].Count)
}

// Two sessions that began in one tick of the clock: a log-out ends the one from its own place.
func TestALogOutEndsTheSessionOfItsPlace(t *testing.T) {
	w := newWorld()
	w.policy.Places = 2
	w.idle("bob", ago(time.Hour))
	at := ago(9 * time.Hour)
	w.logIn("bob", at, "t1")
	w.logIn("bob", at, "t2")
	w.logOut("bob", ago(8*time.Hour), at) // t1
	w.logIn("bob", ago(7*time.Hour), "t2")
	w.logIn("bob", ago(6*time.Hour), "t3")
	found, _ := w.audit(t)
	require.Empty(t, found)
}

// Sessions overlap, have neither ids nor beginnings, and none is too long. The span begins somewhere among them.
func TestSpansMayBeginWithinSessions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.idle("bob", ago(time.Hour))
		w.policy.Skip = []accounts.Kind{accounts.Dormant}
		start := ago(90 * time.Hour)
		w.since = start.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "span")) * time.Hour)
		for range rapid.IntRange(1, 8).Draw(t, "sessions") {
			in := start.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "in")) * time.Hour)
			out := in.Add(time.Duration(rapid.IntRange(1, 12).Draw(t, "length")) * time.Hour)
			if !in.Before(w.since) {
				w.logIn("bob", in, "t1")
			}
			if !out.Before(w.since) {
				w.logOut("bob", out, time.Time{})
			}
		}
		found, _ := w.audit(t)
		require.Empty(t, found)
	})
}

// What may have begun before the span excuses one log-out, and not for longer than sessions last.
func TestOneLogOutMayBeFromBeforeTheSpan(t *testing.T) {
	for out, want := range map[time.Duration]int{12 * time.Hour: 0, 12*time.Hour + 1: 1} {
		w := newWorld()
		w.idle("bob", ago(time.Hour))
		w.policy.Skip = []accounts.Kind{accounts.Dormant}
		w.since = ago(50 * time.Hour)
		w.logIn("bob", w.since.Add(9*time.Hour), "t1")
		w.logOut("bob", w.since.Add(10*time.Hour), time.Time{})
		w.logOut("bob", w.since.Add(9*time.Hour+out), time.Time{})
		found, _ := w.audit(t)
		require.Len(t, found, want)
		w.logOut("bob", w.since.Add(24*time.Hour), time.Time{})
		found, _ = w.audit(t)
		require.Len(t, found, 1)
		require.Equal(t, accounts.Unopened, found[0].Kind)
		require.EqualValues(t, want+1, found[0].Count)
	}
}

// What a log-out may mean for one session says nothing of another place, nor of who is where.
func TestDoubtsAreOfOnePlaceAndOneSpan(t *testing.T) {
	type row struct {
		hour  int // of the span, or since 50 hours ago
		place string
		out   bool
	}
	in := func(hour int, place string) row { return row{hour, place, false} }
	out := func(hour int, place string) row { return row{hour, place, true} }
	for name, c := range map[string]struct {
		span bool
		rows []row
		want []accounts.Kind
	}{
		"a long session elsewhere": {false, []row{in(0, "t2"), in(4, "t1"), out(5, "t1"), out(13, "t2")}, []accounts.Kind{accounts.Unclosed}},
		"a log-out elsewhere":      {true, []row{in(9, "t1"), out(10, "t1"), out(13, "t2")}, []accounts.Kind{accounts.Unopened}},
		"one after the other":      {true, []row{in(9, "t1"), out(10, "t1"), in(11, "t2"), out(12, "t2")}, nil},
		"at once, and one before":  {true, []row{in(7, "t1"), out(8, "t1"), in(9, "t1"), in(10, "t2"), out(13, "t1"), out(14, "t2")}, []accounts.Kind{accounts.Shared}},
		"a chain":                  {true, []row{in(8, "t1"), out(9, "t1"), in(15, "t1"), out(16, "t1"), out(26, "t1")}, nil},
		"a chain that is too long": {true, []row{in(8, "t1"), out(9, "t1"), in(15, "t1"), out(16, "t1"), out(28, "t1")}, []accounts.Kind{accounts.Unopened}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.idle("bob", ago(time.Hour))
			w.policy.Skip = []accounts.Kind{accounts.Dormant}
			if c.span {
				w.since = ago(50 * time.Hour)
			}
			if c.want != nil && c.want[0] == accounts.Unclosed {
				w.policy.Skip = append(w.policy.Skip, accounts.Shared) // they overlap
			}
			for _, r := range c.rows {
				at := ago(50 * time.Hour).Add(time.Duration(r.hour) * time.Hour)
				if w.logIn("bob", at, r.place); r.out {
					w.signIns[len(w.signIns)-1].Logout = true
				}
			}
			found, _ := w.audit(t)
			var kinds []accounts.Kind
			for _, f := range found {
				kinds = append(kinds, f.Kind)
			}
			require.Equal(t, c.want, kinds)
		})
	}
}

func TestManySessionsAtTheBeginningOfTheSpan(t *testing.T) {
	w := newWorld()
	w.idle("bob", ago(time.Hour))
	w.policy.Skip = []accounts.Kind{accounts.Dormant}
	w.since = ago(50 * time.Hour)
	for i := range 300 {
		w.logIn("bob", w.since.Add(time.Duration(2*i+1)*time.Minute), "t1")
		w.logOut("bob", w.since.Add(time.Duration(2*i+2)*time.Minute), time.Time{})
	}
	found, _ := w.audit(t)
	require.Empty(t, found)
}
