package ceremony_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt/custody/ceremony"
)

func TestDealSealsEveryShareToItsCustodian(t *testing.T) {
	h := newHall(t)
	e := h.log.One(t, ceremony.ActionDeal)
	require.Equal(t, olga, e.Actor)
	require.Equal(t, h.roster.Set.ID.String(), e.Resource.ID)
	require.Contains(t, e.Attrs, opsec.Attr{Key: "set_digest", Value: h.roster.Set.Digest().String(), Mark: opsec.Tenant})

	b, err := json.Marshal(h.roster)
	require.NoError(t, err)
	var read ceremony.Roster
	require.NoError(t, json.Unmarshal(b, &read))
	require.Equal(t, *h.roster, read)
	for i, holder := range read.Holders {
		s := h.share(&read, holder.Person)
		require.Equal(t, i+1, s.Index())
		require.NoError(t, read.Set.Check(s))
		require.NotContains(t, string(b), string(s.Bytes()[39:]))
	}
}

func TestDealRefuses(t *testing.T) {
	h := newHall(t)
	before := len(h.log.Events())
	for field, change := range map[string]func(p *ceremony.Plan){
		"threshold":                func(p *ceremony.Plan) { p.Threshold = 1 },
		"custodians[1]":            func(p *ceremony.Plan) { p.Custodians[1].Recipient = nil },
		"holders[2]: a person who": func(p *ceremony.Plan) { p.Custodians[2].Person = "ann" },
		"holders[0]: want":         func(p *ceremony.Plan) { p.Custodians[0].Person = "" },
		"holders[1]: want":         func(p *ceremony.Plan) { p.Custodians[1].Tenant = "" },
		"tenant id":                func(p *ceremony.Plan) { p.Tenant = "-" },
	} {
		p := h.plan(2, "ann", "bob", "cyd")
		change(&p)
		r, err := ceremony.Deal(ctx, olga, root, p, h.o)
		require.ErrorIs(t, err, opsec.ErrInvalid, field)
		require.ErrorContains(t, err, field)
		require.Nil(t, r)
	}
	require.Len(t, h.log.Events(), before)
	_, err := ceremony.Deal(ctx, olga, nil, h.plan(2, "ann", "bob"), h.o)
	require.ErrorContains(t, err, "secret")
}

func TestRosterTakesNoNonsense(t *testing.T) {
	h := newHall(t)
	good, err := json.Marshal(h.roster)
	require.NoError(t, err)
	for what, change := range map[string]func(s string) string{
		"unknown":    func(s string) string { return `{"secret":"x",` + s[1:] },
		"tenant id":  func(s string) string { return strings.Replace(s, `"tenant":"@provider"`, `"tenant":"-"`, 1) },
		"holders[3]": func(s string) string { return strings.Replace(s, `"index":4`, `"index":3`, 1) },
		"holders":    func(s string) string { return strings.Replace(s, `"person":"bob"`, `"person":"ann"`, 1) },
		"of 5":       func(s string) string { return s[:strings.Index(s, `"holders"`)] + `"holders":[]}` },
	} {
		var r ceremony.Roster
		err := json.Unmarshal([]byte(change(string(good))), &r)
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
		require.ErrorContains(t, err, what)
		require.Zero(t, r)
	}
	var r ceremony.Roster
	require.ErrorIs(t, r.UnmarshalJSON(make([]byte, 9<<20)), opsec.ErrInvalid)
}

// Shares on paper have no place in the roster.
func TestHoldersOfPaper(t *testing.T) {
	h := newHall(t)
	paper := map[string]string{}
	for i, holder := range h.roster.Holders {
		paper[holder.Person] = h.share(h.roster, holder.Person).Text()
		h.roster.Holders[i].Sealed = nil
	}
	require.NoError(t, h.roster.Validate())
	require.Contains(t, paper["bob"], "# share 2 of 5")
}

func FuzzRoster(f *testing.F) {
	h := newHall(f)
	good, _ := json.Marshal(h.roster)
	f.Add(good)
	f.Add([]byte(`{"tenant":"a","set":{},"holders":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r ceremony.Roster
		if err := r.UnmarshalJSON(b); err != nil {
			require.Zero(t, r)
			return
		}
		require.NoError(t, r.Validate())
		again, err := json.Marshal(r)
		require.NoError(t, err)
		var read ceremony.Roster
		require.NoError(t, read.UnmarshalJSON(again))
		require.Equal(t, r, read)
	})
}
