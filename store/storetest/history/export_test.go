package history

import "time"

// Variable is set in the environment of a child.
const Variable = variable

// Drifted is what becomes of the operations of a process when the clocks have moved apart.
func Drifted(list []Operation, drift time.Duration) []Operation {
	merged, err := merge([][]told{{{Operations: list}}}, drift)
	if err != nil {
		panic(err)
	}
	return merged[0]
}
