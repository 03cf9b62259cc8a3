// Package plan finds the cheapest backups that meet a strategy, or says why there are none.
package plan
