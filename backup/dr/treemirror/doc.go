// Package treemirror keeps a copy of a file tree on another site, and says how old it is.
//
// # Recommendation
//
// ITU-T X.1642, clauses 8.4 and 8.10: data at a second site, asynchronously, with the exposure known and the copy compared
// with the original by a one-way hash.
//
// # Ten lines
//
//	m, err := treemirror.New("/mnt/west/orders", gate, &treemirror.Options{Header: header, Signers: signers})
//	src, err := backup.OpenDir("/snapshots/orders-1200") // of the primary's tree
//	err = m.Sync(ctx, token, src, taken)                 // one generation
//	exposure, known := m.Status().Exposure()             // for dr.Meter
//
//	// the copy: /mnt/west/orders/current/tree, and beside it the manifest that it was compared with
//
//	// after a failover: what the former primary alone has, before it is made a copy
//	for change, err := range treemirror.Diverge(base, former, present) { … }
//
// # Promises
//
// The copy is always one whole generation, also after a crash at any moment: the next is made beside the last, which it
// shares all files with that have not changed, and takes its place at once. Each of its files has been read at the target
// and is what the manifest says. The last but one stays there until a Sync begins; what is left of one that was interrupted
// goes then. Nothing that is at the target is believed: a file that was changed there by hand is mended, whatever its time
// says.
//
// Of a file that has changed only the 64 KiB groups that differ are taken from the source, the rest from the last
// generation; where they lie in more than 1,000 pieces, all from the last of these on. Every change of what the target
// shows passes the gate: a former primary makes none.
//
// The exposure counts from when the snapshot was taken, and is never taken for less where a clock goes back.
//
// Links are copied and never followed. Nothing outside the target is written, whatever stands in either tree (os.Root).
//
// # What it will not do
//
// Save reading: each Sync reads the source and the copy once, what has changed again, and hashes both. Save writing: a file
// that has changed is written whole at the target (where the file system shares blocks, by reference), and takes its room
// twice. The source must hold still, as for [backup.Build]: mirror a snapshot. Where only the mode or the time of a file
// has changed, that shows at once. FIFOs, sockets and devices are refused. Owners, extended attributes and hard links are
// not kept, nor a link's own time. The target wants symbolic links and a rename that is atomic; without hard links
// unchanged files are copied there.
package treemirror
