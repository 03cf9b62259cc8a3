// Package subject keeps the keys under which a transparency log seals what it says about subjects, so that they can
// be destroyed one by one.
package subject
