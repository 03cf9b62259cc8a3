package catalogue

import (
	_ "embed"
	"strings"
)

//go:embed x1642.yaml
var x1642 string

// X1642 returns the requirements of Recommendation ITU-T X.1642, clauses 7 and 8, in our words, with the six categories
// of 8.11.2: "virtualisation", "platform", "operation", "iam", "keys" and "emergency". It reads them anew each time, which
// takes some milliseconds; the result is the caller's own.
func X1642() *Catalogue {
	c, err := Parse(strings.NewReader(x1642))
	if err != nil {
		panic(err) // a part of the program
	}
	return c
}
