//go:build !race

package lockout_test

const raced = false
