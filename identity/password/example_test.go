package password_test

import (
	"fmt"

	"github.com/cloudopsec/opsec/identity/password"
	"github.com/cloudopsec/opsec/identity/password/blocklist"
	"github.com/cloudopsec/opsec/identity/password/strength"
)

var (
	_ password.Blocklist = (*blocklist.List)(nil)
	_ password.Blocklist = blocklist.Lists(nil)
	_ password.Strength  = (*strength.Estimator)(nil)
)

// Everything at once: a preset, made stricter by an estimate of guesses.
func ExampleNew() {
	p, err := password.Preset(password.ASVS)
	if err != nil {
		panic(err)
	}
	p.Name, p.Strength = "ours", 8000 // 10^8 guesses
	common, err := blocklist.Default()
	if err != nil {
		panic(err)
	}
	guesses, err := strength.New()
	if err != nil {
		panic(err)
	}
	c, err := password.New(p, &password.Options{Blocklist: common, Strength: guesses, Words: []string{"Example Cloud"}})
	if err != nil {
		panic(err)
	}
	for _, text := range []string{"Password1", "example-cloud", "tulip-cement-ridge"} {
		fmt.Println(text)
		for _, v := range password.Violations(c.Check([]byte(text), password.Context{Words: []string{"alice"}})) {
			fmt.Println("-", v.Rule)
		}
	}
	// Output:
	// Password1
	// - blocklist
	// - strength
	// example-cloud
	// - words
	// tulip-cement-ridge
}
