package blocklist

import (
	"bytes"
	_ "embed"
)

// What is embedded is a filter: no password can be read out of it. generate_test.go says from what it is made, and how.
//
//go:embed default.bl
var common []byte

// Default returns the list that comes with the library: the 10,000 most common passwords of any length, and the 10,000 most
// common of at least 8, 12 and 15 characters, as OWASP ASVS 5, 6.2.4 asks for at least 3,000 that meet the application's own
// rules (of 15 and more the source has 9,728). Of what is not on it, one in 65536 is found all the same. Each call reads it anew, in less than a millisecond.
//
// The passwords are those of "Ten Million Passwords" (Mark Burnett, 2015), ranked as in SecLists, whose notice is in LICENSE-PASSWORDS.
func Default() (*List, error) { return Read(bytes.NewReader(common)) }
