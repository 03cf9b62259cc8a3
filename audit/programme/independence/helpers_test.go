package independence_test

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/independence"
)

var (
	now  = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	year = 365 * 24 * time.Hour
)

// backups is what most tests audit.
var backups = independence.Scope{
	Systems: []string{"backup-eu"}, Actions: []string{"backup.*"}, Resources: []opsec.Resource{{Type: "volume", ID: "*"}},
}

// staff is an act of one of the provider's people.
func staff(person, action string) independence.Act {
	return independence.Act{
		Time: now.Add(-24 * time.Hour), Tenant: opsec.Provider, Action: action, Outcome: opsec.Success,
		Actor: opsec.Actor{Tenant: opsec.Provider, Account: person + "-1", Person: person, Kind: opsec.Human},
		Ref:   "log/" + person + "/" + action,
	}
}

// with changes an act.
func with(a independence.Act, change func(*independence.Act)) independence.Act {
	change(&a)
	return a
}

func seq(acts ...independence.Act) iter.Seq2[independence.Act, error] {
	return func(yield func(independence.Act, error) bool) {
		for _, a := range acts {
			if !yield(a, nil) {
				return
			}
		}
	}
}

// examine looks at candidates by a policy that is zero.
func examine(
	t testing.TB, s independence.Scope, o independence.Organisation, candidates []string, acts ...independence.Act,
) independence.Clearance {
	t.Helper()
	return examineBy(t, independence.Policy{}, s, o, candidates, acts...)
}

func examineBy(
	t testing.TB, p independence.Policy, s independence.Scope, o independence.Organisation, candidates []string, acts ...independence.Act,
) independence.Clearance {
	t.Helper()
	c, err := p.Examine(context.Background(), s, candidates, o, seq(acts...), now)
	require.NoError(t, err)
	return c
}

// kinds says what stands against somebody, in short.
func kinds(t testing.TB, c independence.Clearance, person string) (list []string) {
	t.Helper()
	for _, s := range c.Standings {
		if s.Person != person {
			continue
		}
		for _, found := range s.Conflicts {
			text := string(found.Kind)
			if found.Kind == independence.InLine {
				text = fmt.Sprintf("line %s %s", found.With, found.Of)
			}
			list = append(list, text)
		}
		return list
	}
	require.Fail(t, "not looked at", person)
	return nil
}

func one(s string) []string { return []string{s} }
