package approval_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
)

func errIsDenied(err error) bool { return errors.Is(err, opsec.ErrDenied) }

// exportedActions reads the constants Action… from the source, so that none is forgotten.
func exportedActions(t *testing.T) map[string]bool {
	file, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, 0)
	require.NoError(t, err)
	actions := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Action") {
			action, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			actions[action] = true
		}
		return true
	})
	require.Len(t, actions, 7)
	return actions
}

func TestEveryActionIsEmitted(t *testing.T) {
	emitted := map[string]bool{}
	see := func(c approval.Case, e *opsec.Event, err error) approval.Case {
		c = must(t)(c, e, err)
		require.Equal(t, opsec.TenantID("acme"), e.Tenant)
		require.Equal(t, opsec.Critical, e.Class)
		require.Equal(t, opsec.Resource{Tenant: "acme", Type: "approval", ID: string(c.Request.ID)}, e.Resource)
		attrs := map[string]string{}
		for _, a := range e.Attrs {
			attrs[a.Key] = a.Value
		}
		require.Equal(t, string(c.Digest()), attrs["case_digest"])
		require.Equal(t, string(destroy().Digest()), attrs["action_digest"])
		require.Equal(t, string(status(t, c, start)), attrs["status"])
		require.Equal(t, "acme/ben", attrs["for"])
		emitted[e.Action] = true
		return c
	}
	c := see(approval.New(approval.Request{
		Action: destroy(), By: human("alice"), For: []opsec.Actor{human("ben")}, Policy: plain(role("ops", 1)),
	}, start))
	yes := see(c.Decide(approve(0, human("bob")), everybody, start))
	see(yes.Use(destroy(), human("alice"), everybody, start))
	see(yes.Decide(approval.Decision{Verb: approval.Retract, By: human("bob")}, everybody, start))
	see(c.Decide(approval.Decision{Verb: approval.Reject, By: human("bob")}, everybody, start))
	_, e, err := c.Withdraw(human("alice"), "no longer needed", start)
	see(c.Withdraw(human("alice"), "no longer needed", start))
	require.NoError(t, err)
	require.Equal(t, "no longer needed", e.Reason)
	see(c.Expire(start.Add(24 * time.Hour)))
	require.Equal(t, exportedActions(t), emitted)
}

func TestARefusalTellsOfTheCaseAsItStands(t *testing.T) {
	c := open(t, plain(role("ops", 1)))
	_, e, err := c.Decide(approve(0, sub("alice")), everybody, start)
	require.ErrorIs(t, err, approval.ErrSamePerson)
	require.Equal(t, approval.ActionApprove, e.Action)
	require.Equal(t, sub("alice"), e.Actor)
	require.Equal(t, err.Error(), e.Reason)
	require.Contains(t, e.Attrs, opsec.Attr{Key: "status", Value: "pending", Mark: opsec.Tenant})
	require.Contains(t, e.Attrs, opsec.Attr{Key: "case_digest", Value: string(c.Digest()), Mark: opsec.Tenant})
}
