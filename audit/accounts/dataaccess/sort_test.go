package dataaccess_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts/dataaccess"
)

func TestSortedAccessesAreThoseThatCame(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		list := drawAccesses(rt, "", "ann", "eve", "é", "\x00", "eve\x00")
		for i := range list {
			list[i].Operator.Account = rapid.SampledFrom([]string{"a", "b", "a\x00"}).Draw(rt, "account")
			list[i].Time = list[i].Time.Add(time.Duration(i))
		}
		sorted, err := dataaccess.Sort(asIs(list...), dataaccess.SortOptions{Dir: dir})
		require.NoError(rt, err)
		defer sorted.Close()
		var want, got []dataaccess.Access
		for a := range rows(list...) {
			want = append(want, a)
		}
		for range 2 {
			got = nil
			for a, err := range sorted.Accesses() {
				require.NoError(rt, err)
				got = append(got, a)
			}
			require.Equal(rt, want, got)
		}
		_, err = dataaccess.Policy{}.Norms(sorted.Accesses())
		require.NoError(rt, err)
	})
}

func TestSortNamesTheRow(t *testing.T) {
	bad := access("eve", monday, "acme")
	bad.Resource = ""
	_, err := dataaccess.Sort(asIs(access("ann", monday, "acme"), bad), dataaccess.SortOptions{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, "row 2: resource")
	_, err = dataaccess.Sort(func(yield func(dataaccess.Access, error) bool) { yield(dataaccess.Access{}, errDown) }, dataaccess.SortOptions{})
	require.ErrorIs(t, err, errDown)
}

func ExampleSort() {
	sorted, err := dataaccess.Sort(asIs(access("eve", monday, "acme"), access("ann", monday, "globex")), dataaccess.SortOptions{})
	if err != nil {
		panic(err)
	}
	defer sorted.Close()
	for a := range sorted.Accesses() {
		fmt.Println(a.Operator, a.Customer)
	}
	// Output:
	// @provider/ann globex
	// @provider/eve acme
}
