//go:build !unix

package audit

// openFlags is empty where the system has no symbolic links that anybody may make.
const openFlags = 0

// syncDir does nothing where a directory cannot be opened.
func syncDir(string) error { return nil }
