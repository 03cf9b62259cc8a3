package spray_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/identity/lockout/spray"
)

var begin = time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)

// world makes sightings, and adds them to a detector.
type world struct {
	t      testing.TB
	d      *spray.Detector
	random *rand.Rand
	at     time.Time
	found  []spray.Verdict
}

func newWorld(t testing.TB, p spray.Policy) *world {
	t.Helper()
	d, err := spray.New(p, &spray.Options{Key: make([]byte, 32)})
	require.NoError(t, err)
	return &world{t: t, d: d, random: rand.New(rand.NewPCG(1, 2)), at: begin}
}

func (w *world) add(s spray.Sighting) {
	s.Time = w.at
	if s.Tenant == "" {
		s.Tenant = "acme"
	}
	w.found = append(w.found, w.d.Add(s)...)
}

func fails(source, account, secret string) spray.Sighting {
	return spray.Sighting{Source: netip.MustParseAddr(source), Account: account, Secret: []byte(secret)}
}

func enters(source, account string) spray.Sighting {
	return spray.Sighting{Source: netip.MustParseAddr(source), Account: account, OK: true}
}

// honest is an attempt of one of n users: one in so many mistypes, tries again until he is in, and one in ten of these mistypes the
// name too.
func (w *world) honest(source func() string, n, mistypes int) {
	user := fmt.Sprint("user", w.random.IntN(n))
	for w.random.IntN(mistypes) == 0 {
		s := fails(source(), user, fmt.Sprint("secret of ", user, w.random.IntN(5)))
		if w.random.IntN(10) == 0 {
			s.Account, s.Invented = fmt.Sprint(user, "x", w.random.IntN(9)), true
		}
		w.add(s)
	}
	w.add(enters(source(), user))
}

func kinds(found []spray.Verdict) (list []spray.Kind) {
	for _, v := range found {
		list = append(list, v.Kind)
	}
	return list
}

func of(kind spray.Kind, found []spray.Verdict) []spray.Verdict {
	return slices.DeleteFunc(slices.Clone(found), func(v spray.Verdict) bool { return v.Kind != kind })
}

func from4(i uint32) string {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, i))).String()
}
