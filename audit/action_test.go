package audit_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
	"github.com/cloudopsec/opsec/audit/audittest"
)

// exportedActions reads the constants Action… from the source, so that none is forgotten.
func exportedActions(t *testing.T) map[string]string {
	file, err := parser.ParseFile(token.NewFileSet(), "action.go", nil, 0)
	require.NoError(t, err)
	actions := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Action") {
			action, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			actions[v.Names[0].Name] = action
		}
		return true
	})
	return actions
}

func TestEveryActionIsEmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		require.NoError(t, os.WriteFile(path, []byte(`{"id":"torn`), 0o600))
		file, err := audit.OpenFile(path, nil)
		require.NoError(t, err)
		hung := audittest.Hung()
		trail, stop := start(t, audit.Sinks{"disk": file, "hung": hung}, audit.Policy{Queue: 8, Require: 1})
		for range 10 {
			record(t, trail, event(opsec.Standard, "s"))
			synctest.Wait()
		}
		repaired, _ := contents(t, path)
		require.NoError(t, os.Remove(path))
		hung.Mend()
		require.NoError(t, stop())
		replaced, _ := contents(t, path)

		log := audittest.New(t)
		for _, e := range append(repaired, replaced...) {
			_, err := log.Record(t.Context(), &e)
			require.NoError(t, err, "each is valid")
		}
		actions := exportedActions(t)
		require.Len(t, actions, 3)
		for name, action := range actions {
			require.Equal(t, opsec.Provider, log.One(t, action).Tenant, name)
		}
	})
}
