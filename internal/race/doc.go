// Package race tells tests whether the race detector watches them. It makes what they do several times as slow, and sees races
// between goroutines alone: a test of one goroutine may then do less of the same. Without the detector it does all.
package race

// Fewer returns n, or a fifth of it where the detector is on, at least 1.
func Fewer(n int) int {
	if Enabled {
		return max(n/5, 1)
	}
	return n
}
