// Package extsort sorts more records than memory holds, by runs in temporary files.
//
//	s := extsort.New(extsort.Options{})
//	defer s.Close()
//	// ... s.Add(key, value), and then:
//	for r, err := range s.Sorted() { ... }
//
// Records are sorted by key, bytewise; those with equal keys stay in the order in which they were added. The files are
// sealed under a key that only the process has (AES-256-GCM), so what a crash leaves behind is a directory that nobody can
// read, and a file that was changed or cut short is an error. Close removes them.
package extsort
