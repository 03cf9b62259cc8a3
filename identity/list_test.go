package identity_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

func TestListsAndPages(t *testing.T) {
	for _, readable := range []bool{false, true} {
		t.Run(fmt.Sprint("readable=", readable), func(t *testing.T) {
			b := newBench(t, memory.New(), func(p *identity.Policy) { p.SkipApprovalOfSubs, p.InsecureReadableNames = true, readable })
			for i := range 30 {
				a := b.add(identity.Registration{Name: "user" + string(rune('a'+i%26)) + string(rune('a'+i/26)), Person: fmt.Sprint("p", i)})
				if i%10 == 0 {
					_, _, err := b.Register(bg, by(a), "acme", identity.Registration{Name: a.Name + "-db", Main: a.ID, System: "database/1"})
					require.NoError(t, err)
					_, err = b.Suspend(bg, b.alice, "acme", a.ID)
					require.NoError(t, err)
				}
			}
			require.Len(t, b.list(identity.Query{}), 2+30+3)
			require.ElementsMatch(t, []string{"useraa", "useraa-db", "userab"}, b.list(identity.Query{Prefix: "usera"}))
			require.ElementsMatch(t, []string{"useraa", "useraa-db"}, b.list(identity.Query{Prefix: "usera", State: identity.Suspended}))
			if readable {
				require.True(t, slices.IsSorted(b.list(identity.Query{Prefix: "user"})))
			}
			require.Equal(t, []string{"useraa", "useraa-db"}, b.list(identity.Query{Person: "p0"}))
			require.Equal(t, []string{"useraa-db"}, b.list(identity.Query{Person: "p0", Prefix: "useraa-"}))
			require.Empty(t, b.list(identity.Query{Person: "p99"}))
			require.Len(t, b.list(identity.Query{State: identity.Suspended}), 6)
			for range b.List(bg, b.alice.Actor, "acme", identity.Query{}) {
				break // may stop
			}

			var all []string
			cursor, pages := "", 0
			for {
				list, next, err := b.Page(bg, b.alice.Actor, "acme", identity.Query{}, cursor, 7)
				require.NoError(t, err)
				for _, a := range list {
					all = append(all, a.Canonical)
				}
				pages++
				if cursor = next; next == "" {
					break
				}
			}
			require.Equal(t, 5, pages)
			require.Equal(t, b.list(identity.Query{}), all)
			list, next, err := b.Page(bg, b.alice.Actor, "acme", identity.Query{State: identity.Suspended}, "", 2)
			require.NoError(t, err)
			require.Len(t, list, 4)
			require.NotEmpty(t, next)
			_, _, err = b.Page(bg, b.alice.Actor, "acme", identity.Query{}, "x", 0)
			require.ErrorIs(t, err, opsec.ErrInvalid)
		})
	}
}

func TestOneTenantDoesNotSeeAnother(t *testing.T) {
	b := newBench(t, memory.New(), func(p *identity.Policy) { p.InsecureReadableNames = true })
	other, err := b.Bootstrap(bg, timer, "emca", identity.Registration{Name: "xavier", Person: "px"}, identity.Registration{Name: "yvonne", Person: "py"})
	require.NoError(t, err)
	_, err = b.Get(bg, b.alice.Actor, "acme", other[0].ID)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, err = b.Lookup(bg, b.alice.Actor, "acme", "xavier")
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, err = b.Suspend(bg, b.alice, "acme", other[0].ID)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	require.ElementsMatch(t, []string{"alice", "bob"}, b.list(identity.Query{}))
	require.Empty(t, b.list(identity.Query{Prefix: "x"}))
}

func TestReadingIsAuthorised(t *testing.T) {
	b := standard(t)
	id := opsec.ID(b.alice.Actor.Account)
	b.gate.refuse = []string{identity.ActionRead, identity.ActionTouch, identity.ActionSweep, identity.ActionApprove}
	who := b.alice.Actor
	_, err := b.Get(bg, who, "acme", id)
	require.ErrorIs(t, err, opsec.ErrDenied)
	_, err = b.Family(bg, who, "acme", id)
	require.ErrorIs(t, err, opsec.ErrDenied)
	_, err = b.Lookup(bg, who, "acme", "alice")
	require.ErrorIs(t, err, opsec.ErrDenied)
	_, _, err = b.Page(bg, who, "acme", identity.Query{}, "", 1)
	require.ErrorIs(t, err, opsec.ErrDenied)
	_, err = b.Request(bg, who, "acme", id)
	require.ErrorIs(t, err, opsec.ErrDenied)
	for _, err := range b.List(bg, who, "acme", identity.Query{}) {
		require.ErrorIs(t, err, opsec.ErrDenied)
	}
	for _, err := range b.History(bg, who, "acme", id) {
		require.ErrorIs(t, err, opsec.ErrDenied)
	}
	for _, err := range b.Requests(bg, who, "acme") {
		require.ErrorIs(t, err, opsec.ErrDenied)
	}
	require.ErrorIs(t, b.Touch(bg, timer, "acme", id), opsec.ErrDenied)
	_, err = b.Sweep(bg, timer, "acme")
	require.ErrorIs(t, err, opsec.ErrDenied)
	_, r, err := b.Register(bg, b.alice, "acme", identity.Registration{Name: "carol", Person: "pc"})
	require.NoError(t, err)
	_, err = b.Decide(bg, "acme", r.ID, approve(b.bob))
	require.ErrorIs(t, err, opsec.ErrDenied, "the role alone does not do")
}

// prf and sealer are what a sealed store needs.
type prf struct{}

func (prf) ComputePRF(in []byte, n uint32) ([]byte, error) {
	h := hmac.New(sha256.New, []byte("key"))
	h.Write(in)
	return h.Sum(nil)[:n], nil
}

type sealer struct{ cipher.AEAD }

func (s sealer) Encrypt(plain, ad []byte) ([]byte, error) {
	nonce := sha256.Sum256(append(plain, ad...))
	return s.Seal(nonce[:12:12], nonce[:12], plain, ad), nil
}

func (s sealer) Decrypt(sealed, ad []byte) ([]byte, error) {
	return s.Open(nil, sealed[:12], sealed[12:], ad)
}

func TestASealedStoreShowsNoNames(t *testing.T) {
	block, err := aes.NewCipher(make([]byte, 16))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	engine := memory.New()
	db, err := store.New(engine, &store.Options{Sealer: sealer{aead}, PRF: prf{}})
	require.NoError(t, err)
	d, err := identity.New(db, policy(t), &identity.Options{Authorizer: opsec.CallerAuthorized{}, Notifier: &post{}})
	require.NoError(t, err)
	first, err := d.Bootstrap(bg, timer, "acme",
		identity.Registration{Name: "alexandra", Person: "employee-4711", Properties: map[string]string{"mail": "alexandra@example.org"}, Holds: admin},
		identity.Registration{Name: "benjamin", Person: "employee-4712", Holds: admin})
	require.NoError(t, err)
	_, _, err = d.Register(bg, by(first[0]), "acme", identity.Registration{Name: "cleopatra", Person: "employee-4713"})
	require.NoError(t, err)
	a, err := d.Lookup(bg, timer.Actor, "acme", "Alexandra")
	require.NoError(t, err)
	require.Equal(t, "employee-4711", a.Person)
	n := 0
	for item, err := range store.Scan(bg, engine, store.Range{}) {
		require.NoError(t, err)
		for _, word := range []string{"alexandra", "benjamin", "cleopatra", "employee", "example.org"} {
			require.False(t, bytes.Contains(append([]byte(item.Key), item.Value...), []byte(word)), "%s in %q", word, item.Key)
		}
		n++
	}
	require.Greater(t, n, 20)
}
