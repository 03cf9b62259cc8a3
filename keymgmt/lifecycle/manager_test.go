package lifecycle_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
)

type unsealed struct{ keymgmt.Repository }

func TestManagerRefusesWhatIsNotSealedOrWired(t *testing.T) {
	repo := keymgmt.NewMemory(new(recorder))
	o := &lifecycle.Options{Authorizer: opsec.CallerAuthorized{}}
	_, err := lifecycle.New(unsealed{repo}, material{}, newCustodian(), o)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, "sealed")
	o.InsecureUnsealed = true
	_, err = lifecycle.New(unsealed{repo}, material{}, newCustodian(), o)
	require.NoError(t, err)
	_, err = lifecycle.New(repo, material{}, newCustodian(), &lifecycle.Options{})
	require.ErrorIs(t, err, opsec.ErrInvalid, "no Authorizer")
	_, err = lifecycle.New(repo, material{}, newCustodian(), nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestRotationReplacesThePrimary(t *testing.T) {
	h := open(t)
	s := h.create(t)
	require.Equal(t, "shared", s.Custodian)
	require.Empty(t, h.protecting(t))
	for n := range uint32(5) {
		k := h.rotate(t)
		require.Equal(t, n+1, k.Ref.Key)
		require.Equal(t, n, k.Previous)
		require.Equal(t, keymgmt.Active, k.State)
		require.Equal(t, h.now.Add(48*time.Hour), k.ProtectUntil)
		require.Equal(t, h.now.Add(240*time.Hour), k.ProcessUntil)
		require.Equal(t, []uint32{n + 1}, h.protecting(t))
		require.Equal(t, n+1, h.primary(t))
		h.pass(time.Hour)
	}
	s, err := h.Keyset(bg, setID)
	require.NoError(t, err)
	require.Equal(t, 5, s.Keys)
	events, err := h.History(bg, refOf(4))
	require.NoError(t, err)
	require.Len(t, events, 3)
	require.Equal(t, keymgmt.Deactivate, events[2].Verb)
	require.Equal(t, "acme/ann", events[2].By)
	e := h.recorder.last()
	require.Equal(t, keymgmt.ActionRotate, e.Action)
	require.Equal(t, opsec.Resource{Tenant: "acme", Type: "keyset", ID: "volumes"}, e.Resource)
	require.Equal(t, "ticket 4711", e.Reason)
}

func TestRotationReadsAndWritesTheSameWithManyKeys(t *testing.T) {
	h := open(t)
	h.create(t)
	counted := &counting{Repository: h.repo}
	c := h.over(t, counted)
	c.rotate(t)
	c.rotate(t)
	counted.reads, counted.writes, counted.bytes = 0, 0, 0
	c.rotate(t)
	first := *counted
	for range 100 {
		c.rotate(t)
	}
	counted.reads, counted.writes, counted.bytes = 0, 0, 0
	c.rotate(t)
	require.Equal(t, first.reads, counted.reads)
	require.Equal(t, first.writes, counted.writes)
	require.InDelta(t, first.bytes, counted.bytes, 50)
}

type counting struct {
	keymgmt.Repository
	reads, writes, bytes int
}

func (c *counting) Sealed() bool { return true }

func (c *counting) Update(ctx context.Context, tenant opsec.TenantID, fn func(keymgmt.Read) (keymgmt.Changes, error)) error {
	return c.Repository.Update(ctx, tenant, func(read keymgmt.Read) (keymgmt.Changes, error) {
		out, err := fn(func(names ...string) ([][]byte, error) {
			c.reads += len(names)
			return read(names...)
		})
		c.writes += len(out.Put)
		for _, d := range out.Put {
			c.bytes += len(d.Data)
		}
		return out, err
	})
}

func TestACustodianThatFailsLeavesNothingHalfRotated(t *testing.T) {
	h := open(t)
	h.create(t)
	k := h.rotate(t)
	before, err := h.Keyset(bg, setID)
	require.NoError(t, err)
	h.custodian.Fail(keymgmt.ErrUnavailable)
	_, err = h.Rotate(bg, admin, setID)
	require.ErrorIs(t, err, keymgmt.ErrUnavailable)
	after, err := h.Keyset(bg, setID)
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Equal(t, k, h.key(t, k.Ref))
	h.custodian.Fail(nil)
	require.EqualValues(t, 2, h.rotate(t).Ref.Key)
}

func TestAStepThatIsNotRecordedIsNotTaken(t *testing.T) {
	h := open(t)
	h.create(t)
	k := h.rotate(t)
	full := errors.New("disk full")
	h.recorder.fail = full
	_, err := h.Rotate(bg, admin, setID)
	require.ErrorIs(t, err, full)
	_, err = h.Suspend(bg, admin, k.Ref)
	require.ErrorIs(t, err, full)
	_, err = h.Export(bg, keeper, k.Ref)
	require.ErrorIs(t, err, full)
	require.Equal(t, []uint32{1}, h.protecting(t))
}

func TestKeysGoBackAndForth(t *testing.T) {
	h := open(t)
	h.create(t)
	k, err := h.Generate(bg, admin, setID)
	require.NoError(t, err)
	require.Equal(t, keymgmt.PreActivation, k.State)
	require.Zero(t, h.primary(t))
	_, err = h.Activate(bg, admin, k.Ref)
	require.NoError(t, err)
	require.Equal(t, k.Ref.Key, h.primary(t))
	_, err = h.Suspend(bg, admin, k.Ref)
	require.NoError(t, err)
	require.Zero(t, h.primary(t), "no key protects while the primary is suspended")
	resumed, err := h.Resume(bg, admin, k.Ref)
	require.NoError(t, err)
	require.Equal(t, keymgmt.Active, resumed.State)
	require.Equal(t, k.Ref.Key, h.primary(t))

	_, err = h.Suspend(bg, admin, k.Ref)
	require.NoError(t, err)
	second := h.rotate(t)
	resumed, err = h.Resume(bg, admin, k.Ref)
	require.NoError(t, err)
	require.Equal(t, keymgmt.Deactivated, resumed.State, "another has taken over")
	require.Equal(t, []uint32{second.Ref.Key}, h.protecting(t))

	_, err = h.Schedule(bg, admin, second.Ref)
	require.NoError(t, err)
	third := h.rotate(t)
	back, err := h.Cancel(bg, admin, second.Ref)
	require.NoError(t, err)
	require.Equal(t, keymgmt.Deactivated, back.State)
	require.Equal(t, []uint32{third.Ref.Key}, h.protecting(t))

	_, err = h.Activate(bg, admin, second.Ref)
	var state *keymgmt.StateError
	require.ErrorAs(t, err, &state)
	require.Equal(t, keymgmt.Deactivated, state.State)
}

func TestPeriodsAreNotLongerThanThePolicy(t *testing.T) {
	h := open(t)
	h.create(t)
	k := h.rotate(t)
	_, err := h.ChangePeriods(bg, admin, k.Ref, noon.Add(49*time.Hour), noon.Add(240*time.Hour))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = h.ChangePeriods(bg, admin, k.Ref, noon.Add(47*time.Hour), noon.Add(241*time.Hour))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	k, err = h.ChangePeriods(bg, admin, k.Ref, noon.Add(47*time.Hour), noon.Add(48*time.Hour))
	require.NoError(t, err)
	require.Equal(t, noon.Add(47*time.Hour), k.ProtectUntil)
	h.pass(48 * time.Hour)
	_, err = h.Lease(bg, k.Ref, keymgmt.Amount{Messages: 1})
	var period *keymgmt.PeriodError
	require.ErrorAs(t, err, &period)
}

func TestTheIDOfATombstoneIsTaken(t *testing.T) {
	h := open(t)
	h.create(t)
	require.NoError(t, h.repo.Update(bg, "acme", func(keymgmt.Read) (keymgmt.Changes, error) {
		return keymgmt.Changes{Put: []keymgmt.Document{{Name: "tombstone/volumes/00000007", Data: []byte(`{}`)}}}, nil
	}))
	_, err := h.Expect(bg, admin, refOf(7), "AES256_GCM")
	require.ErrorIs(t, err, keymgmt.ErrExists)
}

func TestIDsThatAreTakenAreNotGivenAgain(t *testing.T) {
	h := open(t)
	h.create(t)
	_, err := h.Expect(bg, admin, refOf(1<<32-1), "AES256_GCM")
	require.NoError(t, err)
	_, err = h.Expect(bg, admin, refOf(1), "AES256_GCM")
	require.NoError(t, err)
	_, err = h.Expect(bg, admin, refOf(1), "AES256_GCM")
	require.ErrorIs(t, err, keymgmt.ErrExists)
	_, err = h.Expect(bg, admin, refOf(1<<32-1), "AES256_GCM")
	require.ErrorIs(t, err, keymgmt.ErrExists)
	require.EqualValues(t, 2, h.rotate(t).Ref.Key)
	_, err = h.Expect(bg, admin, refOf(1<<32-2), "AES256_GCM")
	require.NoError(t, err)
	require.EqualValues(t, 3, h.rotate(t).Ref.Key, "after the last come the first")
}

func TestImport(t *testing.T) {
	h := open(t)
	h.create(t)
	b, err := material{}.New("AES256_GCM", 42)
	require.NoError(t, err)
	_, err = h.Import(bg, keeper, refOf(42), b)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, err = h.Expect(bg, admin, refOf(42), "AES256_GCM")
	require.NoError(t, err)
	_, err = h.Import(bg, admin, refOf(42), b)
	require.ErrorIs(t, err, opsec.ErrDenied, "who expects it does not bring it")
	other, _ := material{}.New("AES128_GCM", 42)
	_, err = h.Import(bg, keeper, refOf(42), other)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	other, _ = material{}.New("AES256_GCM", 43)
	_, err = h.Import(bg, keeper, refOf(42), other)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = h.Import(bg, keeper, refOf(42), []byte("junk"))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	k, err := h.Import(bg, keeper, refOf(42), b)
	require.NoError(t, err)
	require.True(t, k.Imported)
	_, err = h.Activate(bg, admin, k.Ref)
	require.NoError(t, err)
	out, err := h.Export(bg, keeper, k.Ref)
	require.NoError(t, err)
	require.Equal(t, b, out)
	require.Contains(t, h.recorder.actions(opsec.Pending), keymgmt.ActionExport)
	require.Equal(t, keymgmt.ActionExport, h.recorder.last().Action)
	require.Equal(t, opsec.Success, h.recorder.last().Outcome)
	require.NotEmpty(t, h.recorder.last().Intent)
}

func TestExportTellsThatItFailed(t *testing.T) {
	h := open(t)
	h.create(t)
	k := h.rotate(t)
	_, err := h.Export(bg, admin, k.Ref)
	require.ErrorIs(t, err, opsec.ErrDenied)
	_, err = h.Export(bg, lifecycle.By{Actor: keeper.Actor}, k.Ref)
	require.ErrorIs(t, err, opsec.ErrInvalid, "without a reason")
	h.custodian.Fail(keymgmt.ErrSealed)
	_, err = h.Export(bg, keeper, k.Ref)
	require.ErrorIs(t, err, keymgmt.ErrSealed)
	require.Equal(t, opsec.Failure, h.recorder.last().Outcome)
	h.custodian.Fail(nil)
	_, err = h.Schedule(bg, admin, k.Ref)
	require.NoError(t, err)
	_, err = h.Export(bg, keeper, k.Ref)
	var state *keymgmt.StateError
	require.ErrorAs(t, err, &state)
}

func TestCompromiseTaints(t *testing.T) {
	h := open(t)
	h.create(t)
	first := h.rotate(t)
	_, err := h.BackUp(bg, keeper, setID)
	require.NoError(t, err)
	second := h.rotate(t)
	_, err = h.BackUp(bg, keeper, setID)
	require.NoError(t, err)
	tainted := func(ref keymgmt.Ref) (list []string) {
		for d, err := range h.Tainted(bg, ref) {
			require.NoError(t, err)
			list = append(list, d.Name)
		}
		return list
	}
	require.Equal(t, []string{"backup/volumes/00000001", "backup/volumes/00000002"}, tainted(first.Ref))
	require.Equal(t, []string{"backup/volumes/00000002"}, tainted(second.Ref))
	_, err = h.Compromise(bg, lifecycle.By{Actor: admin.Actor}, second.Ref, noon)
	require.ErrorIs(t, err, opsec.ErrInvalid, "without a reason")
	k, err := h.Compromise(bg, operator, second.Ref, noon.Add(-time.Hour))
	require.NoError(t, err)
	require.Equal(t, keymgmt.Compromised, k.State)
	require.Equal(t, noon.Add(-time.Hour), k.Compromised)
	require.Zero(t, h.primary(t))
}

func TestKeysetsAreValidated(t *testing.T) {
	h := open(t)
	for name, change := range map[string]func(*keymgmt.Keyset){
		"keyset id":     func(s *keymgmt.Keyset) { s.ID = "A" },
		"custodian":     func(s *keymgmt.Keyset) { s.Custodian = "acme/other" },
		"administrator": func(s *keymgmt.Keyset) { delete(s.Roles, keymgmt.Administrator) },
		"disjoint":      func(s *keymgmt.Keyset) { s.Roles[keymgmt.Auditor] = []string{"acme/ann"} },
		"tenant/person": func(s *keymgmt.Keyset) { s.Roles[keymgmt.Auditor] = []string{"zoe"} },
		"none":          func(s *keymgmt.Keyset) { s.Roles["boss"] = []string{"acme/zoe"} },
		"algorithm":     func(s *keymgmt.Keyset) { s.Algorithm = "ROT13" },
		"labels":        func(s *keymgmt.Keyset) { s.Labels = map[string]string{"": "x"} },
		"originator":    func(s *keymgmt.Keyset) { s.Policy.OriginatorUsage = 0 },
	} {
		s := set(setID)
		change(&s)
		_, err := h.Create(bg, admin, s)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		require.ErrorContains(t, err, name)
	}
	_, err := h.Keyset(bg, setID)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	h.create(t)
	_, err = h.Create(bg, admin, set(setID))
	require.ErrorIs(t, err, keymgmt.ErrExists)

	p := policy()
	p.Strength = 0
	_, err = h.Update(bg, admin, setID, &p, "", nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = h.Update(bg, admin, setID, nil, "ED25519", nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	s, err := h.Update(bg, admin, setID, nil, "AES128_GCM", map[string]string{"cost-centre": "17"})
	require.NoError(t, err)
	require.EqualValues(t, "AES128_GCM", s.Algorithm)
	require.Equal(t, keymgmt.Algorithm("AES128_GCM"), h.rotate(t).Algorithm)
}

func TestATamperedRecordIsRefused(t *testing.T) {
	h := open(t)
	h.create(t)
	k := h.rotate(t)
	h.rotate(t)
	edit := func(from, to string) {
		require.NoError(t, h.repo.Update(bg, "acme", func(read keymgmt.Read) (keymgmt.Changes, error) {
			docs, err := read("key/volumes/00000001")
			require.Contains(t, string(docs[0]), from)
			data := strings.Replace(string(docs[0]), from, to, 1)
			return keymgmt.Changes{Put: []keymgmt.Document{{Name: "key/volumes/00000001", Data: []byte(data)}}}, err
		}))
	}
	edit(`"state":"deactivated"`, `"state":"active"`)
	_, err := h.Key(bg, k.Ref)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = h.Held(bg, k.Ref)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	edit(`"state":"active"`, `"state":"deactivated"`)
	_, err = h.Held(bg, k.Ref)
	require.NoError(t, err)
	edit(`"key":1`, `"key":2`)
	_, err = h.Held(bg, k.Ref)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestATamperedKeysetIsRefused(t *testing.T) {
	for from, to := range map[string]string{
		`"keys":2`:                 `"keys":-2`,
		`"auditor":["acme/udo"]`:   `"auditor":["acme/ann"]`,
		`"purpose":`:               `"purposes":`,
		`"id":"volumes"`:           `"id":"others"`,
		`"block":10`:               `"block":0`,
		`"tenant":"acme"`:          `"tenant":"umbrella"`,
		`"administrator":`:         `"root":`,
		`{"tenant":"acme"`:         `null {"tenant":"acme"`,
		`"generation":`:            `"backups":-1,"generation":`,
		`"originator_usage":"48h0`: `"originator_usage":"-48h0`,
	} {
		h := open(t)
		h.create(t)
		h.rotate(t)
		h.rotate(t)
		require.NoError(t, h.repo.Update(bg, "acme", func(read keymgmt.Read) (keymgmt.Changes, error) {
			docs, err := read("set/volumes")
			require.Contains(t, string(docs[0]), from)
			data := strings.Replace(string(docs[0]), from, to, 1)
			return keymgmt.Changes{Put: []keymgmt.Document{{Name: "set/volumes", Data: []byte(data)}}}, err
		}))
		_, err := h.Snapshot(bg, setID)
		require.Error(t, err, to)
		_, err = h.Rotate(bg, admin, setID)
		require.Error(t, err, to)
		_, err = h.Lease(bg, refOf(2), keymgmt.Amount{Messages: 1, Bytes: 1})
		require.Error(t, err, to)
	}
}
