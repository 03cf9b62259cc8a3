//go:build !unix

package audit

// openFlags is empty where the system has no symbolic links that anybody may make.
const openFlags = 0
