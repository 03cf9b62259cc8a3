package accounts_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
)

// heap returns how many bytes are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A reference may be cut out of a long line, with the name that somebody typed.
func TestOriginsKeepNoLinesInMemory(t *testing.T) {
	a, err := accounts.Policy{}.Attempts(key)
	require.NoError(t, err)
	before := heap()
	for i := range 64 {
		line := strings.Repeat("x", 1<<20) + fmt.Sprint("r", i)
		a.Add(accounts.SignIn{
			Key: accounts.Key{Tenant: opsec.TenantID(line[:4]), Main: line[:8]}, Time: now, Outcome: opsec.Failure,
			IP: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), Ref: line[1<<20:],
		}, accounts.Invented)
	}
	require.Less(t, heap()-before, int64(8<<20))
	runtime.KeepAlive(a)
}

// Where all accounts have roles of their own, what roles give together is not kept for each.
func TestSetsOfRolesAreBounded(t *testing.T) {
	roles := map[string][]string{}
	var names []string
	for i := range 24 {
		name := fmt.Sprint("role", i)
		names = append(names, name)
		for j := range 400 {
			roles[name] = append(roles[name], fmt.Sprintf("p.%d.%d", i, j))
		}
	}
	rows := make([]accounts.Account, 276)
	for i := range rows {
		rows[i] = accounts.Account{Key: accounts.Key{Tenant: "acme", Main: fmt.Sprintf("a%04d", i)}, State: accounts.Deleted}
		rows[i].Roles = append(slices.Clone(names[i%24:]), names[:i%24]...)
		rows[i].Roles = slices.Delete(rows[i].Roles, i/24, i/24+1)
	}
	before := heap()
	most := int64(0)
	audited := accounts.Policy{Roles: roles}.Audit(accounts.Sources{Accounts: func(yield func(accounts.Account, error) bool) {
		for i, row := range rows {
			if i%50 == 49 {
				most = max(most, heap()-before)
			}
			if !yield(row, nil) {
				return
			}
		}
	}}, now)
	require.Empty(t, all(t, audited))
	require.Less(t, most, int64(24<<20))
}

func TestSetsOfRolesAreNotConfused(t *testing.T) {
	w := newWorld()
	w.policy.Skip = []accounts.Kind{accounts.UnderAuthorised}
	w.account("ann").Roles = []string{"none\x00operator", "none"} // unknown: what it holds is not given by a role
	w.account("bob").Roles = []string{"none", "operator", "none"}
	found, _ := w.audit(t)
	require.Len(t, found, 1)
	require.Equal(t, name("ann"), found[0].Account)
}
