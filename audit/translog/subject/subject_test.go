package subject_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/subject"
)

// slotLen is what the file takes for its head, and for each subject.
const slotLen = 512

// master is a Sealer that adds extra bytes to what it seals, and remembers the last plaintext.
type master struct {
	key     []byte
	extra   int
	last    *[]byte
	asked   chan struct{} // to go on, it is to be sent to
	fail    error
	panics  bool
	unwraps func()
}

func newMaster(fill byte) *master { return &master{key: bytes.Repeat([]byte{fill}, 32)} }

func (m *master) Encrypt(plain, data []byte) ([]byte, error) {
	if m.asked != nil {
		m.asked <- struct{}{}
		<-m.asked
	}
	if m.panics {
		panic("master")
	}
	if m.fail != nil {
		return nil, m.fail
	}
	if m.last != nil {
		*m.last = bytes.Clone(plain)
	}
	aead, err := chacha20poly1305.NewX(m.key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce)
	return append(aead.Seal(nonce, nonce, plain, data), make([]byte, m.extra)...), nil
}

func (m *master) Decrypt(sealed, data []byte) ([]byte, error) {
	if m.fail != nil {
		return nil, m.fail
	}
	if m.unwraps != nil {
		m.unwraps()
	}
	aead, err := chacha20poly1305.NewX(m.key)
	if err != nil {
		return nil, err
	}
	sealed = sealed[:len(sealed)-m.extra]
	return aead.Open(nil, sealed[:24], sealed[24:], data)
}

var lookup = bytes.Repeat([]byte{2}, 32)

func open(t testing.TB, path string) *subject.File {
	t.Helper()
	f, err := subject.OpenFile(path, newMaster(1), lookup, nil)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func account(name string) entry.Subject { return entry.Subject{Tenant: "acme", Account: name} }

// get returns a subject's handle and a term that tells its key.
func get(t testing.TB, f *subject.File, s entry.Subject) (entry.Handle, [16]byte) {
	t.Helper()
	h, k, err := f.Subject(context.Background(), s)
	require.NoError(t, err)
	return h, k.Term(1, []byte("x"))
}

// works fails unless the handle's key is the one of the term.
func works(t testing.TB, f *subject.File, h entry.Handle, term [16]byte) {
	t.Helper()
	k, err := f.Key(context.Background(), h)
	require.NoError(t, err)
	require.Equal(t, term, k.Term(1, []byte("x")))
}

func TestSubjectKeepsItsKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	f := open(t, path)
	subjects := []entry.Subject{
		{Tenant: "acme"}, account("john"), {Tenant: "acme", Person: "john"}, {Tenant: "acme", Account: "john", Person: "p"},
		{Tenant: "globex", Account: "john"}, {Tenant: "a", Account: "b"}, {Tenant: "ab"}, {Tenant: "acme", Account: strings.Repeat("é", 4000)},
	}
	handles, terms := map[entry.Subject]entry.Handle{}, map[entry.Subject][16]byte{}
	for _, s := range subjects {
		handles[s], terms[s] = get(t, f, s)
	}
	sealed := map[entry.Subject][]byte{}
	for _, s := range subjects {
		h, term := get(t, f, s)
		require.Equal(t, handles[s], h)
		require.Equal(t, terms[s], term)
		k, err := f.Key(t.Context(), h)
		require.NoError(t, err)
		sealed[s], err = k.Encrypt([]byte("value"), []byte("data"))
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode())
	require.EqualValues(t, slotLen*(1+len(subjects)), st.Size())

	f = open(t, path)
	different := map[[16]byte]bool{}
	for _, s := range subjects {
		works(t, f, handles[s], terms[s])
		h, k, err := f.Subject(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, handles[s], h)
		plain, err := k.Decrypt(sealed[s], []byte("data"))
		require.NoError(t, err)
		require.Equal(t, "value", string(plain))
		_, err = k.Decrypt(sealed[s], []byte("other"))
		require.Error(t, err)
		_, err = k.Decrypt(nil, nil)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		different[terms[s]] = true
	}
	require.Len(t, different, len(subjects))
	_, err = f.Key(t.Context(), entry.Handle{1})
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, _, err = f.Subject(t.Context(), entry.Subject{Account: "john"})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = f.Find(t.Context(), entry.Subject{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// TestKeysAreStandard: what is sealed and indexed can be read with other libraries, from the wrapped secret.
func TestKeysAreStandard(t *testing.T) {
	var plain []byte
	m := newMaster(1)
	m.last = &plain
	f, err := subject.OpenFile(filepath.Join(t.TempDir(), "keys"), m, lookup, nil)
	require.NoError(t, err)
	defer f.Close()
	h, k, err := f.Subject(t.Context(), account("john"))
	require.NoError(t, err)
	require.Equal(t, "\x04acme\x04john\x00"+strings.Repeat("\x00", 96-11), string(plain[64:]))

	sealed, err := k.Encrypt([]byte("value"), []byte("data"))
	require.NoError(t, err)
	aead, err := chacha20poly1305.NewX(plain[:32])
	require.NoError(t, err)
	value, err := aead.Open(nil, sealed[:24], sealed[24:], []byte("data"))
	require.NoError(t, err)
	require.Equal(t, "value", string(value))

	for _, n := range []int{0, 1, 50, 63, 64, 200, 5000} {
		text := bytes.Repeat([]byte("t"), n)
		mac := hmac.New(sha256.New, plain[32:64])
		mac.Write([]byte{7})
		mac.Write(text)
		term := k.Term(7, text)
		require.Equal(t, mac.Sum(nil)[:16], term[:])
	}
	require.Equal(t, "[key of "+h.String()+"]", fmt.Sprintf("%#v", k), "it shows itself in no form")
}

func TestManyCallersMakeOneSubject(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	m := newMaster(1)
	f, err := subject.OpenFile(path, m, lookup, nil)
	require.NoError(t, err)
	defer f.Close()
	m.asked = make(chan struct{})
	var wg sync.WaitGroup
	handles := make([]entry.Handle, 64)
	call := func(i int) { handles[i], _ = get(t, f, account("john")) }
	wg.Go(func() { call(0) })
	<-m.asked // the first is about to write
	for i := range 63 {
		wg.Go(func() { call(i + 1) })
	}
	time.Sleep(10 * time.Millisecond) // and the others come meanwhile
	for done := make(chan struct{}); done != nil; {
		select {
		case m.asked <- struct{}{}:
			go func() { wg.Wait(); close(done) }()
		case <-m.asked:
			t.Error("asked for a second key")
		case <-done:
			done = nil
		}
	}
	m.asked = nil
	require.Len(t, slices.Compact(handles), 1)
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 2*slotLen, st.Size())

	for i := range handles {
		wg.Go(func() { handles[i], _ = get(t, f, account(fmt.Sprint(i))) })
	}
	wg.Wait()
	require.NoError(t, f.Close())
	f = open(t, path)
	for i, h := range handles {
		found, _ := get(t, f, account(fmt.Sprint(i)))
		require.Equal(t, h, found)
	}
}

// TestErasedWhileItIsRead: a key that is erased while master unwraps it is not given out.
func TestErasedWhileItIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	m := newMaster(1)
	f, err := subject.OpenFile(path, m, lookup, nil)
	require.NoError(t, err)
	h, _ := get(t, f, account("john"))
	require.NoError(t, f.Close())
	f, err = subject.OpenFile(path, m, lookup, nil)
	require.NoError(t, err)
	defer f.Close()
	m.unwraps = func() {
		m.unwraps = nil
		require.NoError(t, f.Erase(context.Background(), h))
	}
	again, k, err := f.Subject(t.Context(), account("john"))
	require.NoError(t, err)
	require.NotEqual(t, h, again)
	_, err = k.Encrypt(nil, nil)
	require.NoError(t, err)
}

func TestFind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	f := open(t, path)
	person := func(account, person string) entry.Subject {
		return entry.Subject{Tenant: "acme", Account: account, Person: person}
	}
	tenant, _ := get(t, f, entry.Subject{Tenant: "acme"})
	main, _ := get(t, f, person("main", "p"))
	sub, _ := get(t, f, person("sub", "p"))
	before, _ := get(t, f, person("main", "q"))
	nobody, _ := get(t, f, person("main", ""))
	alone, _ := get(t, f, person("", "p"))
	get(t, f, entry.Subject{Tenant: "globex", Account: "main", Person: "p"})
	gone, _ := get(t, f, person("old", "p"))
	require.NoError(t, f.Erase(t.Context(), gone))
	for range 2 {
		for s, want := range map[entry.Subject][]entry.Handle{
			{Tenant: "acme"}:         {tenant},
			person("main", ""):       {nobody, before, main},
			person("main", "p"):      {main},
			person("", "p"):          {alone, sub, main},
			person("", "q"):          {before},
			person("old", ""):        nil,
			person("sub", "q"):       nil,
			{Tenant: "nobody"}:       nil,
			person("", "main"):       nil,
			person("acme", "main"):   nil,
			{Tenant: "acmemain"}:     nil,
			{Tenant: "acme\x00\x04"}: nil,
		} {
			got, err := f.Find(t.Context(), s)
			require.NoError(t, err)
			require.Equal(t, want, got, "%v", s)
		}
		require.NoError(t, f.Close())
		f = open(t, path)
	}
}

// TestPersonIsFoundWhereOnlyTheAccountWasNamed: a login that fails names no person.
func TestPersonIsFoundWhereOnlyTheAccountWasNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	f := open(t, path)
	subject := func(account, person string) entry.Subject {
		return entry.Subject{Tenant: "acme", Account: account, Person: person}
	}
	failed, _ := get(t, f, subject("john", ""))
	john, _ := get(t, f, subject("john", "p"))
	admin, _ := get(t, f, subject("admin", "p"))
	shared, _ := get(t, f, subject("admin", ""))
	other, _ := get(t, f, subject("admin", "q"))
	get(t, f, subject("", "p2"))
	find := func(want ...entry.Handle) {
		t.Helper()
		got, err := f.Find(t.Context(), subject("", "p"))
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.NoError(t, f.Close())
		f = open(t, path)
	}
	find(admin, john, failed)
	require.NoError(t, f.Erase(t.Context(), other))
	find(shared, admin, john, failed)
	require.NoError(t, f.Erase(t.Context(), john))
	find(shared, admin)
	require.NoError(t, f.Close())
}

// TestFileTellsNoLengths: two people whose names differ in length look the same.
func TestFileTellsNoLengths(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	f := open(t, path)
	for _, s := range []entry.Subject{
		{Tenant: "t"}, {Tenant: "acme", Account: "jo"}, {Tenant: "acme-corporation", Account: "johanna.doe@example.org", Person: "person-0123456789"},
	} {
		get(t, f, s)
	}
	require.NoError(t, f.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	lengths := map[uint16]bool{}
	for at := 512; at < len(b); at += 512 {
		lengths[binary.LittleEndian.Uint16(b[at+72:])] = true
	}
	require.Len(t, lengths, 1)
}

// TestFileThatWasReplaced is a restore, or an rsync, over the file in use: an erasure that does not reach it is none.
func TestFileThatWasReplaced(t *testing.T) {
	for name, replace := range map[string]func(path string) error{
		"gone": os.Remove,
		"restored": func(path string) error {
			b, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(path+".new", b, 0o600), os.Rename(path+".new", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys")
			f := open(t, path)
			h, _ := get(t, f, account("john"))
			require.NoError(t, replace(path))
			require.ErrorIs(t, f.Erase(t.Context(), h), subject.ErrReplaced)
			_, _, err := f.Subject(t.Context(), account("mary"))
			require.ErrorIs(t, err, subject.ErrReplaced)
			require.NoError(t, f.Close())

			f = open(t, path)
			defer f.Close()
			_, err = f.Key(t.Context(), h)
			require.Equal(t, name == "gone", errors.Is(err, opsec.ErrNotFound), "it is as it was")
		})
	}
}

func TestErase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	f := open(t, path)
	john, mary := account("john"), account("mary")
	h, _ := get(t, f, john)
	other, term := get(t, f, mary)
	k, err := f.Key(t.Context(), h)
	require.NoError(t, err)
	sealed, err := k.Encrypt([]byte("value"), nil)
	require.NoError(t, err)
	before, err := os.ReadFile(path)
	require.NoError(t, err)

	require.ErrorIs(t, f.Erase(t.Context(), h, entry.Handle{1}), opsec.ErrNotFound)
	_, err = k.Decrypt(sealed, nil)
	require.NoError(t, err, "all or none")
	require.NoError(t, f.Erase(t.Context(), h, h))
	require.NoError(t, f.Erase(t.Context(), h), "erased already")
	require.NoError(t, f.Erase(t.Context()))

	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, after, len(before))
	wrapped := bytes.TrimRight(before[slotLen+74:2*slotLen], "\x00")
	require.Len(t, wrapped, 24+64+96+16)
	for _, secret := range [][]byte{before[slotLen+40 : slotLen+56], wrapped} { // the tag too
		for i := 0; i+4 <= len(secret); i++ {
			require.False(t, bytes.Contains(after, secret[i:i+4]), "byte %d is still there", i)
		}
	}

	erased := func() {
		_, err = k.Encrypt(nil, nil)
		require.ErrorIs(t, err, entry.ErrErased)
		_, err = k.Decrypt(sealed, nil)
		require.ErrorIs(t, err, entry.ErrErased)
		require.Zero(t, k.Term(1, []byte("x")))
	}
	erased()
	again, fresh := get(t, f, john)
	require.NotEqual(t, h, again)
	for range 2 {
		_, err = f.Key(t.Context(), h)
		require.ErrorIs(t, err, entry.ErrErased)
		works(t, f, other, term)
		found, now := get(t, f, john)
		require.Equal(t, again, found)
		require.Equal(t, fresh, now)
		list, err := f.Find(t.Context(), john)
		require.NoError(t, err)
		require.Equal(t, []entry.Handle{again}, list)
		require.NoError(t, f.Close())
		f = open(t, path)
	}
}

// TestEraseWhileInUse: when Erase has returned, nobody seals under the key any more, nor opens.
func TestEraseWhileInUse(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "keys"))
	for round := range 20 {
		h, _ := get(t, f, account("john"))
		var over sync.WaitGroup
		stop := make(chan struct{})
		for range 4 {
			over.Go(func() {
				for over := false; !over; {
					select {
					case <-stop:
						over = true
					default:
					}
					got, k, err := f.Subject(context.Background(), account("john"))
					require.NoError(t, err)
					if over {
						require.NotEqual(t, h, got)
						_, err = k.Encrypt([]byte("value"), nil)
						require.NoError(t, err)
					}
					if _, err := k.Encrypt([]byte("value"), nil); err != nil {
						require.ErrorIs(t, err, entry.ErrErased)
					}
					k.Term(1, nil)
					if _, err := f.Key(context.Background(), h); err != nil {
						require.ErrorIs(t, err, entry.ErrErased)
					}
				}
			})
		}
		time.Sleep(time.Duration(round) * 100 * time.Microsecond)
		require.NoError(t, f.Erase(t.Context(), h))
		close(stop)
		over.Wait()
	}
}

func TestAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	m := newMaster(1)
	m.extra = 200 // leaves little room for names
	f, err := subject.OpenFile(path, m, lookup, &subject.Options{Cache: 2})
	require.NoError(t, err)
	defer f.Close()
	long := strings.Repeat("é", 100)
	subjects := []entry.Subject{
		{Tenant: "acme"}, {Tenant: "acme", Account: "john", Person: "p"}, {Tenant: "acme", Account: "gone"},
		{Tenant: opsec.TenantID(long), Account: long, Person: long},
	}
	var want []subject.Listed
	for _, s := range subjects {
		h, _ := get(t, f, s)
		want = append(want, subject.Listed{Handle: h, Subject: s})
	}
	require.NoError(t, f.Erase(t.Context(), want[2].Handle))
	want = slices.Delete(want, 2, 3)
	// 512 less 74 of the slot, 40 and 200 of master's, 64 of the secret: 134, 44 a name with its length, 3 for "…".
	cut := strings.Repeat("é", 19) + "…"
	require.LessOrEqual(t, len(cut), 134/3-2)
	want[2].Subject = entry.Subject{Tenant: opsec.TenantID(cut), Account: cut, Person: cut}

	list := func(ctx context.Context) (got []subject.Listed, last error) {
		for l, err := range f.All(ctx) {
			if err != nil {
				last = err
				continue
			}
			got = append(got, l)
		}
		return got, last
	}
	got, err := list(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, got)
	for range f.All(t.Context()) {
		break
	}
	found, _ := get(t, f, subjects[3])
	require.Equal(t, want[2].Handle, found, "names that were cut are found in full")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	got, err = list(ended)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, got)
	require.NoError(t, f.Close())
	_, err = list(t.Context())
	require.ErrorIs(t, err, os.ErrClosed)
}

func TestClosed(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "keys"))
	h, k, err := f.Subject(t.Context(), account("john"))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	_, _, err = f.Subject(t.Context(), account("john"))
	require.ErrorIs(t, err, os.ErrClosed)
	_, _, err = f.Subject(t.Context(), account("mary"))
	require.ErrorIs(t, err, os.ErrClosed)
	_, err = f.Key(t.Context(), h)
	require.ErrorIs(t, err, os.ErrClosed)
	_, err = f.Find(t.Context(), account("john"))
	require.ErrorIs(t, err, os.ErrClosed)
	require.ErrorIs(t, f.Erase(t.Context(), h), os.ErrClosed)
	_, err = k.Encrypt(nil, nil)
	require.ErrorIs(t, err, os.ErrClosed)
	_, err = k.Decrypt(nil, nil)
	require.ErrorIs(t, err, os.ErrClosed)
}

func TestMasterThatFails(t *testing.T) {
	m := newMaster(1)
	path := filepath.Join(t.TempDir(), "keys")
	f, err := subject.OpenFile(path, m, lookup, &subject.Options{Cache: 1})
	require.NoError(t, err)
	defer f.Close()
	h, term := get(t, f, account("john"))
	get(t, f, account("mary"))

	m.fail = errors.New("the key service is down")
	_, _, err = f.Subject(t.Context(), account("new"))
	require.ErrorIs(t, err, m.fail)
	_, err = f.Key(t.Context(), h)
	require.ErrorIs(t, err, m.fail)
	_, _, err = f.Subject(t.Context(), account("mary"))
	require.NoError(t, err, "who is at hand needs no master")
	m.fail = nil
	get(t, f, account("new"))
	works(t, f, h, term)

	m.asked = make(chan struct{})
	made := make(chan error)
	go func() {
		_, _, err := f.Subject(context.Background(), account("slow"))
		made <- err
	}()
	<-m.asked // by who has the turn now
	ended, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	require.ErrorIs(t, f.Erase(ended, h), context.DeadlineExceeded)
	_, _, err = f.Subject(ended, account("third"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	works(t, f, h, term)
	m.asked <- struct{}{}
	require.NoError(t, <-made)
	m.asked = nil
	get(t, f, account("third"))

	m.panics = true
	require.Panics(t, func() { f.Subject(t.Context(), account("fourth")) })
	m.panics = false
	get(t, f, account("fourth"))
}
