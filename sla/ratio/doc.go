// Package ratio is exact fractions, as the targets and figures of a service level are: no float decides.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.2.1: service availability is the percentage of time at which a service is usable. Whether
// 99.95 % is met is decided here, by 128-bit cross multiplication.
//
// # Ten lines
//
//	target, err := ratio.Parse("99.95%")
//	got, err := ratio.New(43_178, 43_200) // good and all minutes
//	met := got.Cmp(target) >= 0           // exactly at the target is met
//	fmt.Println(got.Percent(3))           // 99.949: rounded down, never up to a target that was missed
package ratio
