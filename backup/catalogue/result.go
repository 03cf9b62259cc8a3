package catalogue

import (
	"time"

	"github.com/cloudopsec/opsec/backup/recovery"
)

// TestOf returns what [Catalogue.Tested] takes of a recovery test of package recovery: which copy was restored, and the digest of the report
// that is kept elsewhere, are not in it.
func TestOf(r recovery.Result, location, evidence string) Test {
	return Test{ID: string(r.ID), Source: r.Point.Source, Point: r.Point.ID, Location: location, Took: time.Duration(r.Took), Passed: r.Passed, Evidence: evidence}
}
