// Package snapshot tells what a chain of snapshots puts at risk: how likely each restore point can still be used, how many are
// lost with one image, and which few copies would help most.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.10: virtual machine snapshots are to be used with prudence. They slow down what reads
// through them and take space; when the first or an inner snapshot is destroyed, all that follow are invalid; and the risk
// grows with their number.
//
// # Ten lines
//
//	var b snapshot.Builder // or package image, beside this one, which reads the headers of image files
//	b.Add(snapshot.Node{ID: "base.qcow2", Restore: true})
//	b.Add(snapshot.Node{ID: "mon.qcow2", Restore: true, Needs: []snapshot.Need{{ID: "base.qcow2", As: snapshot.AsBacking}}})
//	b.Add(snapshot.Node{ID: "tue.qcow2", Restore: true, Needs: []snapshot.Need{{ID: "mon.qcow2", As: snapshot.AsBacking}}})
//	graph, findings := b.Build() // what is missing, and what needs itself
//
//	profile, _ := snapshot.ProfileNamed("vmware")
//	report, err := graph.Analyze(snapshot.FailureModel{P: 0.01, Now: time.Now()}, &profile)
//	report.WriteText(os.Stdout) // or WriteJSON, WriteDOT, WriteSVG
//
//	loss, err := graph.Destroy("mon.qcow2")                                              // what dies with it
//	plan, err := graph.Flatten(snapshot.FailureModel{P: 0.01}, snapshot.Budget{Bytes: 1 << 40}) // what to copy for a tebibyte
//
// Images, snapshots inside images, delta disks, clones, layers and the chunks of a deduplicating store are all one thing here:
// a [Node] that needs others, all of them. Who has numbers for names uses [Builder.AddIndexed], and a million of them take 50
// to 64 MiB, report included.
//
// # How it reckons
//
// A restore point can be used if every node of its closure is sound, so its chance is the product over the different nodes of
// the closure, however many ways lead to them. With n points in a chain, each of which is also what the next is read through,
// and a chance p that one of them is bad, one expects to lose
//
//	n - (1-p)(1-(1-p)^n)/p
//
// points: at p = 1 %, 0.27 of 7, 4.2 of 30, 37 of 100; n·p if none needed another. See [FailureModel] for where p comes from: a
// verification lowers it, and copies as far as they fail independently.
//
// Since a node needs all that it names, each member of a closure is a single point of failure of it, and the restore points
// that die with a node are those in whose closure it is: [Report.Blast] counts them, exactly.
//
// # Promises
//
// No content makes [Builder.Build] or [Graph.Analyze] fail or run for long: circles, missing nodes, names given twice are
// findings, and what is in a circle or needs what is missing is lost, whatever else is true of it.
//
// A figure is exact, up to the rounding of floating-point numbers, or it is a bound and the report says so. In chains and
// trees, with whatever extents and data files, it is always exact. Decisions about sizes, depths and ages are made in integers.
//
// No name gets out of a report: not on a terminal, not in JSON, DOT or SVG ([Quote]). Drawings and lists say what they left
// out. The same graph, model and profile give the same bytes.
//
// # What it will not do
//
// Look at anything: what is verified, broken or missing is what the caller says. Package image reads headers, package backup
// verifies contents.
//
// Know how often images fail. A chance of one in a hundred is a figure for comparing chains, not a property of your disks;
// count what your verifications find. Nor does it know that two images lie on one array: add the array as a node that both need.
//
// Judge how slow a chain is without measurements of yours ([FitLatency]).
//
// Change images. A [Plan] is for whoever runs qemu-img rebase, a consolidation or a full backup; it takes copies to be as likely
// to fail as what they replace.
package snapshot
