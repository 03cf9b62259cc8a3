// Package chaindraw draws chains of things that need each other, a row for each chain, as SVG that stands alone: no script, no
// style sheet, no font of its own, and every text escaped.
package chaindraw
