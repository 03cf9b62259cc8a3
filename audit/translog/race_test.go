//go:build race

package translog_test

const raceEnabled = true
