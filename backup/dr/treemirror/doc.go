// Package treemirror keeps a copy of a file tree on another site, and says how old it is.
//
// # Recommendation
//
// ITU-T X.1642, clauses 8.4 and 8.10: data at a second site, asynchronously, with the exposure known and the copy compared
// with the original by a one-way hash.
//
// # Ten lines
//
//	src, err := backup.OpenDir("/srv/data")
//	m, err := treemirror.New(src, "/mnt/west/data", gate, &treemirror.Options{Header: header, Signers: signers})
//	err = m.Sync(ctx, token)   // one generation
//	exposure, known := m.Status().Exposure() // for dr.Meter
//
// # Promises
//
// A Sync that returns nil leaves at the target a tree that has been verified against the manifest of the source, and that
// manifest beside it. Of a file that has changed only the 64 KiB groups that differ are taken from the source. A file is
// replaced whole or not at all; what is no longer in the source is removed after everything else is there. A Sync that was
// interrupted anywhere is taken up by the next. Every change at the target passes the gate: a former primary makes none.
//
// Links are copied and never followed. Nothing outside the target is written, whatever stands in either tree (os.Root).
//
// # What it will not do
//
// While a Sync runs the target is a mixture of two generations, each file being of one; take a snapshot of the target
// between generations where that matters. The source must hold still, as for [backup.Build]: mirror a snapshot. FIFOs,
// sockets and devices are refused. Owners, extended attributes, hard links and holes are not kept, nor a link's own time.
// The target is read twice for each generation, the source once and what has changed again.
package treemirror
