package bolt_test

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/storetest"
)

func TestConformance(t *testing.T) {
	var paths sync.Map
	openAt := func(t testing.TB, path string) store.Driver {
		d := open(t, path)
		paths.Store(d, path)
		return d
	}
	storetest.Run(t, storetest.Harness{
		Open: func(t testing.TB) store.Driver { return openAt(t, filepath.Join(t.TempDir(), "state")) },
		Reopen: func(t testing.TB, d store.Driver) store.Driver {
			require.NoError(t, d.Close())
			path, _ := paths.Load(d)
			return openAt(t, path.(string))
		},
	})
}
