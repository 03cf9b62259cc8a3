// Package comparison compares agreements clause by clause: what is weaker, stronger, or cannot be compared.
package comparison
