package custody_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/custody"
	"github.com/cloudopsec/opsec/keymgmt/custody/custodytest"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func at() time.Time { return noon }

var rootKey = []byte("0123456789abcdef0123456789abcdef")

func newRoot(t testing.TB, b custody.Blobs) *custody.Root {
	t.Helper()
	r, err := custody.NewRoot(b, &custody.RootOptions{Now: at})
	require.NoError(t, err)
	return r
}

// unsealed returns a root over blobs that may have one already.
func unsealed(t testing.TB, b custody.Blobs) *custody.Root {
	t.Helper()
	r := newRoot(t, b)
	err := r.Create(t.Context(), rootKey)
	if errors.Is(err, keymgmt.ErrExists) {
		err = r.Unseal(t.Context(), rootKey)
	}
	require.NoError(t, err)
	return r
}

func openDir(t testing.TB, path string) *custody.Dir {
	t.Helper()
	d, err := custody.OpenDir(path)
	require.NoError(t, err)
	return d
}

func TestRootInMemoryKeepsTheContract(t *testing.T) {
	places := map[keymgmt.Custodian]custody.Blobs{}
	custodytest.Run(t, custodytest.Harness{
		New: func(t testing.TB) keymgmt.Custodian {
			b := new(custody.Memory)
			r := unsealed(t, b)
			places[r] = b
			return r
		},
		Again: func(t testing.TB, c keymgmt.Custodian) keymgmt.Custodian { return unsealed(t, places[c]) },
		Seal:  func(_ testing.TB, c keymgmt.Custodian) { c.(*custody.Root).Seal() },
	})
}

func TestRootInDirectoryKeepsTheContract(t *testing.T) {
	for name, replace := range map[string]bool{"directory gone": false, "empty directory in its place": true} {
		t.Run(name, func(t *testing.T) {
			paths := map[keymgmt.Custodian]string{}
			custodytest.Run(t, custodytest.Harness{
				New: func(t testing.TB) keymgmt.Custodian {
					path := filepath.Join(t.TempDir(), "keys")
					r := unsealed(t, openDir(t, path))
					paths[r] = path
					return r
				},
				Again: func(t testing.TB, c keymgmt.Custodian) keymgmt.Custodian { return unsealed(t, openDir(t, paths[c])) },
				Seal:  func(_ testing.TB, c keymgmt.Custodian) { c.(*custody.Root).Seal() },
				Cut: func(t testing.TB, c keymgmt.Custodian) func() {
					path := paths[c]
					require.NoError(t, os.Rename(path, path+".away"))
					if replace {
						require.NoError(t, os.Mkdir(path, 0o700))
					}
					return func() {
						if replace {
							require.NoError(t, os.Remove(path))
						}
						require.NoError(t, os.Rename(path+".away", path))
					}
				},
			})
		})
	}
}

// service is a key management service with AEADs that know no context.
type service struct {
	mu   sync.Mutex
	keys map[string]tink.AEAD
	cut  bool
}

var errNetwork = errors.New("no route to host")

func (s *service) call() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut {
		return errNetwork
	}
	return nil
}

// remote is what a client has of a key: nothing that is not asked for.
type remote struct {
	s      *service
	handle string
}

var errNoKey = errors.New("NotFoundException")

func (r remote) key() (tink.AEAD, error) {
	if err := r.s.call(); err != nil {
		return nil, err
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if k := r.s.keys[r.handle]; k != nil {
		return k, nil
	}
	return nil, errNoKey
}

func (r remote) Encrypt(text, data []byte) ([]byte, error) {
	k, err := r.key()
	if err != nil {
		return nil, err
	}
	return k.Encrypt(text, data)
}

func (r remote) Decrypt(text, data []byte) ([]byte, error) {
	k, err := r.key()
	if err != nil {
		return nil, err
	}
	return k.Decrypt(text, data)
}

func (s *service) aead(handle string) (tink.AEAD, error) { return remote{s, handle}, nil }

func (s *service) generate(_ context.Context, handle string) error {
	if err := s.call(); err != nil {
		return err
	}
	key, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return err
	}
	primitive, err := aead.New(key)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[handle] == nil {
		s.keys[handle] = primitive
	}
	return nil
}

func (s *service) destroy(_ context.Context, handle string) (keymgmt.Evidence, error) {
	if err := s.call(); err != nil {
		return keymgmt.Evidence{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[handle] == nil {
		return keymgmt.Evidence{}, errNoKey
	}
	delete(s.keys, handle)
	return keymgmt.Evidence{Method: "deleted", Copies: []string{handle}}, nil
}

func newService() *service { return &service{keys: map[string]tink.AEAD{}} }

func (s *service) options() *custody.KMSOptions {
	return &custody.KMSOptions{
		Now: at, Generate: s.generate, Destroy: s.destroy,
		NotFound: func(err error) bool { return errors.Is(err, errNoKey) },
	}
}

func TestKMSKeepsTheContract(t *testing.T) {
	for _, canDestroy := range []bool{true, false} {
		name := "destroys"
		if !canDestroy {
			name = "cannot destroy"
		}
		t.Run(name, func(t *testing.T) {
			services := map[keymgmt.Custodian]*service{}
			open := func(t testing.TB, s *service) keymgmt.Custodian {
				o := s.options()
				if !canDestroy {
					o.Destroy = nil
				}
				k, err := custody.NewKMS(s.aead, o)
				require.NoError(t, err)
				services[k] = s
				return k
			}
			custodytest.Run(t, custodytest.Harness{
				New:   func(t testing.TB) keymgmt.Custodian { return open(t, newService()) },
				Again: func(t testing.TB, c keymgmt.Custodian) keymgmt.Custodian { return open(t, services[c]) },
				Cut: func(_ testing.TB, c keymgmt.Custodian) func() {
					s := services[c]
					set := func(cut bool) { s.mu.Lock(); s.cut = cut; s.mu.Unlock() }
					set(true)
					return func() { set(false) }
				},
				CannotDestroy: !canDestroy,
			})
		})
	}
}

func TestErrorsOfAServiceAreKept(t *testing.T) {
	s := newService()
	k, err := custody.NewKMS(s.aead, s.options())
	require.NoError(t, err)
	s.cut = true
	_, err = k.Wrap(t.Context(), "h", []byte("material"), nil)
	require.ErrorIs(t, err, keymgmt.ErrUnavailable)
	require.ErrorIs(t, err, errNetwork, "why, for the operator")
	require.NotErrorIs(t, err, opsec.ErrNotFound)
}
