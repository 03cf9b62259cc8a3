package thirdparty_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/custody"
	"github.com/cloudopsec/opsec/keymgmt/custody/custodytest"
	"github.com/cloudopsec/opsec/keymgmt/custody/thirdparty"
)

// site is where one side keeps its keys: any number of custodians may look at them.
type site struct {
	blobs custody.Memory
	key   []byte
}

func (s *site) open(t testing.TB) *custody.Root {
	r, err := custody.NewRoot(&s.blobs, nil)
	require.NoError(t, err)
	if s.key == nil {
		s.key = custody.NewRootKey()
		require.NoError(t, r.Create(context.Background(), s.key))
	} else {
		require.NoError(t, r.Unseal(context.Background(), s.key))
	}
	return r
}

// built is a custodian under test, and what it is made of.
type built struct {
	keymgmt.Custodian
	ours, theirs *site
	roots        []*custody.Root
	party        *outside
}

// build makes a custodian of ours, which is not used by all, and of theirs behind a party.
func build(t testing.TB, ours, theirs *site, of func(a, b keymgmt.Custodian) keymgmt.Custodian) *built {
	b := &built{ours: ours, theirs: theirs, roots: []*custody.Root{ours.open(t), theirs.open(t)}}
	b.party = &outside{Custodian: b.roots[1]}
	party, err := thirdparty.New(b.party, thirdparty.Policy{Name: "Keyholders", Failures: 1 << 30, SkipJustification: true},
		&thirdparty.Options{Recorder: new(audittest.Recorder)})
	require.NoError(t, err)
	b.Custodian = of(b.roots[0], party)
	return b
}

func TestCustodiansKeepTheContract(t *testing.T) {
	alone := func(_, b keymgmt.Custodian) keymgmt.Custodian { return b }
	for name, of := range map[string]func(a, b keymgmt.Custodian) keymgmt.Custodian{
		"Party": alone, "Double": thirdparty.Double, "SplitKey": thirdparty.SplitKey,
		"DoubleInside": func(a, b keymgmt.Custodian) keymgmt.Custodian { return thirdparty.Double(b, a) },
	} {
		t.Run(name, func(t *testing.T) {
			h := custodytest.Harness{
				New: func(tb testing.TB) keymgmt.Custodian { return build(tb, new(site), new(site), of) },
				Again: func(tb testing.TB, c keymgmt.Custodian) keymgmt.Custodian {
					return build(tb, c.(*built).ours, c.(*built).theirs, of)
				},
				Seal: func(_ testing.TB, c keymgmt.Custodian) {
					for _, r := range c.(*built).roots {
						r.Seal()
					}
				},
			}
			if name != "DoubleInside" { // there, what the outer one says comes first
				h.Cut = func(_ testing.TB, c keymgmt.Custodian) (mend func()) {
					c.(*built).party.act = func(context.Context) error { return keymgmt.ErrUnavailable }
					return func() { c.(*built).party.act = nil }
				}
			}
			custodytest.Run(t, h)
		})
	}
}
