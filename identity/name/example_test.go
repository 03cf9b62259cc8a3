package name_test

import (
	"errors"
	"fmt"

	"github.com/cloudopsec/opsec/identity/name"
)

func ExamplePolicy_Check() {
	policy, err := name.Preset("recommendation")
	if err != nil {
		panic(err)
	}
	n, err := policy.Check("Ａlice.Miller", "main") // the first letter is of full width
	fmt.Println(n.Canonical, err)

	_, err = policy.Check("p\u0430ypal", "main") // the second letter is Cyrillic
	var refused *name.Refused
	if errors.As(err, &refused) {
		fmt.Println(refused.Reason, refused.Position)
	}
	fmt.Println(err)
	// Output:
	// alice.miller <nil>
	// mixed 1
	// name: refused: mixed: U+0430 at 1
}

func ExampleCanonical() {
	fmt.Println(name.Canonical("ALICE"))
	fmt.Println(name.Canonical("al ice"))
	// Output:
	// alice <nil>
	//  name: refused: disallowed: U+0020 at 2
}

func ExampleSkeleton() {
	fmt.Println(name.Skeleton("paypa1") == name.Skeleton("paypal"))
	fmt.Println(name.Skeleton("amold") == name.Skeleton("arnold"))
	fmt.Println(name.Skeleton("paypal") == name.Skeleton("payoal"))
	// Output:
	// true
	// true
	// false
}

func ExampleLevelOf() {
	fmt.Println(name.LevelOf("alice"), name.LevelOf("алиса"), name.LevelOf("alice東京"), name.LevelOf("аlice"))
	// Output: ascii single-script highly-restrictive minimally-restrictive
}
