// Package index finds entries of a span of a log by what they are about and when they happened.
package index
