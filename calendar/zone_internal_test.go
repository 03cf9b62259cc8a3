package calendar

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestClockRemembersWithoutForgettingTheFirstTime: a clock that has been elsewhere answers as a fresh one.
func TestClockRemembersWithoutForgettingTheFirstTime(t *testing.T) {
	for name, change := range map[string]string{
		"Europe/Berlin": "2026-10-25T01:00:00Z", "America/Juneau": "1867-10-20T00:31:13Z", "Pacific/Apia": "2011-12-30T10:00:00Z",
	} {
		loc, err := time.LoadLocation(name)
		require.NoError(t, err)
		near, err := time.Parse(time.RFC3339, change)
		require.NoError(t, err)
		rapid.Check(t, func(t *rapid.T) {
			c := clock{loc: loc}
			minute := rapid.Int64Range(-60*60, 60*60)
			for range 5 {
				if rapid.Bool().Draw(t, "day") {
					c.day(near.Unix() + 60*minute.Draw(t, "instant"))
				}
				local := near.Unix() + 60*minute.Draw(t, "local")
				got := c.instant(local)
				require.Equal(t, (&clock{loc: loc}).instant(local), got)
				_, offset := time.Unix(got, 0).In(loc).Zone()
				_, before := time.Unix(got-1, 0).In(loc).Zone()
				require.GreaterOrEqual(t, got+int64(offset), local, "the clock shows it, or later")
				require.Less(t, got-1+int64(before), local, "and did not the second before")
			}
		})
	}
}
