// Package verify reads a whole transparency log, a directory or a URL, and says what in it is not as it was written. It
// needs the log's key, and neither the keys that its values are sealed under nor the program that writes it.
//
//	report, err := verify.Log(ctx, os.DirFS("/var/lib/opsec/log"), trust, verify.Options{})
//	// ...
//	for _, f := range report.Findings {
//		fmt.Println(f) // journal: journal/00000000000000000000.seg: entry 4711: checksum
//	}
//
// A log that was put back as a whole to an older state is a good log by itself. Give [Options] a checkpoint that was
// noted elsewhere, or have its witnesses asked.
package verify
