package keymgmt_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

func TestRolesAreDisjointAndNamePersons(t *testing.T) {
	many := make([]string, keymgmt.MaxPersons)
	for i := range many {
		many[i] = fmt.Sprint("acme/p", i)
	}
	for name, r := range map[string]keymgmt.Roles{
		"no administrator": {keymgmt.Operator: {"acme/ann"}},
		"twice":            {keymgmt.Administrator: {"acme/ann"}, keymgmt.Operator: {"acme/ann"}},
		"twice in one":     {keymgmt.Administrator: {"acme/ann", "acme/ann"}},
		"no tenant":        {keymgmt.Administrator: {"ann"}},
		"no person":        {keymgmt.Administrator: {"acme/"}},
		"markup":           {keymgmt.Administrator: {"acme/<b>"}},
		"long":             {keymgmt.Administrator: {"acme/" + strings.Repeat("x", 256)}},
		"unknown role":     {keymgmt.Administrator: {"acme/ann"}, "boss": {"acme/ben"}},
		"too many":         {keymgmt.Administrator: {"acme/ann"}, keymgmt.Operator: many},
	} {
		require.ErrorIs(t, r.Validate(), opsec.ErrInvalid, name)
	}
	r := keymgmt.Roles{keymgmt.Administrator: {"acme/ann", "@provider/ann"}, keymgmt.Operator: {"acme/ben"}}
	require.NoError(t, r.Validate())
	require.Equal(t, keymgmt.Operator, r.Of(opsec.Actor{Tenant: "acme", Person: "ben"}))
	require.Equal(t, keymgmt.Administrator, r.Of(opsec.Actor{Tenant: opsec.Provider, Person: "ann"}))
	require.Empty(t, r.Of(opsec.Actor{Tenant: "globex", Person: "ann"}))
	require.Empty(t, r.Of(opsec.Actor{Tenant: "acme", Account: "ann"}), "nobody is known behind it")
	require.Empty(t, r.Of(opsec.Actor{Person: "acme/ann"}))
}

func ExamplePerson() {
	roles := keymgmt.Roles{keymgmt.Administrator: {"acme/ann"}, keymgmt.Operator: {"acme/web-1"}}
	ann := opsec.Actor{Tenant: "acme", Person: "ann", Account: "ann.admin@acme.example"}
	fmt.Println(roles.Validate(), keymgmt.Person(ann), roles.Of(ann))
	// Output: <nil> acme/ann administrator
}

type nowhere struct{}

func (nowhere) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	return opsec.Receipt{Event: e.ID}, nil
}

func ExampleNewMemory() {
	repository := keymgmt.NewMemory(nowhere{})
	err := repository.Update(context.Background(), "acme", func(read keymgmt.Read) (keymgmt.Changes, error) {
		docs, err := read("set/volumes")
		fmt.Println(docs[0] == nil)
		return keymgmt.Changes{Put: []keymgmt.Document{{Name: "set/volumes", Data: []byte(`{}`)}}}, err
	})
	fmt.Println(err, repository.Sealed())
	// Output:
	// true
	// <nil> true
}

func TestMemoryWithoutARecorderKeeps(t *testing.T) {
	m := keymgmt.NewMemory(nil)
	require.NoError(t, m.Update(t.Context(), "acme", func(keymgmt.Read) (keymgmt.Changes, error) {
		e := opsec.NewEvent("keymgmt.create", dawn)
		e.Tenant, e.Outcome = "acme", opsec.Success
		return keymgmt.Changes{Put: []keymgmt.Document{{Name: "set/a", Data: []byte(`{}`)}}, Events: []*opsec.Event{e}}, nil
	}))
	require.NoError(t, m.Update(t.Context(), "acme", func(read keymgmt.Read) (keymgmt.Changes, error) {
		docs, err := read("set/a")
		require.Equal(t, `{}`, string(docs[0]))
		return keymgmt.Changes{}, err
	}))
}
