package lockout

import "time"

// Growth is how locks become longer.
type Growth string

// The growths. N is the number of failures of the run, F is Policy.Failures.
const (
	Fixed    Growth = ""         // Lock each time
	Multiple Growth = "multiple" // Lock * (N / F), in whole numbers: Keycloak's MULTIPLE
	Linear   Growth = "linear"   // Lock * (1 + N - F): Keycloak's LINEAR
	Doubling Growth = "doubling" // Lock, then twice as long each time
)

// Policy is when a counter locks, and for how long. It is data; in JSON durations are texts such as "15m". What is zero is strict.
type Policy struct {
	Failures  int           // wrong secrets one after the other that lock: 1 to 1000
	Forget    time.Duration // a run ends when its last failure is so old; 0: with a success alone
	Lock      time.Duration // the first temporary lock; more than 0 unless Temporary is 0
	Growth    Growth
	LockMost  time.Duration // the longest temporary lock; 0: no longer than Lock
	Temporary int           // so many temporary locks, and the next is permanent; 0: the first is permanent; -1: none is
	Rapid     time.Duration // 8.1.1-3d: a failure sooner than this after another bars; 0: none is too soon
	RapidBar  time.Duration // for so long; when Rapid is set, more than 0
	Reserve   time.Duration // a guess that is not settled so long after its beginning counts as failed, 1s to 10m; it may take twice as long
	Skew      time.Duration // how far the clocks of two nodes may be apart: locks last so much longer
}
