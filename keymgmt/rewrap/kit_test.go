package rewrap_test

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/rewrap"
)

var (
	noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	set  = keymgmt.SetID{Tenant: "acme", ID: "volumes"}
	bob  = opsec.Actor{Tenant: "acme", Account: "bob", Person: "bob", Kind: opsec.Human}
)

// ring seals as Tink does with AES-GCM: the byte 1, the key id, the nonce, the ciphertext.
type ring struct {
	keys    map[uint32]cipher.AEAD
	primary uint32
	fail    func(key uint32) error // instead of opening
}

func newRing(ids ...uint32) *ring {
	r := &ring{keys: map[uint32]cipher.AEAD{}, primary: ids[len(ids)-1]}
	for _, id := range ids {
		key := make([]byte, 32)
		binary.BigEndian.PutUint32(key, id)
		block, err := aes.NewCipher(key)
		if err != nil {
			panic(err)
		}
		if r.keys[id], err = cipher.NewGCM(block); err != nil {
			panic(err)
		}
	}
	return r
}

func (r *ring) with(primary uint32) *ring { return &ring{r.keys, primary, r.fail} }

func (r *ring) Seal(dst, plaintext []byte, c keymgmt.Context) ([]byte, error) {
	dst = binary.BigEndian.AppendUint32(append(dst, 1), r.primary)
	start := len(dst)
	dst = append(dst, make([]byte, 12)...)
	if _, err := rand.Read(dst[start:]); err != nil {
		return nil, err
	}
	return r.keys[r.primary].Seal(dst, dst[start:start+12], plaintext, c.Bytes()), nil
}

func (r *ring) Open(dst, b []byte, c keymgmt.Context) ([]byte, error) {
	id, ok := rewrap.Ciphertext{}.KeyID(b)
	if !ok || len(b) < 17 || r.keys[id] == nil {
		return nil, keymgmt.ErrUnwrap
	}
	if r.fail != nil {
		if err := r.fail(id); err != nil {
			return nil, err
		}
	}
	out, err := r.keys[id].Open(dst, b[5:17], b[17:], c.Bytes())
	if err != nil {
		return nil, keymgmt.ErrUnwrap
	}
	return out, nil
}

// shelf is objects in memory.
type shelf struct {
	mu      sync.Mutex
	objects map[string]rewrap.Object
	swaps   int
	before  func(s *shelf, changes []rewrap.Change) error // called by Swap before it looks
	read    func(o rewrap.Object)
}

func (s *shelf) put(o rewrap.Object) {
	n, _ := strconv.Atoi(s.objects[o.ID].Rev)
	o.Rev = strconv.Itoa(n + 1)
	s.objects[o.ID] = o
}

func (s *shelf) Objects(_ context.Context, after string) iter.Seq2[rewrap.Object, error] {
	s.mu.Lock()
	all := slices.SortedFunc(maps.Values(s.objects), func(a, b rewrap.Object) int { return cmp.Compare(a.ID, b.ID) })
	s.mu.Unlock()
	return func(yield func(rewrap.Object, error) bool) {
		for _, o := range all {
			if o.ID <= after {
				continue
			}
			s.mu.Lock()
			o, there := s.objects[o.ID] // as it is now
			s.mu.Unlock()
			if !there {
				continue
			}
			if s.read != nil {
				s.read(o)
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (s *shelf) Swap(_ context.Context, changes []rewrap.Change) ([]bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.swaps++
	if s.before != nil {
		if err := s.before(s, changes); err != nil {
			return nil, err
		}
	}
	done := make([]bool, len(changes))
	for i, c := range changes {
		if now, there := s.objects[c.ID]; there && now.Rev == c.Rev {
			o := c.Object
			o.Wrapped = slices.Clone(c.Rewrapped)
			s.put(o)
			done[i] = true
		}
	}
	return done, nil
}

// of returns a shelf with n objects, each under one of these keys, and what is in them.
func of(t testing.TB, r *ring, n int, keys ...uint32) (*shelf, map[string]string) {
	s, plain := &shelf{objects: map[string]rewrap.Object{}}, map[string]string{}
	for i := range n {
		id := fmt.Sprintf("object-%06d", i)
		c, err := keymgmt.NewContext("object", id)
		require.NoError(t, err)
		plain[id] = "what is in " + id
		b, err := r.with(keys[i%len(keys)]).Seal(nil, []byte(plain[id]), c)
		require.NoError(t, err)
		s.put(rewrap.Object{ID: id, Wrapped: b, Context: c})
	}
	return s, plain
}

// opens checks that all objects are whole, and under which key.
func (s *shelf) opens(t require.TestingT, r *ring, plain map[string]string, key uint32) {
	require.Len(t, s.objects, len(plain))
	for id, o := range s.objects {
		now, ok := rewrap.Ciphertext{}.KeyID(o.Wrapped)
		require.True(t, ok)
		require.Equal(t, key, now, id)
		b, err := r.Open(nil, o.Wrapped, o.Context)
		require.NoError(t, err, id)
		require.Equal(t, plain[id], string(b))
	}
}

func options(t testing.TB) (rewrap.Options, *audittest.Recorder) {
	log := audittest.New(t)
	return rewrap.Options{Authorizer: opsec.CallerAuthorized{}, Recorder: log, Now: func() time.Time { return noon }}, log
}

func job(to uint32, from ...uint32) rewrap.Job {
	return rewrap.Job{Set: set, Name: "volumes", To: to, From: from}
}

func driver(t testing.TB, j rewrap.Job, s rewrap.Objects, w rewrap.Rewrapper, p rewrap.Policy, o rewrap.Options) *rewrap.Driver {
	d, err := rewrap.New(j, s, w, p, o)
	require.NoError(t, err)
	return d
}
