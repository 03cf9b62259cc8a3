// Package composition is the availability of what is made of parts.
package composition
