// Package timeline is sets of time as sorted runs: what was up, down, excluded, and for how long.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.2.1: the availability of a service is reckoned from how long it was usable.
//
// # Ten lines
//
//	down := timeline.Union(outages)     // in any order, overlapping, some of them empty
//	down = down.Within(month)           // what of it is in the month
//	counted := down.Without(works)      // what of it no work explains
//	both := down.And(elsewhere)         // when both zones were down
//	fmt.Println(counted.Length())       // milliseconds
//	fmt.Println(down.Has(t.UnixMilli()))
//
// # Promises
//
// A span begins at its start and is over at its end: spans that touch are one, and nothing counts twice. A span that ends
// before it starts is empty. Every int64 is a moment; no length overflows.
//
// [Union] takes time by the number of spans, whatever their order and wherever they lie. A list that is in order it reads
// once, without memory of its own; of another it makes one copy.
//
// And, Or, Without and Within take time by the spans of both lines, and leave them as they are.
//
// # What it will not do
//
// It has no zones, days or months (package metric has), no leap seconds (POSIX time has none), and nothing finer than a
// millisecond.
package timeline
