// Package report shows a backup strategy and its state to people.
package report
