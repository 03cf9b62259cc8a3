package sample

import "errors"

// PPM is a share in millionths: 50_000 is 5 %.
type PPM int

// Size returns how many of a population must be drawn so that, when the rate of deviations is tolerable or more, more than
// allowed of them are in the sample with at least that confidence.
func Size(population int, tolerable, confidence PPM, allowed int) (int, error) {
	return 0, errors.ErrUnsupported
}

// Evaluate returns the upper bound, at that confidence, of how many of the population deviate when found of sampled do.
func Evaluate(population, sampled, found int, confidence PPM) (int, error) {
	return 0, errors.ErrUnsupported
}
