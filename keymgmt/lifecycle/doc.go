// Package lifecycle leads keys through their lives: the Manager.
package lifecycle
