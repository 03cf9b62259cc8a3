package catalogue

import (
	"time"

	"github.com/cloudopsec/opsec/backup/recovery"
)

// TestOf returns what [Catalogue.Tested] takes of a recovery test of package recovery. Which copy was restored is not in the result. Its evidence is
// the digest of the result ([recovery.Result.Digest]), whose JSON is to be kept elsewhere; put that of a report in its place where there is one.
func TestOf(r recovery.Result, location string) Test {
	return Test{ID: string(r.ID), Source: r.Point.Source, Point: r.Point.ID, Location: location, Took: time.Duration(r.Took), Passed: r.Passed, Evidence: r.Digest()}
}
