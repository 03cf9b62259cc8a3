//go:build !unix

package timeline_test

import "time"

var begin = time.Now()

// cpu is time where that of processors is not known.
func cpu() time.Duration { return time.Since(begin) }
