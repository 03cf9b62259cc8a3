package accounts

import (
	"time"
)

// Policy says what is wrong. It is data: JSON by its own methods, validated when it is read, and strict when zero.
// A limit of zero takes the default; there is no way to say "unlimited", but kinds can be left out by name in Skip.
type Policy struct {
	// DormantAfter is how long an active account may go unused. Default: 45 days.
	DormantAfter time.Duration
	// ReviewAfter is how long an account may go without review. Default: 90 days.
	ReviewAfter time.Duration
	// UnusedAfter is how long a permission may go unused. Default: 90 days.
	UnusedAfter time.Duration
	// Rare are permissions that nobody expects to be used, such as those of an emergency: never over-authorised.
	Rare []string
	// MaxSession is the longest a session may last. Default: 12 hours.
	MaxSession time.Duration
	// Places is from how many places one human's account may have sessions at once: a terminal is a place, or without
	// one an IPv4 address or an IPv6 /64. Default: 1.
	Places int
	// Denials is how many refusals of one permission are too many. Default: 5.
	Denials int
	// InventedNames and InventedTries are how many different names, or attempts with any, of accounts that do not exist
	// are too many from one origin. Defaults: 3 (at most 64), and 10.
	InventedNames, InventedTries int
	// Origins is how many origins of such attempts are followed at once, 2 KiB each at the most. Default: 1024.
	Origins int
	// Naming is a regular expression (RE2) that the whole name of a main account, and that of a sub-account within its
	// main, must match. Default: a lower-case letter, then 1 to 63 of these, digits, '.', '_' and '-'.
	Naming string
	// Roles are the permissions that each role gives: its baseline. A role that is not here has none.
	Roles map[string][]string
	// Listed is how many permissions, and how many references, a finding lists at the most. Default: 16.
	Listed int
	// Skip are kinds of findings that are not looked for; Summary.NotTested says so.
	Skip []Kind
}
