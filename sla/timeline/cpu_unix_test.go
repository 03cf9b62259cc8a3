//go:build unix

package timeline_test

import (
	"syscall"
	"time"
)

// cpu returns how long processors have worked for the process, which other work on the machine moves less than time.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
