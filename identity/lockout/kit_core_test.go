package lockout_test

import "time"

// noon is when the tests of Step begin.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
