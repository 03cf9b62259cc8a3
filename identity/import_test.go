package identity_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/identity"
	"github.com/cloudopsec/opsec/store/bolt"
	"github.com/cloudopsec/opsec/store/memory"
)

// staff is n rows, a name each.
func staff(n int) iter.Seq2[identity.Row, error] {
	return func(yield func(identity.Row, error) bool) {
		for i := range n {
			const letters = "abcdefghijkopqstuvxyz" // no m that looks like rn
			name := []byte("user-aaaaa")
			for at, rest := len(name)-1, i; rest > 0; at, rest = at-1, rest/len(letters) {
				name[at] = letters[rest%len(letters)]
			}
			r := identity.Registration{Name: string(name), Person: "p" + string(name), Holds: rights("read"), Properties: map[string]string{"mail": string(name) + "@example.org"}}
			if !yield(identity.Row{ID: strconv.Itoa(i), Registration: r}, nil) {
				return
			}
		}
	}
}

// approved proposes an import, and bob approves.
func (b *bench) approved(rows iter.Seq2[identity.Row, error]) opsec.ID {
	b.t.Helper()
	r, err := b.ProposeImport(bg, b.alice, "acme", rows)
	require.NoError(b.t, err)
	_, err = b.Import(bg, b.alice, "acme", r.ID, rows, nil)
	require.ErrorIs(b.t, err, approval.StatusError{Status: approval.Pending})
	b.decide(r)
	return r.ID
}

func TestAnImportReportsEachRowThatIsRefused(t *testing.T) {
	b := standard(t)
	rows := []identity.Row{
		{ID: "1", Registration: identity.Registration{Name: "carol", Person: "pc", Holds: rights("read")}},
		{ID: "2", Registration: identity.Registration{Name: "CAR0L", Person: "pd"}},    // looks like the first
		{ID: "3", Registration: identity.Registration{Name: "no name", Person: "pe"}},  // is none
		{ID: "4", Registration: identity.Registration{Name: "frank", Person: "pc"}},    // a second main account
		{ID: "", Registration: identity.Registration{Name: "grace", Person: "pg"}},     // could not be resumed
		{ID: "1", Registration: identity.Registration{Name: "heidi", Person: "ph"}},    // the same row again
		{ID: "7", Registration: identity.Registration{Name: "ivan", Person: "pi"}},     // is fine
		{ID: "8", Registration: identity.Registration{Name: "judy", Main: "x"}},        // a sub-account
		{ID: "9", Registration: identity.Registration{Name: "root", Person: "pr"}},     // reserved
		{ID: "10", Registration: identity.Registration{Name: "mallory", Person: "pm"}}, // in the next batch from here on
		{ID: "11", Registration: identity.Registration{Name: "niaj", Person: "pn"}},    // is fine
		{ID: "12", Registration: identity.Registration{Name: "olivia", Person: "po", Holds: identity.Rights{Roles: []string{""}}}},
	}
	id := b.approved(seq(rows))
	refused := map[string]error{}
	out, err := b.Import(bg, b.alice, "acme", id, seq(rows), func(r identity.Refusal) { refused[r.Row] = r.Err })
	require.NoError(t, err)
	require.Equal(t, identity.Imported{New: 4, Known: 1, Refused: 7}, out)
	require.Len(t, refused, 7)
	require.ErrorIs(t, refused["2"], identity.ErrTaken)
	require.ErrorIs(t, refused["4"], identity.ErrSecondMain)
	for row, err := range refused {
		require.ErrorIs(t, err, opsec.ErrInvalid, row)
	}

	again, err := b.Import(bg, b.alice, "acme", id, seq(rows), nil)
	require.NoError(t, err)
	require.Equal(t, identity.Imported{Known: 5, Refused: 7}, again, "as often as you like")
	rows[0].Holds = rights("write")
	_, err = b.Import(bg, b.alice, "acme", id, seq(rows), nil)
	require.ErrorIs(t, err, approval.ErrOtherAction)

	a, err := b.Lookup(bg, timer.Actor, "acme", "ivan")
	require.NoError(t, err)
	require.Equal(t, identity.Active, a.State)
	require.Equal(t, b.now, a.Approved)
	record, replay := b.replayed(a.ID)
	require.Equal(t, record, replay)
	require.Len(t, b.events(identity.ActionRegister), 2+4)
	b.sound()
}

func TestAnImportGoesOn(t *testing.T) {
	b := standard(t)
	id := b.approved(staff(100))
	broken := errors.New("the file ends")
	pass := 0
	_, err := b.Import(bg, b.alice, "acme", id, func(yield func(identity.Row, error) bool) {
		pass++
		n := 0
		for r := range staff(100) {
			if n++; pass == 2 && n > 55 {
				yield(identity.Row{}, broken)
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}, nil)
	require.ErrorIs(t, err, broken)
	in := len(b.list(identity.Query{})) - 2
	require.Less(t, in, 100)
	out, err := b.Import(bg, b.alice, "acme", id, staff(100), nil)
	require.NoError(t, err)
	require.Equal(t, identity.Imported{New: int64(100 - in), Known: int64(in)}, out)
	require.Len(t, b.list(identity.Query{}), 102)

	ctx, cancel := context.WithCancel(bg)
	cancel()
	_, err = b.Import(ctx, b.alice, "acme", id, staff(100), nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestTwoImportsOfTheSameRows(t *testing.T) {
	b := standard(t)
	one, two := b.approved(staff(60)), b.approved(staff(60))
	var all sync.WaitGroup
	var sum [2]identity.Imported
	for i, id := range []opsec.ID{one, two} {
		all.Go(func() {
			var err error
			sum[i], err = b.Import(bg, b.alice, "acme", id, staff(60), nil)
			require.NoError(t, err)
		})
	}
	all.Wait()
	require.Equal(t, int64(60), sum[0].New+sum[1].New)
	require.Equal(t, int64(60), sum[0].Known+sum[1].Known)
	b.sound()
}

// The number is 500; by hand: OPSEC_ACCOUNTS=1000000 go test -run Million -timeout 60m -v ./identity
func TestAMillionAccountsInConstantMemory(t *testing.T) {
	n := 500
	if s := os.Getenv("OPSEC_ACCOUNTS"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	engine, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), nil)
	require.NoError(t, err)
	defer engine.Close()
	b := newBench(t, engine, nil)
	id := b.approved(staff(n))
	measure := func(what string, fn func()) {
		began, least := time.Now(), heap()
		fn()
		t.Logf("%s of %d accounts: %v, heap %+d KiB at the end", what, n, time.Since(began).Round(time.Millisecond), (int64(heap())-int64(least))/1024)
	}
	measure("import", func() {
		out, err := b.Import(bg, b.alice, "acme", id, staff(n), nil)
		require.NoError(t, err)
		require.Equal(t, int64(n), out.New)
	})
	var early, late uint64
	measure("list", func() {
		seen := 0
		for a, err := range b.List(bg, b.alice.Actor, "acme", identity.Query{}) {
			require.NoError(t, err)
			require.Equal(t, identity.Active, a.State)
			switch seen++; seen {
			case n / 10 * 2:
				early = heap()
			case n * 9 / 10:
				late = heap()
			}
		}
		require.Equal(t, n+2, seen)
	})
	require.Less(t, int64(late)-int64(early), int64(4<<20), "a list holds a page, whatever it has passed")
	measure("search", func() {
		require.Len(t, b.list(identity.Query{Prefix: "user-aaaba"}), 1)
		require.Len(t, b.list(identity.Query{Person: "puser-aaaba"}), 1)
	})
	measure("sweep", func() {
		out, err := b.Sweep(bg, timer, "acme")
		require.NoError(t, err)
		require.Equal(t, int64(n+2), out.Accounts)
	})
}

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func benchDirectory(tb testing.TB, n int) (*bench, []identity.Account) {
	b := newBench(tb, memory.New(), nil)
	_, err := b.Import(bg, b.alice, "acme", b.approved(staff(n)), staff(n), nil)
	require.NoError(tb, err)
	var list []identity.Account
	for a, err := range b.List(bg, b.alice.Actor, "acme", identity.Query{}) {
		require.NoError(tb, err)
		list = append(list, a)
	}
	return b, list
}

func BenchmarkLookup(b *testing.B) {
	d, list := benchDirectory(b, 10_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := d.Lookup(bg, timer.Actor, "acme", list[i*7919%len(list)].Canonical); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList(b *testing.B) {
	d, list := benchDirectory(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range d.List(bg, timer.Actor, "acme", identity.Query{}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(list)), "ns/account")
}

func BenchmarkApply(b *testing.B) {
	d, list := benchDirectory(b, 10)
	f, err := d.Family(bg, timer.Actor, "acme", list[3].ID)
	require.NoError(b, err)
	steps := []identity.Step{{Verb: identity.Suspend, Account: list[3].ID, Time: noon}, {Verb: identity.Resume, Account: list[3].ID, Time: noon}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if f, err = f.Apply(steps[i%2]); err != nil {
			b.Fatal(err)
		}
	}
}
