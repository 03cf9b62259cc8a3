package replica_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/password"
	"github.com/cloudopsec/opsec/identity/password/credential"
	"github.com/cloudopsec/opsec/identity/password/hash"
	"github.com/cloudopsec/opsec/identity/password/replica"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/feed"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
)

var (
	bg   = context.Background()
	noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	acme = opsec.TenantID("acme")
	all  = replica.Reads{Schemes: []hash.Scheme{hash.Argon2id, hash.Bcrypt}, Peppers: []string{"k1"}, Memory: 1 << 20}
)

const (
	argon  = "$argon2id$v=19$m=64,t=3,p=2$TmFDbDAxMjM0NTY3ODlhYg$SV7dDfuPyXhjhM3uGtZ1yUyGJNvAsBbmTjeQBYgvNjw"
	bcrypt = "$2y$04$4tvDosd0SJuN1p6s76IM2uG1pSYVqk/LRYJmo/kwEdscWYdY61sjy"
)

// of is a hash that differs for every account and version.
func of(account string, version uint64) string {
	salt := fmt.Sprintf("%022x", version)
	return strings.Replace(argon, "TmFDbDAxMjM0NTY3ODlhYg", salt[:21]+"A", 1)
}

func change(account string, version uint64) replica.Change {
	return replica.Change{Account: account, Version: version, Hash: of(account, version), Changed: noon.Add(time.Duration(version) * time.Minute)}
}

func open(t testing.TB, d store.Driver) *store.DB {
	t.Helper()
	db, err := store.New(d, &store.Options{Now: func() time.Time { return noon }})
	require.NoError(t, err)
	return db
}

func add(t testing.TB, db *store.DB, o *replica.Outbox, list ...replica.Change) {
	t.Helper()
	require.NoError(t, db.Update(bg, func(tx *store.Tx) error {
		for _, c := range list {
			if err := o.Append(tx.Sub(acme), c); err != nil {
				return err
			}
		}
		return nil
	}))
}

func follow(t testing.TB, db *store.DB, target replica.Target, reads replica.Reads) *replica.Follower {
	t.Helper()
	f, err := replica.NewFollower(db, "billing", target, reads, &replica.Options{Now: func() time.Time { return noon }})
	require.NoError(t, err)
	return f
}

func version(t testing.TB, p *replica.Copies, account string) uint64 {
	t.Helper()
	c, err := p.Get(bg, acme, account)
	if errors.Is(err, opsec.ErrNotFound) {
		return 0
	}
	require.NoError(t, err)
	require.Equal(t, of(account, c.Version), c.Hash)
	return c.Version
}

func TestChangesArriveInOrderAndOnce(t *testing.T) {
	db, o := open(t, memory.New()), replica.NewOutbox(nil)
	there := replica.Stored(open(t, memory.New()), nil)
	f := follow(t, db, there, all)
	var list []replica.Change
	for i := range uint64(80) {
		list = append(list, change(fmt.Sprint("a", i%7), i+1))
	}
	add(t, db, o, list[:40]...)
	add(t, db, o, list[40:]...)
	n, err := f.CatchUp(bg, acme)
	require.NoError(t, err)
	require.Equal(t, 80, n)
	for i := range uint64(7) {
		require.Equal(t, 74+(i+7-3)%7, version(t, there, fmt.Sprint("a", i)))
	}
	n, err = f.CatchUp(bg, acme)
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = f.CatchUp(bg, "globex")
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = there.Get(bg, "globex", "a1")
	require.ErrorIs(t, err, opsec.ErrNotFound)
}

func TestATargetRefusesWhatIsOlder(t *testing.T) {
	there := replica.Stored(open(t, memory.New()), nil)
	described := func(account string, v uint64) replica.Change {
		c := change(account, v)
		c.Scheme, c.Memory = hash.Argon2id, 64
		return c
	}
	require.NoError(t, there.Apply(bg, acme, described("a", 2)))
	require.NoError(t, there.Apply(bg, acme, described("a", 2)), "again")
	require.ErrorIs(t, there.Apply(bg, acme, described("a", 1)), replica.ErrOlder)
	other := described("a", 2)
	other.Hash = of("a", 77)
	require.ErrorIs(t, there.Apply(bg, acme, other), replica.ErrForked)
	require.EqualValues(t, 2, version(t, there, "a"))
	require.NoError(t, there.Apply(bg, acme, replica.Change{Account: "a", Version: 3}))
	require.Zero(t, version(t, there, "a"), "it has none any more")
	require.ErrorIs(t, there.Apply(bg, acme, described("a", 2)), replica.ErrOlder, "nor does an old one come back")
	lying := described("a", 4)
	lying.Memory = 1
	require.ErrorIs(t, there.Apply(bg, acme, lying), opsec.ErrInvalid)
}

func TestOnlyHashesTravel(t *testing.T) {
	db, o := open(t, memory.New()), replica.NewOutbox(nil)
	for _, c := range []replica.Change{
		{Account: "a", Version: 1, Hash: "correct horse battery staple"}, {Account: "a", Version: 1, Hash: "$1$salt$"},
		{Account: "a", Hash: argon}, {Version: 1, Hash: argon}, {Account: strings.Repeat("a", 257), Version: 1, Hash: argon},
		{Account: "\xff", Version: 1, Hash: argon}, // in JSON it would be another
	} {
		err := db.Update(bg, func(tx *store.Tx) error { return o.Append(tx.Sub(acme), c) })
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.NotContains(t, err.Error(), "horse")
	}
	n, err := follow(t, db, replica.Stored(db, nil), all).CatchUp(bg, acme)
	require.NoError(t, err)
	require.Zero(t, n)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", change("a", 1), change("a", 1), change("a", 1)), "argon2id$")
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("change", "c", change("a", 1))
	require.NotContains(t, log.String(), "argon2id$")
}

type journal struct{ events []opsec.Event }

func (j *journal) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	j.events = append(j.events, *e)
	return opsec.Receipt{Event: e.ID, Time: e.Time, Durable: true}, nil
}

func TestWhatATargetCannotReadIsReported(t *testing.T) {
	db, o := open(t, memory.New()), replica.NewOutbox(nil)
	there := replica.Stored(open(t, memory.New()), nil)
	f := follow(t, db, there, replica.Reads{Schemes: []hash.Scheme{hash.Argon2id}, Peppers: []string{"k1"}, Memory: 64})
	big := strings.Replace(argon, "m=64", "m=128", 1)
	seasoned := func(keys string) string { return strings.Replace(argon, "p=2", "p=2,keyid="+keys, 1) }
	add(t, db, o,
		replica.Change{Account: "bcrypt", Version: 1, Hash: bcrypt}, replica.Change{Account: "big", Version: 1, Hash: big},
		replica.Change{Account: "known", Version: 1, Hash: seasoned("k1")}, replica.Change{Account: "pepper", Version: 1, Hash: seasoned("k1+k2")},
		replica.Change{Account: "raw", Version: 1, Hash: argon, Raw: true}, change("good", 1))
	n, err := f.CatchUp(bg, acme)
	require.NoError(t, err)
	require.Equal(t, 6, n, "nobody waits for those")
	require.EqualValues(t, 1, version(t, there, "good"))
	status := func() replica.Status {
		list, err := o.Status(bg, db, acme)
		require.NoError(t, err)
		require.Len(t, list, 1)
		return list[0]
	}
	require.Equal(t, replica.Status{Target: "billing", Seq: 6, Unreadable: 4, At: noon}, status())
	accounts, reasons, err := o.Unreadable(bg, db, acme, "billing", 3)
	require.NoError(t, err)
	require.Equal(t, []string{"bcrypt", "big", "pepper"}, accounts)
	require.Contains(t, reasons[2], "pepper k2")
	var j journal
	_, err = db.Deliver(bg, db.Node(), &j)
	require.NoError(t, err)
	require.Len(t, j.events, 4)
	require.Equal(t, replica.ActionUnreadable, j.events[0].Action)

	add(t, db, o, change("bcrypt", 2), replica.Change{Account: "big", Version: 2}, change("raw", 2), replica.Change{Account: "raw", Version: 3, Hash: bcrypt})
	_, err = f.CatchUp(bg, acme)
	require.NoError(t, err)
	accounts, _, err = o.Unreadable(bg, db, acme, "billing", 9)
	require.NoError(t, err)
	require.Equal(t, []string{"pepper", "raw"}, accounts, "until there is one that it can read")

	more := follow(t, db, there, replica.Reads{Schemes: []hash.Scheme{hash.Argon2id}, Peppers: []string{"k1", "k2"}, Memory: 64})
	present := []replica.Change{{Account: "pepper", Version: 1, Hash: seasoned("k1+k2")}, {Account: "raw", Version: 3, Hash: bcrypt}}
	require.NoError(t, more.Seed(bg, acme, o, func(yield func(replica.Change, error) bool) {
		for _, c := range present {
			if !yield(c, nil) {
				return
			}
		}
	}))
	accounts, _, err = o.Unreadable(bg, db, acme, "billing", 9)
	require.NoError(t, err)
	require.Equal(t, []string{"raw"}, accounts, "it has the key of the pepper now")
	_, err = db.Deliver(bg, db.Node(), &j)
	require.NoError(t, err)
	require.Len(t, j.events, 5, "and told of the other once")
}

// later is what a later library hands on: a form that this one does not read.
type later struct{ *replica.Copies }

func (l later) Apply(ctx context.Context, tenant opsec.TenantID, c replica.Change) error {
	c.Hash = strings.Replace(c.Hash, "v=19", "v=20", 1)
	return l.Copies.Apply(ctx, tenant, c)
}

func TestAFormThatATargetIsTooOldForHoldsNobodyUp(t *testing.T) {
	db, o := open(t, memory.New()), replica.NewOutbox(nil)
	there := replica.Stored(open(t, memory.New()), nil)
	add(t, db, o, change("a", 1), change("b", 1))
	n, err := follow(t, db, later{there}, all).CatchUp(bg, acme)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	accounts, reasons, err := o.Unreadable(bg, db, acme, "billing", 9)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, accounts)
	require.Contains(t, reasons[0], "version")
}

// stuck is a target that is away.
type stuck struct{ error }

func (s stuck) Apply(context.Context, opsec.TenantID, replica.Change) error { return s.error }

func TestTheStatusSaysWhoIsBehind(t *testing.T) {
	db, o := open(t, memory.New()), replica.NewOutbox(nil)
	there := replica.Stored(open(t, memory.New()), nil)
	add(t, db, o, change("a", 1))
	_, err := follow(t, db, there, all).CatchUp(bg, acme)
	require.NoError(t, err)
	add(t, db, o, change("a", 2), change("b", 3))
	away := errors.New("away")
	_, err = follow(t, db, stuck{away}, all).CatchUp(bg, acme)
	require.ErrorIs(t, err, away)
	list, err := o.Status(bg, db, acme)
	require.NoError(t, err)
	require.Equal(t, []replica.Status{{Target: "billing", Seq: 1, Behind: 2, Oldest: noon.Add(2 * time.Minute), At: noon}}, list)
	n, err := follow(t, db, there, all).CatchUp(bg, acme)
	require.NoError(t, err)
	require.Equal(t, 2, n, "it resumes where it was")
}

func TestATargetThatMissedWhatWasTrimmedBeginsWithTheState(t *testing.T) {
	db, o := open(t, memory.New()), replica.NewOutbox(nil)
	there, late := replica.Stored(open(t, memory.New()), nil), replica.Stored(open(t, memory.New()), nil)
	add(t, db, o, change("a", 1), change("b", 2))
	require.NoError(t, o.Trim(bg, db, acme), "nobody has followed: nothing goes")
	_, err := follow(t, db, there, all).CatchUp(bg, acme)
	require.NoError(t, err)
	require.NoError(t, o.Trim(bg, db, acme))
	add(t, db, o, change("a", 3))

	f, err := replica.NewFollower(db, "late", late, all, nil)
	require.NoError(t, err)
	_, err = f.CatchUp(bg, acme)
	require.ErrorIs(t, err, feed.ErrTrimmed)
	state := func(list ...replica.Change) iter.Seq2[replica.Change, error] {
		return func(yield func(replica.Change, error) bool) {
			for _, c := range list {
				if !yield(c, nil) {
					return
				}
			}
		}
	}
	require.ErrorIs(t, f.Seed(bg, acme, o, state(replica.Change{Account: "a", Version: 9, Hash: "plain"})), opsec.ErrInvalid)
	require.NoError(t, f.Seed(bg, acme, o, state(change("a", 3), change("b", 2))))
	require.EqualValues(t, 3, version(t, late, "a"))
	require.EqualValues(t, 2, version(t, late, "b"))
	add(t, db, o, change("b", 4))
	_, err = f.CatchUp(bg, acme)
	require.NoError(t, err)
	require.EqualValues(t, 4, version(t, late, "b"))
	require.NoError(t, o.Forget(bg, db, acme, "late"))
	list, err := o.Status(bg, db, acme)
	require.NoError(t, err)
	require.Len(t, list, 1)
}

// aead is a sealer for tests.
type aead struct{ cipher.AEAD }

func newAEAD(t testing.TB, key byte) aead {
	block, err := aes.NewCipher(append(make([]byte, 15), key))
	require.NoError(t, err)
	a, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	return aead{a}
}

func (a aead) Encrypt(p, ad []byte) ([]byte, error) { return a.Seal(nil, nil, p, ad), nil }
func (a aead) Decrypt(c, ad []byte) ([]byte, error) { return a.Open(nil, nil, c, ad) }

// tap is a target that sees what travels.
type tap struct {
	replica.Target
	seen []replica.Change
}

func (p *tap) Apply(ctx context.Context, tenant opsec.TenantID, c replica.Change) error {
	p.seen = append(p.seen, c)
	return p.Target.Apply(ctx, tenant, c)
}

// A password that was issued is for a change, and ends: a copy would know neither. This is the wiring of doc.go.
func TestAnIssuedPasswordIsNotCopied(t *testing.T) {
	db, o := open(t, memory.New()), replica.NewOutbox(nil)
	there := replica.Stored(open(t, memory.New()), nil)
	records := credential.Stored(db, &credential.StoredOptions{Changed: func(s *store.Sub, account string, r credential.Record) error {
		c := replica.Change{Account: account, Version: r.Version, Changed: r.Changed}
		if r.Until.IsZero() {
			c.Hash, c.Raw = r.Present.Text, r.Present.Raw
		}
		return o.Append(s, c)
	}})
	pool, err := hash.New(hash.Params{M: 16, T: 1, P: 1}, &hash.Options{InsecureNoPace: true})
	require.NoError(t, err)
	checker, err := password.New(password.Profile{Name: "p", Length: 8, Longest: 64, SkipBlocklist: true, Words: password.SkipWords}, nil)
	require.NoError(t, err)
	policy := credential.Default()
	policy.SkipLocks, policy.SkipSessions = true, true
	keeper, err := credential.New(records, pool, checker, policy, &credential.Options{Authorizer: opsec.CallerAuthorized{}})
	require.NoError(t, err)
	eve, owner := credential.Subject{Tenant: acme, Account: "eve"}, opsec.Actor{Tenant: acme, Account: "eve"}
	f := follow(t, db, there, all)
	get := func() (string, error) {
		_, err := f.CatchUp(bg, acme)
		require.NoError(t, err)
		c, err := there.Get(bg, acme, "eve")
		return c.Hash, err
	}
	fits := func(secret string) {
		t.Helper()
		h, err := get()
		require.NoError(t, err)
		r, err := pool.Verify(bg, []byte(secret), h)
		require.NoError(t, err)
		require.True(t, r.Match)
	}
	require.NoError(t, keeper.Set(bg, eve, []byte("correct horse"), owner))
	fits("correct horse")
	issued, err := keeper.Issue(bg, eve, opsec.Actor{Tenant: acme, Account: "root"})
	require.NoError(t, err)
	_, err = get()
	require.ErrorIs(t, err, opsec.ErrNotFound, "nor does the one before work any longer")
	require.NoError(t, keeper.Change(bg, eve, issued, []byte("battery staple"), owner))
	fits("battery staple")
}

func TestHashesAreSealedOnTheWay(t *testing.T) {
	db, o := open(t, memory.New()), replica.NewOutbox(newAEAD(t, 1))
	there := replica.Stored(open(t, memory.New()), newAEAD(t, 1))
	add(t, db, o, change("a", 1), replica.Change{Account: "b", Version: 1})
	line := &tap{Target: there}
	_, err := follow(t, db, line, all).CatchUp(bg, acme)
	require.NoError(t, err)
	require.EqualValues(t, 1, version(t, there, "a"))
	c := line.seen[0]
	require.Empty(t, c.Hash)
	require.Equal(t, hash.Argon2id, c.Scheme, "so that the follower knows who can read it")

	for name, forge := range map[string]func(c replica.Change) replica.Change{
		"account": func(c replica.Change) replica.Change { c.Account = "root"; return c },
		"version": func(c replica.Change) replica.Change { c.Version = 9; return c },
		"raw":     func(c replica.Change) replica.Change { c.Raw = true; c.Version = 9; return c },
		"plain":   func(c replica.Change) replica.Change { c.Sealed, c.Hash, c.Version = nil, argon, 9; return c },
		"none":    func(c replica.Change) replica.Change { c.Sealed, c.Version = nil, 9; return c },
	} {
		require.ErrorIs(t, there.Apply(bg, acme, forge(c)), opsec.ErrInvalid, name)
	}
	require.ErrorIs(t, there.Apply(bg, "globex", c), opsec.ErrInvalid)
	require.ErrorIs(t, replica.Stored(db, newAEAD(t, 2)).Apply(bg, acme, c), opsec.ErrInvalid)
	require.ErrorIs(t, replica.Stored(db, nil).Apply(bg, acme, c), opsec.ErrInvalid)
	require.EqualValues(t, 1, version(t, there, "a"))
}

func TestFollowGoesOnUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, o := open(t, memory.New()), replica.NewOutbox(nil)
		there := replica.Stored(open(t, memory.New()), nil)
		ctx, cancel := context.WithCancel(bg)
		done := make(chan error)
		go func() { done <- follow(t, db, there, all).Follow(ctx, acme) }()
		for i := range uint64(3) {
			add(t, db, o, change("a", i+1))
			time.Sleep(2 * time.Second)
			synctest.Wait()
			require.Equal(t, i+1, version(t, there, "a"))
		}
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}

// Both sides crash, at whichever of their commits, and start again: what was appended arrives, and nothing goes back.
func TestNothingIsLostOverCrashes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		here, away := memory.New(), memory.New()
		o := replica.NewOutbox(nil)
		want := map[string]uint64{}
		high := map[string]uint64{}
		next := uint64(0)
		for range rapid.IntRange(1, 6).Draw(rt, "lives") {
			flakyHere, flakyThere := storetest.NewFlaky(here, storetest.FlakyOptions{}), storetest.NewFlaky(away, storetest.FlakyOptions{})
			flaky := rapid.SampledFrom([]*storetest.Flaky{flakyHere, flakyThere}).Draw(rt, "who")
			how := rapid.SampledFrom([]storetest.Fault{storetest.CrashBefore, storetest.CrashAfter}).Draw(rt, "how")
			var list []replica.Change
			for range rapid.IntRange(0, 40).Draw(rt, "changes") {
				next++
				c := change(fmt.Sprint("a", rapid.IntRange(0, 5).Draw(rt, "account")), next)
				want[c.Account], list = next, append(list, c)
			}
			add(t, open(t, here), o, list...)
			flaky.CrashAt(rapid.IntRange(1, 50).Draw(rt, "at"), how)
			there := replica.Stored(open(t, flakyThere), nil)
			_, _ = follow(t, open(t, flakyHere), there, all).CatchUp(bg, acme)
			for account := range want {
				v := version(t, replica.Stored(open(t, away), nil), account)
				require.GreaterOrEqual(rt, v, high[account])
				high[account] = v
			}
		}
		there := replica.Stored(open(t, away), nil)
		_, err := follow(t, open(t, here), there, all).CatchUp(bg, acme)
		require.NoError(rt, err)
		for account, v := range want {
			require.Equal(rt, v, version(t, there, account))
		}
		list, err := o.Status(bg, open(t, here), acme)
		require.NoError(rt, err)
		require.Zero(rt, list[0].Behind)
	})
}

// A change and its entry are one commit: of an append whose transaction fails nothing is brought.
func TestAChangeThatDidNotHappenIsNotBrought(t *testing.T) {
	db, o := open(t, memory.New()), replica.NewOutbox(nil)
	no := errors.New("no")
	require.ErrorIs(t, db.Update(bg, func(tx *store.Tx) error {
		if err := o.Append(tx.Sub(acme), change("a", 1)); err != nil {
			return err
		}
		return no
	}), no)
	n, err := follow(t, db, replica.Stored(db, nil), all).CatchUp(bg, acme)
	require.NoError(t, err)
	require.Zero(t, n)
	for p, err := range db.Check(bg, nil, replica.Parts()...) {
		require.NoError(t, err)
		t.Error(p)
	}
}

func TestAFollowerWithoutItsWiringIsRefused(t *testing.T) {
	db := open(t, memory.New())
	there := replica.Stored(db, nil)
	for _, f := range []func() (*replica.Follower, error){
		func() (*replica.Follower, error) { return replica.NewFollower(nil, "x", there, all, nil) },
		func() (*replica.Follower, error) { return replica.NewFollower(db, "", there, all, nil) },
		func() (*replica.Follower, error) { return replica.NewFollower(db, "\xff", there, all, nil) },
		func() (*replica.Follower, error) { return replica.NewFollower(db, "x", nil, all, nil) },
		func() (*replica.Follower, error) { return replica.NewFollower(db, "x", there, replica.Reads{}, nil) },
	} {
		_, err := f()
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func ExampleNewFollower() {
	ctx := context.Background()
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	db, err := store.New(memory.New(), nil) // where passwords are changed
	must(err)
	there, err := store.New(memory.New(), nil) // where else they are verified
	must(err)
	outbox := replica.NewOutbox(nil) // with a sealer, in earnest
	must(db.Update(ctx, func(tx *store.Tx) error {
		return outbox.Append(tx.Sub("acme"), replica.Change{
			Account: "a-17", Version: 1, Changed: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC),
			Hash: "$argon2id$v=19$m=64,t=3,p=2$TmFDbDAxMjM0NTY3ODlhYg$SV7dDfuPyXhjhM3uGtZ1yUyGJNvAsBbmTjeQBYgvNjw",
		})
	}))
	copies := replica.Stored(there, nil)
	follower, err := replica.NewFollower(db, "billing", copies, replica.Reads{Schemes: []hash.Scheme{hash.Argon2id}, Memory: 64 << 10}, nil)
	must(err)
	n, err := follower.CatchUp(ctx, "acme")
	must(err)
	c, err := copies.Get(ctx, "acme", "a-17")
	fmt.Println(n, c, err)
	list, err := outbox.Status(ctx, db, "acme")
	fmt.Println(list[0].Target, list[0].Behind, list[0].Unreadable, err)
	// Output:
	// 1 version 1 of "a-17", argon2id <nil>
	// billing 0 0 <nil>
}
