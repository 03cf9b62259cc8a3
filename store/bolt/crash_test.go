package bolt_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/race"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
	"github.com/cloudopsec/opsec/store/storetest/crashtest"
)

func openPlace(place string) (store.Driver, error) { return bolt.Open(place, nil) }

func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	rounds := race.Fewer(200) // processes, which the detector does not see
	if testing.Short() {
		rounds = 20
	}
	var place string
	crashtest.Run(t, crashtest.Harness{
		Place: func(t testing.TB) string {
			place = filepath.Join(t.TempDir(), "state")
			return place
		},
		Open:   openPlace,
		Rounds: rounds,
	})
	d := open(t, place)
	require.NoError(t, d.Check(t.Context()), "bbolt's own check of every page")
}
