package recompute_test

import (
	"flag"
	"os"
	"testing"

	"github.com/cloudopsec/opsec/internal/race"
)

// TestMain draws fewer examples where each takes ten times as long.
func TestMain(m *testing.M) {
	flag.Parse()
	if checks := flag.Lookup("rapid.checks"); race.Enabled && checks.Value.String() == checks.DefValue {
		if err := flag.Set("rapid.checks", "20"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
