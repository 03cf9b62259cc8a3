// Package plan finds the cheapest backups that meet a strategy, says why when there are none, and checks what a catalogue shows against it.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.10, item 1: a backup strategy for each customer or service, with reasonable recovery point and
// recovery time objectives (RPO, RTO), a number of copies, a combination of file-level and machine-level backup at an optimal cost, a
// combination of on-site and off-site backup, and regular recovery tests. Clause 7.2.2.2: the terms of backup in an agreement, checked
// against what is there.
//
// # In short
//
//	problem, err := plan.ParseProblem(file)          // strategy, workload, targets, options with their prices; YAML or JSON
//	solution, err := plan.Optimise(problem)
//	if solution.Best == nil {
//		for _, c := range solution.Infeasible.Conflicts {
//			fmt.Println(c)                   // rto at most 40m (nearest: 53m13s, which is enough)
//		}
//	}
//	findings, err := plan.Check(problem.Strategy, observed) // observed: as catalogue fills it
//	for _, b := range observed.Exposure(plan.OffSite).Over(6 * time.Hour) { /* when more would have been lost */ }
//
// # What is counted
//
// The Recommendation calls the span between two backups RPO. What can be lost is more: just before a run has ended, all is lost since the
// run before it began. So each way to recover has both, and each is held against a limit of its own ([Strategy].RPO, [Strategy].Loss):
//
//	span = interval
//	loss = interval + longest run + lag until the copy is durable + skew of the capture
//	time = detect + decide + provision + (image | rebuild) + files + replay + verify
//
// A restore reads the longest chain at the slowest rate that recovery tests have measured ([Option].Tests), and at the promised rate where
// there are none. What a target stores is counted at its most: just before an old chain goes, with the next point under way. A run that
// takes longer than its interval is no choice.
//
// A way is of one target, and needs no other: files alone when the machine can be rebuilt, an image, or files that are laid on an image
// which is taken more seldom. A choice is one way for an incident, and as many targets on and off the site as the strategy asks for, each
// of which recovers by itself: those on the site within the limits of an incident, those off it within the limits of a disaster.
//
// # Promises
//
// Exact: bytes, durations and money are whole numbers, rounded up, and no sum overflows: what cannot be counted is refused. [Optimise]
// returns what a search through every combination would, within [MaxWays] of them. The same problem has the same answer.
//
// [Infeasible] has every smallest set of requirements that cannot be met together, and for each of them the nearest value that can be
// had; where [Requirement].Enough, changing this one to that value makes the strategy feasible, and no tighter value does. A value that a
// strategy cannot have, such as no copy anywhere, is never enough.
//
// The zero [Strategy] is refused. A limit that is left out is as tight as the one beside it; copies are encrypted and in named regions
// unless the strategy says otherwise in so many words.
//
// # What it will not do
//
// Arrange runs in time: package timetable does, of the [Choice.Runs], and finds out whether they fit a link together. Choose what is kept: package retention.
// Measure: rates, changes and prices are the caller's, and the answer is as good as they are. Know that a target is as secure as the
// site itself: package dr compares that.
//
// Split a way over targets: an image at one and files at another are two targets to lose. Assume that data which changes twice is sent
// once: [Data].Daily over more than a day is a sum, up to [Data].Hot.
package plan
