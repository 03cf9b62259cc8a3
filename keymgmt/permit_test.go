package keymgmt_test

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// disks is a keyset for data, and its active key, with a block that holds ten messages of a kilobyte.
func disks(t require.TestingT) (keymgmt.Keyset, keymgmt.Key, *keymgmt.Block) {
	k, _ := live(t, courses[keymgmt.Active]...)
	b := new(keymgmt.Block)
	b.Add(keymgmt.Amount{Messages: 10, Bytes: 10 << 10})
	return keymgmt.Keyset{SetID: subject.Set, Purpose: keymgmt.DataEncryption, Policy: keymgmt.Preset(keymgmt.DataEncryption)}, k, b
}

func TestPermitTellsWhyItRefuses(t *testing.T) {
	set, k, b := disks(t)
	now := k.Activated.UnixNano()
	check := func(set keymgmt.Keyset, k keymgmt.Key, r keymgmt.Role, op keymgmt.Op, now int64) error {
		return keymgmt.NewPermit(set, k, r, b).Use(op, now, 1)
	}
	require.NoError(t, check(set, k, keymgmt.Operator, keymgmt.Protect, now))
	require.NoError(t, check(set, k, keymgmt.Operator, keymgmt.Process, now))
	require.NoError(t, check(set, k, keymgmt.CustodianRole, keymgmt.Export, now))

	suspended, _ := live(t, courses[keymgmt.Suspended]...)
	require.Equal(t, &keymgmt.StateError{Ref: subject, State: keymgmt.Suspended, Op: keymgmt.Process},
		check(set, suspended, "", keymgmt.Process, now), "the state is told first")

	require.Equal(t, &keymgmt.PolicyError{Ref: subject, Op: keymgmt.Sign, Why: "the purpose of the key is data-encryption"},
		check(set, k, keymgmt.Operator, keymgmt.Sign, now))
	strict := set
	strict.Policy.Algorithms = []keymgmt.Algorithm{"XCHACHA20_POLY1305"}
	require.Equal(t, &keymgmt.PolicyError{Ref: subject, Op: keymgmt.Protect, Why: "the algorithm does not meet the policy"},
		check(strict, k, keymgmt.Operator, keymgmt.Protect, now))
	require.NoError(t, check(strict, k, keymgmt.Operator, keymgmt.Process, now), "what it has protected still opens")

	leaked, _ := live(t, courses[keymgmt.Compromised]...)
	require.Equal(t, &keymgmt.PolicyError{Ref: subject, Op: keymgmt.Process, Why: "the key is compromised"},
		check(set, leaked, keymgmt.Operator, keymgmt.Process, now))
	rescue := set
	rescue.Policy.InsecureProcessCompromised = true
	require.NoError(t, check(rescue, leaked, keymgmt.Operator, keymgmt.Process, now))
	require.ErrorIs(t, check(rescue, leaked, keymgmt.Operator, keymgmt.Protect, now), opsec.ErrDenied)

	for _, r := range []keymgmt.Role{"", keymgmt.Administrator, keymgmt.CustodianRole, keymgmt.Auditor, "root"} {
		require.Equal(t, &keymgmt.RoleError{Ref: subject, Role: r, Op: keymgmt.Process}, check(set, k, r, keymgmt.Process, now))
	}
	require.Equal(t, &keymgmt.RoleError{Ref: subject, Role: keymgmt.Operator, Op: keymgmt.Export},
		check(set, k, keymgmt.Operator, keymgmt.Export, now))

	until := k.ProtectUntil.UnixNano()
	require.NoError(t, check(set, k, keymgmt.Operator, keymgmt.Protect, until-1))
	require.Equal(t, &keymgmt.PeriodError{Ref: subject, Op: keymgmt.Protect, Until: k.ProtectUntil},
		check(set, k, keymgmt.Operator, keymgmt.Protect, until))
	require.NoError(t, check(set, k, keymgmt.Operator, keymgmt.Process, until))
	require.NoError(t, check(set, k, keymgmt.CustodianRole, keymgmt.Export, until), "for those who process elsewhere")
	until = k.ProcessUntil.UnixNano()
	require.NoError(t, check(set, k, keymgmt.Operator, keymgmt.Process, until-1))
	require.Equal(t, &keymgmt.PeriodError{Ref: subject, Op: keymgmt.Process, Until: k.ProcessUntil},
		check(set, k, keymgmt.Operator, keymgmt.Process, until))

	made, _ := live(t, keymgmt.Generate, keymgmt.Compromise)
	require.IsType(t, &keymgmt.PeriodError{}, check(rescue, made, keymgmt.Operator, keymgmt.Process, now), "no period has begun")

	err := keymgmt.NewPermit(set, k, keymgmt.Operator, b).Use(keymgmt.Protect, now, 1<<20)
	require.Equal(t, &keymgmt.ExhaustedError{Ref: subject}, err)
	err = keymgmt.NewPermit(set, k, keymgmt.Operator, nil).Use(keymgmt.Protect, now, 1)
	require.Equal(t, &keymgmt.ExhaustedError{Ref: subject}, err, "without a block nothing is left")
}

func TestRefusalsAreDenials(t *testing.T) {
	for _, err := range []error{
		&keymgmt.StateError{Ref: subject, State: keymgmt.Suspended, Op: keymgmt.Wrap}, &keymgmt.PolicyError{Ref: subject, Op: keymgmt.Wrap},
		&keymgmt.RoleError{Ref: subject, Op: keymgmt.Wrap}, &keymgmt.PeriodError{Ref: subject, Op: keymgmt.Wrap},
		&keymgmt.ExhaustedError{Ref: subject},
	} {
		require.ErrorIs(t, err, opsec.ErrDenied)
		require.NotErrorIs(t, err, keymgmt.ErrDestroyed)
		require.ErrorContains(t, err, "keymgmt: key acme/disks/00000007")
		if _, limit := err.(*keymgmt.ExhaustedError); !limit {
			require.ErrorContains(t, err, "no wrap")
		}
	}
}

func TestCheckTakesNothingAndProcessingNeither(t *testing.T) {
	set, k, b := disks(t)
	p := keymgmt.NewPermit(set, k, keymgmt.Operator, b)
	whole := b.Left()
	require.NoError(t, p.Check(keymgmt.Protect, dawn.UnixNano()))
	require.NoError(t, p.Use(keymgmt.Process, dawn.UnixNano(), 100))
	require.Equal(t, whole, b.Left())
	require.NoError(t, p.Use(keymgmt.Protect, dawn.UnixNano(), 100))
	require.Equal(t, keymgmt.Amount{Messages: 9, Bytes: 10<<10 - 100}, b.Left())
}

func TestPeriodsHoldWhereNanosecondsEnd(t *testing.T) {
	set, k, b := disks(t)
	k.ProtectUntil, k.ProcessUntil = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	require.NoError(t, keymgmt.NewPermit(set, k, keymgmt.Operator, b).Check(keymgmt.Protect, math.MaxInt64-1))
	k.ProtectUntil, k.ProcessUntil = time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)
	require.Error(t, keymgmt.NewPermit(set, k, keymgmt.Operator, b).Check(keymgmt.Protect, math.MinInt64))
}

func TestEachPurposeHasItsOperations(t *testing.T) {
	want := map[keymgmt.Purpose][]keymgmt.Op{
		keymgmt.DataEncryption: {keymgmt.Protect, keymgmt.Process, keymgmt.Export},
		keymgmt.Streaming:      {keymgmt.Protect, keymgmt.Process, keymgmt.Export},
		keymgmt.KeyWrapping:    {keymgmt.Wrap, keymgmt.Unwrap, keymgmt.Export},
		keymgmt.Derivation:     {keymgmt.Derive, keymgmt.Export},
		keymgmt.Authentication: {keymgmt.Sign, keymgmt.Verify, keymgmt.Export},
		keymgmt.Signature:      {keymgmt.Sign, keymgmt.Verify, keymgmt.Export},
		"magic":                nil,
	}
	roles := map[keymgmt.Role][]keymgmt.Op{
		keymgmt.Operator:      allOps[:len(allOps)-1],
		keymgmt.CustodianRole: {keymgmt.Export},
	}
	for _, o := range allOps {
		for p, list := range want {
			require.Equal(t, contains(list, o), p.Allows(o), "%s %s", p, o)
		}
		for _, r := range []keymgmt.Role{"", keymgmt.Administrator, keymgmt.CustodianRole, keymgmt.Operator, keymgmt.Auditor} {
			require.Equal(t, contains(roles[r], o), r.Allows(o), "%s %s", r, o)
		}
	}
}

func contains(list []keymgmt.Op, o keymgmt.Op) bool {
	for _, one := range list {
		if one == o {
			return true
		}
	}
	return false
}

func TestBlockGivesNoMoreThanItHas(t *testing.T) {
	var b keymgmt.Block
	require.False(t, b.Take(0), "the zero Block has nothing")
	b.Add(keymgmt.Amount{Messages: 3, Bytes: 10})
	require.False(t, b.Take(-1))
	require.False(t, b.Take(11))
	require.True(t, b.Take(10))
	require.False(t, b.Take(1))
	require.True(t, b.Take(0))
	require.Equal(t, keymgmt.Amount{Messages: 1}, b.Left())
	b.Add(keymgmt.Amount{Messages: math.MaxUint64, Bytes: math.MaxUint64})
	require.Equal(t, keymgmt.Amount{Messages: keymgmt.MaxBlockMessages, Bytes: keymgmt.MaxBlockBytes}, b.Left())
	require.False(t, b.Take(keymgmt.MaxBlockBytes+1))
	require.True(t, b.Take(keymgmt.MaxBlockBytes))
	require.Equal(t, keymgmt.Amount{Messages: keymgmt.MaxBlockMessages - 1}, b.Left())

	// However many take at once, and whether messages or bytes end first.
	const enough = 100_000
	for _, has := range []keymgmt.Amount{{Messages: enough, Bytes: 1 << 39}, {Messages: 1 << 23, Bytes: 7 * enough}} {
		var b keymgmt.Block
		b.Add(has)
		var wg sync.WaitGroup
		taken := make([]int, 8)
		for i := range taken {
			wg.Go(func() {
				for range enough / 2 {
					if b.Take(7) {
						taken[i]++
					}
				}
			})
		}
		wg.Wait()
		sum := 0
		for _, n := range taken {
			sum += n
		}
		require.Equal(t, enough, sum)
		left := b.Left()
		require.Equal(t, has, keymgmt.Amount{Messages: left.Messages + enough, Bytes: left.Bytes + 7*enough})
	}
}

func TestPermitAllocatesNothingWhenItPermits(t *testing.T) {
	set, k, b := disks(t)
	b.Add(keymgmt.Amount{Messages: 1 << 20, Bytes: 1 << 39})
	p, now := keymgmt.NewPermit(set, k, keymgmt.Operator, b), dawn.UnixNano()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if p.Use(keymgmt.Protect, now, 1024) != nil || p.Check(keymgmt.Process, now) != nil {
			panic("refused")
		}
	}))
}

// The whole check of one message: state, purpose, policy, role, period, limits.
func BenchmarkPermitUse(b *testing.B) {
	set, k, block := disks(b)
	lease := keymgmt.Amount{Messages: keymgmt.MaxPolicyBlock, Bytes: keymgmt.MaxPolicyBlock << 10}
	p, now := keymgmt.NewPermit(set, k, keymgmt.Operator, block), dawn.UnixNano()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%keymgmt.MaxPolicyBlock == 0 {
			block.Add(lease)
		}
		if p.Use(keymgmt.Protect, now, 1024) != nil {
			b.Fatal("refused")
		}
	}
}

// What the machine takes for one atomic compare-and-swap, of which BenchmarkPermitUse has one.
func BenchmarkOneAtomic(b *testing.B) {
	var word atomic.Uint64
	for b.Loop() {
		if old := word.Load(); !word.CompareAndSwap(old, old+1) {
			b.Fatal("raced")
		}
	}
}

func BenchmarkPermitCheck(b *testing.B) {
	set, k, block := disks(b)
	p, now := keymgmt.NewPermit(set, k, keymgmt.Operator, block), dawn.UnixNano()
	b.ReportAllocs()
	for b.Loop() {
		if p.Check(keymgmt.Process, now) != nil {
			b.Fatal("refused")
		}
	}
}

func BenchmarkNewPermit(b *testing.B) {
	set, k, block := disks(b)
	b.ReportAllocs()
	for b.Loop() {
		keymgmt.NewPermit(set, k, keymgmt.Operator, block)
	}
}

func ExamplePermit() {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	set := keymgmt.Keyset{Purpose: keymgmt.DataEncryption, Policy: keymgmt.Preset(keymgmt.DataEncryption)}
	key := keymgmt.Key{
		Ref:   keymgmt.Ref{Set: keymgmt.SetID{Tenant: "acme", ID: "disks"}, Key: 1},
		State: keymgmt.Active, Algorithm: "AES256_GCM",
		ProtectUntil: now.AddDate(1, 0, 0), ProcessUntil: now.AddDate(4, 0, 0),
	}
	var lease keymgmt.Block
	lease.Add(keymgmt.Amount{Messages: 1, Bytes: 4096})
	p := keymgmt.NewPermit(set, key, keymgmt.Operator, &lease)

	fmt.Println(p.Use(keymgmt.Protect, now.UnixNano(), 1024))
	var exhausted *keymgmt.ExhaustedError
	fmt.Println(errors.As(p.Use(keymgmt.Protect, now.UnixNano(), 1024), &exhausted))
	fmt.Println(p.Use(keymgmt.Process, now.UnixNano(), 1024))
	fmt.Println(p.Use(keymgmt.Process, now.AddDate(4, 0, 0).UnixNano(), 1024))
	// Output:
	// <nil>
	// true
	// <nil>
	// keymgmt: key acme/disks/00000001: no process since 2030-03-01T08:00:00Z: denied
}

func ExampleBlock() {
	var b keymgmt.Block
	b.Add(keymgmt.Amount{Messages: 2, Bytes: 100})
	fmt.Println(b.Take(60), b.Take(60), b.Left())
	// Output: true false {1 40}
}
